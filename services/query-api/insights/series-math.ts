import { invalidInput } from '../http/api-error.ts'
import { readGroupTypeIndex } from '../query/property-filters.ts'
import type { Expression } from '../sql/syntax.ts'
import { optionalText } from './entity-request.ts'
import { readExpression } from './expression-math.ts'

/** Numbers over many, none of which is no number: 0. Percentiles lie between neighbours, by linear interpolation. */
export const AGGREGATES = {
  sum: 'sum',
  avg: 'avg',
  min: 'min',
  max: 'max',
  median: 'quantileExactInclusive(0.5)',
  p75: 'quantileExactInclusive(0.75)',
  p90: 'quantileExactInclusive(0.9)',
  p95: 'quantileExactInclusive(0.95)',
  p99: 'quantileExactInclusive(0.99)',
} as const
export type Aggregate = keyof typeof AGGREGATES

/** What a series counts. */
export type SeriesMath =
  /** Events. */
  | { readonly kind: 'total' }
  /** Actors. */
  | { readonly kind: 'dau' }
  /** Actors of so many days: the point's own and those before it. */
  | { readonly kind: 'active'; readonly days: number }
  | { readonly kind: 'unique_group'; readonly index: number }
  | { readonly kind: 'unique_session' }
  /** A number that events have. */
  | { readonly kind: 'property'; readonly aggregate: Aggregate; readonly key: string }
  /** What an expression over the events says. */
  | { readonly kind: 'expression'; readonly text: string; readonly expression: Expression }
  /** How long the sessions are that have events, seconds, each session once. */
  | { readonly kind: 'session_duration'; readonly aggregate: Aggregate }
  /** How many events an actor has, over the actors that have any. */
  | { readonly kind: 'per_actor'; readonly aggregate: Aggregate }
  /** Actors whose first event ever it is; `matching`: whose first event ever that passes the filters. */
  | { readonly kind: 'first_time'; readonly matching: boolean }

const SIMPLE: Readonly<Record<string, SeriesMath>> = {
  total: { kind: 'total' },
  dau: { kind: 'dau' },
  weekly_active: { kind: 'active', days: 7 },
  monthly_active: { kind: 'active', days: 30 },
  unique_session: { kind: 'unique_session' },
  first_time_for_user: { kind: 'first_time', matching: false },
  first_matching_event_for_user: { kind: 'first_time', matching: true },
}

const PER_ACTOR = '_count_per_actor'
const PER_ACTOR_MATHS = (Object.keys(AGGREGATES) as Aggregate[]).filter((name) => name !== 'sum')

/** Members that hold the expression, by the math. Names of other products' clients stand beside our own. */
const EXPRESSIONS: Readonly<Record<string, string>> = { sql: 'math_sql', hogql: 'math_hogql' }

export const MATHS = [
  ...Object.keys(SIMPLE),
  ...Object.keys(EXPRESSIONS),
  'unique_group',
  ...Object.keys(AGGREGATES),
  ...PER_ACTOR_MATHS.map((name) => name + PER_ACTOR),
]

export const MATH_MEMBERS = [
  'math',
  'math_property',
  'math_property_type',
  'math_group_type_index',
  ...Object.values(EXPRESSIONS),
] as const

/** A number is read from the event, the duration of a session from the session. */
const PROPERTY_TYPES = ['event_properties', 'session_properties']

/**
 * @param given members of a series
 * @param attr  parameter that it stands in
 * @throws ApiError 400
 */
export function readMath(
  given: Readonly<Record<string, unknown>>,
  attr: string,
): { readonly math: string; readonly counts: SeriesMath } {
  const math = optionalText(given.math, `${attr}__math`) ?? 'total'
  const type = optionalText(given.math_property_type, `${attr}__math_property_type`) ?? 'event_properties'
  if (!PROPERTY_TYPES.includes(type))
    throw invalidInput(
      `${attr}__math_property_type`,
      `math_property_type must be one of ${PROPERTY_TYPES.join(', ')}.`,
    )
  return { math, counts: countsOf(math, given, attr) }
}

/**
 * Whom a series or step counts in an insight that counts actors whatever it is about.
 *
 * @returns the type of groups; null for the actors of the question
 * @throws ApiError 400 for a math that counts anything else
 */
export function countedGroupsOf(
  { math, counts }: { readonly math: string; readonly counts: SeriesMath },
  attr: string,
): number | null {
  if (counts.kind === 'total' || counts.kind === 'dau') return null
  if (counts.kind === 'unique_group') return counts.index
  throw invalidInput(
    `${attr}__math`,
    `Here actors are counted, and no ${math}: leave math out, or send dau, or unique_group with math_group_type_index.`,
  )
}

/**
 * @param groupTypeIndex groups that act in the whole question; null for persons
 * @throws ApiError 400 for a step that counts others than act in the question
 */
export function refuseOtherActors(
  given: Readonly<Record<string, unknown>>,
  attr: string,
  groupTypeIndex: number | null,
): void {
  const countedGroups = countedGroupsOf(readMath(given, attr), attr)
  if (countedGroups !== null && countedGroups !== groupTypeIndex)
    throw invalidInput(
      `${attr}__math`,
      `The same actors go through all steps: leave math out, and send aggregation_group_type_index=${countedGroups}.`,
    )
}

function countsOf(math: string, given: Readonly<Record<string, unknown>>, attr: string): SeriesMath {
  const simple = Object.hasOwn(SIMPLE, math) ? SIMPLE[math] : undefined
  if (simple !== undefined) return simple
  const member = Object.hasOwn(EXPRESSIONS, math) ? EXPRESSIONS[math] : undefined
  if (member !== undefined) {
    const text = optionalText(given[member], `${attr}__${member}`)
    if (text === null) throw invalidInput(`${attr}__${member}`, `${math} needs a ${member}.`)
    return { kind: 'expression', text, expression: readExpression(text, `${attr}__${member}`) }
  }
  if (math === 'unique_group') {
    const index = readGroupTypeIndex(given.math_group_type_index, `${attr}__math_group_type_index`)
    return { kind: 'unique_group', index }
  }
  const perActor = PER_ACTOR_MATHS.find((name) => name + PER_ACTOR === math)
  if (perActor !== undefined) return { kind: 'per_actor', aggregate: perActor }
  if (!Object.hasOwn(AGGREGATES, math))
    throw invalidInput(`${attr}__math`, `math must be one of ${MATHS.join(', ')}.`)
  const aggregate = math as Aggregate
  const key = optionalText(given.math_property, `${attr}__math_property`)
  if (key === null) throw invalidInput(`${attr}__math_property`, `${math} needs a math_property.`)
  return key === '$session_duration'
    ? { kind: 'session_duration', aggregate }
    : { kind: 'property', aggregate, key }
}
