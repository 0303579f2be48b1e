/** Records handed in together, while they are under way: one for all of them rather than a promise each. */
export interface Delivery {
  unsettled: number
  taken: number
  /** Why one of them was not taken. */
  refusal: Error | null
  /** Why it is not known of one of them whether it was taken. */
  doubt: Error | null
  /** Called when nothing is unsettled any more. */
  onSettled: (() => void) | null
}

export function newDelivery(): Delivery {
  return { unsettled: 0, taken: 0, refusal: null, doubt: null, onSettled: null }
}

/** Resolves when every record's fate is known, or known to be unknown. */
export function settled(delivery: Delivery): Promise<void> {
  if (delivery.unsettled === 0) return Promise.resolve()
  return new Promise((resolve) => {
    delivery.onSettled = resolve
  })
}

/**
 * @param error why these records were not taken; null when they were
 * @param isDoubtful whether they may have been taken all the same
 */
export function settle(delivery: Delivery, count: number, error: Error | null, isDoubtful = false): void {
  delivery.unsettled -= count
  if (error === null) delivery.taken += count
  else if (isDoubtful) delivery.doubt ??= error
  else delivery.refusal ??= error
  if (delivery.unsettled > 0) return
  delivery.onSettled?.()
  delivery.onSettled = null
}
