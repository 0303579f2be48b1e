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
  const keyed = chunks.map((one) => ({
    one,
    key: blockKey(one.chunk.dataset_id, one.chunk.session_id, partition, plan),
  }))
  const groups = [...Map.groupBy(keyed, ({ key }) => key)]
  const blocks = groups.map(([key, parts]): Block => {
    const body = Buffer.concat(parts.map(({ one }) => one.compressed))
    return { key, body, sha256: createHash('sha256').update(body).digest('hex') }
  })
  const lastMs = new Map(
    groups.map(([key, parts]) => [
      key,
      parts.reduce((last, { one }) => Math.max(last, one.chunk.collector_time), 0),
    ]),
  )
  const ends = new Map<string, number>()
  const rows = keyed.map(({ one, key }): ChunkRow => {
    const from = ends.get(key) ?? 0
    ends.set(key, from + one.compressed.length)
    const place = { key, from, lastMs: lastMs.get(key) as number }
    return { offset: one.offset, landedMs: one.landedMs, line: rowLine(one, partition, place) }
  })
  return { blocks, rows }
}

function rowLine(
  { chunk, compressed, summary, offset }: RangeChunk,
  partition: number,
  place: { readonly key: string; readonly from: number; readonly lastMs: number },
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
      object_key: place.key,
      object_from: place.from,
      object_bytes: compressed.length,
      object_time: time(place.lastMs),
      src_partition: partition,
      src_offset: offset,
    }),
  )
}
