import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import pg from 'pg'
import { afterAll, describe, expect, inject, test } from 'vitest'
import { freePort } from '../../infra/engines/ports.ts'
import { startPostgres } from '../../infra/engines/postgres.ts'
import type { Manifest } from '../../schemas/manifest/v1.ts'
import { CLICKHOUSE_SETTINGS } from '../../services/core/clickhouse/clickhouse-settings.ts'
import { openClickHouse } from '../../services/core/clickhouse/http-clickhouse.ts'
import { migrate } from '../../services/core/clickhouse/migrate.ts'
import { accessKeyHash, generateAccessKey } from '../../services/core/control/access-key.ts'
import { openControlPublisher } from '../../services/core/control/control-publisher.ts'
import { openKafkaLog } from '../../services/core/kafka/kafka-log.ts'
import { KAFKA_SETTINGS } from '../../services/core/kafka/kafka-settings.ts'
import { ensureTopics } from '../../services/core/kafka/topic-specs.ts'
import { kafkaNames } from '../../services/core/kafka/topics.ts'
import { S3_SETTINGS } from '../../services/core/object-store/s3-settings.ts'
import { openS3Store } from '../../services/core/object-store/s3-store.ts'
import { systemClock } from '../../services/core/runtime/clock.ts'
import { createLogger } from '../../services/core/runtime/logger.ts'
import { parseSettings } from '../../services/core/runtime/settings.ts'
import { needs } from '../helpers/needs.ts'
import { newPostgresDatabase } from '../helpers/postgres-database.ts'
import { putChange } from '../helpers/put-change.ts'
import { startStageProcess } from '../helpers/stage-process.ts'
import { enrichedRecord } from '../services/s3-sink/enriched-rows.ts'

const directory = mkdtempSync(join(tmpdir(), 'millrace-batch-exports-'))
const admin = generateAccessKey('admin', randomBytes)
const s3 = inject('s3')
const logger = createLogger('test', 'error')
const children: ChildProcess[] = []
const cleanUp: (() => Promise<unknown>)[] = []

afterAll(async () => {
  for (const child of children) child.kill('SIGKILL')
  for (const end of cleanUp.toReversed()) await end()
  rmSync(directory, { recursive: true, force: true })
})

