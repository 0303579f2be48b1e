import type { InsightNeeds } from '../insights/frame.ts'
import { INSIGHT_KINDS } from '../insights/insight-kinds.ts'
import { peopleLink } from '../insights/people-link.ts'
import type { Question } from '../query/question.ts'
import type { RefreshRequest } from '../results/refresh.ts'
import type { ResultAnswer, Results } from '../results/results.ts'
import { type Filters, kindOf, parametersOf } from './insight-filters.ts'

const MINUTE_MS = 60_000
/** How long a result counts as fresh; one by the hour changes sooner than others. */
export const FRESH_MS = { hour: 3 * MINUTE_MS, other: 15 * MINUTE_MS } as const

/**
 * The result of filters that were saved, kept or computed.
 *
 * @param url of the call: links to the people behind the result lead to where it came from
 */
export function savedResult(
  results: Results,
  question: Question,
  filters: Filters,
  refresh: RefreshRequest,
  url: URL,
): Promise<ResultAnswer> {
  const kind = INSIGHT_KINDS[kindOf(filters)]
  const parameters = parametersOf(filters)
  const address = new URL(
    `/api/datasets/${encodeURIComponent(question.dataset.id)}/insights/saved`,
    url.origin,
  )
  const link = peopleLink(address, kind.people, parameters)
  return results.answer({
    question,
    asked: ['saved', kindOf(filters), Object.entries(parameters).toSorted(), url.origin],
    freshMs: parameters.interval === 'hour' || parameters.period === 'Hour' ? FRESH_MS.hour : FRESH_MS.other,
    refresh,
    compute: (needs: InsightNeeds, own) => kind.result(needs, own, parameters, link),
  })
}

/** A result as insights and tiles are shown with it; all of it null where there is none yet. */
export function resultView({ result, isCached, lastRefreshMs, nextRefreshMs, status }: ResultAnswer) {
  return {
    result,
    is_cached: isCached,
    last_refresh: isoOrNull(lastRefreshMs),
    next_allowed_client_refresh: isoOrNull(nextRefreshMs),
    query_status: status,
  }
}

/** Of one that was not asked for. */
export const NO_RESULT = {
  result: null,
  is_cached: false,
  last_refresh: null,
  next_allowed_client_refresh: null,
  query_status: null,
} as const

function isoOrNull(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString()
}
