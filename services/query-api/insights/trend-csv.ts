import { type CsvMode, csvText } from '../http/csv.ts'
import type { TrendRow } from './trend-rows.ts'

/** A trend as spreadsheets draw it: a line per series and breakdown value, a column per interval. */
export function trendCsv(rows: readonly TrendRow[], mode: CsvMode): string {
  return csvText(
    ['series', ...(rows[0]?.labels ?? [])],
    rows.map(({ label, data }) => [label, ...data]),
    mode,
  )
}
