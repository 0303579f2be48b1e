/** Time as the code sees it. Passed in, so that tests and the simulation own it. */
export interface Clock {
  /** Wall clock, epoch milliseconds. Only for what people read and for collector_time. */
  now(): number
  /** Monotonic milliseconds from an arbitrary start: ages, timeouts, rotation. */
  monotonic(): number
  /** Resolves after `ms`, or at once when the signal aborts; never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted) return resolve()
      const done = () => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', done)
        resolve()
      }
      const timer = setTimeout(done, ms)
      signal?.addEventListener('abort', done)
    }),
}
