import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { freePort } from '../../infra/engines/ports.ts'
import type { DatasetLedger } from '../../services/cli/generate/ledger.ts'
import { accessKeyHash, generateAccessKey } from '../../services/core/control/access-key.ts'
import { openControlPublisher } from '../../services/core/control/control-publisher.ts'
import { openKafkaLog } from '../../services/core/kafka/kafka-log.ts'
import { KAFKA_SETTINGS } from '../../services/core/kafka/kafka-settings.ts'
import type { Log } from '../../services/core/kafka/log.ts'
import { ensureTopics } from '../../services/core/kafka/topic-specs.ts'
import { HEADERS, kafkaNames } from '../../services/core/kafka/topics.ts'
import { systemClock } from '../../services/core/runtime/clock.ts'
import { createLogger } from '../../services/core/runtime/logger.ts'
import { parseSettings } from '../../services/core/runtime/settings.ts'
import { putChange } from '../helpers/put-change.ts'
import { type StageProcess, startStageProcess } from '../helpers/stage-process.ts'

const MILLRACE = join(import.meta.dirname, '../../bin/millrace')
const prefix = `t-${randomBytes(4).toString('hex')}.`
const names = kafkaNames(prefix)
const logger = createLogger('test', 'error')
const directory = mkdtempSync(join(tmpdir(), 'millrace-generate-'))
const DATASETS = ['shop', 'blog', 'site'] as const
const keys = Object.fromEntries(DATASETS.map((id) => [id, generateAccessKey('write', randomBytes)]))
const stages: StageProcess[] = []
let log: Log
let url: string

beforeAll(async () => {
  const environment = { MILLRACE_KAFKA_BROKERS: inject('kafkaBrokers'), MILLRACE_KAFKA_PREFIX: prefix }
  log = await openKafkaLog(parseSettings(KAFKA_SETTINGS, environment), logger)
  await ensureTopics(log.admin, names, { partitions: 3, replicationFactor: 1, dedupeWindowMs: 3_600_000 })
  const publisher = await openControlPublisher({ log, names, clock: systemClock, logger })
  await publisher.publish(
    DATASETS.flatMap((id) => [
      putChange('dataset', { id, account: 'acme' }, 'config'),
      putChange('key', { id, dataset: id, scope: 'write', sha256: accessKeyHash(keys[id]!) }, 'config'),
    ]),
  )
  await publisher.close()
  const port = await freePort()
  url = `http://127.0.0.1:${port}`
  const more = { MILLRACE_COLLECTOR_PORT: String(port) }
  stages.push(
    await startStageProcess('collector', { ...environment, ...more }, join(directory, 'collector.log')),
  )
  stages.push(await startStageProcess('enricher', environment, join(directory, 'enricher.log')))
})

afterAll(async () => {
  for (const stage of stages) await stage.stop()
  await log?.close()
  rmSync(directory, { recursive: true, force: true })
})

function millrace(...args: string[]) {
  return promisify(execFile)(MILLRACE, args, { cwd: directory })
}

interface Found {
  readonly event_id: string
  readonly dataset_id: string
  readonly code?: string
  readonly protocol: string
  readonly url?: string | null
}

/** Everything decided so far, once receipts cover every raw record. */
async function decided() {
  const rawEnd = (await log.admin.offsetRanges(names.raw, 'read_committed')).reduce(
    (sum, { end }) => sum + end,
    0,
  )
  const totals = { enriched: 0, rejected: 0, duplicate: 0, control: 0 }
  for await (const value of valuesOf(names.receipts, () => sumOf(totals) < rawEnd)) {
    const receipt = JSON.parse(value) as typeof totals
    for (const kind of Object.keys(totals) as (keyof typeof totals)[]) totals[kind] += receipt[kind]
  }
  const all = async (topic: string, count: number) => {
    const found: Found[] = []
    for await (const value of valuesOf(topic, () => found.length < count))
      found.push(JSON.parse(value) as Found)
    return found
  }
  return {
    totals,
    enriched: await all(names.enriched, totals.enriched),
    rejected: await all(names.rejected, totals.rejected),
  }
}
const sumOf = (counts: object) => Object.values(counts).reduce((sum: number, n: number) => sum + n, 0)

