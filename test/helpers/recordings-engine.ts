import { randomBytes } from 'node:crypto'
import { inject } from 'vitest'
import type { ClickHouse } from '../../services/core/clickhouse/clickhouse.ts'
import { CLICKHOUSE_SETTINGS } from '../../services/core/clickhouse/clickhouse-settings.ts'
import { openClickHouse } from '../../services/core/clickhouse/http-clickhouse.ts'
import { insertSettings } from '../../services/core/clickhouse/insert-settings.ts'
import { migrate } from '../../services/core/clickhouse/migrate.ts'
import type { ObjectStore } from '../../services/core/object-store/object-store.ts'
import { S3_SETTINGS } from '../../services/core/object-store/s3-settings.ts'
import { openS3Store } from '../../services/core/object-store/s3-store.ts'
import { parseSettings } from '../../services/core/runtime/settings.ts'
import { chunkBlocks } from '../../services/recordings/chunk-blocks.ts'
import { putBlocks } from '../../services/recordings/put-block.ts'
import { summarizeChunk } from '../../services/recordings/summarize-chunk.ts'
import { recordingChunk, type SentRecording } from './recording-chunks.ts'

/** How the engines of this run are reached. */
export function recordingsSettings(database: string, bucket: string) {
  const s3 = inject('s3')
  return {
    MILLRACE_CLICKHOUSE_URL: inject('clickhouseUrl'),
    MILLRACE_CLICKHOUSE_DATABASE: database,
    MILLRACE_S3_ENDPOINT: s3.endpoint,
    MILLRACE_S3_BUCKET: bucket,
    AWS_ACCESS_KEY_ID: s3.accessKeyId,
    AWS_SECRET_ACCESS_KEY: s3.secretAccessKey,
  }
}

/**
 * One range of the topic that has these chunks, stored as the stage does.
 *
 * @param start offset of the first one
 */
export async function storeRecordings(
  stores: {
    readonly clickhouse: Pick<ClickHouse, 'insert'>
    readonly store: ObjectStore
    readonly bucket: string
  },
  sent: readonly SentRecording[],
  start: number,
): Promise<void> {
  const chunks = await Promise.all(
    sent.map(async (one, at) => {
      const made = await recordingChunk(one)
      const summary = summarizeChunk(one.events, made.chunk.collector_time)
      return { ...made, summary, offset: start + at, landedMs: made.chunk.collector_time }
    }),
  )
  const end = start + sent.length - 1
  const { blocks, rows } = chunkBlocks(chunks, 0, { topicId: 't', start, end })
  await putBlocks(stores.store, stores.bucket, blocks)
  const body = Buffer.from(rows.map(({ line }) => `${line}\n`).join(''))
  await stores.clickhouse.insert('recording_chunks', 'JSONEachRow', body, insertSettings(rows.length))
}

/** A database and a bucket of their own on the real engines, and recordings in them as the stage puts them there. */
export async function openRecordingsEngine() {
  const id = randomBytes(6).toString('hex')
  const [database, bucket] = [`recordings_${id}`, `recordings-${id}`]
  const environment = recordingsSettings(database, bucket)
  const settings = parseSettings(CLICKHOUSE_SETTINGS, environment)
  const admin = openClickHouse(settings, null)
  const clickhouse = openClickHouse(settings)
  const store = openS3Store(parseSettings(S3_SETTINGS, environment))
  await migrate(admin, database)
  await store.createBucket(bucket)
  let next = 0

  return {
    environment,
    clickhouse,
    store,
    bucket,
    stores: { clickhouse, store, bucket },
    /** One range of the topic that has these chunks. */
    async put(sent: readonly SentRecording[]): Promise<void> {
      await storeRecordings({ clickhouse, store, bucket }, sent, next)
      next += sent.length
    },
    keys: async (prefix = 'recordings/') =>
      (await Array.fromAsync(store.list(bucket, prefix))).map(({ key }) => key),
    async rows(): Promise<number> {
      const [row] = await clickhouse.query<{ rows: number }>(
        'SELECT toUInt32(count()) AS rows FROM recording_chunks',
      )
      return row?.rows ?? 0
    },
    async close() {
      await admin.command(`DROP DATABASE IF EXISTS \`${database}\``)
      await Promise.all([admin.close(), clickhouse.close()])
      store.close()
    },
  }
}

export type RecordingsEngine = Awaited<ReturnType<typeof openRecordingsEngine>>
