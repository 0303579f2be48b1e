import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { expect, vi } from 'vitest'
import type { Manifest } from '../../../../schemas/manifest/v1.ts'
import type { GroupConsumer } from '../../../../services/core/kafka/log.ts'
import { kafkaNames } from '../../../../services/core/kafka/topics.ts'
import { systemClock } from '../../../../services/core/runtime/clock.ts'
import { Health } from '../../../../services/core/runtime/health.ts'
import { createLogger } from '../../../../services/core/runtime/logger.ts'
import { createMetrics } from '../../../../services/core/runtime/metrics.ts'
import { createBatchExportKeeper } from '../../../../services/query-api/batch-exports/batch-export-keeper.ts'
import { createBatchExportMetrics } from '../../../../services/query-api/batch-exports/batch-export-metrics.ts'
import { createBatchExportStore } from '../../../../services/query-api/batch-exports/batch-export-store.ts'
import { nodeDisk } from '../../../../services/s3-sink/node-disk.ts'
import { runS3Sink } from '../../../../services/s3-sink/pipeline.ts'
import { createMemoryLog } from '../../../helpers/memory-log.ts'
import { SIGNING_KEY } from '../../s3-sink/delivery-world.ts'
import { enrichedRecord, tickRecord } from '../../s3-sink/enriched-rows.ts'
import { recordingEnvironment } from '../recording-environment.ts'

/** Length of the windows of {@link LAKE}. */
export const WINDOW_MS = 5 * 60_000
/** Bucket of somebody else's. */
export const BUCKET = 'acme-lake'
/** Bucket of the installation. */
export const OWN_BUCKET = 'millrace'
export const LAKE = {
  name: 'To the lake',
  interval: 'every 5 minutes',
  destination: {
    type: 'S3',
    config: {
      bucket_name: BUCKET,
      region: 'eu-central-1',
      prefix: 'events/{year}',
      batch_window_size: 3_600,
      aws_access_key_id: 'AKIATEST',
      aws_secret_access_key: 'very-secret',
    },
  },
}
/** A batch export into a table. */
export const TABLE = {
  name: 'To a table',
  interval: 'every 5 minutes',
  destination: {
    type: 'Postgres',
    config: {
      host: 'db.example.com',
      database: 'shop',
      user: 'loader',
      password: 'very-secret',
      table_name: 'events',
      batch_window_size: 3_600,
    },
  },
}

