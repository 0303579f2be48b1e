import type { ActionStep } from '../insights/definitions.ts'
import { entitySql, eventRowsSql } from '../insights/event-rows.ts'
import type { Entity, Frame } from '../insights/frame.ts'
import type { Bindings } from '../query/bindings.ts'
import { PERSON_KEY } from '../query/person-rows.ts'
import { type FilterGroup, NO_FILTERS } from '../query/property-filters.ts'
import { type Amount, type Behaviour, COMPARISONS, type EventAsked } from './cohort-behaviour.ts'
import { windowLengthMs, windowStart } from './time-window.ts'

/** A calculation's surroundings, looked up. `frame.toMs` is its instant: nothing from then on counts. */
export interface CriteriaScope {
  readonly frame: Frame
  /** What an event of a criterion is. */
  readonly stepsOf: (event: EventAsked) => readonly ActionStep[]
}

const TIME_MS = 'toUnixTimestamp64Milli(event_time) AS time_ms'

/** A SELECT of `person`, everybody who has behaved like that. Windows include the instant that they begin at. */
export function behaviourSql(behaviour: Behaviour, scope: CriteriaScope, bindings: Bindings): string {
  const { toMs, zone } = scope.frame
  const bindMs = (ms: number) => bindings.bind(ms, 'Int64')
  if (behaviour.kind === 'performed_event_regularly') return regularlySql(behaviour, scope, bindings)
  const fromMs = windowStart(behaviour.within, toMs, zone)
  const happened = (from: number | null, columns: readonly string[] = []) =>
    rowsSql([entityOf(behaviour.event, behaviour.filters, scope)], from, columns, scope, bindings)
  const having = (rows: string, condition: string) =>
    `SELECT person FROM (${rows}) GROUP BY person HAVING ${condition}`
  switch (behaviour.kind) {
    case 'performed_event':
      return `SELECT DISTINCT person FROM (${happened(fromMs)})`
    case 'performed_event_multiple':
      return having(happened(fromMs), amountSql(behaviour.amount, bindings))
    case 'performed_event_first_time':
      return having(happened(null, [TIME_MS]), `min(time_ms) >= ${bindMs(fromMs)}`)
    case 'stopped_performing_event': {
      const recentMs = bindMs(windowStart(behaviour.recent, toMs, zone))
      return having(happened(fromMs, [TIME_MS]), `max(time_ms) < ${recentMs}`)
    }
    case 'restarted_performing_event': {
      const [from, recent] = [bindMs(fromMs), bindMs(windowStart(behaviour.recent, toMs, zone))]
      return having(
        happened(null, [TIME_MS]),
        `countIf(time_ms >= ${recent}) > 0 AND countIf(time_ms >= ${from} AND time_ms < ${recent}) = 0 ` +
          `AND countIf(time_ms < ${from}) > 0`,
      )
    }
    case 'performed_event_sequence':
      return sequenceSql(behaviour, fromMs, scope, bindings)
  }
}

function amountSql({ comparison, count }: Amount, bindings: Bindings): string {
  return `count() ${COMPARISONS[comparison]} ${bindings.bind(count, 'UInt64')}`
}

/** Somebody did one thing and then the other one, in the order of time and receipt. */
function sequenceSql(
  behaviour: Extract<Behaviour, { kind: 'performed_event_sequence' }>,
  fromMs: number,
  scope: CriteriaScope,
  bindings: Bindings,
): string {
  const first = entityOf(behaviour.event, behaviour.filters, scope)
  const then = entityOf(behaviour.then, NO_FILTERS, scope)
  const frame = framedFrom(scope, fromMs)
  const columns = [
    TIME_MS,
    'src_partition',
    'src_offset',
    `${entitySql(first, frame, bindings)} AS is_first`,
    `${entitySql(then, frame, bindings)} AS is_then`,
  ]
  const rows = rowsSql([first, then], fromMs, columns, scope, bindings)
  const people =
    'SELECT person, arraySort(groupArray((time_ms, src_partition, src_offset, is_first, is_then))) AS happened ' +
    `FROM (${rows}) GROUP BY person`
  // The nearest first event before each event: what it is too far from is too far from every earlier one.
  const before = 'arrayPushFront(arrayPopBack(arrayFill(event -> event.4, happened)), happened[1])'
  const spanMs = bindings.bind(windowLengthMs(behaviour.thenWithin), 'Int64')
  return (
    `SELECT person FROM (${people}) WHERE arrayExists((event, first, at) -> ` +
    `at > 1 AND event.5 AND first.4 AND event.1 - first.1 <= ${spanMs}, happened, ${before}, arrayEnumerate(happened))`
  )
}

function regularlySql(
  behaviour: Extract<Behaviour, { kind: 'performed_event_regularly' }>,
  scope: CriteriaScope,
  bindings: Bindings,
): string {
  const { toMs, zone } = scope.frame
  const { period, periods, periodsMin, amount } = behaviour
  const startsMs = Array.from({ length: periods }, (_, n) => windowStart(period, toMs, zone, periods - n))
  const starts = bindings.bind(startsMs, 'Array(Int64)')
  const columns = [`arrayCount(start -> start <= toUnixTimestamp64Milli(event_time), ${starts}) AS period`]
  const entity = entityOf(behaviour.event, behaviour.filters, scope)
  const rows = rowsSql([entity], startsMs[0] as number, columns, scope, bindings)
  const enough = `SELECT person FROM (${rows}) GROUP BY person, period HAVING ${amountSql(amount, bindings)}`
  return `SELECT person FROM (${enough}) GROUP BY person HAVING count() >= ${bindings.bind(periodsMin, 'UInt64')}`
}

/** Events of any of the entities with their `person`; from the beginning of the data where `fromMs` is null. */
function rowsSql(
  entities: readonly Entity[],
  fromMs: number | null,
  columns: readonly string[],
  scope: CriteriaScope,
  bindings: Bindings,
): string {
  return eventRowsSql(
    framedFrom(scope, fromMs),
    {
      fromMs,
      toMs: scope.frame.toMs,
      columns: [`${PERSON_KEY} AS person`, ...columns],
      entities,
      where: [`${PERSON_KEY} != ''`],
    },
    bindings,
  )
}

/** Sessions are looked for where the events are. */
function framedFrom({ frame }: CriteriaScope, fromMs: number | null): Frame {
  return { ...frame, fromMs: fromMs ?? 0 }
}

function entityOf(event: EventAsked, filters: FilterGroup, scope: CriteriaScope): Entity {
  return { ...event, name: '', customName: null, order: 0, filters, steps: scope.stepsOf(event) }
}
