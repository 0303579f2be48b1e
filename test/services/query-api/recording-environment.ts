import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import type {
  ClickHouse,
  QueryOptions,
  QueryParameters,
} from '../../../services/core/clickhouse/clickhouse.ts'
import { generateAccessKey, parseAccessKey } from '../../../services/core/control/access-key.ts'
import { kafkaNames } from '../../../services/core/kafka/topics.ts'
import { createLogger } from '../../../services/core/runtime/logger.ts'
import { createMetrics } from '../../../services/core/runtime/metrics.ts'
import type { Environment } from '../../../services/query-api/environment.ts'
import { createQueryGate } from '../../../services/query-api/http/query-gate.ts'
import { createServer } from '../../../services/query-api/server.ts'
import { controlView } from '../../helpers/memory-control.ts'

export interface AskedQuestion {
  readonly sql: string
  readonly parameters: QueryParameters
  readonly options: QueryOptions
}

let keyNumber = 0
/** A valid key, another one with every call. */
export function testKey(scope: 'read' | 'write'): string {
  keyNumber++
  const bytes = createHash('sha512').update(String(keyNumber)).digest()
  return generateAccessKey(scope, (size) => bytes.subarray(0, size))
}

export const NOW_MS = Date.parse('2026-11-22T12:00:00Z')

/**
 * The query API over a ClickHouse that notes every statement and answers what it is told.
 *
 * @param answer rows for a statement; may throw
 */
export function recordingEnvironment(
  answer: (asked: AskedQuestion) => readonly unknown[] | Promise<readonly unknown[]> = () => [],
) {
  const asked: AskedQuestion[] = []
  const keys = {
    shopRead: testKey('read'),
    shopWrite: testKey('write'),
    shopExpired: testKey('read'),
    blogRead: testKey('read'),
    unknown: testKey('read'),
    orphan: testKey('read'),
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
    ],
    keys: [
      stored('a', 'shop', 'read', keys.shopRead),
      stored('b', 'shop', 'write', keys.shopWrite),
      stored('c', 'shop', 'read', keys.shopExpired, '2026-11-22T11:59:59Z'),
      stored('d', 'blog', 'read', keys.blogRead),
      stored('e', 'gone', 'read', keys.orphan),
    ],
  })
  const clickhouse: ClickHouse = {
    query: async <T>(sql: string, parameters: QueryParameters = {}, options: QueryOptions = {}) => {
      const question = { sql, parameters, options }
      asked.push(question)
      return (await answer(question)) as T[]
    },
    stream: async () => Readable.from([]),
    command: async () => {},
    insert: async () => {},
    ping: async () => '26.7',
    close: async () => {},
  }
  const env: Environment = {
    clickhouse,
    control,
    clock: { now: () => NOW_MS, monotonic: () => 0, sleep: async () => {} },
    cost: { executionSecondsMax: 20, rowsReadMax: 1000, memoryBytesMax: 2000, resultBytesMax: 3000 },
    gate: createQueryGate(3, 2),
    names: kafkaNames(''),
    findInLog: async () => ({ hits: [], decidedTo: new Map(), complete: true }),
    findInDelivery: async () => null,
  }
  const lines: string[] = []
  const logger = createLogger('query-api', 'debug', { write: (line: string) => lines.push(line) })
  const app = createServer(env, { logger, metrics: createMetrics(), publicUrl: null })
  const get = async (url: string, key: string | null = keys.shopRead) =>
    app.inject({ url, headers: key === null ? {} : { authorization: `Bearer ${key}` } })
  return { env, app, get, asked, keys, control, lines }
}
