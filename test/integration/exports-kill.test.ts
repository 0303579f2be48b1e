import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, inject, test } from 'vitest'
import { freePort } from '../../infra/engines/ports.ts'
import { ENRICHED_EVENT_FIELDS } from '../../schemas/enriched-event/v1.ts'
import { CLICKHOUSE_SETTINGS } from '../../services/core/clickhouse/clickhouse-settings.ts'
import { openClickHouse } from '../../services/core/clickhouse/http-clickhouse.ts'
import { migrate } from '../../services/core/clickhouse/migrate.ts'
import { accessKeyHash, generateAccessKey } from '../../services/core/control/access-key.ts'
import { openControlPublisher } from '../../services/core/control/control-publisher.ts'
import { openKafkaLog } from '../../services/core/kafka/kafka-log.ts'
import { KAFKA_SETTINGS } from '../../services/core/kafka/kafka-settings.ts'
import { kafkaNames } from '../../services/core/kafka/topics.ts'
import { systemClock } from '../../services/core/runtime/clock.ts'
import { createLogger } from '../../services/core/runtime/logger.ts'
import { parseSettings } from '../../services/core/runtime/settings.ts'
import { putChange } from '../helpers/put-change.ts'
import { type StageProcess, startStageProcess } from '../helpers/stage-process.ts'

const EVENTS = 40_000
const id = randomBytes(4).toString('hex')
const directory = mkdtempSync(join(tmpdir(), 'millrace-exports-'))
const admin = generateAccessKey('admin', randomBytes)
const environment: Record<string, string> = {
  MILLRACE_KAFKA_BROKERS: inject('kafkaBrokers'),
  MILLRACE_KAFKA_PREFIX: `x-${id}.`,
  MILLRACE_CLICKHOUSE_URL: inject('clickhouseUrl'),
  MILLRACE_CLICKHOUSE_DATABASE: `exports_${id}`,
  MILLRACE_STATE_DIR: directory,
  MILLRACE_EXPORT_DIR: join(directory, 'exports'),
  MILLRACE_EXPORT_LEASE: '3s',
  MILLRACE_ADMIN_KEY_SHA256: accessKeyHash(admin),
}
const clickhouse = openClickHouse(parseSettings(CLICKHOUSE_SETTINGS, environment), null)
const table = openClickHouse(parseSettings(CLICKHOUSE_SETTINGS, environment))
const started: StageProcess[] = []

afterAll(async () => {
  for (const stage of started) await stage.kill()
  await clickhouse.command(`DROP DATABASE IF EXISTS \`exports_${id}\``)
  await table.close()
  await clickhouse.close()
  rmSync(directory, { recursive: true, force: true })
})

async function start() {
  const port = await freePort()
  const stage = await startStageProcess(
    'query-api',
    { ...environment, MILLRACE_QUERY_PORT: String(port) },
    join(directory, 'log'),
  )
  started.push(stage)
  return { stage, url: `http://127.0.0.1:${port}/api` }
}

async function call(url: string, key: string, body?: unknown) {
  const response = await fetch(url, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  return response.json() as Promise<Record<string, unknown>>
}

test('an export whose process is killed is made whole by the next one', async () => {
  const log = await openKafkaLog(parseSettings(KAFKA_SETTINGS, environment), createLogger('test', 'error'))
  const source = {
    log,
    names: kafkaNames(`x-${id}.`),
    clock: systemClock,
    logger: createLogger('test', 'error'),
  }
  const publisher = await openControlPublisher(source)
  await publisher.publish([putChange('dataset', { id: 'shop', account: 'acme' }, 'config')])
  await publisher.close()
  await log.close()
  await migrate(clickhouse, `exports_${id}`)
  const empty = Object.fromEntries(
    ENRICHED_EVENT_FIELDS.map(({ name, type }) => [name, type === 'text_list' ? [] : null]),
  )
  const rows = Array.from({ length: EVENTS }, (_, i) =>
    JSON.stringify({
      ...empty,
      schema_version: 1,
      event_id: `e${i}`,
      dataset_id: 'shop',
      event: 'buy',
      event_time: new Date(Date.UTC(2026, 10, 1) + i * 1_000).toISOString(),
      collector_time: new Date(Date.UTC(2026, 10, 1)).toISOString(),
      time_corrected_ms: 0,
      protocol: 'native',
      src_partition: 0,
      src_offset: i,
      recipe: 'r',
      properties: `{"text":"${'x'.repeat(300)}"}`,
    }),
  )
  await table.insert('events', 'JSONEachRow', Buffer.from(rows.join('\n')), {
    date_time_input_format: 'best_effort',
    async_insert: 0,
  })

  const first = await start()
  const made = await call(`${first.url}/personal_api_keys`, admin, {
    label: 'test',
    scopes: ['*'],
    datasets: ['shop'],
  })
  const key = String(made.value)
  const job = { export_context: { path: 'events' }, export_format: 'text/csv' }
  await call(`${first.url}/datasets/shop/exports`, key, job)
  const status = async (url: string) => (await call(`${url}/datasets/shop/exports/1`, key)).status
  await expect.poll(() => status(first.url), { timeout: 60_000, interval: 20 }).not.toBe('pending')
  await first.stage.kill()

  const second = await start()
  await expect.poll(() => status(second.url), { timeout: 90_000 }).toBe('completed')
  expect(await call(`${second.url}/datasets/shop/exports/1`, key)).toMatchObject({ rows: EVENTS })
  const file = await fetch(`${second.url}/datasets/shop/exports/1/content`, {
    headers: { authorization: `Bearer ${key}` },
  })
  const ids = new Set((await file.text()).split('\r\n').map((line) => line.split(',', 1)[0]))
  expect(ids.size).toBe(EVENTS + 2)
})
