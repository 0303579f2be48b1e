import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { freePort } from '../../infra/engines/ports.ts'
import { CLICKHOUSE_SETTINGS } from '../../services/core/clickhouse/clickhouse-settings.ts'
import { openClickHouse } from '../../services/core/clickhouse/http-clickhouse.ts'
import { migrate } from '../../services/core/clickhouse/migrate.ts'
import { accessKeyHash, generateAccessKey } from '../../services/core/control/access-key.ts'
import { openControlPublisher } from '../../services/core/control/control-publisher.ts'
import { openKafkaLog } from '../../services/core/kafka/kafka-log.ts'
import { KAFKA_SETTINGS } from '../../services/core/kafka/kafka-settings.ts'
import type { Log } from '../../services/core/kafka/log.ts'
import {
  DEFAULT_DEDUPE_WINDOW_MS,
  ensureTopics,
  recordingsTopicSpec,
} from '../../services/core/kafka/topic-specs.ts'
import { kafkaNames } from '../../services/core/kafka/topics.ts'
import { S3_SETTINGS } from '../../services/core/object-store/s3-settings.ts'
import { openS3Store } from '../../services/core/object-store/s3-store.ts'
import { systemClock } from '../../services/core/runtime/clock.ts'
import { createLogger } from '../../services/core/runtime/logger.ts'
import { parseSettings } from '../../services/core/runtime/settings.ts'
import { putChange } from '../helpers/put-change.ts'
import { startStageProcess } from '../helpers/stage-process.ts'

const MILLRACE = join(import.meta.dirname, '../../bin/millrace')
const id = randomBytes(4).toString('hex')
const names = kafkaNames(`t-${id}.`)
const s3 = inject('s3')
const environment: Record<string, string> = {
  MILLRACE_KAFKA_BROKERS: inject('kafkaBrokers'),
  MILLRACE_KAFKA_PREFIX: `t-${id}.`,
  MILLRACE_KAFKA_PARTITIONS: '2',
  MILLRACE_CLICKHOUSE_URL: inject('clickhouseUrl'),
  MILLRACE_CLICKHOUSE_DATABASE: `operator_${id}`,
  MILLRACE_S3_ENDPOINT: s3.endpoint,
  MILLRACE_S3_BUCKET: `operator-${id}`,
  AWS_ACCESS_KEY_ID: s3.accessKeyId,
  AWS_SECRET_ACCESS_KEY: s3.secretAccessKey,
}
const logger = createLogger('test', 'error')
const clickhouse = openClickHouse(parseSettings(CLICKHOUSE_SETTINGS, environment), null)
const database = environment.MILLRACE_CLICKHOUSE_DATABASE as string
const readKey = generateAccessKey('read', randomBytes)
const directory = mkdtempSync(join(tmpdir(), 'millrace-operator-'))
let log: Log

function millrace(...args: string[]) {
  return promisify(execFile)(MILLRACE, args, { env: { ...process.env, ...environment } })
}

beforeAll(async () => {
  log = await openKafkaLog(parseSettings(KAFKA_SETTINGS, environment), logger)
})
afterAll(async () => {
  await clickhouse.command(`DROP DATABASE IF EXISTS \`${database}\``)
  await clickhouse.close()
  await log.close()
  rmSync(directory, { recursive: true, force: true })
})

test('doctor names every fault of an installation that was never set up, and none once it is', async () => {
  const wrong = { 'cleanup.policy': 'compact', 'retention.ms': '3600000' }
  await log.admin.createTopics(
    [names.raw, names.dedupe].map((topic) => ({
      topic,
      partitions: topic === names.raw ? 2 : 1,
      replicationFactor: 1,
      config: topic === names.raw ? {} : wrong,
    })),
  )
  const sick = await millrace('doctor', '--json').catch((error: { code: number; stdout: string }) => error)
  expect(sick).toMatchObject({ code: 1 })
  const faults = JSON.parse(sick.stdout).findings.filter(
    ({ status }: { status: string }) => status === 'fault',
  )
  const found = faults.map(({ name }: { name: string }) => name)
  expect(found).toEqual(
    expect.arrayContaining([`topic ${names.enriched}`, `bucket operator-${id}`, `tables in ${database}`]),
  )
  const ofTopic = (topic: string) =>
    faults
      .filter(({ name }: { name: string }) => name === `topic ${topic}`)
      .map(({ detail }: { detail: string }) => detail)
  expect(ofTopic(names.raw)).toEqual([expect.stringContaining('message.timestamp.type is CreateTime')])
  expect(ofTopic(names.dedupe)).toEqual([
    expect.stringContaining('has 1 partition,'),
    expect.stringContaining('cleanup.policy is compact'),
    expect.stringContaining('message.timestamp.type is CreateTime'),
    expect.stringContaining('keeps ids 0.04 d'),
  ])
  await log.admin.deleteTopics([names.raw, names.dedupe])

  await ensureTopics(log.admin, names, {
    partitions: 2,
    replicationFactor: 1,
    dedupeWindowMs: DEFAULT_DEDUPE_WINDOW_MS,
  })
  await log.admin.createTopics([recordingsTopicSpec(names, { partitions: 1, replicationFactor: 1 })])
  const publisher = await openControlPublisher({ log, names, clock: systemClock, logger })
  await publisher.publish([
    putChange('dataset', { id: 'shop', account: 'acme' }, 'config'),
    putChange('key', { id: 'k', dataset: 'shop', scope: 'read', sha256: accessKeyHash(readKey) }, 'config'),
  ])
  await publisher.close()
  const store = openS3Store(parseSettings(S3_SETTINGS, environment))
  await store.createBucket(`operator-${id}`)
  store.close()
  await migrate(clickhouse, database)
  const { stdout } = await millrace('doctor', '--json')
  const well = JSON.parse(stdout)
  expect(well).toMatchObject({ ok: true })
  expect(well.findings).toContainEqual(expect.objectContaining({ name: 'kafka clock', status: 'ok' }))
  // One broker on one disk is something to know, and no fault.
  expect(well.findings).toContainEqual(
    expect.objectContaining({ name: 'kafka durability', status: 'warning' }),
  )
  expect((await log.admin.listTopics()).filter((topic) => topic.startsWith(names.probe('')))).toEqual([])
})

