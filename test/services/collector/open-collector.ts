import { randomBytes, randomFillSync } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import type { Dataset, Key } from '../../../schemas/control/v1.ts'
import type { RawEvent } from '../../../schemas/raw-event/v1.ts'
import { createAdmission } from '../../../services/collector/admission.ts'
import { createByteBudget } from '../../../services/collector/byte-budget.ts'
import { createCollectorMetrics } from '../../../services/collector/collector-metrics.ts'
import { COLLECTOR_SETTINGS, type CollectorSettings } from '../../../services/collector/config.ts'
import type { Environment } from '../../../services/collector/environment.ts'
import { createIdempotencyCache } from '../../../services/collector/idempotency.ts'
import { quotaOf } from '../../../services/collector/quota.ts'
import type { KeptIn } from '../../../services/collector/record-keeper.ts'
import { buildServer, type CollectorServer } from '../../../services/collector/server.ts'
import { createSessionBudget } from '../../../services/collector/session-budget.ts'
import { traceparents } from '../../../services/collector/traceparent.ts'
import { accessKeyHash, generateAccessKey } from '../../../services/core/control/access-key.ts'
import { uuidv7Generator } from '../../../services/core/event/event-id.ts'
import { decodeRawEvent } from '../../../services/core/event/raw-event.ts'
import type { ProduceRecord } from '../../../services/core/kafka/log.ts'
import { compressLine } from '../../../services/core/recordings/chunk-line.ts'
import { createLogger } from '../../../services/core/runtime/logger.ts'
import { createMetrics, type Metrics } from '../../../services/core/runtime/metrics.ts'
import { parseSettings } from '../../../services/core/runtime/settings.ts'
import { controlView, type MemoryControlView } from '../../helpers/memory-control.ts'

const randomFill = (bytes: Uint8Array) => void randomFillSync(bytes)

export const NOW_MS = Date.parse('2026-11-22T12:00:00.000Z')
export const WRITE_KEY = generateAccessKey('write', randomBytes)
export const READ_KEY = generateAccessKey('read', randomBytes)
export const EXPIRED_KEY = generateAccessKey('write', randomBytes)
export const ORPHAN_KEY = generateAccessKey('write', randomBytes)
export const UNKNOWN_KEY = generateAccessKey('write', randomBytes)
export const OTHER_KEY = generateAccessKey('write', randomBytes)

const key = (id: string, text: string, more: Partial<Key> = {}): Key => ({
  id,
  dataset: 'shop',
  scope: 'write',
  sha256: accessKeyHash(text),
  ...more,
})

export interface OpenCollector {
  readonly server: CollectorServer
  readonly control: MemoryControlView
  readonly metrics: Metrics
  readonly settings: CollectorSettings
  /** What Kafka acknowledged, in order. */
  readonly records: ProduceRecord[]
  /** Those of recordings. */
  readonly chunks: ProduceRecord[]
  /** Lines that were logged. */
  /** Fail points, in the order they were passed. */
  readonly passed: string[]
  readonly logged: string[]
  /** Every send waits for, and fares like, what this returns; at first it resolves at once. */
  onProduce: (records: readonly ProduceRecord[]) => Promise<void>
  onProduceChunks: (records: readonly ProduceRecord[]) => Promise<void>
  keptIn: KeptIn
  /** How late the event loop is said to be. */
  lagMs: number
  nowMs: number
  /** Bytes that the budget has out. */
  inFlightBytes(): number
  /** Those decoded, from this index on. */
  raw(from?: number): RawEvent[]
  post(body: unknown, options?: PostOptions): Promise<Answer>
}

export interface PostOptions {
  readonly path?: string
  readonly headers?: Readonly<Record<string, string>>
  /** Null for none. */
  readonly key?: string | null
}

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  // biome-ignore lint/suspicious/noExplicitAny: tests read answers of every shape
  readonly body: any
}

