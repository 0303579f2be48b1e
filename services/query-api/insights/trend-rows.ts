import type { Interval, TimeZone } from '../query/zoned-time.ts'
import type { Breakdown } from './breakdown.ts'
import { EVERYBODY } from './breakdown-sql.ts'
import { intervalDay, intervalLabel } from './interval-labels.ts'
import type { TrendLine } from './trend-lines.ts'
import type { SeriesRequest } from './trend-request.ts'

/** One line of a trend. */
export interface TrendRow {
  /** Null for the line of a formula. */
  readonly action: SeriesAction | null
  readonly label: string
  /** Sum of `data`; of a cumulative trend its last point; 0 where there is one number only. */
  readonly count: number
  readonly data: readonly number[]
  /** `22-Nov-2026`, for hours `22-Nov-2026 13:00`; in a comparison `day 0`, `day 1` … */
  readonly labels: readonly string[]
  /** `2026-11-22`, for hours `2026-11-22 13:00:00` */
  readonly days: readonly string[]
  /** Text; a list with a breakdown by several properties, a number for a cohort. */
  readonly breakdown_value?: string | number | readonly string[]
  /** Instead of points: the number for the whole range. */
  readonly aggregated_value?: number
  readonly compare?: true
  readonly compare_label?: 'current' | 'previous'
  /** Who is behind every point. */
  readonly persons_urls?: readonly { readonly url: string }[]
}

export interface SeriesAction {
  readonly id: string | number | null
  readonly type: 'events' | 'actions'
  readonly order: number
  readonly name: string
  readonly custom_name: string | null
  readonly math: string
}

/** How the values past the limit are called. */
export const OTHER = 'Other'

/** What lines of one period have in common. */
export interface RowFrame {
  readonly startsMs: readonly number[]
  readonly interval: Interval
  readonly zone: TimeZone
  readonly shape: 'points' | 'cumulative' | 'aggregate'
  readonly period: 'current' | 'previous' | null
  readonly breakdown: Breakdown | null
  readonly cohortNames: ReadonlyMap<number, string>
}

export function actionOf(series: SeriesRequest): SeriesAction {
  const { id, type, order, name, customName, math } = series
  return { id, type, order, name, custom_name: customName, math }
}

/**
 * @param name   of the series or the formula
 * @param action null for a formula
 */
export function trendRow(
  line: TrendLine,
  name: string,
  action: SeriesAction | null,
  frame: RowFrame,
): TrendRow {
  const { breakdown, shape, period, startsMs, interval, zone } = frame
  const value = breakdown === null ? null : shownValue(line, breakdown)
  const common = {
    action,
    label: value === null ? name : `${name} - ${valueLabel(value, frame.cohortNames)}`,
    ...(value === null ? {} : { breakdown_value: value }),
    ...(period === null ? {} : { compare: true as const, compare_label: period }),
  }
  if (shape === 'aggregate')
    return { ...common, count: 0, data: [], labels: [], days: [], aggregated_value: line.data[0] ?? 0 }
  return {
    ...common,
    count:
      shape === 'cumulative' ? (line.data.at(-1) ?? 0) : line.data.reduce((sum, amount) => sum + amount, 0),
    data: line.data,
    labels: startsMs.map((ms, index) =>
      period === null ? intervalLabel(ms, interval, zone) : `${interval} ${index}`,
    ),
    days: startsMs.map((ms) => intervalDay(ms, interval, zone)),
  }
}

function shownValue(line: TrendLine, breakdown: Breakdown): string | number | readonly string[] {
  if (line.isOther) return OTHER
  if (breakdown.by === 'cohorts') return line.value === EVERYBODY ? EVERYBODY : Number(line.value)
  return breakdown.keys.length > 1 ? (JSON.parse(line.value) as string[]) : line.value
}

function valueLabel(
  value: string | number | readonly string[],
  cohortNames: ReadonlyMap<number, string>,
): string {
  if (typeof value === 'number') return cohortNames.get(value) ?? String(value)
  return typeof value === 'string' ? value : value.join('::')
}
