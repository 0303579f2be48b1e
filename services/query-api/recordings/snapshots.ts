import type { ObjectStore } from '../../core/object-store/object-store.ts'
import { sessionPrefix } from '../../core/recordings/block-names.ts'
import { decompressLine, eventsText } from '../../core/recordings/chunk-line.ts'
import { notFound } from '../http/api-error.ts'
import type { Ask } from '../query/ask.ts'
import type { Question } from '../query/question.ts'
import { chunksSql } from '../query/recording-rows.ts'

export interface SnapshotNeeds {
  readonly ask: Ask
  readonly store: Pick<ObjectStore, 'get'>
  readonly bucket: string
}

/** Chunks of one page. */
export const CHUNKS_MAX = 20
/** Bytes of one page before the answer is compressed; its first chunk is on it in any case. */
export const PAGE_BYTES_MAX = 16 * 1024 * 1024
/** Blocks of one session that are listed: one every half minute makes 2,880 of the longest day. */
const BLOCKS_MAX = 10_000

interface ChunkPlace {
  readonly window_id: string
  readonly bytes: string | number
  readonly object_key: string
  readonly object_from: string | number
  readonly object_bytes: string | number
}

/** One stretch of a session that is read by itself. */
export interface BlockSource {
  readonly source: 'blob'
  readonly start_timestamp: string
  readonly end_timestamp: string
  readonly blob_key: string
}

const PLACE_COLUMNS =
  'session_id, event_id, window_id, bytes, object_key, object_from, object_bytes, first_time, last_time, ' +
  'src_partition, src_offset'

/** In the order in which they play: by time, within a millisecond as they arrived. */
const PLAYING = 'ORDER BY first_time, src_partition, src_offset'

/**
 * A page of a session's chunks: rrweb events by their window, as JSON text. Nothing of what was recorded is parsed or
 * written anew.
 *
 * @returns the page, and where the next one begins; null on the last one
 * @throws ApiError 404 when there is no such recording
 */
export async function snapshotPage(
  needs: SnapshotNeeds,
  question: Question,
  session: string,
  page: { readonly limit: number; readonly offset: number },
): Promise<{ readonly byWindow: string; readonly nextOffset: number | null }> {
  const found = await needs.ask<ChunkPlace>(question, (bindings) => {
    const own = [`session_id = ${bindings.bind(session, 'String')}`]
    return (
      `SELECT * FROM (${chunksSql(question.dataset.id, PLACE_COLUMNS, own, bindings)}) ${PLAYING} ` +
      `LIMIT ${bindings.bind(page.limit + 1, 'UInt64')} OFFSET ${bindings.bind(page.offset, 'UInt64')}`
    )
  })
  if (found.length === 0 && page.offset === 0) throw notFound()
  const shown = withinBytes(found.slice(0, page.limit))
  const windows = new Map<string, string[]>()
  for (const place of shown) {
    const text = eventsText(await readLine(needs, place), place.window_id)
    windows.set(place.window_id, [...(windows.get(place.window_id) ?? []), text])
  }
  const members = [...windows].map(([window, texts]) => `${JSON.stringify(window)}:[${texts.join(',')}]`)
  return {
    byWindow: `{${members.join(',')}}`,
    nextOffset: found.length > shown.length ? page.offset + shown.length : null,
  }
}

function withinBytes(places: readonly ChunkPlace[]): readonly ChunkPlace[] {
  let bytes = 0
  const over = places.findIndex((place, index) => {
    bytes += Number(place.bytes)
    return index > 0 && bytes > PAGE_BYTES_MAX
  })
  return over < 0 ? places : places.slice(0, over)
}

/** @throws ApiError 404 when there is no such recording */
export async function blockSources(
  { ask }: Pick<SnapshotNeeds, 'ask'>,
  question: Question,
  session: string,
): Promise<readonly BlockSource[]> {
  const blocks = await ask<{ object_key: string; first_ms: string | number; last_ms: string | number }>(
    question,
    (bindings) => {
      const own = [`session_id = ${bindings.bind(session, 'String')}`]
      return (
        'SELECT object_key, toUnixTimestamp64Milli(min(first_time)) AS first_ms, ' +
        'toUnixTimestamp64Milli(max(last_time)) AS last_ms ' +
        `FROM (${chunksSql(question.dataset.id, PLACE_COLUMNS, own, bindings)}) ` +
        `GROUP BY object_key ORDER BY first_ms, object_key LIMIT ${bindings.bind(BLOCKS_MAX, 'UInt64')}`
      )
    },
  )
  if (blocks.length === 0) throw notFound()
  const prefix = sessionPrefix(question.dataset.id, session)
  return blocks.map(({ object_key, first_ms, last_ms }) => ({
    source: 'blob',
    start_timestamp: new Date(Number(first_ms)).toISOString(),
    end_timestamp: new Date(Number(last_ms)).toISOString(),
    blob_key: object_key.slice(prefix.length, -BLOCK_ENDING.length),
  }))
}

const BLOCK_ENDING = '.jsonl.gz'

/**
 * The chunks of one block as JSON lines `{"window_id": …, "data": [rrweb events]}`, in the order in which they play.
 *
 * @throws ApiError 404 when the session has no such block
 */
export async function blockLines(
  needs: SnapshotNeeds,
  question: Question,
  session: string,
  blobKey: string,
): Promise<string> {
  const key = `${sessionPrefix(question.dataset.id, session)}${blobKey}${BLOCK_ENDING}`
  const places = await needs.ask<ChunkPlace>(question, (bindings) => {
    const own = [`session_id = ${bindings.bind(session, 'String')}`]
    return (
      `SELECT * FROM (${chunksSql(question.dataset.id, PLACE_COLUMNS, own, bindings)}) ` +
      `WHERE object_key = ${bindings.bind(key, 'String')} ${PLAYING}`
    )
  })
  if (places.length === 0) throw notFound()
  const lines: string[] = []
  for (const place of places) lines.push((await readLine(needs, place)).toString('utf8'))
  return lines.join('')
}

/** @throws ApiError 404 when it has been removed since its place was looked up */
async function readLine({ store, bucket }: SnapshotNeeds, place: ChunkPlace): Promise<Buffer> {
  const [start, length] = [Number(place.object_from), Number(place.object_bytes)]
  const compressed = await store.get(bucket, place.object_key, { start, end: start + length - 1 })
  if (compressed === null) throw notFound('A part of this recording has been removed.')
  return decompressLine(compressed, Number(place.bytes))
}
