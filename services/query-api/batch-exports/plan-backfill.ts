import { type ClosedRange, common, merged, without } from './offset-ranges.ts'

/** One partition, as far as a backfill of it goes. Offsets; ends are not included. */
export interface BackfillPartition {
  /** What was asked for. */
  readonly asked: ClosedRange
  /** Where the schedule began. */
  readonly scheduleStart: number
  /** The schedule delivers nothing below this that it has not delivered yet. */
  readonly scheduleFrom: number
  /** How far manifests of the schedule were read. */
  readonly readTo: number
  /** Whether the schedule has come to its end: it delivers nothing more. */
  readonly isEnded: boolean
  /** What manifests of the schedule cover without delivering it. */
  readonly skipped: readonly ClosedRange[]
  /** What other backfills deliver. */
  readonly others: readonly ClosedRange[]
}

/**
 * What a backfill has to deliver of a partition: what was asked for, and neither the schedule nor another backfill
 * delivers. The schedule is the only writer of its chain, so its manifests say for good what it delivered; what they do
 * not cover yet, it will deliver or skip.
 *
 * @returns null while that is not decided: the schedule has yet to go past what it skips
 */
export function backfillRanges(of: BackfillPartition): ClosedRange[] | null {
  const [from, until] = of.asked
  const undecidedFrom = Math.max(from, of.readTo, of.scheduleStart)
  if (!of.isEnded && undecidedFrom < Math.min(until, of.scheduleFrom)) return null
  const after: ClosedRange[] = of.isEnded ? [[of.readTo, until]] : []
  const never = merged([[0, of.scheduleStart], ...of.skipped, ...after])
  return without(common([of.asked], never), of.others)
}
