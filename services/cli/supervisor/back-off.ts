/** First wait before a restart, ms. */
export const BACK_OFF_MIN_MS = 200
/** Longest wait, ms. */
export const BACK_OFF_MAX_MS = 10_000
/** A process that ran this long is well again: its next restart waits the shortest time. */
export const WELL_AFTER_MS = 30_000

/**
 * How long to wait before a process is started again: twice as long each time.
 *
 * @param restarts how often it was restarted since it last was well, from 0
 */
export function backOffMs(restarts: number): number {
  return Math.min(BACK_OFF_MAX_MS, BACK_OFF_MIN_MS * 2 ** Math.min(restarts, 30))
}
