import type { PlaceVerdict } from './compare-place.ts'

export interface Verdict {
  readonly acknowledged: number
  readonly lost: number
  readonly duplicated: number
  readonly places: readonly PlaceVerdict[]
  /** Sentences; none where everything holds. */
  readonly faults: readonly string[]
  /** Repetitions that the enricher removed. */
  readonly duplicatesRemoved: number
  readonly rejectedByCode: Readonly<Record<string, number>>
}

/** Whether the promise held; a run in which nothing was acknowledged proves nothing. */
export function isBalanced({ faults, acknowledged }: Verdict): boolean {
  return faults.length === 0 && acknowledged > 0
}