async function* valuesOf(topic: string, isWaiting: () => boolean): AsyncGenerator<string> {
  const ranges = await log.admin.offsetRanges(topic, 'read_committed')
  const reader = await log.openReader(
    ranges.map(({ partition, start }) => ({ topic, partition, offset: start })),
  )
  try {
    while (isWaiting())
      for (const batch of await reader.read(200))
        for (let i = 0; i < batch.length; i++)
          if (batch.header(i, HEADERS.tick) === null) yield batch.value(i)!.toString('utf8')
  } finally {
    await reader.close()
  }
}

test('generated traffic is decided as its ledger says: each event once, each broken one for its reason', async () => {
  const ledgerFile = join(directory, 'ledger.json')
  await millrace(
    ...['generate', '--url', url, '--key', `shop=${keys.shop}`, '--key', `blog=${keys.blog}`],
    ...['--events', '3000', '--batch', '50', '--broken', '0.05', '--repeated', '0.2', '--skewed', '0.2'],
    ...['--ledger', ledgerFile],
  )
  const ledger = JSON.parse(readFileSync(ledgerFile, 'utf8')).datasets as Record<string, DatasetLedger>
  const { totals, enriched, rejected } = await decided()
  let retried = 0
  for (const [dataset, book] of Object.entries(ledger)) {
    expect(book).toMatchObject({ refused: 0, unknown: 0, resent: 0 })
    const [good, bad] = [enriched, rejected].map((list) =>
      list.filter(({ dataset_id }) => dataset_id === dataset),
    )
    const codes: Record<string, number> = {}
    for (const { code } of bad!) codes[code!] = (codes[code!] ?? 0) + 1
    expect(codes).toEqual(book.expected_rejected)
    expect(good!.length).toBe(book.sent - bad!.length)
    expect(new Set(good!.map(({ event_id }) => event_id)).size).toBe(good!.length)
    retried += book.retried
  }
  expect(retried).toBeGreaterThan(0)
  expect(totals.duplicate).toBe(retried)
})

test('an access log is imported once, however often and under whatever name it comes', async () => {
  const line = (path: string, second: number) =>
    `203.0.113.${second % 9} - - [22/Nov/2026:10:00:${String(second).padStart(2, '0')} +0000] "GET ${path} HTTP/1.1" 200 5 "-" "UA"\n`
  const lines = Array.from({ length: 400 }, (_, i) => line(`/page/${i % 7}`, i % 60)).join('')
  const [plain, zipped] = [join(directory, 'access.log'), join(directory, 'renamed.gz')]
  writeFileSync(plain, `${lines}broken line\n`)
  writeFileSync(zipped, gzipSync(`${lines}broken line\n`))
  const run = (file: string, ...more: string[]) =>
    millrace(
      ...['import', 'access-log', file, '--url', url, '--dataset', 'site', '--key', keys.site!],
      ...['--site', 'www.example.com', '--batch', '30', ...more],
    )
  const first = await run(plain)
  expect(first.stderr).toContain('400 accepted, 0 rejected, 1 malformed')
  expect((await run(plain)).stderr).toContain('401 lines were imported before')
  await run(zipped, '--again', '--batch', '77')
  const { enriched, rejected } = await decided()
  const ours = enriched.filter(({ dataset_id }) => dataset_id === 'site')
  expect(ours.length).toBe(400)
  expect(new Set(ours.map(({ protocol }) => protocol))).toEqual(new Set(['access_log']))
  expect(ours.every((event) => event.url?.startsWith('https://www.example.com/page/'))).toBe(true)
  expect(rejected.filter(({ dataset_id }) => dataset_id === 'site')).toEqual([])
})
