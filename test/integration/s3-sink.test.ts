import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { DuckDBInstance } from '@duckdb/node-api'
import { parse } from 'csv-parse/sync'
import { parquetReadObjects } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { afterAll, beforeAll, expect, inject, test, vi } from 'vitest'
import type { Delivery } from '../../schemas/control/v1.ts'
import type { Manifest } from '../../schemas/manifest/v1.ts'
import { openControlPublisher } from '../../services/core/control/control-publisher.ts'
import { openKafkaLog } from '../../services/core/kafka/kafka-log.ts'
import { KAFKA_SETTINGS } from '../../services/core/kafka/kafka-settings.ts'
import type { Log, TransactionalProducer } from '../../services/core/kafka/log.ts'
import { ensureTopics } from '../../services/core/kafka/topic-specs.ts'
import { kafkaNames } from '../../services/core/kafka/topics.ts'
import type { ObjectStore } from '../../services/core/object-store/object-store.ts'
import { S3_SETTINGS } from '../../services/core/object-store/s3-settings.ts'
import { openS3Store } from '../../services/core/object-store/s3-store.ts'
import { systemClock } from '../../services/core/runtime/clock.ts'
import { createLogger } from '../../services/core/runtime/logger.ts'
import { parseSettings } from '../../services/core/runtime/settings.ts'
import { putChange } from '../helpers/put-change.ts'
import { enrichedRecord } from '../services/s3-sink/enriched-rows.ts'

const PARTITIONS = 2
const prefix = `t-${randomUUID()}.`
const bucket = `s3-sink-${randomUUID()}`
const names = kafkaNames(prefix)
const s3 = inject('s3')
const root = join(import.meta.dirname, '../..')
const dir = mkdtempSync(join(tmpdir(), 's3-sink-'))
const environment: Record<string, string> = {
  PATH: process.env.PATH ?? '',
  MILLRACE_KAFKA_BROKERS: inject('kafkaBrokers'),
  MILLRACE_KAFKA_PREFIX: prefix,
  // A killed process is given up by its group after this.
  MILLRACE_KAFKA_SESSION_TIMEOUT: '1500ms',
  MILLRACE_S3_ENDPOINT: s3.endpoint,
  MILLRACE_S3_BUCKET: bucket,
  AWS_ACCESS_KEY_ID: s3.accessKeyId,
  AWS_SECRET_ACCESS_KEY: s3.secretAccessKey,
  MILLRACE_STATE_DIR: join(dir, 'state'),
  MILLRACE_S3_SINK_SPOOL_DIR: join(dir, 'spool'),
}
const logger = createLogger('test', 'error')
const rotate = { rows: 25, age: '2s' }
const own = (id: string, given: Partial<Delivery>): Delivery => ({
  id,
  account: 'acme',
  datasets: ['shop'],
  format: 'jsonl',
  rotate,
  ...given,
})
const deliveries = [
  own('as-parquet', { format: 'parquet', partition_by: '{event}/{event_time:yyyy-MM-dd}' }),
  own('as-jsonl', { format: 'jsonl' }),
  own('as-csv', { format: 'csv', where: 'revenue_amount >= 1' }),
]

let log: Log
let store: ObjectStore
let producer: TransactionalProducer
let produced = 0

beforeAll(async () => {
  log = await openKafkaLog(parseSettings(KAFKA_SETTINGS, environment), logger)
  store = openS3Store(parseSettings(S3_SETTINGS, environment))
  await store.createBucket(bucket)
  await ensureTopics(log.admin, names, {
    partitions: PARTITIONS,
    replicationFactor: -1,
    dedupeWindowMs: 1000,
  })
  const publisher = await openControlPublisher({ log, names, clock: systemClock, logger })
  await publisher.publish([
    putChange('dataset', { id: 'shop', account: 'acme' }, 'config'),
    ...deliveries.map((delivery) => putChange('delivery', delivery, 'config')),
  ])
  await publisher.close()
  producer = await log.openTransactionalProducer(`${prefix}test`, {
    clientId: 'test',
    transactionTimeoutMs: 30_000,
  })
})

afterAll(async () => {
  await producer.close()
  await log.close()
  store.close()
  rmSync(dir, { recursive: true })
})

/** Events in transactions of ten, so that offsets have gaps where the markers lie. */
async function produce(count: number): Promise<void> {
  for (const last = produced + count; produced < last; produced += 10) {
    await producer.begin()
    await producer.send(
      Array.from({ length: 10 }, (_, index) => {
        const { value, headers } = enrichedRecord(produced + index)
        return {
          topic: names.enriched,
          partition: (produced + index) % PARTITIONS,
          key: null,
          value,
          headers,
        }
      }),
    )
    await producer.commit()
  }
}

interface SinkProcess {
  readonly child: ChildProcess
  readonly output: () => string
  /** Resolves to the signal or status that it ended with. */
  readonly ended: Promise<string | number | null>
}

