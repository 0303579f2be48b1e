import type { OffsetRange } from '../../services/core/kafka/log.ts'
import { type ChaosChunk, chaosChunk, chunkCheck, chunkOf } from './chaos-chunks.ts'
import type { PlaceVerdict } from './compare-place.ts'
import { type ChaosLedger, FATE } from './ledger.ts'

/** A row of `recording_chunks`, and the line that lies where it says; null for what is no line. */
export interface ChunkRow {
  readonly partition: number
  readonly offset: number
  readonly dataset: string
  readonly eventId: string
  readonly line: string | null
}

export const RECORDINGS_PLACE = 'recordings'
const FAULTS_NAMED_MAX = 20

/**
 * Each record of `recordings.raw` is one row, whose line is the chunk as it was sent; an acknowledged chunk is in a record,
 * one that was refused in none. A client that sends a chunk again makes another record: those who play it know it by its id.
 *
 * @param ranges what `recordings.raw` holds; it has no markers, so every offset is a record
 * @param ledger fates by number of the chunk
 * @returns figures, and sentences: none where all of it is right, else the first ones
 */
export function compareRecordings(
  rows: readonly ChunkRow[],
  ranges: readonly OffsetRange[],
  ledger: ChaosLedger,
  seed: number,
): { readonly verdict: PlaceVerdict; readonly faults: readonly string[] } {
  const faults: string[] = []
  const wrong = { lost: 0, doubled: 0, spurious: 0, corrupted: 0 }
  const say = (kind: keyof typeof wrong, sentence: string) => {
    wrong[kind]++
    if (faults.length < FAULTS_NAMED_MAX) faults.push(`${RECORDINGS_PLACE}: ${sentence}`)
  }
  const seenAt = new Map<string, string>()
  const seen = new Set<number>()
  for (const { partition, offset, dataset, eventId, line } of rows) {
    const at = `${partition}:${offset}`
    if (seenAt.has(at)) say('doubled', `record ${at} is two rows, ${seenAt.get(at)} and ${eventId}`)
    seenAt.set(at, eventId)
    const chunk = chunkOf(seed, eventId)
    if (chunk === null || chunk.dataset !== dataset) {
      say('corrupted', `${dataset}/${eventId} of record ${at} is of no run`)
      continue
    }
    seen.add(chunk.number)
    if (!isAsSent(seed, chunk, line))
      say('corrupted', `what lies where the row of ${eventId} says is not that chunk`)
    if (ledger.fate(chunk.number) === FATE.refused) say('spurious', `${eventId} was refused and is there`)
  }
  for (const { partition, start, end } of ranges)
    for (let offset = start; offset < end; offset++)
      if (!seenAt.has(`${partition}:${offset}`)) say('lost', `record ${partition}:${offset} has no row`)
  for (let number = 0; number < ledger.size; number++)
    if (ledger.fate(number) === FATE.acked && !seen.has(number))
      say('lost', `${chaosChunk(seed, number).eventId} was acknowledged and is not there`)
  return { verdict: { place: RECORDINGS_PLACE, found: rows.length, ...wrong }, faults }
}

function isAsSent(seed: number, chunk: ChaosChunk, line: string | null): boolean {
  try {
    const { window_id, data } = JSON.parse(line ?? '')
    return window_id === chunk.eventId && data[0].data.href.endsWith(`/${chunkCheck(seed, chunk)}`)
  } catch {
    return false
  }
}
