import { isUtf8 } from 'node:buffer'
import type { RecordingChunk } from '../../../schemas/recording-chunk/v1.ts'

const NEWLINE = 0x0a

/** The value of a record in `recordings.raw`. */
export function encodeChunkRecord(chunk: RecordingChunk, compressed: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`${JSON.stringify(chunk)}\n`), compressed])
}

/** Undecodable is a value, not an error: whatever lies in the topic, its offset moves on. */
export type DecodedChunk =
  | { readonly ok: true; readonly chunk: RecordingChunk; readonly compressed: Buffer }
  | { readonly ok: false; readonly detail: string }

/** Reads a record of `recordings.raw`; the compressed part is a view of it, and is not looked into. Never throws. */
export function decodeChunkRecord(value: Buffer | null): DecodedChunk {
  if (value === null) return { ok: false, detail: 'The record has no value.' }
  const end = value.indexOf(NEWLINE)
  if (end < 0 || !isUtf8(value.subarray(0, end)))
    return { ok: false, detail: 'It begins with no line of text.' }
  let parsed: unknown
  try {
    parsed = JSON.parse(value.toString('utf8', 0, end))
  } catch {
    return { ok: false, detail: 'Its first line is not JSON.' }
  }
  const wrong = chunkFault(parsed)
  if (wrong !== null) return { ok: false, detail: wrong }
  return { ok: true, chunk: parsed as RecordingChunk, compressed: value.subarray(end + 1) }
}

/** What is wrong with the header, one sentence; null when nothing is. */
function chunkFault(parsed: unknown): string | null {
  if (typeof parsed !== 'object' || parsed === null) return 'Its first line is not an object.'
  const chunk = parsed as Readonly<Record<string, unknown>>
  if (chunk.v !== 1) return `Its version is ${JSON.stringify(chunk.v)?.slice(0, 20)}, not 1.`
  for (const name of ['event_id', 'dataset_id', 'session_id', 'window_id'])
    if (typeof chunk[name] !== 'string' || chunk[name] === '') return `${name} is not text.`
  if (typeof chunk.distinct_id !== 'string') return 'distinct_id is not text.'
  if (chunk.library !== null && typeof chunk.library !== 'string') return 'library is neither text nor null.'
  for (const name of ['collector_time', 'events', 'bytes'])
    if (!Number.isSafeInteger(chunk[name]) || (chunk[name] as number) < 0)
      return `${name} is not a whole number.`
  return (chunk.collector_time as number) > 8.64e15 ? 'collector_time is no time.' : null
}
