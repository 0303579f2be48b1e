import { gunzipSync } from 'node:zlib'
import { pino } from 'pino'
import type { Dataset, Delivery, Subscription } from '../../schemas/control/v1.ts'
import { runClickHouseSink } from '../../services/clickhouse-sink/pipeline.ts'
import { createByteBudget } from '../../services/collector/byte-budget.ts'
import { createCollectorMetrics } from '../../services/collector/collector-metrics.ts'
import { COLLECTOR_OWN_SETTINGS } from '../../services/collector/config.ts'
import { createIdempotencyCache } from '../../services/collector/idempotency.ts'
import { type CollectAnswer, collect } from '../../services/collector/pipeline.ts'
import { readNative } from '../../services/collector/read-native.ts'
import { kafkaKeeper } from '../../services/collector/record-keeper.ts'
import { RequestRefusal } from '../../services/collector/request-refusal.ts'
import { createSessionBudget } from '../../services/collector/session-budget.ts'
import { recordingsTopicSpec, topicSpecs } from '../../services/core/kafka/topic-specs.ts'
import { kafkaNames } from '../../services/core/kafka/topics.ts'
import { Health } from '../../services/core/runtime/health.ts'
import type { Metrics } from '../../services/core/runtime/metrics.ts'
import { parseSettings } from '../../services/core/runtime/settings.ts'
import { currentRules } from '../../services/enricher/current-rules.ts'
import { createIdBudget } from '../../services/enricher/dedupe/dedupe-window.ts'
import { enricherMetrics } from '../../services/enricher/enricher-metrics.ts'
import { NO_GEO } from '../../services/enricher/enrichments/geo.ts'
import { runEnricher } from '../../services/enricher/pipeline.ts'
import { loadReferenceData } from '../../services/enricher/reference-data.ts'
import { createSchemaCache } from '../../services/enricher/rules.ts'
import { IDENTITY_SETTINGS } from '../../services/identity/config.ts'
import { runIdentity } from '../../services/identity/pipeline.ts'
import { runRecordings } from '../../services/recordings/pipeline.ts'
import { runS3Sink } from '../../services/s3-sink/pipeline.ts'
import { ROUTER_SETTINGS } from '../../services/subscriber-router/config.ts'
import { runRouter } from '../../services/subscriber-router/pipeline.ts'
import { controlView, type MemoryControlView } from '../helpers/memory-control.ts'
import { createMemoryDisk, type MemoryDisk } from '../helpers/memory-disk.ts'
import { createMemoryLog, type MemoryLog } from '../helpers/memory-log.ts'
import { createMemoryObjectStore, type MemoryObjectStore } from '../helpers/memory-object-store.ts'
import { memoryWarehouse } from '../services/clickhouse-sink/memory-warehouse.ts'
import {
  createMemoryIdentityStore,
  type MemoryIdentityStore,
} from '../services/identity/memory-identity-store.ts'
import { createMemoryTables } from '../services/identity/memory-tables.ts'
import { NEXT_SIGNING_KEY, SIGNING_KEY } from '../services/s3-sink/delivery-world.ts'
import { chunkRecord } from './chunk-record.ts'
import type { Kernel } from './kernel.ts'
import { type Faults, SESSION_MS, SimulatedProcess } from './process.ts'
import { processLog } from './simulated-log.ts'
import { processPersons, processTables } from './simulated-persons.ts'
import { memoryEncoder, processDisk, processStore, processWarehouse, tear } from './simulated-sinks.ts'
import { type Tally, TOLD } from './tally.ts'

export const names = kafkaNames('')
export const PARTITIONS = 3
export const BUCKET = 'lake'

