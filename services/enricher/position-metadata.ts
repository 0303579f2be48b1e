/** From this offset of the changelog on lie all ids that were taken in after this raw append time. */
export interface Checkpoint {
  /** Epoch ms; 0 at the beginning. */
  readonly time: number
  readonly offset: number
}

/** What the next owner wants to know before it reads the changelog. */
export interface PositionMetadata {
  /** Where it begins to read. Else it would read all that the topic keeps: the window and the retention of raw events. */
  readonly dedupeFrom: number
  /** About how many ids it will hold. */
  readonly ids: number
}

/** Text that is committed with the group's position. */
export function writePositionMetadata({ dedupeFrom, ids }: PositionMetadata): string {
  return JSON.stringify({ v: 1, dedupe_from: dedupeFrom, ids })
}

/** The changelog is read from its beginning for text of another version or none; older programs told no ids. */
export function readPositionMetadata(text: string): PositionMetadata {
  const match = /^\{"v":1,"dedupe_from":(\d{1,16})(?:,"ids":(\d{1,16}))?\}$/.exec(text)
  return { dedupeFrom: Number(match?.[1] ?? 0), ids: Number(match?.[2] ?? 0) }
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
