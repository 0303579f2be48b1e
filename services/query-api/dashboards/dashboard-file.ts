import type { CsvMode } from '../http/csv.ts'
import type { Answer } from '../http/route.ts'
import { insightFile } from '../insights/insight-file.ts'
import type { Question } from '../query/question.ts'
import type { RefreshRequest } from '../results/refresh.ts'
import type { Results } from '../results/results.ts'
import { resultsOfFileMs } from '../results/results-of-file.ts'
import type { Filters } from '../saved-insights/insight-filters.ts'
import type { Dashboard } from './dashboard-store.ts'
import { pointsOf } from './result-points.ts'
import { tileResults } from './tile-results.ts'

export const FILE_HEADER = ['tile', 'insight', 'series', 'point', 'value'] as const

/**
 * The numbers of all tiles of a dashboard, one below the other.
 *
 * @param filters that stand over those of its insights
 * @throws ApiError that of the first tile which cannot be answered, and 409 where one has no result yet: half a table
 *                  looks like a whole one
 */
export async function dashboardFile(
  results: Results,
  question: Question,
  row: Dashboard,
  filters: Filters,
  refresh: RefreshRequest,
  mode: CsvMode,
): Promise<Answer> {
  const found = await tileResults(results, question, row.tiles ?? [], filters, refresh, null)
  const fault = found.find((one) => one.fault !== null)?.fault
  if (fault) throw fault
  const answers = found.flatMap(({ answer }) => (answer === null ? [] : [answer]))
  const refreshedMs = resultsOfFileMs(answers)
  const rows = found.flatMap(({ tile, answer }) =>
    pointsOf(answer?.result).map(({ series, point, value }) => [
      tile.id,
      tile.insight?.name ?? '',
      series,
      point,
      value,
    ]),
  )
  return insightFile(`dashboard-${row.id}`, { header: FILE_HEADER, rows }, mode, refreshedMs)
}
