import type { ApiError } from '../http/api-error.ts'
import { knownError } from '../http/error-answer.ts'
import type { Question } from '../query/question.ts'
import type { RefreshRequest } from '../results/refresh.ts'
import type { ResultAnswer, Results } from '../results/results.ts'
import type { Filters } from '../saved-insights/insight-filters.ts'
import { questionOf, type SavedQuestion, underFilters } from '../saved-insights/saved-question.ts'
import { savedResult } from '../saved-insights/saved-result.ts'
import type { Tile } from './dashboard-store.ts'

/** A tile with what its insight answers; neither answer nor fault for a text. */
export interface TileResult {
  readonly tile: Tile
  /** What its insight was asked; null for a text. */
  readonly asked: SavedQuestion | null
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
      found.push({ tile, asked: null, answer: null, fault: null })
      continue
    }
    question.signal.throwIfAborted()
    const asked = underFilters(questionOf(insight), filters)
    try {
      const answer = await savedResult(results, question, asked, refresh, origin)
      found.push({ tile, asked, answer, fault: null })
    } catch (error) {
      const fault = knownError(error)
      if (fault === null) throw error
      found.push({ tile, asked, answer: null, fault })
    }
  }
  return found
}
