import type { Clock } from '../../core/runtime/clock.ts'
import type { RateCounters } from './rate-counters.ts'
import { SlidingLog } from './sliding-log.ts'

/** Times that are kept at most, of all counters together: 32 MB. */
export const SLOTS_MAX = 4_000_000
/** What a counter takes beside its times, counted in slots. */
const SLOTS_PER_COUNTER = 32

/**
 * Counters of one process. Past {@link SLOTS_MAX} those that were not asked for longest are forgotten, so that who
 * comes with many addresses cannot take all memory.
 *
 * @param clock its monotonic side: nobody sets that
 * @param onForgotten called for each counter that was forgotten before its time
 */
export function createMemoryRateCounters(
  clock: Pick<Clock, 'monotonic'>,
  onForgotten: () => void,
  slotsMax = SLOTS_MAX,
): RateCounters {
  // In the order in which they were asked last.
  const logs = new Map<string, SlidingLog>()
  let slots = 0

  function logOf(key: string, requests: number): SlidingLog {
    const known = logs.get(key)
    if (known !== undefined) logs.delete(key)
    const log = known ?? new SlidingLog(requests)
    if (known === undefined) slots += log.slots + SLOTS_PER_COUNTER
    logs.set(key, log)
    return log
  }

  function add(log: SlidingLog, nowMs: number): void {
    const before = log.slots
    log.add(nowMs)
    slots += log.slots - before
  }

  function makeRoom(spared: number): void {
    for (const [key, log] of logs) {
      if (slots <= slotsMax || logs.size <= spared) return
      logs.delete(key)
      slots -= log.slots + SLOTS_PER_COUNTER
      onForgotten()
    }
  }

  return {
    async take(identity, limits) {
      const nowMs = clock.monotonic()
      const counters = limits.map((limit) => {
        const log = logOf(`${identity}:${limit.scope}`, limit.requests)
        log.forgetUntil(nowMs - limit.windowMs)
        return { log, limit }
      })
      const admitted = counters.every(({ log, limit }) => log.count < limit.requests)
      if (admitted) for (const { log } of counters) add(log, nowMs)
      makeRoom(limits.length)
      return {
        admitted,
        states: counters.map(({ log, limit }) => ({
          remaining: limit.requests - log.count,
          freedInMs: log.oldest === undefined ? 0 : log.oldest + limit.windowMs - nowMs,
        })),
      }
    },
    close: async () => logs.clear(),
  }
}
