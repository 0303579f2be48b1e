/**
 * What one enricher transaction did with a range of one raw partition: the value of a record in `events.receipts`.
 * `to - from + 1 = enriched + rejected + duplicate + control` always holds.
 */
export interface Receipt {
  readonly v: 1
  readonly partition: number
  /** First and last raw offset covered, both included. */
  readonly from: number
  readonly to: number
  readonly enriched: number
  readonly rejected: number
  readonly duplicate: number
  /** Raw offsets that carried no event. */
  readonly control: number
  readonly recipe: string
  /** Offset in `millrace.control` up to which configuration had been applied. */
  readonly control_offset: number
}
