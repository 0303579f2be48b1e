import { setImmediate as macrotask } from 'node:timers/promises'
import type { Clock } from '../../services/core/runtime/clock.ts'

export interface ManualClock extends Clock {
  /** Moves time on, waking sleepers in the order of their deadlines and letting each do its work. */
  advance(ms: number): Promise<void>
}

/** Rounds of the event loop that are enough for what a test sets off to come to rest. */
const ROUNDS = 20

/** Lets everything that is ready run, without moving time. */
export async function settle(): Promise<void> {
  for (let round = 0; round < ROUNDS; round++) await macrotask()
}

/** A clock that stands still until a test moves it. */
export function createManualClock(startMs = Date.UTC(2026, 0, 1)): ManualClock {
  let elapsedMs = 0
  const sleepers = new Set<{ at: number; wake: () => void }>()
  return {
    now: () => startMs + elapsedMs,
    monotonic: () => elapsedMs,
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted) return resolve()
        const sleeper = { at: elapsedMs + ms, wake }
        function wake() {
          sleepers.delete(sleeper)
          signal?.removeEventListener('abort', wake)
          resolve()
        }
        sleepers.add(sleeper)
        signal?.addEventListener('abort', wake)
      }),
    async advance(ms) {
      const until = elapsedMs + ms
      await settle()
      for (;;) {
        const due = [...sleepers].filter((each) => each.at <= until).sort((a, b) => a.at - b.at)[0]
        if (!due) break
        elapsedMs = Math.max(elapsedMs, due.at)
        due.wake()
        await settle()
      }
      elapsedMs = until
      await settle()
    },
  }
}
