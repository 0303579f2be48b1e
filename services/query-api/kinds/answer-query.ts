import { canonicalJson } from '../../core/control/canonical-json.ts'
import type { Question } from '../query/question.ts'
import { type RefreshRequest, UNSAVED_FRESH_MS } from '../results/refresh.ts'
import type { ResultNeeds, Results } from '../results/results.ts'
import { NOTHING_TOLD } from './measured-query.ts'
import type { Node } from './query-nodes.ts'
import type { QueryResult } from './run-query.ts'

export interface AskedQuery {
  readonly question: Question
  readonly node: Node
  readonly refresh: RefreshRequest
  /** Where links of the answer lead. */
  readonly origin: string
}

/**
 * Answers a query from what is kept, or by computing it now or later, as its `refresh` says. The one place where that is
 * decided: no kind of query knows.
 *
 * @param compute makes the result with what it is handed; rejects as {@link runQuery} does
 */
export async function answerQuery(
  results: Results,
  { question, node, refresh, origin }: AskedQuery,
  compute: (needs: ResultNeeds, question: Question) => Promise<QueryResult>,
): Promise<QueryResult> {
  const { result, isCached, lastRefreshMs, nextRefreshMs, cacheKey, status } = await results.answer({
    question,
    // Equal JSON in any order of its members is the same query.
    asked: ['query', canonicalJson(node), origin],
    freshMs: UNSAVED_FRESH_MS,
    refresh,
    compute,
  })
  return {
    ...((result ?? { results: null, ...NOTHING_TOLD }) as QueryResult),
    is_cached: isCached,
    last_refresh: isoOrNull(lastRefreshMs),
    next_allowed_client_refresh: isoOrNull(nextRefreshMs),
    cache_key: cacheKey,
    timezone: question.zone,
    ...(status === null ? {} : { query_status: status }),
  }
}

const isoOrNull = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString())
