import { gunzipSync } from 'node:zlib'
import { runClickHouseSink } from '../../services/clickhouse-sink/pipeline.ts'
import { Health } from '../../services/core/runtime/health.ts'
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
import { createMemoryDisk, type MemoryDisk } from '../helpers/memory-disk.ts'
import { NEXT_SIGNING_KEY, SIGNING_KEY } from '../services/s3-sink/delivery-world.ts'
import { SESSION_MS, type SimulatedProcess } from './process.ts'
import { runCollector } from './simulated-collector.ts'
import { processLog } from './simulated-log.ts'
import { processPersons, processTables } from './simulated-persons.ts'
import { memoryEncoder, processDisk, processStore, processWarehouse, tear } from './simulated-sinks.ts'
import { NO_METRICS, type Surroundings } from './surroundings.ts'
import { BUCKET, DEDUPE_WINDOW_MS, names } from './world-config.ts'

/** What a process does from its start to its end. */
export type Run = (process: SimulatedProcess) => Promise<void>

const RECORDINGS_KEPT_MS = 86_400_000
const ROUTER = parseSettings(ROUTER_SETTINGS, { MILLRACE_ROUTER_BATCH_RECORDS: '20' })
const IDENTITY = parseSettings(IDENTITY_SETTINGS, {
  MILLRACE_IDENTITY_BATCH_RECORDS: '10',
  MILLRACE_IDENTITY_SELECT_RECORDS: '20',
  MILLRACE_IDENTITY_PUBLISH_ROWS: '15',
  // Memory for them is taken at once, by every process of a history.
  MILLRACE_IDENTITY_SIGHTINGS_MAX: '1000',
})
const REFERENCE = loadReferenceData(1_000)

/** Every stage by its own pipeline, under the names that its processes have. */
export function stageRuns(around: Surroundings): Readonly<Record<string, Run>> {
  const { kernel, faults, tally, log, store, warehouse, control } = around
  const group = { sessionTimeoutMs: SESSION_MS, prefetchBytesMax: 1_000_000 }
  const nonce = () => `n${around.next()}`
  /** What dead sinks left behind: the next one finds it in its way. */
  const disks: MemoryDisk[] = []

  /** What stages need of the world, whatever they do. */
  function stageOf(process: SimulatedProcess) {
    return {
      log: processLog(kernel, process, log, faults, tally),
      names,
      clock: process.clock,
      random: kernel.random,
      failPoint: () => {},
      logger: around.logger(process),
      metrics: NO_METRICS,
      health: new Health(),
    }
  }

  return {
    collector: (process) => runCollector(process, around),

    enricher: (process) =>
      runEnricher(
        {
          ...stageOf(process),
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
          // Never the same twice: a sentinel in the changelog is known by them.
          randomBytes: (size) => {
            const bytes = Buffer.alloc(size)
            bytes.writeUInt32BE(around.next())
            return bytes
          },
          metrics: enricherMetrics(NO_METRICS),
          registry: NO_METRICS,
          absolved: new Set(),
        },
        process.stopping.signal,
      ),

    router: (process) =>
      runRouter({
        ...stageOf(process),
        control,
        settings: { ...ROUTER, kafkaSessionTimeoutMs: SESSION_MS },
        newOwner: () => `owner-${around.next()}`,
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
          ...stageOf(process),
          control,
          store: own,
          disk: processDisk(kernel, process, disk, faults),
          // Two versions of the program work side by side.
          encoder: memoryEncoder(disk, around.made % 2),
          signingKey: around.made % 2 === 0 ? SIGNING_KEY : NEXT_SIGNING_KEY,
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
          ...stageOf(process),
          clickhouse: processWarehouse(kernel, process, warehouse, faults, () =>
            around.expire('clickhouse-sink'),
          ),
          // Two settings, as during a change of them.
          limits: { rows: around.made % 2 === 0 ? 15 : 6, bytes: 1_000_000, ageMs: 1_000 },
          bounds: { openBytesMax: 1_000_000, queueBytesMax: 1_000_000 },
          group: { ...group, pollRecordsMax: 50 },
          nonce,
        },
        process.stopping.signal,
      ),

    recordings: (process) =>
      runRecordings(
        {
          ...stageOf(process),
          clickhouse: processWarehouse(kernel, process, warehouse, faults, () => around.expire('recordings')),
          store: processStore(process, store, createMemoryDisk()),
          bucket: BUCKET,
          limits: { rows: around.made % 2 === 0 ? 5 : 3, bytes: 1_000_000, ageMs: 1_000 },
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
        ...stageOf(process),
        store: processPersons(process, around.identity.store),
        clickhouse: processTables(kernel, process, around.identity.tables),
        settings: { ...IDENTITY, kafkaSessionTimeoutMs: SESSION_MS },
        newOwner: () => `owner-${around.next()}`,
        stopping: process.stopping.signal,
      }),
  }
}