test('rejected ls and show read what the table has', async () => {
  const row = {
    schema_version: 1,
    event_id: "e'1",
    dataset_id: 'shop',
    event: 'purchase',
    collector_time: '2026-11-22T12:00:00.000Z',
    stage: 'enricher',
    code: 'schema_violation',
    details: ['amount must be number'],
    payload: '{}',
    payload_bytes: 2,
    protocol: 'native',
    src_partition: 1,
    src_offset: 5,
    recipe: 'r',
  }
  await clickhouse.insert(`${database}.rejected_events`, 'JSONEachRow', Buffer.from(JSON.stringify(row)), {
    date_time_input_format: 'best_effort',
    async_insert: 0,
  })
  const listed = await millrace('rejected', 'ls', '--json', '--since', '2026-11-22', '--code', row.code)
  expect(JSON.parse(listed.stdout)).toMatchObject(row)
  expect((await millrace('rejected', 'show', row.event_id)).stdout).toContain('amount must be number')
  await expect(millrace('rejected', 'show', 'none')).rejects.toMatchObject({ code: 1 })
  expect((await millrace('rejected', 'ls', '--dataset', 'blog')).stdout).toBe('')
})

test('tail prints what is in a topic and leaves what the filter does not want', async () => {
  const producer = await log.openProducer({ clientId: 't', lingerMs: 0, deliveryTimeoutMs: 10_000 })
  const values = ['{"event":"page_view"}', '{"event":"purchase"}'].map((text) => Buffer.from(text))
  await producer.produce(values.map((value) => ({ topic: names.enriched, partition: 1, key: null, value })))
  await producer.close()
  const args = ['tail', 'enriched', '--from', 'beginning', '--limit', '1', '--filter', "event = 'purchase'"]
  expect((await millrace(...args)).stdout).toBe('{"event":"purchase"}\n')
  await expect(millrace('tail', 'enriched', '--filter', 'event =')).rejects.toMatchObject({ code: 2 })
  await expect(millrace('tail', 'nothing')).rejects.toMatchObject({ code: 1 })
})

test('the query API as a process answers, traces through Kafka and the bucket, and stops cleanly', async () => {
  const port = await freePort()
  const adminKey = generateAccessKey('admin', randomBytes)
  const more = {
    MILLRACE_QUERY_PORT: String(port),
    MILLRACE_STATE_DIR: join(directory, 'state'),
    MILLRACE_ADMIN_KEY_SHA256: accessKeyHash(adminKey),
  }
  const stage = await startStageProcess(
    'query-api',
    { ...environment, ...more },
    join(directory, 'query.log'),
  )
  const get = async (path: string, key = readKey) => {
    const headers = { authorization: `Bearer ${key}` }
    const answer = await fetch(`http://127.0.0.1:${port}/api/datasets/shop/${path}`, { headers })
    return { status: answer.status, body: await answer.json() }
  }
  expect((await get('events', 'none')).status).toBe(401)
  expect(await get('events')).toMatchObject({ status: 200, body: { results: [], next: null } })
  expect(await get(`trace/${encodeURIComponent("e'1")}`)).toMatchObject({
    status: 200,
    body: { arrivals: [{ verdict: 'rejected', raw: { partition: 1, offset: 5 } }] },
  })
  const made = await fetch(`http://127.0.0.1:${port}/api/personal_api_keys`, {
    method: 'POST',
    headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ label: 'events', scopes: ['query:read'], datasets: ['shop'] }),
  })
  expect(made.status).toBe(201)
  const { value } = (await made.json()) as { readonly value: string }
  expect((await get('events', value)).status).toBe(200)
  expect(statSync(join(directory, 'state', 'metadata.sqlite')).mode & 0o777).toBe(0o600)
  expect(await stage.stop()).toBe(0)
})
