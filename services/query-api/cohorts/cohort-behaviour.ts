import { invalidInput } from '../http/api-error.ts'
import { optionalText } from '../insights/entity-request.ts'
import { FILTER_TYPES, type FilterGroup, readFilterTree } from '../query/property-filters.ts'
import { readWindow, type TimeWindow, wholeNumber, windowLengthMs } from './time-window.ts'

/** Events of a name (null for any), or of an action. */
export type EventAsked =
  | { readonly type: 'events'; readonly id: string | null }
  | { readonly type: 'actions'; readonly id: number }

export const COMPARISONS = { gte: '>=', lte: '<=', gt: '>', lt: '<', eq: '=', exact: '=' } as const
export type Comparison = keyof typeof COMPARISONS

/** How many events there must be. None is never enough, whatever the comparison says. */
export interface Amount {
  readonly comparison: Comparison
  readonly count: number
}

/** What somebody has to have done until a calculation, by the events that passed the filters. */
export type Behaviour = { readonly event: EventAsked; readonly filters: FilterGroup } & (
  | { readonly kind: 'performed_event' | 'performed_event_first_time'; readonly within: TimeWindow }
  | { readonly kind: 'performed_event_multiple'; readonly within: TimeWindow; readonly amount: Amount }
  | {
      readonly kind: 'performed_event_sequence'
      readonly within: TimeWindow
      /** What comes after it, and how long after it at most. */
      readonly then: EventAsked
      readonly thenWithin: TimeWindow
    }
  | {
      readonly kind: 'performed_event_regularly'
      /** One period; so many of them, one before the other, are looked at. */
      readonly period: TimeWindow
      readonly periods: number
      readonly periodsMin: number
      readonly amount: Amount
    }
  | {
      readonly kind: 'stopped_performing_event' | 'restarted_performing_event'
      readonly within: TimeWindow
      /** The end of it, in which the event did not happen any more, or happened again. */
      readonly recent: TimeWindow
    }
)

export const BEHAVIOURS = [
  'performed_event',
  'performed_event_multiple',
  'performed_event_first_time',
  'performed_event_sequence',
  'performed_event_regularly',
  'stopped_performing_event',
  'restarted_performing_event',
] as const satisfies readonly Behaviour['kind'][]

export const PERIODS_MAX = 60

const MEMBERS = [
  'type',
  'value',
  'key',
  'event_type',
  'event_filters',
  'time_value',
  'time_interval',
  'operator',
  'operator_value',
  'seq_event',
  'seq_event_type',
  'seq_time_value',
  'seq_time_interval',
  'min_periods',
  'total_periods',
  'negation',
]

/**
 * One criterion of the type `behavioral`.
 *
 * @throws ApiError 400
 */
export function readBehaviour(given: Readonly<Record<string, unknown>>, attr: string): Behaviour {
  const unknown = Object.keys(given).find((name) => !MEMBERS.includes(name))
  if (unknown !== undefined)
    throw invalidInput(attr, `A behaviour has ${MEMBERS.join(', ')}; nothing else is supported.`)
  const kind = BEHAVIOURS.find((one) => one === given.value)
  if (kind === undefined)
    throw invalidInput(`${attr}__value`, `The value of a behaviour is one of ${BEHAVIOURS.join(', ')}.`)
  const common = {
    event: readEvent(given.key, given.event_type, `${attr}__key`),
    filters: readFilterTree(given.event_filters ?? [], `${attr}__event_filters`, FILTER_TYPES),
  }
  if (kind === 'performed_event_regularly') {
    const periods = wholeNumber(given.total_periods, `${attr}__total_periods`, 1, PERIODS_MAX)
    return {
      ...common,
      kind,
      periods,
      periodsMin: wholeNumber(given.min_periods, `${attr}__min_periods`, 1, periods),
      period: readWindow(given.time_value, given.time_interval, `${attr}__time`, periods),
      amount: readAmount(given, attr),
    }
  }
  const within = readWindow(given.time_value, given.time_interval, `${attr}__time`)
  if (kind === 'performed_event_multiple') return { ...common, kind, within, amount: readAmount(given, attr) }
  if (kind === 'performed_event' || kind === 'performed_event_first_time') return { ...common, kind, within }
  const second = readWindow(given.seq_time_value, given.seq_time_interval, `${attr}__seq_time`)
  if (windowLengthMs(second) >= windowLengthMs(within))
    throw invalidInput(
      `${attr}__seq_time_value`,
      'The second time lies within the first one: seq_time must be shorter than time.',
    )
  if (kind !== 'performed_event_sequence') return { ...common, kind, within, recent: second }
  const then = readEvent(given.seq_event, given.seq_event_type, `${attr}__seq_event`)
  return { ...common, kind, within, then, thenWithin: second }
}

function readEvent(id: unknown, type: unknown, attr: string): EventAsked {
  if (type === 'actions') return { type, id: wholeNumber(id, attr, 1) }
  if (type !== undefined && type !== null && type !== 'events')
    throw invalidInput(attr, 'The type of an event is "events" or "actions".')
  return { type: 'events', id: optionalText(id, attr) }
}

function readAmount(given: Readonly<Record<string, unknown>>, attr: string): Amount {
  const operator = given.operator ?? 'gte'
  const comparison = (Object.keys(COMPARISONS) as Comparison[]).find((one) => one === operator)
  if (comparison === undefined)
    throw invalidInput(`${attr}__operator`, `The operator is one of ${Object.keys(COMPARISONS).join(', ')}.`)
  return { comparison, count: wholeNumber(given.operator_value ?? 1, `${attr}__operator_value`, 0) }
}
