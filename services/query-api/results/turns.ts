/** Work that waits until there is room for it. */
export interface Turns {
  /**
   * Runs the work when its turn has come.
   *
   * @returns null when too many of this owner wait already
   */
  take<T>(owner: string, work: () => Promise<T>): Promise<T> | null
}

/**
 * So many run at once, in all and of one owner; the others wait in the order in which they came, but nobody waits
 * behind the many of another owner.
 *
 * @param waitingMax of one owner
 */
export function createTurns(atOnceMax: number, perOwnerMax: number, waitingMax: number): Turns {
  const running = new Map<string, number>()
  const waiting: { readonly owner: string; readonly begin: () => void }[] = []
  let total = 0

  function next(): void {
    if (total >= atOnceMax) return
    const at = waiting.findIndex(({ owner }) => (running.get(owner) ?? 0) < perOwnerMax)
    if (at < 0) return
    const [turn] = waiting.splice(at, 1)
    if (turn === undefined) return
    total++
    running.set(turn.owner, (running.get(turn.owner) ?? 0) + 1)
    turn.begin()
  }

  function leave(owner: string): void {
    total--
    const left = (running.get(owner) ?? 1) - 1
    if (left === 0) running.delete(owner)
    else running.set(owner, left)
    next()
  }

  return {
    take(owner, work) {
      if (waiting.filter((one) => one.owner === owner).length >= waitingMax) return null
      const { promise, resolve } = Promise.withResolvers<void>()
      waiting.push({ owner, begin: resolve })
      next()
      return promise.then(work).finally(() => leave(owner))
    },
  }
}
