import type { CsvCell, CsvRow } from '../http/csv.ts'
import type { Correlation } from './funnel-correlation.ts'
import type { FunnelStepRow, FunnelTimesRow, FunnelTrendRow } from './funnel-rows.ts'
import type { PathEdge } from './paths.ts'
import type { RetentionRow } from './retention.ts'
import type { TimingRow } from './timing.ts'

/** An insight as spreadsheets take it. */
export interface InsightTable {
  readonly header: readonly string[]
  readonly rows: readonly CsvRow[]
}

type Value = string | number | readonly string[] | undefined

/** A value of a breakdown; of several properties together as their labels have it. Null without a breakdown. */
const valueCell = (value: Value): CsvCell =>
  value === undefined ? null : Array.isArray(value) ? value.join('::') : (value as string | number)

interface Line {
  readonly label: string
  readonly labels: readonly string[]
  readonly data: readonly number[]
  readonly aggregated_value?: number
}

/** A line per series, breakdown value or status, a column per point; or one number per line. */
export function linesTable(lines: readonly Line[]): InsightTable {
  const [first] = lines
  if (first?.aggregated_value !== undefined)
    return {
      header: ['series', 'value'],
      rows: lines.map(({ label, aggregated_value: value }) => [label, value ?? null]),
    }
  return {
    header: ['series', ...(first?.labels ?? [])],
    rows: lines.map(({ label, data }) => [label, ...data]),
  }
}

type FunnelResult =
  | readonly FunnelStepRow[]
  | readonly (readonly FunnelStepRow[])[]
  | readonly FunnelTrendRow[]
  | readonly FunnelTimesRow[]
  | FunnelTimesRow
  | undefined

/** Steps: a row per value and step. Trends: a row per value. Times: a row per bin, with its lower bound. */
export function funnelTable(result: FunnelResult): InsightTable {
  const rows = [result ?? []].flat(2) as readonly (FunnelStepRow | FunnelTrendRow | FunnelTimesRow)[]
  const [first] = rows
  if (first !== undefined && 'bins' in first)
    return {
      header: ['breakdown', 'from_seconds', 'people'],
      rows: (rows as readonly FunnelTimesRow[]).flatMap(({ breakdown_value: value, bins }) =>
        bins.map(([from, people]) => [valueCell(value), from, people]),
      ),
    }
  if (first !== undefined && 'data' in first)
    return {
      header: ['breakdown', ...first.labels],
      rows: (rows as readonly FunnelTrendRow[]).map(({ breakdown_value: value, data }) => [
        valueCell(value),
        ...data,
      ]),
    }
  return {
    header: ['breakdown', 'step', 'name', 'count', 'average_conversion_time', 'median_conversion_time'],
    rows: (rows as readonly FunnelStepRow[]).map((row) => [
      valueCell(row.breakdown_value),
      row.order + 1,
      row.custom_name ?? row.name,
      row.count,
      row.average_conversion_time,
      row.median_conversion_time,
    ]),
  }
}

export function correlationTable({ events }: { readonly events: readonly Correlation[] }): InsightTable {
  return {
    header: ['event', 'success_count', 'failure_count', 'odds_ratio', 'correlation_type'],
    rows: events.map((row) => [
      row.event,
      row.success_count,
      row.failure_count,
      row.odds_ratio,
      row.correlation_type,
    ]),
  }
}

/** A row per period, a column per period after it; later periods of young rows are empty. */
export function retentionTable(result: readonly RetentionRow[]): InsightTable {
  const width = Math.max(0, ...result.map(({ values }) => values.length))
  const columns = Array.from({ length: width }, (_, n) => n)
  return {
    header: ['period', 'date', ...columns.map((n) => `value_${n}`)],
    rows: result.map(({ label, date, values }) => [
      label,
      date,
      ...columns.map((n) => values[n]?.count ?? null),
    ]),
  }
}

export function pathTable(edges: readonly PathEdge[]): InsightTable {
  return {
    header: ['source', 'target', 'value', 'average_conversion_time'],
    rows: edges.map((edge) => [edge.source, edge.target, edge.value, edge.average_conversion_time]),
  }
}

/** Per value a row of the whole range, whose `day` is empty, and one per interval. Times in seconds. */
export function timingTable(result: TimingRow | readonly TimingRow[] | undefined): InsightTable {
  const rows = [result ?? []].flat() as readonly TimingRow[]
  return {
    header: ['breakdown', 'day', 'count', 'average', 'median', 'p90', 'min', 'max'],
    rows: rows.flatMap((row) => {
      const value = valueCell(row.breakdown_value)
      return [
        [value, null, row.count, row.average, row.median, row.p90, row.min, row.max],
        ...row.days.map(
          (day, at): CsvRow => [
            value,
            day,
            row.counts[at] ?? null,
            row.averages[at] ?? null,
            row.medians[at] ?? null,
            row.p90s[at] ?? null,
            null,
            null,
          ],
        ),
      ]
    }),
  }
}
