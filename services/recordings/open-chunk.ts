import type { RecordingChunk } from '../../schemas/recording-chunk/v1.ts'
import { type ChunkSummary, summarizeChunk } from './summarize-chunk.ts'

/** @param bytes what the line has before compression, as its chunk says */
export type Decompress = (compressed: Buffer, bytes: number) => Promise<Buffer>

/** No collector takes larger ones; a header that says so is damaged. */
export const LINE_BYTES_CEILING = 64 * 1024 * 1024

/** Undecodable is a value: the record is kept with its reason and nothing stops for it. */
export type OpenedChunk =
  | { readonly ok: true; readonly summary: ChunkSummary }
  | { readonly ok: false; readonly detail: string }

/** Looks into the compressed line of a chunk. Never rejects. */
export async function openChunk(
  chunk: RecordingChunk,
  compressed: Buffer,
  decompress: Decompress,
): Promise<OpenedChunk> {
  if (chunk.bytes > LINE_BYTES_CEILING)
    return { ok: false, detail: `Its line is said to have ${chunk.bytes} bytes.` }
  let data: unknown
  try {
    const line = await decompress(compressed, chunk.bytes)
    data = (JSON.parse(line.toString('utf8')) as { readonly data?: unknown } | null)?.data
  } catch (error) {
    return { ok: false, detail: `Its line cannot be read: ${(error as Error).message}` }
  }
  const isEvent = (event: unknown) => typeof (event as { timestamp?: unknown } | null)?.timestamp === 'number'
  if (!Array.isArray(data) || data.length === 0 || !data.every(isEvent))
    return { ok: false, detail: 'Its line has no rrweb events.' }
  return { ok: true, summary: summarizeChunk(data, chunk.collector_time) }
}
