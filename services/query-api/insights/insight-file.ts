import { type CsvMode, csvText } from '../http/csv.ts'
import { csvAnswer } from '../http/csv-answer.ts'
import type { Answer } from '../http/route.ts'
import type { InsightTable } from './insight-csv.ts'

/**
 * A table as a CSV file to keep.
 *
 * @param name        without its extension: plain characters only, it goes into a header as it is
 * @param refreshedMs when what is in it began to be computed, epoch ms, as `Last-Modified`; null for no such time
 */
export function insightFile(
  name: string,
  { header, rows }: InsightTable,
  mode: CsvMode,
  refreshedMs: number | null,
): Answer {
  const headers = refreshedMs === null ? {} : { 'last-modified': new Date(refreshedMs).toUTCString() }
  return {
    ...csvAnswer(`${name}.csv`, csvText(header, rows, mode), headers),
    written: { rows: rows.length },
  }
}
