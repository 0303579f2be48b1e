import { createHash } from 'node:crypto'
import type { RecordingChunk } from '../../schemas/recording-chunk/v1.ts'
import { blockKey } from '../core/recordings/block-names.ts'
import type { Plan } from '../core/stream/planned-plan.ts'
import type { ChunkSummary } from './summarize-chunk.ts'

/** A chunk of a planned range that can be read. */
export interface RangeChunk {
  readonly chunk: RecordingChunk
  readonly compressed: Buffer
  readonly summary: ChunkSummary
  readonly offset: number
  readonly landedMs: number
}

/** An object: the chunks of one session in one range, in the order of the log. */
export interface Block {
  readonly key: string
  /** Gzip members one after another: JSON lines to everything that reads gzip. */
  readonly body: Buffer
  readonly sha256: string
}

/** A chunk as a row of `recording_chunks`, one line of JSON without its newline. */
export interface ChunkRow {
  readonly offset: number
  readonly landedMs: number
  readonly line: Buffer
}

/**
 * Puts the chunks of a range into blocks, and says in rows where each of them lies. A pure function of the records and
 * of the plan, so that a replay writes the same objects under the same names.
 */
export function chunkBlocks(
  chunks: readonly RangeChunk[],
  partition: number,
  plan: Pick<Plan, 'topicId' | 'start' | 'end'>,
): { readonly blocks: readonly Block[]; readonly rows: readonly ChunkRow[] } {
  const members = new Map<string, Buffer[]>()
  const lengths = new Map<string, number>()
  const rows = chunks.map((one): ChunkRow => {
    const key = blockKey(one.chunk.dataset_id, one.chunk.session_id, partition, plan)
    const from = lengths.get(key) ?? 0
    lengths.set(key, from + one.compressed.length)
    members.set(key, [...(members.get(key) ?? []), one.compressed])
    return { offset: one.offset, landedMs: one.landedMs, line: rowLine(one, partition, key, from) }
  })
  const blocks = [...members].map(([key, parts]): Block => {
    const body = Buffer.concat(parts)
    return { key, body, sha256: createHash('sha256').update(body).digest('hex') }
  })
  return { blocks, rows }
}

function rowLine(
  { chunk, compressed, summary, offset }: RangeChunk,
  partition: number,
  object_key: string,
  object_from: number,
): Buffer {
  const time = (ms: number) => new Date(ms).toISOString()
  const { dataset_id, session_id, window_id, distinct_id, event_id, events, bytes } = chunk
  return Buffer.from(
    JSON.stringify({
      dataset_id,
      session_id,
      window_id,
      distinct_id,
      event_id,
      collector_time: time(chunk.collector_time),
      first_time: time(summary.firstMs),
      last_time: time(summary.lastMs),
      events,
      clicks: summary.clicks,
      keypresses: summary.keypresses,
      active: summary.active,
      first_url: summary.firstUrl,
      console_logs: summary.consoleLogs,
      console_warns: summary.consoleWarns,
      console_errors: summary.consoleErrors,
      library: chunk.library ?? '',
      bytes,
      object_key,
      object_from,
      object_bytes: compressed.length,
      src_partition: partition,
      src_offset: offset,
    }),
  )
}
