import type { ResultAnswer } from './results.ts'

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

/** Is nothing there yet but a computation that was begun? */
export function isBegun({ status, lastRefreshMs }: ResultAnswer): boolean {
  return status !== null && lastRefreshMs === null
}
