/** From this offset of the changelog on lie all ids that were taken in after this raw append time. */
export interface Checkpoint {
  /** Epoch ms; 0 at the beginning. */
  readonly time: number
  readonly offset: number
}

/**
 * Text that is committed with the group's position: where in the changelog the next owner begins to read. Without it
 * it would read everything that the topic keeps, which is the window and the retention of raw events.
 */
export function writePositionMetadata(dedupeFrom: number): string {
  return JSON.stringify({ v: 1, dedupe_from: dedupeFrom })
}

/** Null for text of another version or none: the changelog is then read from its beginning. */
export function readPositionMetadata(text: string): number | null {
  const match = /^\{"v":1,"dedupe_from":(\d{1,16})\}$/.exec(text)
  return match ? Number(match[1]) : null
}

/**
 * The newest checkpoint before the window begins; 0 where the window reaches back to the first.
 *
 * @param checkpoints oldest first; those that no later window can need are removed
 */
export function dedupeFromOf(checkpoints: Checkpoint[], windowBegin: number): number {
  while (checkpoints[1] && checkpoints[1].time < windowBegin) checkpoints.shift()
  return checkpoints[0]?.offset ?? 0
}
