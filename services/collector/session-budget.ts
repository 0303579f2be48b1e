import { LRUCache } from 'lru-cache'
import type { Clock } from '../core/runtime/clock.ts'

/** Sessions that are counted at once; past it the one that was silent longest begins anew. */
const SESSIONS_MAX = 20_000
/** No session is longer. */
const DAY_MS = 24 * 3_600_000

export interface SessionBudget {
  /** @returns false, and counts nothing, when the session would have more bytes than it may */
  take(datasetId: string, sessionId: string, bytes: number): boolean
}

/**
 * Bounds what one session may record: a page that changes without end must not fill everybody's disk. Each process
 * counts for itself, as it does for quotas, so the bound is one of order of magnitude.
 *
 * @param bytesMax    bytes of a session's chunks before compression, within a day
 * @param sessionsMax sessions that are counted at once, for which there is memory from the beginning
 */
export function createSessionBudget(
  bytesMax: number,
  clock: Pick<Clock, 'monotonic'>,
  sessionsMax = SESSIONS_MAX,
): SessionBudget {
  const sessions = new LRUCache<string, number>({
    max: sessionsMax,
    ttl: DAY_MS,
    ttlResolution: 0,
    perf: { now: () => clock.monotonic() },
  })
  return {
    take(datasetId, sessionId, bytes) {
      const name = `${datasetId}\n${sessionId}`
      const total = (sessions.get(name) ?? 0) + bytes
      if (total > bytesMax) return false
      sessions.set(name, total)
      return true
    },
  }
}
