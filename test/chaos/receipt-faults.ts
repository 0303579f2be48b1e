import type { Receipt } from '../../schemas/receipt/v1.ts'

/** What a receipt says of the raw offsets `from` to `to`, both included. */
export type RawReceipt = Omit<Receipt, 'v' | 'recipe' | 'control_offset'>

/**
 * Every raw offset is in exactly one receipt, and each receipt adds up.
 *
 * @param ranges what `events.raw` holds; `end` is the offset after the last
 * @returns sentences, and how many repetitions were removed
 */
export function receiptFaults(
  ranges: readonly { readonly partition: number; readonly start: number; readonly end: number }[],
  receipts: readonly RawReceipt[],
): { readonly faults: readonly string[]; readonly duplicates: number } {
  const byPartition = Map.groupBy(receipts, ({ partition }) => partition)
  const faults: string[] = []
  let duplicates = 0
  for (const { partition, start, end } of ranges) {
    let next = start
    for (const receipt of (byPartition.get(partition) ?? []).sort((a, b) => a.from - b.from)) {
      const { from, to, enriched, rejected, duplicate, control } = receipt
      if (from !== next)
        faults.push(`events.receipts: ${partition} goes on at ${from} where ${next} must follow`)
      if (to - from + 1 !== enriched + rejected + duplicate + control)
        faults.push(`events.receipts: ${partition}:${from}-${to} does not add up`)
      next = to + 1
      duplicates += duplicate
    }
    if (next !== end) faults.push(`events.receipts: ${partition} ends at ${next}, events.raw at ${end}`)
  }
  return { faults, duplicates }
}
