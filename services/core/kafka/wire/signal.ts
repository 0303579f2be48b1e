/** Wakes everyone who waits for it. */
export interface Signal {
  raise(): void
  /** Resolves with the next `raise`, or after `ms`. */
  wait(ms?: number): Promise<void>
}

export function createSignal(): Signal {
  const waiting = new Set<() => void>()
  return {
    raise() {
      for (const wake of waiting) wake()
      waiting.clear()
    },
    wait: (ms) =>
      new Promise((resolve) => {
        const timer = ms === undefined ? null : setTimeout(wake, ms)
        function wake() {
          if (timer) clearTimeout(timer)
          waiting.delete(wake)
          resolve()
        }
        waiting.add(wake)
      }),
  }
}
