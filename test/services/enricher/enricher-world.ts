import { setImmediate as macrotask } from 'node:timers/promises'
import type { EnrichedEvent } from '../../../schemas/enriched-event/v1.ts'
import type { RawEvent } from '../../../schemas/raw-event/v1.ts'
import type { Receipt } from '../../../schemas/receipt/v1.ts'
import type { RejectedEvent } from '../../../schemas/rejected-event/v1.ts'
import { rawHeaders } from '../../../services/core/event/raw-event.ts'
import type { GroupConsumer, ProduceRecord } from '../../../services/core/kafka/log.ts'
import { recordKey } from '../../../services/core/kafka/partition.ts'
import { topicSpecs } from '../../../services/core/kafka/topic-specs.ts'
import { HEADERS, kafkaNames } from '../../../services/core/kafka/topics.ts'
import type { Clock } from '../../../services/core/runtime/clock.ts'
import { Health } from '../../../services/core/runtime/health.ts'
import { createLogger } from '../../../services/core/runtime/logger.ts'
import { createMetrics } from '../../../services/core/runtime/metrics.ts'
import type { PartitionWorker } from '../../../services/core/stream/partition-worker.ts'
import { currentRules } from '../../../services/enricher/current-rules.ts'
import { createIdBudget } from '../../../services/enricher/dedupe/dedupe-window.ts'
import { enricherMetrics } from '../../../services/enricher/enricher-metrics.ts'
import { NO_GEO } from '../../../services/enricher/enrichments/geo.ts'
import type { EnricherLimits, Environment } from '../../../services/enricher/environment.ts'
import type { GeoDatabase } from '../../../services/enricher/geo-database.ts'
import { createEnricherWorker } from '../../../services/enricher/pipeline.ts'
import { loadReferenceData } from '../../../services/enricher/reference-data.ts'
import { createSchemaCache } from '../../../services/enricher/rules.ts'
import { encodeRawEvent } from '../../helpers/encode-raw-event.ts'
import { type ControlContent, controlView } from '../../helpers/memory-control.ts'
import { createMemoryLog } from '../../helpers/memory-log.ts'

export const names = kafkaNames('')
export const referenceData = loadReferenceData(1_000)

export const noGeo: GeoDatabase = { hash: 'none', builtAt: 0, lookUp: () => NO_GEO }

export const LIMITS: EnricherLimits = {
  enrichedBytesMax: 900_000,
  rejectedPayloadBytesMax: 1_000,
  batchRowsMax: 100,
  batchBytesMax: 1_000_000,
  lingerMs: 100,
  transactionTimeoutMs: 30_000,
  dedupeWindowMs: 24 * 3_600_000,
  tickMs: 60_000,
  takeoverSilenceMs: 60_000,
}

/** What a killed process leaves: nothing more is heard of it. */
export class Killed extends Error {}

/** A clock on which every sleep is over as soon as nothing else is to be done. */
function hastyClock(startMs: number): Clock & { skip(ms: number): void } {
  let now = startMs
  return {
    now: () => now,
    monotonic: () => now,
    async sleep(ms, signal) {
      await macrotask()
      if (!signal?.aborted) now += ms
    },
    skip(ms) {
      now += ms
    },
  }
}

export interface WorldOptions {
  readonly control?: ControlContent
  readonly limits?: Partial<EnricherLimits>
  readonly idsMax?: number
  readonly geo?: GeoDatabase
}

