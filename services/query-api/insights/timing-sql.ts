import type { Bindings } from '../query/bindings.ts'
import type { Breakdown } from './breakdown.ts'
import { type BreakdownValues, breakdownSql } from './breakdown-sql.ts'
import { actorSql, entitySql, eventRowsSql } from './event-rows.ts'
import type { Entity, Frame } from './frame.ts'
import { timeBinSql } from './funnel-answers-sql.ts'
import type { TimeBins } from './funnel-rows.ts'
import { filledSql, isSameEntity, NOWHERE, shiftedSql } from './funnel-runs-sql.ts'
import { slotSql } from './funnel-sql.ts'
import type { TimingRequest } from './timing-request.ts'

export interface Timing extends Pick<TimingRequest, 'windowMs' | 'pairing'> {
  readonly from: Entity
  readonly to: Entity
  readonly breakdown: { readonly by: Breakdown; readonly values: BreakdownValues } | null
}

/**
 * A row per pair: `actor`, `slot` (value of the breakdown at the first event), `from_ms`, `seconds`. The second event
 * is the earliest one at or after the first, after it where both are about the same, within the window, inclusive.
 */
export function timingPairsSql(frame: Frame, timing: Timing, bindings: Bindings): string {
  const { from, to, breakdown, pairing } = timing
  const value = breakdown === null ? null : breakdownSql(breakdown.by, frame, bindings)
  const rows = eventRowsSql(
    frame,
    {
      fromMs: frame.fromMs,
      toMs: frame.toMs,
      columns: [
        `${actorSql(frame, bindings)} AS actor`,
        'toUnixTimestamp64Milli(event_time) AS time_ms',
        'src_partition',
        'src_offset',
        `bitOr(if(${entitySql(from, frame, bindings)}, toUInt64(1), toUInt64(0)), ` +
          `if(${entitySql(to, frame, bindings)}, toUInt64(2), toUInt64(0))) AS mask`,
        `${value?.value ?? "''"} AS value`,
      ],
      joins: value?.joins ?? [],
      entities: [from, to],
    },
    bindings,
  )
  const slot = breakdown === null ? "''" : slotSql('value', breakdown.values, bindings)
  const isCohorts = breakdown?.by.by === 'cohorts'
  const actors =
    `SELECT actor${isCohorts ? `, ${slot} AS cohort` : ''}, ` +
    `arraySort(groupArray((time_ms, src_partition, src_offset, mask, ${slot}))) AS happened ` +
    `FROM (${rows}) WHERE actor != '' GROUP BY actor${isCohorts ? ', cohort' : ''}`
  const place = (bit: number) =>
    `arrayMap((t, k, m) -> if(bitTest(m, ${bit}), (t, k), ${NOWHERE}), times, indexes, masks)`
  const isSame = isSameEntity(from, to)
  const second = filledSql(place(1), 1)
  const nextFirst = shiftedSql(filledSql(place(0), 0), NOWHERE)
  const isNearest = pairing === 'nearest' && !isSame ? ' AND (pair.4.2 = 0 OR pair.4.2 > pair.3.2)' : ''
  const window = bindings.bind(timing.windowMs, 'Int64')
  return (
    'SELECT actor, pair.5 AS slot, pair.1 AS from_ms, (pair.3.1 - pair.1) / 1000 AS seconds FROM (' +
    'SELECT actor, arrayMap(event -> event.1, happened) AS times, arrayMap(event -> event.4, happened) AS masks, ' +
    'arrayMap(event -> event.5, happened) AS slots, ' +
    'arrayMap(index -> toInt64(index), arrayEnumerate(happened)) AS indexes, ' +
    `${isSame ? shiftedSql(second, NOWHERE) : second} AS seconds_at, ${nextFirst} AS firsts_at ` +
    `FROM (${actors})) ARRAY JOIN arrayZip(times, masks, seconds_at, firsts_at, slots) AS pair ` +
    `WHERE bitTest(pair.2, 0) AND pair.3.2 > 0 AND pair.3.1 - pair.1 <= ${window}${isNearest}`
  )
}

const DISTRIBUTION =
  'count() AS pairs, avg(seconds) AS average, quantileExactInclusive(0.5)(seconds) AS median, ' +
  'quantileExactInclusive(0.9)(seconds) AS p90, min(seconds) AS least, max(seconds) AS most'

export interface TimingRecord {
  readonly slot: string
  /** Null for the whole range. */
  readonly start_ms: number | string | null
  readonly pairs: number | string
  readonly average: number
  readonly median: number
  readonly p90: number
  readonly least: number
  readonly most: number
}

/** The distribution per value of the breakdown, and per value and interval of the first event. */
export function timingSql(
  frame: Frame,
  timing: Timing,
  startsMs: readonly number[],
  bindings: Bindings,
): string {
  const start = `roundDown(from_ms, ${bindings.bind(startsMs, 'Array(Int64)')})`
  return (
    `SELECT slot, if(grouping(start_at) = 1, NULL, start_at) AS start_ms, ${DISTRIBUTION} ` +
    `FROM (SELECT slot, seconds, ${start} AS start_at FROM (${timingPairsSql(frame, timing, bindings)})) ` +
    'GROUP BY GROUPING SETS ((slot), (slot, start_at))'
  )
}

/** Bins of one value's times: rows `bin` (counted from 0) and `pairs`, none for an empty bin. */
export function timingBinsSql(
  frame: Frame,
  timing: Timing,
  slot: string,
  bins: TimeBins,
  bindings: Bindings,
): string {
  return (
    `SELECT ${timeBinSql(bins, bindings)} AS bin, count() AS pairs FROM (${timingPairsSql(frame, timing, bindings)}) ` +
    `WHERE slot = ${bindings.bind(slot, 'String')} GROUP BY bin`
  )
}
