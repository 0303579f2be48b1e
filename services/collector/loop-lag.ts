import type { Clock } from '../core/runtime/clock.ts'

export interface LoopLag {
  /** How late the event loop is on average of the last tenths of a second, ms. */
  lagMs(): number
  /** Looks until the signal aborts. */
  run(signal: AbortSignal): Promise<void>
}

const TICK_MS = 20
/** Share of the newest look in the average: one pause of the collector of garbage says little. */
const NEWEST = 0.2

/** Knows whether the process keeps up: a timer that fires late was behind work that others wait for, too. */
export function createLoopLag(clock: Clock): LoopLag {
  let average = 0
  return {
    lagMs: () => average,
    async run(signal) {
      while (!signal.aborted) {
        const startedMs = clock.monotonic()
        await clock.sleep(TICK_MS, signal)
        const late = Math.max(0, clock.monotonic() - startedMs - TICK_MS)
        average += (late - average) * NEWEST
      }
    },
  }
}
