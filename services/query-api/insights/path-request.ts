import { Type } from '@sinclair/typebox'
import { invalidInput } from '../http/api-error.ts'
import {
  choiceDeclared,
  countDeclared,
  jsonDeclared,
  type ParameterDeclarations,
  textDeclared,
  wholeDeclared,
} from '../http/parameter-declarations.ts'
import { choiceParameter, type RawQuery, TEXT_LENGTH_MAX, textParameter } from '../http/request-parameters.ts'
import { INTERVALS } from '../query/zoned-time.ts'
import { readEventExpression } from '../sql/event-expression.ts'
import { SQL_LIMITS } from '../sql/sql-limits.ts'
import type { Expression } from '../sql/syntax.ts'
import { jsonList, jsonParameter, objectOf, optionalText } from './entity-request.ts'
import { type FunnelRequest, readFunnelRequest, refuseTexts } from './funnel-request.ts'
import { impliedBeside } from './implied-parameters.ts'
import {
  flagParameter,
  INSIGHT_PARAMETERS,
  type InsightRequest,
  readInsightRequest,
  refuseUndeclared,
  wholeParameter,
} from './insight-request.ts'
import { textsOf } from './posted-parameters.ts'

export const PATH_LIMITS = {
  steps: 20,
  stepsDefault: 5,
  edges: 1_000,
  edgesDefault: 50,
  names: 50,
  patterns: 20,
  weight: 1_000_000_000,
} as const

/** Nothing of a path is by the interval. */
export const PATH_IMPLIED = impliedBeside({ insight: ['PATHS'], interval: [...INTERVALS, 'minute'] })

const EVENT_TYPES = ['$pageview', '$screen', 'custom_event', 'hogql'] as const
export type PathEventType = (typeof EVENT_TYPES)[number]

const FUNNEL_SIDES = [
  'funnel_path_before_step',
  'funnel_path_between_steps',
  'funnel_path_after_step',
] as const

export const PATH_PARAMETERS = {
  include_event_types: jsonDeclared(
    'Some of `$pageview`, `$screen`, `custom_event`, all three when left out; `hogql`: stops are called by the expression.',
  ),
  paths_hogql_expression: textDeclared(
    'With `hogql`: an expression over the event, whose text a stop is called by. Alone it makes stops of all events.',
  ),
  include_custom_events: jsonDeclared('Names of events that count as well.'),
  exclude_events: jsonDeclared('Stops that do not count, `*` for anything.'),
  start_point: textDeclared('Paths from the first such stop on.'),
  end_point: textDeclared('Paths up to the first such stop.'),
  path_groupings: jsonDeclared('Patterns; stops that fit one are called by it.'),
  path_replacements: {
    description: '`false`: the rules of local_path_cleaning_filters are sent, and do not count.',
    schema: Type.Boolean({ default: true }),
  },
  local_path_cleaning_filters: jsonDeclared(
    'Rules `{regex, alias}`, applied to every stop one after the other.',
  ),
  step_limit: wholeDeclared('Stops of a path.', 2, PATH_LIMITS.steps, PATH_LIMITS.stepsDefault),
  edge_limit: countDeclared('Edges of the answer.', PATH_LIMITS.edgesDefault, PATH_LIMITS.edges),
  min_edge_weight: countDeclared('Paths that an edge has at least.', 1, PATH_LIMITS.weight),
  max_edge_weight: wholeDeclared('Paths that an edge has at most.', 1, PATH_LIMITS.weight),
  funnel_paths: choiceDeclared('Only what people of a funnel did around a step of it.', FUNNEL_SIDES),
  funnel_filter: jsonDeclared('Parameters of that funnel, with `funnel_step`.'),
  ...INSIGHT_PARAMETERS,
}

export interface PathRequest extends InsightRequest {
  readonly types: readonly PathEventType[]
  /** What stops are called by; null for what events of their type are called by. */
  readonly stopExpression: Expression | null
  readonly customEvents: readonly string[]
  /** Stops to leave out, with `*` for anything. */
  readonly exclude: readonly string[]
  /** Stops that fit become one, named by the pattern; the first that fits counts. */
  readonly groupings: readonly string[]
  /** Parts of stops that are replaced, one rule after the other. */
  readonly replacements: readonly { readonly regex: string; readonly alias: string }[]
  readonly start: string | null
  readonly end: string | null
  readonly stepLimit: number
  readonly edgeLimit: number
  readonly minWeight: number
  readonly maxWeight: number | null
  readonly around: PathsAroundFunnel | null
}

/** Only what people of a funnel did before, between or after steps of it. */
export interface PathsAroundFunnel {
  readonly side: (typeof FUNNEL_SIDES)[number]
  readonly funnel: FunnelRequest
  /** n: those who reached step n, counted from 1. −n: those who reached the one before and not n. */
  readonly step: number
}

