import { Type } from '@sinclair/typebox'
import { invalidInput } from '../http/api-error.ts'
import {
  choiceDeclared,
  countDeclared,
  jsonDeclared,
  type ParameterDeclaration,
  type ParameterDeclarations,
  textDeclared,
  wholeDeclared,
} from '../http/parameter-declarations.ts'
import { choiceParameter, type RawQuery, textParameter } from '../http/request-parameters.ts'
import type { Interval } from '../query/zoned-time.ts'
import { readEventExpression } from '../sql/event-expression.ts'
import { SQL_LIMITS } from '../sql/sql-limits.ts'
import type { Expression } from '../sql/syntax.ts'
import { BREAKDOWN_PARAMETERS, type Breakdown, readBreakdown } from './breakdown.ts'
import { type EntityRequest, jsonList, objectOf, readEntities, readEntity } from './entity-request.ts'
import { impliedBeside } from './implied-parameters.ts'
import {
  ACTIONS_PARAMETER,
  EVENTS_PARAMETER,
  INSIGHT_PARAMETERS,
  type InsightRequest,
  readInsightRequest,
  refuseUndeclared,
  wholeParameter,
} from './insight-request.ts'
import { MATH_MEMBERS, refuseOtherActors } from './series-math.ts'
import { INTERVAL_PARAMETER, readInterval } from './trend-request.ts'

export const FUNNEL_LIMITS = { steps: 20, exclusions: 5, window: 100_000, bins: 90 } as const

export const FUNNEL_IMPLIED = impliedBeside({ insight: ['FUNNELS'] })

const UNIT_MS = {
  second: 1_000,
  minute: 60_000,
  hour: 3_600_000,
  day: 86_400_000,
  week: 604_800_000,
  month: 2_592_000_000,
} as const
export const UNITS = Object.keys(UNIT_MS) as (keyof typeof UNIT_MS)[]
export const DEFAULT_WINDOW_DAYS = 14

const ACTOR_PARAMETER = 'funnel_aggregate_by_hogql'
const ORDERS = ['ordered', 'unordered', 'strict'] as const
const VIEWS = ['steps', 'trends', 'time_to_convert'] as const
const ATTRIBUTIONS = ['first_touch', 'last_touch', 'all_events', 'step'] as const

/** See {@link readBinCount}. */
export const BIN_COUNT_PARAMETER: ParameterDeclaration = {
  description: 'Bins of times; `auto`: the cube root of what is counted.',
  schema: Type.Union([Type.Integer({ minimum: 1, maximum: FUNNEL_LIMITS.bins }), Type.Literal('auto')], {
    default: 'auto',
  }),
}

export const FUNNEL_PARAMETERS = {
  events: EVENTS_PARAMETER,
  actions: ACTIONS_PARAMETER,
  interval: INTERVAL_PARAMETER,
  funnel_window_interval: countDeclared(
    'All steps lie within so long after the first one.',
    DEFAULT_WINDOW_DAYS,
    FUNNEL_LIMITS.window,
  ),
  funnel_window_interval_unit: choiceDeclared('Unit of that; a month is 30 days.', UNITS, 'day'),
  funnel_window_days: wholeDeclared('The same in days, as older clients say it.', 1, FUNNEL_LIMITS.window),
  funnel_order_type: choiceDeclared('How steps follow each other.', ORDERS, 'ordered'),
  funnel_viz_type: choiceDeclared('What is answered.', VIEWS, 'steps'),
  funnel_from_step: wholeDeclared(
    'The step that trends and times begin with.',
    0,
    FUNNEL_LIMITS.steps - 1,
    0,
  ),
  funnel_to_step: wholeDeclared('The step that they end with; the last one.', 0, FUNNEL_LIMITS.steps - 1),
  exclusions: jsonDeclared(
    'Events that end a run between two steps: entities with `funnel_from_step` and `funnel_to_step`.',
  ),
  funnel_aggregate_by_hogql: textDeclared(
    'Texts of this expression over the event go through the funnel instead of persons: `properties.$session_id`.',
  ),
  bin_count: BIN_COUNT_PARAMETER,
  breakdown_attribution_type: choiceDeclared(
    'Which of its values an actor counts under.',
    ATTRIBUTIONS,
    'first_touch',
  ),
  breakdown_attribution_value: wholeDeclared('With `step`: which one.', 0, FUNNEL_LIMITS.steps - 1, 0),
  ...INSIGHT_PARAMETERS,
  ...BREAKDOWN_PARAMETERS,
}

/** Which of an actor's values the actor counts under. */
export type Attribution =
  | { readonly by: 'first_touch' | 'last_touch' | 'all_events' }
  | { readonly by: 'step'; readonly step: number }

export interface Exclusion extends EntityRequest {
  /** Steps, counted from 0, between which the event must not happen. */
  readonly from: number
  readonly to: number
}

export interface FunnelRequest extends InsightRequest {
  readonly steps: readonly EntityRequest[]
  readonly order: (typeof ORDERS)[number]
  readonly view: (typeof VIEWS)[number]
  readonly windowMs: number
  readonly exclusions: readonly Exclusion[]
  /** Steps, counted from 0, that trends and times are about. */
  readonly fromStep: number
  readonly toStep: number
  readonly interval: Interval
  readonly breakdown: Breakdown | null
  readonly attribution: Attribution
  /** Whose texts go through the funnel; null for persons or groups. */
  readonly actorExpression: Expression | null
  /** Null to choose by the number of actors. */
  readonly binCount: number | null
}

