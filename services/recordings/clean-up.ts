import { type RecordingStores, removeDeleted, removeExpired } from '../core/recordings/remove-recordings.ts'
import type { Clock } from '../core/runtime/clock.ts'
import { isDependencyError } from '../core/runtime/errors.ts'
import type { Logger } from '../core/runtime/logger.ts'
import type { RecordingsMetrics } from './recordings-metrics.ts'

/** Of one statement and the deletes that belong to it; there are as many as it takes. */
const BLOCKS_AT_ONCE = 1_000
const SESSIONS_AT_ONCE = 100

export interface CleanUp {
  readonly stores: RecordingStores
  readonly retentionMs: number
  readonly intervalMs: number
  readonly clock: Clock
  readonly logger: Logger
  readonly removed: RecordingsMetrics['removed']
}

/**
 * Removes blocks that are too old, and what came late of deleted sessions, until the signal aborts. Every process does,
 * beside the others: removing what is gone is nothing. What fails is tried again with the next look.
 */
export async function keepCleaningUp(work: CleanUp, signal: AbortSignal): Promise<void> {
  const { clock, logger } = work
  while (!signal.aborted) {
    await clock.sleep(work.intervalMs, signal)
    if (signal.aborted) return
    try {
      await cleanUp(work, signal)
    } catch (error) {
      if (!isDependencyError(error)) throw error
      logger.warn({ err: error }, 'Recordings that must go could not all be removed; it is tried again.')
    }
  }
}

/** One look, to its end. @throws DependencyError */
export async function cleanUp(
  { stores, retentionMs, clock, removed }: CleanUp,
  signal: AbortSignal,
): Promise<void> {
  for (let sessions = SESSIONS_AT_ONCE; sessions === SESSIONS_AT_ONCE && !signal.aborted; ) {
    sessions = await removeDeleted(stores, SESSIONS_AT_ONCE)
    removed('deleted_sessions', sessions)
  }
  for (let blocks = BLOCKS_AT_ONCE; blocks === BLOCKS_AT_ONCE && !signal.aborted; ) {
    blocks = await removeExpired(stores, clock.now() - retentionMs, BLOCKS_AT_ONCE)
    removed('expired_blocks', blocks)
  }
}
