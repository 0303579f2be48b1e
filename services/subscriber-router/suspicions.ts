/**
 * Which subscriptions' topics made a transaction fail whose outcome is not known. Such a failure ends the worker, so
 * what it found out is kept here for the one that starts after it.
 */
export interface Suspicions {
  of(partition: number): ReadonlySet<string>
  add(partition: number, subscriptions: readonly string[]): void
  /**
   * A transaction at `position` failed while the input answered. Topics that do not answer are suspected at once;
   * where all answer, everybody involved is after {@link FAILURES_MAX} failures at the same place.
   */
  failed(partition: number, position: number, involved: readonly string[], silent: readonly string[]): void
  /** A transaction committed. */
  clear(partition: number): void
}

export const FAILURES_MAX = 3

export function createSuspicions(): Suspicions {
  const suspected = new Map<number, Set<string>>()
  const failures = new Map<number, { position: number; count: number }>()
  const none: ReadonlySet<string> = new Set()

  function add(partition: number, subscriptions: readonly string[]): void {
    suspected.set(partition, new Set([...(suspected.get(partition) ?? []), ...subscriptions]))
  }
  return {
    of: (partition) => suspected.get(partition) ?? none,
    add,
    failed(partition, position, involved, silent) {
      const before = failures.get(partition)
      const count = before?.position === position ? before.count + 1 : 1
      failures.set(partition, { position, count })
      add(partition, silent)
      if (count >= FAILURES_MAX) add(partition, involved)
    },
    clear(partition) {
      suspected.delete(partition)
      failures.delete(partition)
    },
  }
}
