import { createHash, randomUUID } from 'node:crypto'
import { rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import type { Delivery } from '../../../schemas/control/v1.ts'
import type { IdentityCommand } from '../../../schemas/identity-record/v1.ts'
import type {
  ClickHouse,
  QueryOptions,
  QueryParameters,
} from '../../../services/core/clickhouse/clickhouse.ts'
import {
  accessKeyHash,
  generateAccessKey,
  type KeyKind,
  parseAccessKey,
} from '../../../services/core/control/access-key.ts'
import type { ControlChange } from '../../../services/core/control/control-publisher.ts'
import { kafkaNames } from '../../../services/core/kafka/topics.ts'
import { migrateMetadata } from '../../../services/core/metadata/metadata-migrations.ts'
import { openSqliteMetadata } from '../../../services/core/metadata/sqlite-metadata.ts'
import { parseCidrs } from '../../../services/core/runtime/client-address.ts'
import { createLogger } from '../../../services/core/runtime/logger.ts'
import { createMetrics } from '../../../services/core/runtime/metrics.ts'
import { parseAllowedHosts } from '../../../services/query-api/batch-exports/allowed-hosts.ts'
import type { Environment } from '../../../services/query-api/environment.ts'
import { directoryContent } from '../../../services/query-api/exports/directory-content.ts'
import { createMemoryRateCounters } from '../../../services/query-api/http/memory-rate-counters.ts'
import { createQueryGate } from '../../../services/query-api/http/query-gate.ts'
import type { Method } from '../../../services/query-api/http/route.ts'
import { createPipeline } from '../../../services/query-api/pipeline.ts'
import { createServer } from '../../../services/query-api/server.ts'
import { createManualClock } from '../../helpers/manual-clock.ts'
import { controlView } from '../../helpers/memory-control.ts'
import { createMemoryObjectStore } from '../../helpers/memory-object-store.ts'
import { createMemoryTables } from '../../helpers/memory-table.ts'

export interface AskedQuestion {
  readonly sql: string
  readonly parameters: QueryParameters
  readonly options: QueryOptions
}

let drawn = 0
/** Other bytes with every call, the same in every run. */
function drawBytes(size: number): Uint8Array {
  drawn++
  return createHash('sha512').update(String(drawn)).digest().subarray(0, size)
}

/** A valid key, another one with every call. */
export function testKey(kind: KeyKind): string {
  return generateAccessKey(kind, drawBytes)
}

/** Rows as JSONEachRow has them; an error among them is thrown in its place. */
function* linesOf(rows: readonly unknown[]) {
  for (const row of rows) {
    if (row instanceof Error) throw row
    yield Buffer.from(`${JSON.stringify(row)}\n`)
  }
}

const COST = {
  executionSecondsMax: 20,
  rowsReadMax: 1000,
  memoryBytesMax: 2000,
  resultBytesMax: 3000,
  streamSecondsMax: 60,
}

/** Files of exports that tests of this process make. */
const EXPORTS_DIR = join(tmpdir(), `millrace-exports-${randomUUID()}`)
process.once('exit', () => rmSync(EXPORTS_DIR, { recursive: true, force: true }))

export const NOW_MS = Date.parse('2026-11-22T12:00:00Z')

/**
 * The query API over a ClickHouse that notes every statement and answers what it is told.
 *
 * @param answer rows for a statement, among them errors that a stream ends in; may throw
 * @param overrides parts of the environment that are to be others
 */
export function recordingEnvironment(
  answer: (asked: AskedQuestion) => readonly unknown[] | Promise<readonly unknown[]> = () => [],
  overrides: Partial<Environment> = {},
) {
  const asked: AskedQuestion[] = []
  const clickhouse: ClickHouse = {
    query: async <T>(sql: string, parameters: QueryParameters = {}, options: QueryOptions = {}) => {
      const question = { sql, parameters, options }
      asked.push(question)
      return (await answer(question)) as T[]
    },
    stream: async (sql: string, parameters: QueryParameters = {}, options: QueryOptions = {}) => {
      const question = { sql, parameters, options }
      asked.push(question)
      return Readable.from(linesOf(await answer(question)))
    },
    command: async () => {},
    insert: async () => {},
    ping: async () => '26.7',
    close: async () => {},
  }
  return { ...environmentOver(clickhouse, COST, overrides), asked }
}

/** The query API with keys and datasets of tests, over any ClickHouse. */
export function environmentOver(
  clickhouse: ClickHouse,
  cost: Environment['cost'] = COST,
  overrides: Partial<Environment> = {},
) {
  const sent: IdentityCommand[] = []
  const keys = {
    shopRead: testKey('read'),
    shopWrite: testKey('write'),
    shopExpired: testKey('read'),
    blogRead: testKey('read'),
    unknown: testKey('read'),
    orphan: testKey('read'),
    admin: testKey('admin'),
  }
  const stored = (id: string, dataset: string, scope: 'read' | 'write', text: string, expires?: string) => ({
    id,
    dataset,
    scope,
    sha256: parseAccessKey(text)!.hash,
    ...(expires === undefined ? {} : { expires_at: expires }),
  })
  const control = controlView({
    datasets: [
      { id: 'shop', account: 'acme', timezone: 'Europe/Berlin' },
      { id: 'blog', account: 'other' },
      { id: 'free', account: 'acme' },
    ],
    keys: [
      stored('a', 'shop', 'read', keys.shopRead),
      stored('b', 'shop', 'write', keys.shopWrite),
      stored('c', 'shop', 'read', keys.shopExpired, '2026-11-22T11:59:59Z'),
      stored('d', 'blog', 'read', keys.blogRead),
      stored('e', 'gone', 'read', keys.orphan),
    ],
  })
  const store = createMemoryObjectStore()
  store.buckets.set('millrace', new Map())
  const clock = createManualClock(NOW_MS)
  const metadata = openSqliteMetadata(':memory:')
  const bucket = createMemoryObjectStore()
  const published: ControlChange[] = []
  /** What batch exports are told of the log. */
  const logged = { offsetsAt: async (_timestampMs: number): Promise<readonly number[]> => [0, 0] }
  const tables = createMemoryTables()
  const batchExports: Environment['batchExports'] = {
    destinations: { of: () => bucket, close() {} },
    secretKey: Buffer.alloc(32, 7),
    async publish(changes) {
      published.push(...changes)
      const deliveries = new Map(
        [...control.snapshot.deliveries.values()].map(({ object }) => [object.id, object]),
      )
      for (const change of changes)
        if (change.action === 'remove') deliveries.delete(change.id)
        else deliveries.set(change.record.id, change.record.object as Delivery)
      control.update({ deliveries: [...deliveries.values()] })
    },
    offsetsAt: (timestampMs) => logged.offsetsAt(timestampMs),
    stagingBucket: 'millrace',
    mayConnect: parseAllowedHosts('db.example.com'),
    openTable: tables.open,
    failPoint: () => {},
    lookEveryMs: 10_000,
  }
  const env: Environment = {
    clickhouse,
    writer: overrides.clickhouse ?? clickhouse,
    control,
    metadata,
    clock,
    randomBytes: drawBytes,
    adminSha256: accessKeyHash(keys.admin),
    rateCounters: {
      known: createMemoryRateCounters(clock, () => {}),
      addresses: createMemoryRateCounters(clock, () => {}),
    },
    rateLimits: { enabled: true, allowed: new Set(['free']) },
    cost,
    cohortSecondsMax: 60,
    gate: createQueryGate(3, 2),
    results: { resultsBytesMax: 1_000_000, resultsAgeMaxMs: 86_400_000, asyncMax: 2 },
    names: kafkaNames(''),
    exports: {
      content: directoryContent(
        join(EXPORTS_DIR, randomUUID()),
        { fileBytesMax: 10_000_000, bytesMax: 20_000_000 },
        clock,
      ),
      concurrentMax: 1,
      leaseMs: 30_000,
    },
    batchExports,
    findInLog: async () => ({ hits: [], decidedTo: new Map(), complete: true }),
    findInDelivery: async () => null,
    commandLog: {
      send: async (commands) => {
        sent.push(...commands)
      },
    },
    recordings: { store, bucket: 'millrace' },
    ...overrides,
  }
  const lines: string[] = []
  const logger = createLogger('query-api', 'debug', { write: (line: string) => lines.push(line) })
  const metrics = createMetrics()
  const pipeline = createPipeline(env, metrics, logger)
  const options = {
    logger,
    metrics,
    publicUrl: null,
    bodyBytesMax: 65_536,
    uploadBytesMax: 200_000,
    streamStallMs: 500,
    trustedProxies: parseCidrs('10.9.0.0/16'),
  }
  const app = createServer(env, options, pipeline)
  app.addHook('onReady', async () => {
    await migrateMetadata(metadata)
  })
  const get = async (url: string, key: string | null = keys.shopRead) =>
    app.inject({ url, headers: key === null ? {} : { authorization: `Bearer ${key}` } })
  /** A call with a body, or of another method than GET. */
  const send = async (method: Method, url: string, key: string | null, body?: unknown) => {
    const response = await app.inject({
      method,
      url,
      headers: key === null ? {} : { authorization: `Bearer ${key}` },
      ...(body === undefined ? {} : { payload: body as object }),
    })
    return {
      status: response.statusCode,
      headers: response.headers,
      body: response.body === '' ? null : response.json(),
    }
  }
  /** Makes a personal key and gives its text. */
  const personalKey = async (scopes: readonly string[], datasets: readonly string[] = ['shop']) => {
    const { status, body } = await send('POST', '/api/personal_api_keys', keys.admin, {
      label: 'test',
      scopes,
      datasets,
    })
    if (status !== 201) throw new Error(JSON.stringify(body))
    return body.value as string
  }
  return {
    bucket,
    tables,
    published,
    logged,
    env,
    app,
    pipeline,
    store,
    get,
    send,
    personalKey,
    sent,
    keys,
    control,
    lines,
    clock,
    metrics,
  }
}