function startSink(failPoint: string | null): SinkProcess {
  const child = spawn(process.execPath, ['services/cli/main.ts', 'run', 's3-sink'], {
    cwd: root,
    env: { ...environment, ...(failPoint !== null && { MILLRACE_FAIL_POINT: failPoint }) },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  const take = (chunk: Buffer) => {
    output += chunk
  }
  child.stdout.on('data', take)
  child.stderr.on('data', take)
  const ended = new Promise<string | number | null>((resolve) =>
    child.once('exit', (status, signal) => resolve(signal ?? status)),
  )
  return { child, output: () => output, ended }
}

/** `<delivery> <partition> <start>` of every plan that is committed and not completed. */
async function openPlans(): Promise<Set<string>> {
  const plans = await Promise.all(
    deliveries.map(async ({ id }) =>
      (await log.admin.groupPositions(names.group('s3-sink', id), names.enriched))
        .filter(({ metadata }) => metadata.includes('"plan"'))
        .map(({ partition, offset }) => `${id} ${partition} ${offset}`),
    ),
  )
  return new Set(plans.flat())
}

/** The same of every plan that a process said it replays. */
function replayedPlans(output: string): Set<string> {
  const lines = output.split('\n').filter((line) => line.includes('Replaying an open plan'))
  return new Set(
    lines
      .map((line) => JSON.parse(line))
      .map(({ delivery, partition, start }) => `${delivery} ${partition} ${start}`),
  )
}

async function manifestsOf(delivery: string): Promise<Manifest[]> {
  const manifests: Manifest[] = []
  for await (const { key } of store.list(bucket, `_manifests/${delivery}/`))
    manifests.push(JSON.parse(String(await store.get(bucket, key))))
  return manifests
}

/** Rows that manifests name, and how many records the delivery has passed. */
async function delivered(delivery: string) {
  const manifests = await manifestsOf(delivery)
  return manifests.reduce((sum, { receipt }) => sum + receipt.read, 0)
}

async function drained(): Promise<void> {
  await vi.waitFor(
    async () => {
      for (const { id } of deliveries) expect(await delivered(id)).toBe(produced)
    },
    { timeout: 120_000, interval: 500 },
  )
}

const verify = (delivery: string) =>
  spawnSync(process.execPath, ['services/cli/main.ts', 'verify', delivery, '--json'], {
    cwd: root,
    env: environment,
    encoding: 'utf8',
  })

/** Every event id in the objects that manifests name, by a reader of the format that had no part in writing it. */
async function eventIds(delivery: Delivery): Promise<string[]> {
  const ids: string[] = []
  for (const { objects } of await manifestsOf(delivery.id))
    for (const { key } of objects) {
      const bytes = (await store.get(bucket, key))!
      if (delivery.format === 'parquet') {
        const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer
        for (const row of await parquetReadObjects({ file, compressors })) ids.push(row.event_id)
      } else if (delivery.format === 'jsonl') {
        const lines = gunzipSync(bytes).toString().trimEnd().split('\n')
        for (const line of lines) ids.push(JSON.parse(line).event_id)
      } else {
        for (const row of parse(gunzipSync(bytes), { columns: true }) as { event_id: string }[])
          ids.push(row.event_id)
      }
    }
  return ids.sort()
}

test('killed at every fail point, every delivery ends with every row exactly once and verifies', async () => {
  const points = [
    'before_plan',
    'after_plan',
    'after_first_object:2',
    'after_objects',
    'after_manifest',
    'after_effect',
    'after_commit',
  ]
  const replayedAfter: string[] = []
  /** Where the process was killed that left each open plan. */
  const open = new Map<string, string>()
  for (const point of [...points, null]) {
    await produce(40)
    const sink = startSink(point)
    if (point === null) {
      await drained()
      sink.child.kill('SIGTERM')
    }
    expect(await sink.ended, sink.output()).toBe(point === null ? 0 : 'SIGKILL')
    // What a process was killed with, the next one that lives long enough replays.
    const replayed = replayedPlans(sink.output())
    const left = await openPlans()
    expect([...replayed].filter((plan) => !open.has(plan))).toEqual([])
    for (const [plan, leftAt] of open) {
      if (replayed.has(plan)) replayedAfter.push(leftAt)
      if (left.has(plan)) continue
      expect(replayed).toContain(plan)
      open.delete(plan)
    }
    for (const plan of left) if (!open.has(plan) || replayed.has(plan)) open.set(plan, point!)
  }
  expect(open.size).toBe(0)
  expect(replayedAfter).toEqual(
    expect.arrayContaining(['after_plan', 'after_objects', 'after_manifest', 'after_effect']),
  )

  const all = Array.from({ length: produced }, (_, index) => `event-${index}`)
  for (const delivery of deliveries) {
    const expected = delivery.where ? all.slice(8) : all
    expect(await eventIds(delivery)).toEqual(expected.toSorted())
    const { status, stdout, stderr } = verify(delivery.id)
    expect(stderr).toBe('')
    expect(JSON.parse(stdout)).toMatchObject({ ok: true, faults: [], notes: [] })
    expect(status).toBe(0)
  }
})

test('DuckDB agrees with the other readers on what lies in the Parquet and CSV files', async () => {
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  const column = async (sql: string) => (await connection.runAndReadAll(sql)).getColumns()[0] as string[]
  for (const [id, reader] of [
    ['as-parquet', 'read_parquet'],
    ['as-csv', 'read_csv'],
    ['as-jsonl', 'read_json'],
  ] as const) {
    const files: string[] = []
    for (const { objects } of await manifestsOf(id))
      for (const { key } of objects) {
        const file = join(dir, `${files.length}-${key.split('/').at(-1)}`)
        await store.download(bucket, key, file)
        files.push(file)
      }
    const list = `[${files.map((file) => `'${file}'`).join(', ')}]`
    const ids = await column(`SELECT event_id FROM ${reader}(${list})`)
    expect(ids.sort()).toEqual(await eventIds(deliveries.find((delivery) => delivery.id === id)!))
  }
  connection.closeSync()
  instance.closeSync()
})
