import type { ApiError } from '../http/api-error.ts'
import { knownError } from '../http/error-answer.ts'
import type { Question } from '../query/question.ts'
import type { RefreshRequest } from '../results/refresh.ts'
import type { ResultAnswer, Results } from '../results/results.ts'
import { type Filters, underDashboard } from '../saved-insights/insight-filters.ts'
import { savedResult } from '../saved-insights/saved-result.ts'
import type { Tile } from './dashboard-store.ts'

/** A tile with what its insight answers; neither answer nor fault for a text. */
export interface TileResult {
  readonly tile: Tile
  readonly answer: ResultAnswer | null
  /** Why there is no answer. The other tiles have theirs. */
  readonly fault: ApiError | null
}

/**
 * The results of all tiles, one after the other: a dashboard uses one of the dataset's places however many tiles it has.
 *
 * @param filters of the dashboard
 * @param origin  see {@link savedResult}
 * @throws what is no fault of a tile
 */
export async function tileResults(
  results: Results,
  question: Question,
  tiles: readonly Tile[],
  filters: Filters,
  refresh: RefreshRequest,
  origin: string | null,
): Promise<TileResult[]> {
  const found: TileResult[] = []
  for (const tile of tiles) {
    const { insight } = tile
    if (insight === null) {
      found.push({ tile, answer: null, fault: null })
      continue
    }
    question.signal.throwIfAborted()
    const own = underDashboard(JSON.parse(insight.filters), filters)
    try {
      const answer = await savedResult(results, question, own, refresh, origin)
      found.push({ tile, answer, fault: null })
    } catch (error) {
      const fault = knownError(error)
      if (fault === null) throw error
      found.push({ tile, answer: null, fault })
    }
  }
  return found
}