/** One partition of events.raw with an enricher over a log in memory. */
export async function createWorld(options: WorldOptions = {}) {
  const clock = hastyClock(Date.UTC(2026, 0, 31, 12))
  /** Every call into the log, in order; a test may end the process at the one that it waits for. */
  const effects: string[] = []
  let killAt: { operation: string; calls: number; error: Error } | null = null
  const log = createMemoryLog({
    clock,
    async onCall(operation) {
      if (operation !== 'poll' && operation !== 'read') effects.push(operation)
      if (killAt?.operation === operation && --killAt.calls === 0) {
        const { error } = killAt
        killAt = null
        throw error
      }
    },
  })
  await log.admin.createTopics(
    topicSpecs(names, { partitions: 1, replicationFactor: -1, dedupeWindowMs: LIMITS.dedupeWindowMs }),
  )
  const control = controlView(options.control ?? { datasets: [{ id: 'shop', account: 'acme' }] })
  const limits = { ...LIMITS, ...options.limits }
  const metrics = createMetrics()
  const current = currentRules(
    () => control.snapshot,
    () => options.geo ?? noGeo,
    referenceData,
    createSchemaCache(100),
    {},
  )
  let marks = 0
  const environment = (): Environment => ({
    log,
    names,
    control,
    current,
    idBudget: createIdBudget(options.idsMax ?? 1_000_000),
    limits,
    clock,
    randomBytes: (size) => Buffer.alloc(size, ++marks),
    logger: createLogger('test', 'error', { write: () => {} }),
    metrics: enricherMetrics(metrics),
    registry: metrics,
    health: new Health(),
    group: { sessionTimeoutMs: 10_000, prefetchBytesMax: 1_000_000 },
    random: () => 0.5,
    absolved: new Set(),
    failPoint: () => {},
  })
  const sender = await log.openProducer({ clientId: 'test', lingerMs: 0, deliveryTimeoutMs: 1_000 })

  /** A process that joins the group and owns the partition. */
  async function join(env = environment()): Promise<Owner> {
    const owner: { worker: PartitionWorker | null } = { worker: null }
    const consumer: GroupConsumer = await log.openGroupConsumer({
      groupId: names.group('enricher'),
      clientId: 'test',
      topics: [names.raw],
      sessionTimeoutMs: 10_000,
      maxPollIntervalMs: 60_000,
      pollRecordsMax: 1_000,
      pollWaitMs: 10,
      prefetchBytesMax: 1_000_000,
      async onAssigned(partitions, its) {
        const worker = createEnricherWorker(env, 0, its)
        const offset = await worker.start()
        owner.worker = worker
        return partitions.map((partition) => ({ ...partition, offset }))
      },
      async onRevoked() {
        await owner.worker?.stop('revoked')
        owner.worker = null
      },
    })
    const turn = async () => {
      const batches = await consumer.poll()
      for (const batch of batches) await owner.worker?.process(batch)
      clock.skip(limits.lingerMs)
      await owner.worker?.tick()
      return batches.length > 0
    }
    return {
      env,
      /** Polls and works until nothing is left. */
      async drain() {
        for (let idle = 0; idle < 3; ) idle = (await turn()) || owner.worker === null ? 0 : idle + 1
      },
      turn,
      /** The process is gone: its group finds out, nothing is closed. */
      vanish() {
        log.controls.expel(consumer)
      },
      consumer,
      get worker() {
        return owner.worker
      },
    }
  }

  return {
    clock,
    log,
    control,
    effects,
    metrics,
    environment,
    join,
    /** Ends the process, or fails, at the `calls`-th call of the operation from now on. */
    killAt(operation: string, calls = 1, error: Error = new Killed(`killed at ${operation}`)) {
      killAt = { operation, calls, error }
    },
    async send(...records: readonly ProduceRecord[]) {
      await sender.produce(records)
    },
    /** Takes offsets that carry no event: an aborted transaction of somebody else. */
    async sendControl() {
      const producer = await log.openTransactionalProducer('intruder', {
        clientId: 'intruder',
        transactionTimeoutMs: 1_000,
      })
      await producer.begin()
      await producer.send([rawRecord('never', { event: 'never' })])
      await producer.abort()
      await producer.close()
    },
    /** A process works until everything is done, restarted whenever it ends. */
    async drainWithRestarts() {
      for (let restarts = 0; restarts < 50; restarts++) {
        const owner = await join()
        try {
          await owner.drain()
          owner.vanish()
          return restarts
        } catch {
          owner.vanish()
        }
      }
      throw new Error('It never came to an end.')
    },
    enriched: () =>
      readAll<EnrichedEvent>(log, names.enriched).filter(({ headers }) => headers.tick === null),
    rejected: () =>
      readAll<RejectedEvent>(log, names.rejected).filter(({ headers }) => headers.tick === null),
    ticks: (topic: string) => readAll<unknown>(log, topic).filter(({ headers }) => headers.tick !== null),
    receipts: () => readAll<Receipt>(log, names.receipts).map(({ value }) => value),
  }
}

export type World = Awaited<ReturnType<typeof createWorld>>

export interface Owner {
  readonly env: Environment
  drain(): Promise<void>
  turn(): Promise<boolean>
  vanish(): void
  readonly consumer: GroupConsumer
  readonly worker: PartitionWorker | null
}

export interface ReadRecord<T> {
  readonly value: T
  readonly key: string | null
  readonly headers: Readonly<Record<string, string | null>>
}

function readAll<T>(log: ReturnType<typeof createMemoryLog>, topic: string): ReadRecord<T>[] {
  const batch = log.controls.records(topic, 0)
  return Array.from({ length: batch?.length ?? 0 }, (_, index) => ({
    value: JSON.parse(batch?.value(index)?.toString() ?? 'null') as T,
    key: batch?.key(index)?.toString() ?? null,
    headers: Object.fromEntries(
      Object.values(HEADERS).map((name) => [name, batch?.header(index, name) ?? null]),
    ),
  }))
}

export const COLLECTOR_TIME = Date.UTC(2026, 0, 31, 11, 59, 59)

/** A raw event of the dataset `shop`; `event` in the native shape, or anything else to see what becomes of it. */
export function rawEvent(eventId: string, event: object, envelope: Partial<RawEvent> = {}): RawEvent {
  return {
    v: 1,
    event_id: eventId,
    dataset_id: 'shop',
    collector_time: COLLECTOR_TIME,
    protocol: 'native',
    ip: '203.0.113.77',
    user_agent: null,
    sent_at: null,
    event: event as RawEvent['event'] & object,
    ...envelope,
  }
}

export function rawRecord(eventId: string, event: object, envelope: Partial<RawEvent> = {}): ProduceRecord {
  const raw = rawEvent(eventId, event, envelope)
  return rawBytes(encodeRawEvent(raw), raw.event_id, raw.dataset_id)
}

/** Any value in the raw topic. */
export function rawBytes(value: Buffer | null, eventId = 'e', datasetId = 'shop'): ProduceRecord {
  return {
    topic: names.raw,
    partition: 0,
    key: recordKey(datasetId, null, eventId),
    value,
    headers: rawHeaders(eventId, datasetId, '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'),
  }
}
