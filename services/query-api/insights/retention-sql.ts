import type { Bindings } from '../query/bindings.ts'
import { timeSql } from '../query/time-sql.ts'
import type { Interval } from '../query/zoned-time.ts'
import { actorSql, entitySql, eventRowsSql, isSomebodySql } from './event-rows.ts'
import { counting, type Entity, type Frame } from './frame.ts'
import type { RetentionRequest } from './retention-request.ts'

export interface Retention
  extends Pick<RetentionRequest, 'firstTime' | 'minimum' | 'cumulative' | 'mode' | 'period'> {
  readonly target: Entity
  readonly returning: Entity
  /** Starts of the periods, ascending. */
  readonly startsMs: readonly number[]
}

/** Of periods that are counted from an actor's own event; a month is 30 days. */
const PERIOD_MS: Readonly<Record<Interval, number>> = {
  hour: 3_600_000,
  day: 86_400_000,
  week: 604_800_000,
  month: 2_592_000_000,
}

export interface RetentionRecord {
  /** Period of the target event, counted from 0. */
  readonly cohort: number | string
  /** Per number of periods after it: actors. */
  readonly counts: readonly (number | string)[]
}

/** Per period of the target event and number of periods after it: how many came back. */
export function retentionSql(frame: Frame, retention: Retention, bindings: Bindings): string {
  const length = retention.startsMs.length
  return (
    `SELECT cohort, sumForEach(arrayMap(n -> toUInt64(bitTest(came, n)), range(${length}))) AS counts ` +
    `FROM (${retentionActorsSql(counting(frame), retention, bindings)}) GROUP BY cohort`
  )
}

/**
 * A row per actor and period in which it began: `actor`, `cohort` (the period, from 0), and `came`, a bit for every
 * number of periods after which it came back; bit 0 is always set.
 */
export function retentionActorsSql(frame: Frame, retention: Retention, bindings: Bindings): string {
  const rows =
    retention.mode === 'calendar'
      ? calendarSql(frame, retention, bindings)
      : windowsSql(frame, retention, bindings)
  const came = retention.cumulative ? lowerBits('returned') : 'returned'
  return `SELECT actor, cohort, bitOr(${came}, toUInt64(1)) AS came FROM (${rows})`
}

/** With every bit below the highest one set. */
function lowerBits(bits: string): string {
  return [1, 2, 4, 8, 16, 32].reduce(
    (spread, by) => `bitOr(${spread} AS s${by}, bitShiftRight(s${by}, ${by}))`,
    bits,
  )
}

/** Events of the target in all that is stored where the first one ever counts; of the range else. */
function rowsSql(frame: Frame, retention: Retention, time: string, bindings: Bindings): string {
  const { target, returning, firstTime } = retention
  const isInRange = `event_time >= ${timeSql(frame.fromMs, bindings)}`
  return eventRowsSql(
    frame,
    {
      fromMs: firstTime ? null : frame.fromMs,
      toMs: frame.toMs,
      columns: [
        `${actorSql(frame, bindings)} AS actor`,
        `${time} AS time_ms`,
        `${entitySql(target, frame, bindings)} AS is_target`,
        `(${entitySql(returning, frame, bindings)} AND ${isInRange}) AS is_return`,
      ],
      entities: [target, returning],
    },
    bindings,
  )
}

/**
 * Periods of the calendar. An actor's periods are bits of a number, so that periods after the target are one shift
 * away. Everything before the range lies in a period that starts at 0.
 */
function calendarSql(frame: Frame, retention: Retention, bindings: Bindings): string {
  const { startsMs, firstTime, minimum } = retention
  const starts = bindings.bind(startsMs, 'Array(Int64)')
  const start =
    `if(event_time < ${timeSql(frame.fromMs, bindings)}, toInt64(0), ` +
    `toInt64(roundDown(toUnixTimestamp64Milli(event_time), ${starts})))`
  const rows = `SELECT * FROM (${rowsSql(frame, retention, start, bindings)}) WHERE ${isSomebodySql(frame, 'actor')}`
  // Where one event is enough nobody has to count those of a period.
  const buckets =
    minimum === 1
      ? `SELECT actor, time_ms, is_target AS targets, is_return AS returns FROM (${rows})`
      : 'SELECT actor, time_ms, countIf(is_target) AS targets, countIf(is_return) AS returns ' +
        `FROM (${rows}) GROUP BY actor, time_ms`
  const bit = `if(time_ms = 0, toUInt64(0), bitShiftLeft(toUInt64(1), toUInt64(indexOf(${starts}, time_ms) - 1)))`
  const begun = firstTime ? `argMinIf(${bit}, time_ms, targets > 0)` : `groupBitOrIf(${bit}, targets > 0)`
  const masks = `SELECT actor, ${begun} AS begun, groupBitOrIf(${bit}, returns >= ${minimum}) AS seen FROM (${buckets}) GROUP BY actor`
  return (
    'SELECT actor, cohort, bitShiftRight(seen, cohort) AS returned ' +
    `FROM (${masks}) ARRAY JOIN bitPositionsToArray(begun) AS cohort`
  )
}

/** Periods from the actor's own target event on: the first one in each period of the calendar, or the first ever. */
function windowsSql(frame: Frame, retention: Retention, bindings: Bindings): string {
  const { startsMs, firstTime, minimum, period } = retention
  const starts = bindings.bind(startsMs, 'Array(Int64)')
  const from = bindings.bind(frame.fromMs, 'Int64')
  const begins = firstTime
    ? `arrayFilter(t -> t >= ${from}, [minIf(time_ms, is_target)])`
    : firstOfPeriods(starts)
  const people =
    `SELECT actor, ${begins} AS begins, groupArrayIf(time_ms, is_return) AS returns ` +
    `FROM (${rowsSql(frame, retention, 'toUnixTimestamp64Milli(event_time)', bindings)}) ` +
    `WHERE ${isSomebodySql(frame, 'actor')} GROUP BY actor HAVING countIf(is_target) > 0`
  const after = `arraySort(arrayMap(t -> intDiv(t - begin, ${PERIOD_MS[period]}), arrayFilter(t -> t >= begin, returns)))`
  // In ascending order a period has enough events when the one so many places further is of the same period.
  const enough =
    minimum === 1
      ? 'after'
      : `arrayMap((a, b) -> if(a = b, a, toInt64(0)), arraySlice(after, 1, greatest(length(after) - ${minimum - 1}, 0)), ` +
        `arraySlice(after, ${minimum}))`
  const bits = `arrayMap(n -> bitShiftLeft(toUInt64(1), toUInt64(n)), arrayFilter(n -> n > 0 AND n + cohort < ${startsMs.length}, ${enough}))`
  return (
    `SELECT actor, indexOf(${starts}, roundDown(begin, ${starts})) - 1 AS cohort, ${after} AS after, ` +
    `arrayFold((mask, one) -> bitOr(mask, one), ${bits}, toUInt64(0)) AS returned ` +
    `FROM (${people}) ARRAY JOIN begins AS begin`
  )
}

/** Times of the first target event of every period, from all of them. */
function firstOfPeriods(starts: string): string {
  const sorted = 'arraySort(groupArrayIf(time_ms, is_target))'
  return (
    `arrayFilter((t, begins) -> begins, ${sorted} AS targets, ` +
    `arrayMap((t, before) -> roundDown(t, ${starts}) != roundDown(before, ${starts}) OR before = 0, ` +
    'targets, arrayPushFront(arrayPopBack(targets), toInt64(0))))'
  )
}