/** Topics, a bucket and tables of their own, and the processes that batch exports are made of. */
async function installation(settings: Readonly<Record<string, string>>) {
  const id = randomBytes(4).toString('hex')
  const bucket = `batch-exports-${id}`
  const names = kafkaNames(`b-${id}.`)
  const environment: Record<string, string> = {
    PATH: process.env.PATH ?? '',
    MILLRACE_KAFKA_BROKERS: inject('kafkaBrokers'),
    MILLRACE_KAFKA_PREFIX: `b-${id}.`,
    MILLRACE_KAFKA_SESSION_TIMEOUT: '1500ms',
    MILLRACE_CLICKHOUSE_URL: inject('clickhouseUrl'),
    MILLRACE_CLICKHOUSE_DATABASE: `batch_exports_${id}`,
    MILLRACE_S3_ENDPOINT: s3.endpoint,
    MILLRACE_S3_BUCKET: bucket,
    MILLRACE_STATE_DIR: join(directory, id),
    MILLRACE_S3_SINK_SPOOL_DIR: join(directory, id, 'spool'),
    MILLRACE_ADMIN_KEY_SHA256: accessKeyHash(admin),
    MILLRACE_SECRET_KEY: randomBytes(32).toString('hex'),
    MILLRACE_BATCH_EXPORT_LOOK_EVERY: '500ms',
    ...settings,
  }
  const log = await openKafkaLog(parseSettings(KAFKA_SETTINGS, environment), logger)
  cleanUp.push(() => log.close())
  const store = openS3Store(
    parseSettings(S3_SETTINGS, {
      ...environment,
      AWS_ACCESS_KEY_ID: s3.accessKeyId,
      AWS_SECRET_ACCESS_KEY: s3.secretAccessKey,
    }),
  )
  cleanUp.push(async () => store.close())
  await store.createBucket(bucket)
  await ensureTopics(log.admin, names, { partitions: 2, replicationFactor: -1, dedupeWindowMs: 1000 })
  const publisher = await openControlPublisher({ log, names, clock: systemClock, logger })
  await publisher.publish([putChange('dataset', { id: 'shop', account: 'acme' }, 'config')])
  await publisher.close()
  const producer = await log.openTransactionalProducer(`b-${id}.test`, {
    clientId: 'test',
    transactionTimeoutMs: 60_000,
  })
  cleanUp.push(() => producer.close())
  let produced = 0
  const produce = async (count: number) => {
    for (const last = produced + count; produced < last; produced += 5) {
      await producer.begin()
      await producer.send(
        Array.from({ length: 5 }, (_, i) => {
          const { value, headers } = enrichedRecord(produced + i)
          return { topic: names.enriched, partition: (produced + i) % 2, key: null, value, headers }
        }),
      )
      await producer.commit()
    }
  }
  const clickhouse = openClickHouse(parseSettings(CLICKHOUSE_SETTINGS, environment), null)
  await migrate(clickhouse, `batch_exports_${id}`)
  cleanUp.push(async () => {
    await clickhouse.command(`DROP DATABASE IF EXISTS \`batch_exports_${id}\``)
    await clickhouse.close()
  })

  /** Ends with how it ended. */
  function start(stage: 's3-sink' | 'query-api', more: Readonly<Record<string, string>> = {}) {
    const child = spawn(process.execPath, ['services/cli/main.ts', 'run', stage], {
      cwd: join(import.meta.dirname, '../..'),
      env: { ...environment, MILLRACE_OPS_PORT: '0', ...more },
      stdio: 'ignore',
    })
    children.push(child)
    return new Promise<string | number | null>((resolve) =>
      child.once('close', (status, signal) => resolve(signal ?? status)),
    )
  }
  async function startApi() {
    const port = await freePort()
    const api = await startStageProcess(
      'query-api',
      { ...environment, MILLRACE_QUERY_PORT: String(port) },
      join(directory, 'log'),
    )
    cleanUp.push(() => api.kill())
    let key = admin
    const call = async (method: string, path: string, body?: unknown) => {
      const response = await fetch(`http://127.0.0.1:${port}/api${path}`, {
        method,
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      const answer = (await response.json()) as Record<string, unknown>
      if (!response.ok) throw new Error(`${method} ${path}: ${JSON.stringify(answer)}`)
      return answer
    }
    const made = await call('POST', '/personal_api_keys', { label: 't', scopes: ['*'], datasets: ['shop'] })
    key = String(made.value)
    return { call, kill: api.kill }
  }
  const all = () => Array.from({ length: produced }, (_, i) => `event-${i}`).toSorted()
  return { bucket, store, produce, all, start, startApi }
}

const exportsPath = '/datasets/shop/batch_exports'

test('a batch export through real processes: kills, a pause, a backfill; every event once in the files of manifests', async () => {
  const { bucket, store, produce, all, start, startApi } = await installation({
    AWS_ACCESS_KEY_ID: 'of-the-installation',
    AWS_SECRET_ACCESS_KEY: 'wrong-for-this-bucket',
  })
  const { call } = await startApi()
  await call('POST', exportsPath, {
    name: 'lake',
    interval: 'day',
    destination: {
      type: 'S3',
      config: {
        bucket_name: bucket,
        region: 'us-east-1',
        prefix: 'events/{year}',
        batch_window_size: 10,
        aws_access_key_id: s3.accessKeyId,
        aws_secret_access_key: s3.secretAccessKey,
      },
    },
  })

  const delivered = async (): Promise<string[]> => {
    const found: string[] = []
    for await (const { key: name } of store.list(bucket, '_manifests/')) {
      if (!name.endsWith('.json')) continue
      const manifest = JSON.parse(String(await store.get(bucket, name))) as Manifest
      for (const object of manifest.objects) {
        const text = gunzipSync((await store.get(bucket, object.key)) ?? Buffer.alloc(0)).toString()
        found.push(
          ...text
            .trimEnd()
            .split('\n')
            .map((line) => JSON.parse(line).event_id as string),
        )
      }
    }
    return found.toSorted()
  }
  const expectAll = () => expect.poll(delivered, { timeout: 120_000, interval: 1_000 }).toEqual(all())

  await produce(40)
  for (const point of ['after_plan', 'after_objects', 'after_manifest']) {
    expect(await start('s3-sink', { MILLRACE_FAIL_POINT: point })).toBe('SIGKILL')
    await produce(10)
  }
  void start('s3-sink')
  await expectAll()

  await call('POST', `${exportsPath}/1/pause`)
  await produce(30)
  await call('POST', `${exportsPath}/1/unpause`, { backfill: true })
  await expectAll()
  await call('POST', `${exportsPath}/1/backfill`, {
    start_at: new Date(Date.now() - 3_600_000).toISOString(),
    end_at: new Date(Date.now() - 1_000).toISOString(),
  })
  await expect
    .poll(
      async () => {
        const { results } = (await call('GET', `${exportsPath}/1/runs`)) as {
          results: { records_completed: number }[]
        }
        return results.reduce((sum, run) => sum + run.records_completed, 0)
      },
      { timeout: 120_000 },
    )
    .toBe(all().length)
  expect(await delivered()).toEqual(all())
  // It waits until the schedule has decided what it leaves out, which is after the schedule's last file.
  const backfills = async () =>
    ((await call('GET', `${exportsPath}/1/backfills`)) as { readonly results: object[] }).results
  await expect
    .poll(backfills, { timeout: 60_000 })
    .toMatchObject([{ id: 2, status: 'completed', latest_error: null }])
  const shown = await call('GET', `${exportsPath}/1`)
  expect(shown.latest_error).toBe(null)
  expect(await call('PUT', `${exportsPath}/1`, shown)).toMatchObject({ id: 1, start_at: shown.start_at })
  const folders: string[] = []
  for await (const { key: name } of store.list(bucket, ''))
    if (name.endsWith('_write_check')) folders.push(name)
  expect(folders.toSorted()).toEqual(['_keys/_write_check', '_manifests/_write_check', 'events/_write_check'])
})

describe('into a table', needs('postgres'), () => {
  test('killed when a batch is loaded and not counted, and cut off: every event is in the table once, and its notes balance', async () => {
    const postgres = await startPostgres({ stateDir: directory, port: await freePort() })
    cleanUp.push(() => postgres.stop())
    const url = new URL(await newPostgresDatabase(postgres.url))
    const { produce, all, start, startApi } = await installation({
      AWS_ACCESS_KEY_ID: s3.accessKeyId,
      AWS_SECRET_ACCESS_KEY: s3.secretAccessKey,
      MILLRACE_BATCH_EXPORT_HOSTS: url.host,
    })
    const first = await startApi()
    await first.call('POST', exportsPath, {
      name: 'table',
      interval: 'day',
      destination: {
        type: 'Postgres',
        config: {
          host: url.hostname,
          port: Number(url.port),
          database: url.pathname.slice(1),
          user: url.username,
          password: url.password || 'none',
          table_name: 'events',
          ssl_mode: 'disable',
          batch_window_size: 10,
        },
      },
    })
    await first.kill()
    void start('s3-sink')
    await produce(60)
    // Each of these finds what the one before it has loaded, and dies of the next batch.
    const dying = { MILLRACE_QUERY_PORT: '0', MILLRACE_FAIL_POINT: 'after_load' }
    expect(await start('query-api', dying)).toBe('SIGKILL')
    await produce(20)
    expect(await start('query-api', dying)).toBe('SIGKILL')
    const client = new pg.Client(url.href)
    client.on('error', () => {})
    await client.connect()
    cleanUp.push(() => client.end())
    const { call } = await startApi()
    await produce(20)
    const loaded = async () => (await client.query('SELECT event_id FROM events ORDER BY event_id')).rows
    await expect
      .poll(async () => (await loaded()).map(({ event_id: event }) => event).toSorted(), {
        timeout: 120_000,
        interval: 1_000,
      })
      .toEqual(all())
    const { rows } = await client.query(
      `SELECT sum(delivered)::int AS delivered, sum(inserted)::int AS inserted,
        bool_and(last_offset >= first_offset) AS ordered FROM millrace_loads WHERE table_name = 'events'`,
    )
    expect(rows).toEqual([{ delivered: all().length, inserted: all().length, ordered: true }])
    await expect
      .poll(
        async () => {
          const { results } = (await call('GET', `${exportsPath}/1/runs`)) as {
            results: { records_completed: number }[]
          }
          return results.reduce((sum, run) => sum + run.records_completed, 0)
        },
        { timeout: 120_000 },
      )
      .toBe(all().length)
    expect((await call('GET', `${exportsPath}/1`)).latest_error).toBe(null)
  })
})