/** A collector over an in-memory log and control, with two datasets; nothing listens. */
export function openCollector(
  environment: Readonly<Record<string, string>> = {},
  shop: Partial<Dataset> = {},
): OpenCollector {
  const settings = parseSettings(COLLECTOR_SETTINGS, environment)
  const control = controlView({
    datasets: [
      { id: 'shop', account: 'acme', ...shop },
      { id: 'blog', account: 'acme' },
    ],
    keys: [
      key('write', WRITE_KEY),
      key('read', READ_KEY, { scope: 'read' }),
      key('expired', EXPIRED_KEY, { expires_at: '2026-11-22T12:00:00Z' }),
      key('orphan', ORPHAN_KEY, { dataset: 'gone' }),
      key('other', OTHER_KEY, { dataset: 'blog' }),
    ],
  })
  const metrics = createMetrics()
  const records: ProduceRecord[] = []
  const chunks: ProduceRecord[] = []
  const logged: string[] = []
  const collectorMetrics = createCollectorMetrics(metrics)
  const budget = createByteBudget(settings.inFlightBytesMax, collectorMetrics.inFlightBytes)
  const time = { nowMs: NOW_MS }
  const clock = {
    now: () => time.nowMs,
    monotonic: () => time.nowMs,
    sleep: () => Promise.resolve(),
  }
  const env: Environment = {
    control,
    keeper: {
      async keep(given) {
        await opened.onProduce(given)
        records.push(...given)
        return opened.keptIn
      },
    },
    rawTopic: 'events.raw',
    rawPartitions: 12,
    recordings: {
      topic: 'recordings.raw',
      partitions: 12,
      keeper: {
        async keep(given) {
          await opened.onProduceChunks(given)
          chunks.push(...given)
          return 'kafka'
        },
      },
      sessions: createSessionBudget(settings.recordingSessionBytesMax, clock),
      compress: compressLine,
      recordBytesMax: settings.kafkaRecordBytesMax,
    },
    admission: createAdmission(
      settings,
      (id) => quotaOf(control.snapshot.datasets.get(id)?.object, settings),
      () => opened.lagMs,
      clock,
    ),
    budget,
    idempotency: createIdempotencyCache(settings.idempotencyCacheBytesMax, clock),
    nextEventId: uuidv7Generator({ now: clock.now, randomFill }),
    traceparentOf: traceparents(randomFill),
    clock,
    metrics: collectorMetrics,
    failPoint: (name) => void opened.passed.push(name),
    logger: createLogger('collector', 'debug', { write: (line) => void logged.push(line) }),
  }
  const server = buildServer(settings, env)
  const opened: OpenCollector = {
    server,
    control,
    metrics,
    settings,
    records,
    chunks,
    passed: [],
    logged,
    get nowMs() {
      return time.nowMs
    },
    set nowMs(ms) {
      time.nowMs = ms
    },
    onProduce: async () => {},
    onProduceChunks: async () => {},
    keptIn: 'kafka',
    lagMs: 0,
    inFlightBytes: () => budget.usedBytes,
    raw: (from = 0) => records.slice(from).map(rawOf),
    async post(body, { path = '/v1/events', headers = {}, key: sentKey = WRITE_KEY } = {}) {
      const response = await server.app.inject({
        method: 'POST',
        url: path,
        payload: Buffer.isBuffer(body) || typeof body === 'string' ? body : JSON.stringify(body),
        headers: {
          'content-type': 'application/json',
          ...(sentKey !== null && { authorization: `Bearer ${sentKey}` }),
          ...headers,
        },
      })
      return { status: response.statusCode, headers: response.headers, body: parsed(response.body) }
    },
  }
  return opened
}

export function rawOf(record: ProduceRecord): RawEvent {
  const decoded = decodeRawEvent(record.value)
  if (!decoded.ok) throw new Error(decoded.detail)
  return decoded.raw
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return body
  }
}

export const GZIP = { 'content-encoding': 'gzip' } as const
export const gzip = (text: string) => gzipSync(Buffer.from(text))
