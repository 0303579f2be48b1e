import type { Delivery, DeliveryWindow } from '../../schemas/control/v1.ts'
import { type WindowBounds, windowAt } from '../core/control/delivery-window.ts'

export type OffsetRanges = NonNullable<Delivery['ranges']>[number]

/** Where a delivery says that batches of one partition end, beside their limits. */
export interface BatchBorders {
  /** Is this offset one of those that are delivered? */
  isIn(offset: number): boolean
  /** Told of every record of the batch, in order. */
  passed(landedMs: number, offset: number): void
  /** Is there a border between the last record and this one? */
  between(landedMs: number, offset: number): boolean
  /** The last record was the last one of a range: what comes next is on the other side. */
  readonly isReached: boolean
  /** The last record lies behind all ranges: nothing is ever delivered any more. */
  readonly isFinished: boolean
}

/**
 * @param window null for none
 * @param ranges of the partition; null for everything
 */
export function batchBorders(window: DeliveryWindow | null, ranges: OffsetRanges | null): BatchBorders {
  let bounds: WindowBounds | null = null
  let lastOffset: number | null = null
  const isIn = (offset: number) =>
    ranges === null || ranges.some(([from, until]) => offset >= from && (until === null || offset < until))
  /** Which range an offset is in, or after how many of them it lies. */
  const stretch = (offset: number) =>
    ranges === null
      ? 0
      : ranges.reduce(
          (sum, [from, until]) => sum + Number(offset >= from) + Number(until !== null && offset >= until),
          0,
        )
  return {
    isIn,
    passed(landedMs, offset) {
      lastOffset = offset
      if (window !== null && (bounds === null || landedMs >= bounds.endMs))
        bounds = windowAt(window, landedMs)
    },
    between(landedMs, offset) {
      if (lastOffset === null) return false
      if (stretch(lastOffset) !== stretch(offset)) return true
      return bounds !== null && landedMs >= bounds.endMs
    },
    get isReached() {
      return lastOffset !== null && isIn(lastOffset) && !isIn(lastOffset + 1)
    },
    get isFinished() {
      const until = ranges?.at(-1)?.[1] ?? null
      return lastOffset !== null && until !== null && lastOffset >= until
    },
  }
}
