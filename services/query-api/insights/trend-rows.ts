import { type Interval, localTime, type TimeZone } from '../query/zoned-time.ts'
import type { TrendRecord, TrendSeries } from './trend-query.ts'

/** One line of a trend. */
export interface TrendRow {
  readonly action: {
    readonly id: string | null
    readonly type: 'events'
    readonly order: number
    readonly name: string
    readonly math: string
  }
  readonly label: string
  /** Sum of `data`. */
  readonly count: number
  readonly data: readonly number[]
  /** `22-Nov-2026`, for hours `22-Nov-2026 13:00` */
  readonly labels: readonly string[]
  /** `2026-11-22`, for hours `2026-11-22 13:00:00` */
  readonly days: readonly string[]
  readonly breakdown_value?: string
}

/** How the values past the limit are called. */
export const OTHER = 'Other'

/** Lines with a zero for every interval in which nothing happened; with a breakdown one per value, largest first. */
export function trendRows(
  series: TrendSeries,
  order: number,
  startsMs: readonly number[],
  interval: Interval,
  zone: TimeZone,
  records: readonly TrendRecord[],
  isBrokenDown: boolean,
): TrendRow[] {
  const indexOf = new Map(startsMs.map((ms, index) => [ms, index]))
  const labels = startsMs.map((ms) => label(ms, interval, zone))
  const days = startsMs.map((ms) => day(ms, interval, zone))
  const lines = new Map<
    string,
    { readonly value: string; readonly isOther: boolean; readonly data: number[] }
  >()
  const lineOf = (value: string, isOther: boolean) => {
    const key = isOther ? 'o' : `v${value}`
    let line = lines.get(key)
    if (line === undefined) {
      line = { value: isOther ? OTHER : value, isOther, data: startsMs.map(() => 0) }
      lines.set(key, line)
    }
    return line
  }
  if (!isBrokenDown) lineOf('', false)
  for (const record of records) {
    const index = indexOf.get(Number(record.start_ms))
    if (index === undefined)
      throw new Error(`A trend has a row for ${record.start_ms}, which is no interval of it.`)
    lineOf(record.value, Number(record.is_other) === 1).data[index]! += Number(record.amount)
  }
  const action = { id: series.event, type: 'events' as const, order, name: series.name, math: series.math }
  return [...lines.values()]
    .map((line) => ({ line, count: line.data.reduce((sum, amount) => sum + amount, 0) }))
    .sort(
      (a, b) =>
        Number(a.line.isOther) - Number(b.line.isOther) ||
        b.count - a.count ||
        compare(a.line.value, b.line.value),
    )
    .map(({ line, count }) => ({
      action,
      label: isBrokenDown ? `${series.name} - ${line.value}` : series.name,
      count,
      data: line.data,
      labels,
      days,
      ...(isBrokenDown ? { breakdown_value: line.value } : {}),
    }))
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const two = (n: number) => String(n).padStart(2, '0')

function label(ms: number, interval: Interval, zone: TimeZone): string {
  const { year, month, day, hour, minute } = localTime(ms, zone)
  const date = `${day}-${MONTHS[month - 1]}-${year}`
  return interval === 'hour' ? `${date} ${two(hour)}:${two(minute)}` : date
}

function day(ms: number, interval: Interval, zone: TimeZone): string {
  const { year, month, day, hour, minute } = localTime(ms, zone)
  const date = `${year}-${two(month)}-${two(day)}`
  return interval === 'hour' ? `${date} ${two(hour)}:${two(minute)}:00` : date
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