export const DATASETS: readonly Dataset[] = [
  { id: 'shop', account: 'acme' },
  { id: 'blog', account: 'acme' },
]
export const SUBSCRIPTIONS: readonly Subscription[] = [
  { id: 'all', account: 'acme', datasets: ['shop', 'blog'] },
  {
    id: 'some',
    account: 'acme',
    datasets: ['shop'],
    where: 'properties.n >= 2',
    fields: { exclude: ['ip'] },
  },
]
export const DELIVERIES: readonly Delivery[] = [
  {
    id: 'lines',
    account: 'acme',
    datasets: ['shop', 'blog'],
    format: 'jsonl',
    partition_by: 'dataset={dataset}/dt={landed:yyyy-MM-dd}/hour={landed:HH}',
    rotate: { rows: 7, age: '3s' },
  },
  {
    id: 'table',
    account: 'acme',
    datasets: ['shop'],
    format: 'parquet',
    where: 'properties.n >= 2',
    rotate: { rows: 20, age: '2s' },
  },
  {
    id: 'refused',
    account: 'acme',
    datasets: ['shop', 'blog'],
    source: 'rejected',
    format: 'csv',
    rotate: { rows: 5, age: '3s' },
  },
]

/** The consumer groups of the stages whose batches are planned. */
export const GROUPS = {
  's3-sink': DELIVERIES.map(({ id }) => names.group('s3-sink', id)),
  'clickhouse-sink': ['events', 'rejected'].map((part) => names.group('clickhouse-sink', part)),
  recordings: [names.group('recordings')],
} as const

const DEDUPE_WINDOW_MS = 600_000
/** A table forgets tokens while a sink is away or stands still, and not before the one that slept must have found out. */
const SMALL_WINDOW = { blocks: 12, ageMs: 1.2 * SESSION_MS }
const RECORDINGS_KEPT_MS = 86_400_000
const COLLECTOR = parseSettings(COLLECTOR_OWN_SETTINGS, {})
const ROUTER = parseSettings(ROUTER_SETTINGS, { MILLRACE_ROUTER_BATCH_RECORDS: '20' })
const IDENTITY = parseSettings(IDENTITY_SETTINGS, {
  MILLRACE_IDENTITY_BATCH_RECORDS: '10',
  MILLRACE_IDENTITY_SELECT_RECORDS: '20',
  MILLRACE_IDENTITY_PUBLISH_ROWS: '15',
  // Memory for them is taken at once, by every process of a history.
  MILLRACE_IDENTITY_SIGHTINGS_MAX: '1000',
})
const REFERENCE = loadReferenceData(1_000)

/** Nobody reads them here. */
const METRICS: Metrics = {
  counter: () => ({ add: () => {} }),
  gauge: () => ({ set: () => {}, remove: () => {} }),
  histogram: () => ({ observe: () => {} }),
  expose: () => Promise.resolve(''),
}

/** A request that was answered, or to which no answer came. */
export type Answer = CollectAnswer | RequestRefusal | 'no answer'
/** @param key the Idempotency-Key of events that bring no id of their own */
export type Send = (dataset: string, body: string, key: string | undefined) => Promise<Answer>
/** Hands a chunk of a recording to a collector. @returns whether it is known to lie in the log */
export type SendChunk = (session: string, id: string) => Promise<boolean>

/** What outlives every process, and the processes that are up. */
export interface World {
  readonly log: MemoryLog
  readonly store: MemoryObjectStore
  readonly warehouse: ReturnType<typeof memoryWarehouse>
  /** What the identity stage keeps, and what it tells. */
  readonly identity: {
    readonly store: MemoryIdentityStore
    readonly tables: ReturnType<typeof createMemoryTables>
  }
  readonly control: MemoryControlView
  readonly processes: ReadonlySet<SimulatedProcess>
  /** Our own mistakes: a process that ended by an error that is not the world's. */
  readonly mistakes: string[]
  /** What stages called an operator for; nothing in here needs one. */
  readonly alarms: string[]
  /** Sends to a collector that is up, or to none. */
  readonly send: Send
  readonly record: SendChunk
  /** All of a stage die at once, and stay away for so long that the positions of their groups are gone. */
  expire(role: keyof typeof GROUPS): void
  close(): void
}

