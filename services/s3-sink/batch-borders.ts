import type { Delivery, DeliveryWindow } from '../../schemas/control/v1.ts'
import { type WindowBounds, windowAt } from '../core/control/delivery-window.ts'

export type OffsetRanges = NonNullable<Delivery['ranges']>[number]

/** Where a delivery says that batches of one partition end, beside their limits. */
export interface BatchBorders {
  /** Is the record that landed then, at this offset, one of those that are delivered? */
  isIn(landedMs: number, offset: number): boolean
  /** Told of every record of the batch, in order. */
  passed(landedMs: number, offset: number): void
  /** Is there a border between the last record and this one? */
  between(landedMs: number, offset: number): boolean
  /** The last record was the last one of a range: what comes next is on the other side. */
  readonly isReached: boolean
  /** The last record lies behind all ranges, or behind the end: nothing is ever delivered any more. */
  readonly isFinished: boolean
}

/**
 * @param window  null for none
 * @param ranges  of the partition; null for everything
 * @param untilMs what lands then or later is not delivered; null for no end
 */
export function batchBorders(
  window: DeliveryWindow | null,
  ranges: OffsetRanges | null,
  untilMs: number | null,
): BatchBorders {
  let bounds: WindowBounds | null = null
  let last: { readonly landedMs: number; readonly offset: number } | null = null
  const isOver = (landedMs: number) => untilMs !== null && landedMs >= untilMs
  const isInRange = (offset: number) =>
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
    isIn: (landedMs, offset) => !isOver(landedMs) && isInRange(offset),
    passed(landedMs, offset) {
      last = { landedMs, offset }
      if (window !== null && (bounds === null || landedMs >= bounds.endMs))
        bounds = windowAt(window, landedMs)
    },
    between(landedMs, offset) {
      if (last === null) return false
      if (stretch(last.offset) !== stretch(offset)) return true
      if (isOver(last.landedMs) !== isOver(landedMs)) return true
      return bounds !== null && landedMs >= bounds.endMs
    },
    get isReached() {
      return last !== null && isInRange(last.offset) && !isInRange(last.offset + 1)
    },
    get isFinished() {
      const until = ranges?.at(-1)?.[1] ?? null
      return last !== null && (isOver(last.landedMs) || (until !== null && last.offset >= until))
    },
  }
}