/** @throws ApiError 400 */
export function readPathRequest(query: RawQuery, further: ParameterDeclarations = {}): PathRequest {
  refuseUndeclared(query, PATH_PARAMETERS, further, PATH_IMPLIED)
  const isCleaned =
    textParameter(query, 'path_replacements') === null || flagParameter(query, 'path_replacements')
  const replacements = readReplacements(query)
  const types = readTypes(query)
  const stopExpression = readStopExpression(query, types)
  const start = pointOf(query, 'start_point', stopExpression)
  const end = pointOf(query, 'end_point', stopExpression)
  const stepLimit = wholeParameter(query, 'step_limit', 2, PATH_LIMITS.steps) ?? PATH_LIMITS.stepsDefault
  // Its first, what is left out, and its last.
  if (start !== null && end !== null && stepLimit < 3)
    throw invalidInput('step_limit', 'A path with a start and an end has at least 3 steps.')
  return {
    ...readInsightRequest(query),
    types,
    stopExpression,
    customEvents: texts(query, 'include_custom_events', PATH_LIMITS.names),
    exclude: texts(query, 'exclude_events', PATH_LIMITS.names),
    groupings: texts(query, 'path_groupings', PATH_LIMITS.patterns),
    replacements: isCleaned ? replacements : [],
    start,
    end,
    stepLimit,
    edgeLimit: wholeParameter(query, 'edge_limit', 1, PATH_LIMITS.edges) ?? PATH_LIMITS.edgesDefault,
    minWeight: wholeParameter(query, 'min_edge_weight', 1, PATH_LIMITS.weight) ?? 1,
    maxWeight: wholeParameter(query, 'max_edge_weight', 1, PATH_LIMITS.weight),
    around: readAround(query),
  }
}

function readTypes(query: RawQuery): PathEventType[] {
  const types = texts(query, 'include_event_types', EVENT_TYPES.length)
  if (types.every((type): type is PathEventType => EVENT_TYPES.includes(type as PathEventType))) return types
  throw invalidInput('include_event_types', `include_event_types lists some of ${EVENT_TYPES.join(', ')}.`)
}

/** @throws ApiError 400 also where only one of the expression and the type that stands for it is sent */
function readStopExpression(query: RawQuery, types: readonly PathEventType[]): Expression | null {
  const attr = 'paths_hogql_expression'
  const text = textParameter(query, attr, SQL_LIMITS.expressionLength)
  if (types.includes('hogql') === (text === null))
    throw text === null
      ? invalidInput(attr, `Say what stops are called by: ${attr}.`)
      : invalidInput('include_event_types', `${attr} counts with "hogql" among the include_event_types.`)
  return text === null ? null : readEventExpression(text, attr)
}

/** Stops have no slash at their end, so points have none either; those of an expression are called as it says. */
function pointOf(query: RawQuery, name: string, expression: Expression | null): string | null {
  const text = textParameter(query, name)
  return text === null || text.length < 2 || expression !== null ? text : text.replace(/\/+$/, '')
}

function texts(query: RawQuery, name: string, max: number): string[] {
  const list = jsonList(query, name)
  if (list.length > max || !list.every((one) => typeof one === 'string' && one.length <= TEXT_LENGTH_MAX))
    throw invalidInput(
      name,
      `${name} is a list of at most ${max} texts of at most ${TEXT_LENGTH_MAX} characters.`,
    )
  return list as string[]
}

function readReplacements(query: RawQuery): PathRequest['replacements'] {
  const attr = 'local_path_cleaning_filters'
  const list = jsonList(query, attr)
  if (list.length > PATH_LIMITS.patterns)
    throw invalidInput(attr, `There may be at most ${PATH_LIMITS.patterns} rules.`)
  return list.map((value) => {
    const { regex, alias } = objectOf(value, attr)
    const expression = optionalText(regex, attr)
    if (expression === null) throw invalidInput(attr, 'A rule is {"regex":"…","alias":"…"}.')
    const text = optionalText(alias, attr) ?? ''
    if (text.includes('\\')) throw invalidInput(attr, 'An alias is put in as it is: it has no backslash.')
    return { regex: expression, alias: text }
  })
}

function readAround(query: RawQuery): PathsAroundFunnel | null {
  if (textParameter(query, 'funnel_paths') === null) return null
  const side = choiceParameter(query, 'funnel_paths', FUNNEL_SIDES, FUNNEL_SIDES[0])
  const filter = jsonParameter(query, 'funnel_filter')
  if (filter === null) throw invalidInput('funnel_filter', 'funnel_paths needs the funnel in funnel_filter.')
  const { funnel_step: given, ...parameters } = objectOf(filter, 'funnel_filter')
  const funnel = readFunnelRequest(textsOf(parameters))
  refuseTexts(funnel)
  const step = Number(given ?? funnel.steps.length)
  const isStep = Number.isInteger(step) && step !== 0 && Math.abs(step) <= funnel.steps.length && step !== -1
  if (!isStep)
    throw invalidInput(
      'funnel_filter',
      'funnel_step is the number of a step, negative for those who dropped before it.',
    )
  if (side === 'funnel_path_between_steps' && lastReached(step) < 2)
    throw invalidInput(
      'funnel_filter',
      'Between steps needs people who reached a step after the first: a funnel_step of at least 2, or of at most -3.',
    )
  return { side, funnel, step }
}

/** The last step that those whom a `funnel_step` means have in common, counted from 1. */
export function lastReached(step: number): number {
  return step > 0 ? step : -step - 1
}
