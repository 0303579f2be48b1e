import type { Bindings } from '../query/bindings.ts'
import { propertySql } from '../query/event-properties.ts'
import { type FilterGroup, filterSql } from '../query/property-filters.ts'
import { timeSql } from '../query/time-sql.ts'
import type { TimeZone } from '../query/zoned-time.ts'

/** What a series counts: events, or distinct people. */
export const TREND_MATHS = ['total', 'dau'] as const
export type TrendMath = (typeof TREND_MATHS)[number]

export interface TrendSeries {
  /** Null for any event. */
  readonly event: string | null
  readonly name: string
  readonly math: TrendMath
  readonly filters: FilterGroup
}

export interface TrendScope {
  readonly dataset: string
  /** `[fromMs, toMs)` */
  readonly fromMs: number
  readonly toMs: number
  /** Starts of all intervals, ascending; the first one is at or before `fromMs`. */
  readonly startsMs: readonly number[]
  /** Of all series together with the series' own. */
  readonly filters: FilterGroup
}

export interface TrendRecord {
  readonly start_ms: string | number
  readonly value: string
  readonly is_other: number
  readonly amount: string | number
}

/**
 * Counts per interval. The intervals are given as their starts, computed by the calendar of the dataset's zone, so
 * that days of 23 and 25 hours need nothing from the engine.
 *
 * @param breakdown values that get rows of their own; all others are counted together as `is_other`
 */
export function trendSql(
  scope: TrendScope,
  series: TrendSeries,
  breakdown: { readonly property: string; readonly values: readonly string[] } | null,
  bindings: Bindings,
  zone: TimeZone,
  invalidPatterns: ReadonlySet<string>,
): string {
  const startMs = `roundDown(toUnixTimestamp64Milli(event_time), ${bindings.bind(scope.startsMs, 'Array(Int64)')})`
  const where = trendConditions(scope, series, bindings, zone, invalidPatterns)
  const amount = amountSql(series.math)
  if (breakdown === null)
    return (
      `SELECT ${startMs} AS start_ms, '' AS value, 0 AS is_other, ${amount} AS amount ` +
      `FROM events WHERE ${where} GROUP BY start_ms`
    )
  const text = propertySql(breakdown.property, bindings.bind(breakdown.property, 'String')).text
  const values = bindings.bind(breakdown.values, 'Array(String)')
  return (
    `SELECT start_ms, if(has(${values}, breakdown), breakdown, '') AS value, ` +
    `if(has(${values}, breakdown), 0, 1) AS is_other, ${amount} AS amount ` +
    `FROM (SELECT ${startMs} AS start_ms, ${text} AS breakdown, distinct_id FROM events WHERE ${where}) ` +
    'GROUP BY start_ms, value, is_other'
  )
}

/** The most frequent values of a property; equal frequencies by the value, so that the answer is stable. */
export function breakdownValuesSql(
  scope: TrendScope,
  series: TrendSeries,
  property: string,
  limit: number,
  bindings: Bindings,
  zone: TimeZone,
  invalidPatterns: ReadonlySet<string>,
): string {
  const text = propertySql(property, bindings.bind(property, 'String')).text
  return (
    `SELECT ${text} AS value, ${amountSql(series.math)} AS amount FROM events ` +
    `WHERE ${trendConditions(scope, series, bindings, zone, invalidPatterns)} ` +
    `GROUP BY value ORDER BY amount DESC, value ASC LIMIT ${bindings.bind(limit, 'UInt64')}`
  )
}

/** When the dataset's data begins; a row with null when there is none. */
export function firstEventSql(dataset: string, bindings: Bindings): string {
  return (
    'SELECT if(count() = 0, NULL, toUnixTimestamp64Milli(min(event_time))) AS first_ms FROM events ' +
    `WHERE dataset_id = ${bindings.bind(dataset, 'String')}`
  )
}

function trendConditions(
  scope: TrendScope,
  series: TrendSeries,
  bindings: Bindings,
  zone: TimeZone,
  invalidPatterns: ReadonlySet<string>,
): string {
  const conditions = [
    `dataset_id = ${bindings.bind(scope.dataset, 'String')}`,
    `event_time >= ${timeSql(scope.fromMs, bindings)}`,
    `event_time < ${timeSql(scope.toMs, bindings)}`,
  ]
  if (series.event !== null) conditions.push(`event = ${bindings.bind(series.event, 'String')}`)
  for (const filters of [scope.filters, series.filters])
    if (filters.parts.length > 0) conditions.push(filterSql(filters, bindings, zone, invalidPatterns))
  return conditions.join(' AND ')
}

/** People are distinct ids; an event of nobody counts for no person. */
function amountSql(math: TrendMath): string {
  return math === 'total' ? 'count()' : 'uniqExact(distinct_id)'
}