/** The API and the S3 sink over one log, one bucket and one configuration; the broker's clock is the API's. */
export async function batchExportWorld() {
  const api = recordingEnvironment()
  const key = await api.personalKey(['batch_export:write'])
  const names = kafkaNames('')
  const log = createMemoryLog({ clock: { ...systemClock, now: () => api.clock.now() } })
  await log.admin.createTopics(
    [names.enriched, names.rejected].map((topic) => ({
      topic,
      partitions: 2,
      replicationFactor: -1,
      config: {},
    })),
  )
  for (const bucket of [BUCKET, OWN_BUCKET]) await api.bucket.createBucket(bucket)
  api.logged.offsetsAt = async (timestampMs) =>
    (await log.admin.offsetsAt(names.enriched, timestampMs)).map(({ offset }) => offset)
  const producer = await log.openProducer({ clientId: 'test', lingerMs: 0, deliveryTimeoutMs: 1000 })
  const store = createBatchExportStore(api.env.metadata)
  const metrics = createMetrics()
  const keeper = createBatchExportKeeper({
    ...api.env.batchExports,
    store,
    control: api.control,
    clock: api.clock,
    logger: createLogger('test', 'error'),
    metrics: createBatchExportMetrics(metrics),
    topic: names.enriched,
  })
  /** When each event landed. */
  const landed: number[] = []
  const cleanUp: (() => Promise<void>)[] = []

  const produce = async (count: number) => {
    const records = Array.from({ length: count }, (_, i) => {
      const index = landed.length + i
      return { topic: names.enriched, partition: index % 2, key: null, ...enrichedRecord(index) }
    })
    for (let i = 0; i < count; i++) landed.push(api.clock.now())
    if (count > 0) await producer.produce(records)
  }
  /** Time goes on, and with it idle partitions. */
  const wait = async (ms: number) => {
    await api.clock.advance(ms)
    const ticks = [0, 1].map((partition) => ({
      topic: names.enriched,
      partition,
      key: null,
      ...tickRecord(0),
    }))
    await producer.produce(ticks)
  }

  function startSink(failPoint: (name: string) => void = () => {}) {
    const spoolDir = mkdtempSync(join(tmpdir(), 'batch-export-'))
    const stop = new AbortController()
    const consumers: GroupConsumer[] = []
    const done = runS3Sink(
      {
        log: {
          ...log,
          async openGroupConsumer(options) {
            const consumer = await log.openGroupConsumer(options)
            consumers.push(consumer)
            return consumer
          },
        },
        names,
        control: api.control,
        store: api.bucket,
        destinations: api.env.batchExports.destinations,
        disk: nodeDisk(),
        encoder: { id: 'none', encode: () => Promise.reject(new Error('no tables')), close() {} },
        signingKey: SIGNING_KEY,
        spoolDir,
        bounds: {
          spoolBytesMax: 1e9,
          encodingsMax: 2,
          pathsMax: 100,
          queueBytesMax: 1e7,
          closeEveryMs: 60_000,
        },
        group: { sessionTimeoutMs: 1000, pollRecordsMax: 7, prefetchBytesMax: 1e7 },
        bucketDefault: 'own',
        clock: systemClock,
        random: () => 0.1,
        nonce: () => String(Math.random()),
        failPoint,
        logger: createLogger('test', 'error', { write() {} }),
        metrics: createMetrics(),
        health: new Health(),
      },
      stop.signal,
    )
    done.catch(() => {})
    cleanUp.push(async () => {
      stop.abort()
      await done.catch(() => {})
      rmSync(spoolDir, { recursive: true, force: true })
    })
    return {
      done,
      /** Takes what is left of a process that died out of its groups, as their session timeout would. */
      async bury() {
        stop.abort()
        for (const consumer of consumers) await consumer.close().catch(() => {})
      },
    }
  }

  const call = async (method: 'GET' | 'POST' | 'PATCH' | 'DELETE', path: string, body?: unknown) => {
    const answer = await api.send(method, `/api/datasets/shop/batch_exports${path}`, key, body)
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${JSON.stringify(answer.body)}`)
    return answer.body
  }
  const manifests = (): Manifest[] =>
    [BUCKET, OWN_BUCKET]
      .flatMap((bucket) => [...(api.bucket.buckets.get(bucket) ?? [])])
      .filter(([name]) => name.startsWith('_manifests/') && name.endsWith('.json'))
      .map(([, { bytes }]) => JSON.parse(bytes.toString()))
  /** Ids of the events in the files that manifests name. */
  const delivered = (only: (manifest: Manifest) => boolean = () => true): number[] =>
    manifests()
      .filter(only)
      .flatMap(({ bucket, objects }) => objects.map(({ key: name }) => ({ bucket, name })))
      .flatMap(({ bucket, name }) => {
        const { bytes } = api.bucket.buckets.get(bucket)?.get(name) ?? { bytes: Buffer.alloc(0) }
        return gunzipSync(bytes).toString().trimEnd().split('\n')
      })
      .map((line) => Number(JSON.parse(line).event_id.slice('event-'.length)))
      .toSorted((a, b) => a - b)
  /** Indexes of the events in the table. */
  const loaded = (): number[] =>
    [...api.tables.tables.values()]
      .flatMap(({ rows }) => [...rows.values()])
      .map((row) => Number(String(row.event_id).slice('event-'.length)))
      .toSorted((a, b) => a - b)
  const keep = async () => {
    await keeper.look()
    await keeper.publish()
  }
  /** Until manifests of every chain that runs were read to the end of the log, and backfills are done. */
  const settled = async () => {
    await vi.waitFor(
      async () => {
        await keep()
        const ends = await log.admin.offsetRanges(names.enriched, 'read_committed')
        for (const { chain } of await store.allChains()) {
          if (chain.kind !== 'schedule') expect(chain.status).toMatch(/^(completed|cancelled)$/)
          // The tick that was last is in an open batch.
          else if (chain.status === 'running')
            for (const { partition_number: partition, next_offset: next } of await store.positions(
              chain.delivery_id,
            ))
              expect(next).toBe((ends[partition]?.end ?? 0) - 1)
        }
      },
      { timeout: 120_000, interval: 50 },
    )
  }
  const close = async () => {
    for (const end of cleanUp) await end()
    await api.app.close()
  }
  return {
    api,
    metrics,
    call,
    produce,
    wait,
    startSink,
    delivered,
    manifests,
    loaded,
    landed,
    keep,
    settled,
    close,
  }
}

/** Indexes of all that landed. */
export const whole = (landed: readonly number[]) => landed.map((_, index) => index)