/**
 * @param further parameters that the route reads besides
 * @throws ApiError 400
 */
export function readFunnelRequest(query: RawQuery, further: ParameterDeclarations = {}): FunnelRequest {
  refuseUndeclared(query, FUNNEL_PARAMETERS, further, FUNNEL_IMPLIED)
  const common = readInsightRequest(query)
  const steps = readEntities(query, MATH_MEMBERS, (given, attr) => {
    refuseOtherActors(given, attr, common.groupTypeIndex)
    return {}
  })
  if (steps.length === 0 || steps.length > FUNNEL_LIMITS.steps)
    throw invalidInput('events', `events and actions must be 1 to ${FUNNEL_LIMITS.steps} steps together.`)
  const order = choiceParameter(query, 'funnel_order_type', ORDERS, 'ordered')
  const last = steps.length - 1
  const fromStep = wholeParameter(query, 'funnel_from_step', 0, last) ?? 0
  const toStep = wholeParameter(query, 'funnel_to_step', 0, last) ?? last
  if (fromStep >= toStep && last > 0)
    throw invalidInput('funnel_from_step', 'funnel_from_step must be before funnel_to_step.')
  return {
    ...common,
    steps,
    order,
    view: choiceParameter(query, 'funnel_viz_type', VIEWS, 'steps'),
    windowMs: readFunnelWindow(query),
    exclusions: readExclusions(query, last, order, common),
    fromStep,
    toStep,
    interval: readInterval(query),
    breakdown: readBreakdown(query),
    attribution: readAttribution(query, last),
    actorExpression: readActorExpression(query, common),
    binCount: readBinCount(query),
  }
}

/** Funnels of persons say so by the name of the person's id. */
function readActorExpression(query: RawQuery, { groupTypeIndex }: InsightRequest): Expression | null {
  const text = textParameter(query, ACTOR_PARAMETER, SQL_LIMITS.expressionLength)
  if (text === null || text.trim() === 'person_id') return null
  if (groupTypeIndex !== null)
    throw invalidInput(
      ACTOR_PARAMETER,
      'Groups go through a funnel, or texts of an expression: leave one of the two out.',
    )
  return readEventExpression(text, ACTOR_PARAMETER)
}

/**
 * Refuses a funnel of texts where those who went through it have to be persons or groups.
 *
 * @throws ApiError 400
 */
export function refuseTexts({ actorExpression }: FunnelRequest): void {
  if (actorExpression !== null)
    throw invalidInput(
      ACTOR_PARAMETER,
      `Here the actors of a funnel are persons or groups, and no texts: leave ${ACTOR_PARAMETER} out.`,
    )
}

/** Null for `auto`. */
export function readBinCount(query: RawQuery): number | null {
  return textParameter(query, 'bin_count') === 'auto'
    ? null
    : wholeParameter(query, 'bin_count', 1, FUNNEL_LIMITS.bins)
}

function readFunnelWindow(query: RawQuery): number {
  const days = wholeParameter(query, 'funnel_window_days', 1, FUNNEL_LIMITS.window)
  const isOld = days !== null && textParameter(query, 'funnel_window_interval') === null
  return isOld ? days * UNIT_MS.day : readWindow(query, 'funnel_window_interval')
}

/**
 * A length of time as `<name>` and `<name>_unit`, in milliseconds; 14 days where neither is sent, a month is 30 days.
 *
 * @throws ApiError 400
 */
export function readWindow(query: RawQuery, name: string): number {
  const count = wholeParameter(query, name, 1, FUNNEL_LIMITS.window) ?? DEFAULT_WINDOW_DAYS
  return count * UNIT_MS[choiceParameter(query, `${name}_unit`, UNITS, 'day')]
}

function readExclusions(
  query: RawQuery,
  last: number,
  order: FunnelRequest['order'],
  { groupTypeIndex }: InsightRequest,
): Exclusion[] {
  const listed = jsonList(query, 'exclusions')
  if (listed.length > FUNNEL_LIMITS.exclusions)
    throw invalidInput('exclusions', `There may be at most ${FUNNEL_LIMITS.exclusions} exclusions.`)
  return listed.map((value, index) => {
    const given = objectOf(value, 'exclusions')
    const entity = readEntity(given, 'events', 'exclusions', index, [
      'funnel_from_step',
      'funnel_to_step',
      ...MATH_MEMBERS,
    ])
    refuseOtherActors(given, 'exclusions', groupTypeIndex)
    const from = given.funnel_from_step ?? 0
    const to = given.funnel_to_step ?? last
    const isRange = Number.isInteger(from) && Number.isInteger(to)
    if (!isRange || Number(from) < 0 || Number(from) >= Number(to) || Number(to) > last)
      throw invalidInput(
        'exclusions',
        'An exclusion lies between two steps of the funnel, the earlier one first.',
      )
    if (order === 'unordered' && (from !== 0 || to !== last))
      throw invalidInput(
        'exclusions',
        'Steps in any order have nothing between two of them: exclude from 0 to the last.',
      )
    return { ...entity, from: Number(from), to: Number(to) }
  })
}

function readAttribution(query: RawQuery, last: number): Attribution {
  const by = choiceParameter(query, 'breakdown_attribution_type', ATTRIBUTIONS, 'first_touch')
  if (by !== 'step') return { by }
  return { by, step: wholeParameter(query, 'breakdown_attribution_value', 0, last) ?? 0 }
}