type Run = (process: SimulatedProcess) => Promise<void>

/** Starts two of every stage. Whoever dies or ends comes up again after a while. */
export async function createWorld(kernel: Kernel, faults: Readonly<Faults>, tally: Tally): Promise<World> {
  // A process's poll has been under way for a while already when it gets here.
  const log = createMemoryLog({ clock: kernel.clock, turn: async () => {} })
  // As on a real broker: whoever is a member may commit for a partition that went to another one.
  log.controls.acceptStale('of_members')
  await log.admin.createTopics(
    topicSpecs(names, { partitions: PARTITIONS, replicationFactor: -1, dedupeWindowMs: DEDUPE_WINDOW_MS }),
  )
  await log.admin.createTopics([
    recordingsTopicSpec(names, { partitions: PARTITIONS, replicationFactor: -1 }),
  ])
  const store = createMemoryObjectStore()
  await store.createBucket(BUCKET)
  const warehouse = memoryWarehouse(faults.forgetful ? { ...SMALL_WINDOW, clock: kernel.clock } : undefined)
  const identity = { store: createMemoryIdentityStore(), tables: createMemoryTables() }
  const control = controlView({
    datasets: DATASETS,
    subscriptions: SUBSCRIPTIONS,
    deliveries: DELIVERIES,
  })
  const processes = new Set<SimulatedProcess>()
  const everybody: SimulatedProcess[] = []
  const mistakes: string[] = []
  const alarms: string[] = []
  const doors = new Map<SimulatedProcess, { readonly send: Send; readonly record: SendChunk }>()
  /** What dead sinks left behind: the next one finds it in its way. */
  const disks: MemoryDisk[] = []
  let isOpen = true
  let made = 0
  const nonce = () => `n${++made}`
  const group = { sessionTimeoutMs: SESSION_MS, prefetchBytesMax: 1_000_000 }

  /** What a stage logs is part of the trace; the time is that of the simulation. */
  function traceLogger(process: string) {
    const write = (line: string) => {
      const { level, msg, err, ...rest } = JSON.parse(line)
      const more = Object.keys(rest).length > 0 ? ` ${JSON.stringify(rest)}` : ''
      const text = `${process} logs: ${msg}${more}${err ? ` (${err.message})` : ''}`
      kernel.note(text)
      const told = TOLD[msg]
      if (told) tally[told]++
      if (level >= pino.levels.values.error!) alarms.push(text)
    }
    return pino({ level: 'info', base: {}, timestamp: false }, { write })
  }

  function start(role: string, run: Run): void {
    if (!isOpen) return
    const process = new SimulatedProcess(kernel, `${role}#${++made}`, faults, tally, log)
    processes.add(process)
    everybody.push(process)
    kernel.note(`${process.name} starts`)
    const again = () => {
      processes.delete(process)
      doors.delete(process)
      kernel.at(kernel.between(200, 3_000), () => start(role, run))
    }
    process.onDeath = again
    run(process).then(
      () => process.alive && again(),
      (error: unknown) => {
        if (!process.alive) return
        // What the world did to it is no mistake: the supervisor starts it again.
        const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
        if (!(error instanceof Error && error.name === 'DependencyError'))
          mistakes.push(`${process.name}: ${text}`)
        kernel.note(`${process.name} ends: ${text}`)
        process.kill()
      },
    )
  }

  function expire(role: keyof typeof GROUPS): void {
    kernel.note(`all of ${role} die, and their groups' positions expire`)
    tally.expired++
    for (const process of [...processes].filter(({ name }) => name.startsWith(`${role}#`))) {
      process.kill()
      process.leave()
    }
    for (const group of GROUPS[role]) log.controls.expireGroupOffsets(group)
  }

  /** What stages need of the world, whatever they do. */
  function surroundings(process: SimulatedProcess) {
    return {
      log: processLog(kernel, process, log, faults, tally),
      names,
      clock: process.clock,
      random: kernel.random,
      failPoint: () => {},
      logger: traceLogger(process.name),
      metrics: METRICS,
      health: new Health(),
    }
  }

  const runs: Readonly<Record<string, Run>> = {
    async collector(process) {
      const own = processLog(kernel, process, log, faults, tally)
      const producer = await own.openProducer({ clientId: 'c', lingerMs: 5, deliveryTimeoutMs: 10_000 })
      const env = {
        control,
        keeper: kafkaKeeper(producer, { note: () => {} }),
        rawTopic: names.raw,
        rawPartitions: PARTITIONS,
        recordings: {
          topic: names.recordings,
          partitions: PARTITIONS,
          keeper: kafkaKeeper(producer, { note: () => {} }),
          sessions: createSessionBudget(1_000_000, process.clock),
          recordBytesMax: 1_000_000,
        },
        admission: { enter: () => null, charge: () => null },
        budget: createByteBudget(1_000_000, () => {}),
        idempotency: createIdempotencyCache(100_000, process.clock),
        nextEventId: () => `made-${++made}`,
        traceparentOf: () => '00-0123456789abcdef0123456789abcdef-0123456789abcdef-01',
        clock: process.clock,
        failPoint: () => {},
        metrics: createCollectorMetrics(METRICS),
        logger: traceLogger(process.name),
      }
      const send: Send = async (dataset, body, key) => {
        await process.delay(kernel.between(0, faults.latencyMaxMs))
        const sent = readNative(Buffer.from(body), 'json', COLLECTOR)
        if (sent instanceof RequestRefusal) return sent
        const lease = env.budget.lease()
        const request = {
          datasetId: dataset,
          protocol: 'native' as const,
          sent,
          ip: '192.0.2.1',
          userAgent: null,
          traceparent: env.traceparentOf(),
          idempotencyKey: key,
          dryRun: false,
          lease,
        }
        try {
          const collected = await collect(request, COLLECTOR, env)
          return collected instanceof RequestRefusal ? collected : collected.answer
        } finally {
          lease.release()
          await process.delay(kernel.between(0, faults.latencyMaxMs))
        }
      }
      const record: SendChunk = (session, id) =>
        producer
          .produce([
            chunkRecord(
              { topic: names.recordings, partitions: PARTITIONS },
              session,
              id,
              process.clock.now(),
            ),
          ])
          .then(
            () => true,
            () => false,
          )
      doors.set(process, { send, record })
      await new Promise<void>((resolve) => process.stopping.signal.addEventListener('abort', () => resolve()))
    },

    async enricher(process) {
      await runEnricher(
        {
          log: processLog(kernel, process, log, faults, tally),
          names,
          control,
          current: currentRules(
            () => control.snapshot,
            () => ({ hash: 'none', builtAt: 0, lookUp: () => NO_GEO }),
            REFERENCE,
            createSchemaCache(100),
            {},
          ),
          idBudget: createIdBudget(1_000_000),
          limits: {
            enrichedBytesMax: 900_000,
            rejectedPayloadBytesMax: 1_000,
            batchRowsMax: 20,
            batchBytesMax: 1_000_000,
            lingerMs: 100,
            transactionTimeoutMs: 30_000,
            dedupeWindowMs: DEDUPE_WINDOW_MS,
            tickMs: 20_000,
            takeoverSilenceMs: 20_000,
          },
          group,
          clock: process.clock,
          random: kernel.random,
          // Never the same twice: a sentinel in the changelog is known by them.
          randomBytes: (size) => {
            const bytes = Buffer.alloc(size)
            bytes.writeUInt32BE(++made)
            return bytes
          },
          failPoint: () => {},
          logger: traceLogger(process.name),
          metrics: enricherMetrics(METRICS),
          registry: METRICS,
          health: new Health(),
          absolved: new Set(),
        },
        process.stopping.signal,
      )
    },

    router: (process) =>
      runRouter({
        ...surroundings(process),
        control,
        settings: { ...ROUTER, kafkaSessionTimeoutMs: SESSION_MS },
        newOwner: () => `owner-${++made}`,
        stopping: process.stopping.signal,
      }),

    's3-sink'(process) {
      const disk = disks.pop() ?? createMemoryDisk()
      const died = process.onDeath
      process.onDeath = () => {
        tear(disk, kernel)
        disks.push(disk)
        died()
      }
      const own = processStore(process, store, disk)
      return runS3Sink(
        {
          ...surroundings(process),
          control,
          store: own,
          disk: processDisk(kernel, process, disk, faults),
          // Two versions of the program work side by side.
          encoder: memoryEncoder(disk, made % 2),
          signingKey: made % 2 === 0 ? SIGNING_KEY : NEXT_SIGNING_KEY,
          spoolDir: '/spool',
          bounds: {
            spoolBytesMax: 1_000_000,
            encodingsMax: 2,
            pathsMax: 20,
            queueBytesMax: 1_000_000,
            closeEveryMs: 10_000,
          },
          group: { ...group, pollRecordsMax: 50 },
          destinations: { of: () => own, close() {} },
          bucketDefault: BUCKET,
          nonce,
        },
        process.stopping.signal,
      )
    },

    'clickhouse-sink': (process) =>
      runClickHouseSink(
        {
          ...surroundings(process),
          clickhouse: processWarehouse(kernel, process, warehouse, faults, () => expire('clickhouse-sink')),
          // Two settings, as during a change of them.
          limits: { rows: made % 2 === 0 ? 15 : 6, bytes: 1_000_000, ageMs: 1_000 },
          bounds: { openBytesMax: 1_000_000, queueBytesMax: 1_000_000 },
          group: { ...group, pollRecordsMax: 50 },
          nonce,
        },
        process.stopping.signal,
      ),

    recordings: (process) =>
      runRecordings(
        {
          ...surroundings(process),
          clickhouse: processWarehouse(kernel, process, warehouse, faults, () => expire('recordings')),
          store: processStore(process, store, createMemoryDisk()),
          bucket: BUCKET,
          limits: { rows: made % 2 === 0 ? 5 : 3, bytes: 1_000_000, ageMs: 1_000 },
          bounds: { openBytesMax: 1_000_000, queueBytesMax: 1_000_000 },
          // Nothing is old enough to go while a history lasts.
          cleanUp: { retentionMs: RECORDINGS_KEPT_MS, intervalMs: RECORDINGS_KEPT_MS },
          group: { ...group, pollRecordsMax: 50 },
          decompress: async (compressed) => gunzipSync(compressed),
          nonce,
        },
        process.stopping.signal,
      ),

    identity: (process) =>
      runIdentity({
        ...surroundings(process),
        store: processPersons(process, identity.store),
        clickhouse: processTables(kernel, process, identity.tables),
        settings: { ...IDENTITY, kafkaSessionTimeoutMs: SESSION_MS },
        newOwner: () => `owner-${++made}`,
        stopping: process.stopping.signal,
      }),
  }
  function door() {
    const up = [...doors.values()]
    return up[Math.floor(kernel.random() * up.length)]
  }

  for (const [role, run] of Object.entries(runs)) for (let n = 0; n < 2; n++) start(role, run)

  return {
    log,
    store,
    warehouse,
    identity,
    control,
    processes,
    mistakes,
    alarms,
    async send(dataset, body, key) {
      const patience = kernel.delay(15_000).then(() => 'no answer' as const)
      return Promise.race([door()?.send(dataset, body, key) ?? ('no answer' as const), patience])
    },
    async record(session, id) {
      const patience = kernel.delay(15_000).then(() => false)
      return Promise.race([door()?.record(session, id) ?? false, patience])
    },
    expire,
    close() {
      isOpen = false
      for (const process of processes) process.onDeath = () => {}
      for (const process of processes) process.kill()
      // A signal made of others is kept by the runtime until one of them aborts, and with it the whole world.
      for (const process of everybody) process.stopping.abort()
    },
  }
}
