import { type CompressLine, chunkLine } from '../core/recordings/chunk-line.ts'
import type { Refusal, Verdict } from './judge-event.ts'
import { readSnapshot, type SentChunk } from './read-snapshot.ts'
import type { EventLimits, SentEvent } from './sent-request.ts'
import { SNAPSHOT_EVENT } from './snapshot-limits.ts'

/** A chunk that is taken, compressed as it stays from here on. */
export interface PackedChunk extends Omit<SentChunk, 'events'> {
  readonly events: number
  /** Of the line before compression. */
  readonly bytes: number
  readonly compressed: Buffer
}

export interface PackLimits extends EventLimits {
  /** Of a record in Kafka. */
  readonly recordBytesMax: number
}

/** What stands between a good chunk and its record. */
export interface PackingLine {
  readonly compress: CompressLine
  /** Told what a good chunk weighs; false refuses it because its session has recorded too much. */
  mayTake(sessionId: string, bytes: number): boolean
}

/** What a record has beside the compressed line: ids of 200 bytes that JSON may write six times as long, and numbers. */
const RECORD_ROOM_BYTES = 8 * 1024

/** Events of a request, by their place in it: what became of the chunks among them. */
export interface PackedChunks {
  readonly verdicts: readonly Verdict[]
  readonly chunks: ReadonlyMap<number, PackedChunk>
}

/**
 * Reads and compresses the chunks of recordings among the accepted events, one after another; a wrong one gets its own
 * refusal and harms no other.
 */
export async function packChunks(
  events: readonly SentEvent[],
  verdicts: readonly Verdict[],
  limits: PackLimits,
  line: PackingLine,
): Promise<PackedChunks> {
  const judged = [...verdicts]
  const chunks = new Map<number, PackedChunk>()
  for (const [index, verdict] of verdicts.entries()) {
    if (verdict.refusal !== null || verdict.event !== SNAPSHOT_EVENT) continue
    const packed = await packChunk(events[index]!.value as Record<string, unknown>, limits, line)
    if ('code' in packed) judged[index] = { ...verdict, refusal: packed }
    else chunks.set(index, packed)
  }
  return { verdicts: judged, chunks }
}

async function packChunk(
  value: Readonly<Record<string, unknown>>,
  limits: PackLimits,
  { compress, mayTake }: PackingLine,
): Promise<PackedChunk | NonNullable<Refusal>> {
  const sent = await readSnapshot(value, limits)
  if ('code' in sent) return sent
  const { events, ...rest } = sent
  const line = chunkLine(sent.windowId, events)
  const compressed = await compress(line)
  const compressedMax = limits.recordBytesMax - RECORD_ROOM_BYTES
  if (compressed.length > compressedMax)
    return {
      code: 'too_large',
      detail: `The chunk has ${compressed.length} bytes when compressed; at most ${compressedMax} are taken.`,
    }
  if (!mayTake(sent.sessionId, line.length))
    return { code: 'too_large', detail: 'The session has recorded as much as one session may.' }
  return { ...rest, events: events.length, bytes: line.length, compressed }
}

/** Is there one at all? Requests without any are not made to wait. */
export function hasSnapshots(verdicts: readonly Verdict[]): boolean {
  return verdicts.some(({ event, refusal }) => refusal === null && event === SNAPSHOT_EVENT)
}
