import { randomFillSync } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import { openControlView } from '../core/control/control-topic.ts'
import { uuidv7Generator } from '../core/event/event-id.ts'
import { openKafkaLog } from '../core/kafka/kafka-log.ts'
import type { LogAdmin, Producer } from '../core/kafka/log.ts'
import { ensureOwnTopics, recordingsTopicSpec } from '../core/kafka/topic-specs.ts'
import { kafkaNames } from '../core/kafka/topics.ts'
import { compressLine } from '../core/recordings/chunk-line.ts'
import type { Clock } from '../core/runtime/clock.ts'
import { failPoints } from '../core/runtime/fail-points.ts'
import type { Logger } from '../core/runtime/logger.ts'
import type { Metrics } from '../core/runtime/metrics.ts'
import type { Stage } from '../core/runtime/stage.ts'
import { createAdmission } from './admission.ts'
import { createByteBudget } from './byte-budget.ts'
import { createCollectorMetrics } from './collector-metrics.ts'
import { COLLECTOR_SETTINGS, type CollectorSettings, requireRecordRoom } from './config.ts'
import { drainServer } from './drain-server.ts'
import { createIdempotencyCache } from './idempotency.ts'
import { createKafkaWatch, type KafkaWatch } from './kafka-watch.ts'
import { trustKeys } from './key-trust.ts'
import { createLoopLag } from './loop-lag.ts'
import { quotaOf } from './quota.ts'
import { kafkaKeeper } from './record-keeper.ts'
import { buildServer } from './server.ts'
import { createSessionBudget } from './session-budget.ts'
import { openNodeStoreDisk } from './store/node-store-disk.ts'
import { openSegmentLog } from './store/segment-log.ts'
import { createStoreMetrics } from './store/store-metrics.ts'
import { createStoringKeeper, type StoringKeeper } from './store/storing-keeper.ts'
import { traceparents } from './traceparent.ts'

const KAFKA_WATCH_MS = 5_000

const randomFill = (bytes: Uint8Array) => void randomFillSync(bytes)

/** Segments are deleted as a whole: small ones give the disk back sooner, large ones are fewer files. */
const SEGMENT_BYTES = 16 * 1024 * 1024
/** What one sync of the store writes, and what is read from it and sent at a time. */
const STORE_GROUP_BYTES = 4 * 1024 * 1024
const STORE_DRAIN_BYTES = 1024 * 1024

/** Events in over HTTP, out to `events.raw`, and chunks of recordings to `recordings.raw`. */
export const stage: Stage<typeof COLLECTOR_SETTINGS> = {
  name: 'collector',
  settings: COLLECTOR_SETTINGS,
  async run(settings, { logger, metrics, health, stopping, clock }) {
    requireRecordRoom(settings)
    const names = kafkaNames(settings.kafkaPrefix)
    const log = await openKafkaLog(settings, logger)
    const control = await openControlView({ log, names, clock, logger })
    const topicOptions = {
      partitions: settings.kafkaPartitions,
      replicationFactor: settings.kafkaReplication,
    }
    await ensureOwnTopics(log.admin, names, topicOptions, [names.raw])
    await log.admin.createTopics([recordingsTopicSpec(names, topicOptions)])
    const topic = await madeTopic(log.admin, names.raw)
    const recordingsTopic = await madeTopic(log.admin, names.recordings)
    const sending = { lingerMs: settings.lingerMs, deliveryTimeoutMs: settings.produceTimeoutMs }
    const producer = await log.openProducer({ clientId: 'millrace-collector', ...sending })
    // A megabyte of somebody's screen on its way holds up no event.
    const chunkProducer = await log.openProducer({ clientId: 'millrace-collector-recordings', ...sending })
    const kafka = createKafkaWatch(log.admin, names.raw, topic.partitions, KAFKA_WATCH_MS, clock)
    const store = await openStore(settings, {
      producer,
      watch: kafka,
      topic: names.raw,
      logger,
      metrics,
      clock,
    })
    const keys = store === null ? control : trustKeys(control, settings.storeKeysAgeMaxMs, clock)
    if (store === null) health.add({ name: 'kafka', kind: 'ready', problem: kafka.problem })
    else health.add({ name: 'store', kind: 'ready', problem: store.problem })
    health.add({ name: 'control', kind: 'ready', problem: () => keys.problem() })

    const collectorMetrics = createCollectorMetrics(metrics)
    const lag = createLoopLag(clock)
    const server = buildServer(settings, {
      control: keys,
      keeper: store ?? kafkaKeeper(producer, kafka),
      rawTopic: names.raw,
      rawPartitions: topic.partitions,
      recordings: {
        topic: names.recordings,
        partitions: recordingsTopic.partitions,
        keeper: kafkaKeeper(chunkProducer, kafka),
        sessions: createSessionBudget(settings.recordingSessionBytesMax, clock),
        compress: compressLine,
        recordBytesMax: settings.kafkaRecordBytesMax,
      },
      admission: createAdmission(
        settings,
        (datasetId) => quotaOf(control.snapshot.datasets.get(datasetId)?.object, settings),
        lag.lagMs,
        clock,
      ),
      budget: createByteBudget(settings.inFlightBytesMax, collectorMetrics.inFlightBytes),
      idempotency: createIdempotencyCache(settings.idempotencyCacheBytesMax, clock),
      nextEventId: uuidv7Generator({ now: clock.now, randomFill }),
      traceparentOf: traceparents(randomFill),
      clock,
      metrics: collectorMetrics,
      failPoint: failPoints(settings.failPoint),
      logger,
    })
    await server.app.listen({ host: settings.host, port: settings.port })
    logger.info({ port: (server.app.server.address() as AddressInfo).port }, 'Events are taken.')

    const ended = new AbortController()
    const looking = lag.run(ended.signal)
    await kafka.run(stopping)
    await drainServer(server, settings.drainGraceMs, settings.drainCutMs, clock)
    ended.abort()
    await looking
    await store?.close()
    await Promise.all([producer.close(), chunkProducer.close()])
    await control.close()
    await log.close()
  },
}

async function madeTopic(admin: Pick<LogAdmin, 'describeTopic'>, topic: string) {
  const found = await admin.describeTopic(topic)
  if (found === null) throw new Error(`The topic ${topic} was made and is not there.`)
  return found
}

interface StoreParts {
  readonly producer: Producer
  readonly watch: KafkaWatch
  readonly topic: string
  readonly logger: Logger
  readonly metrics: Metrics
  readonly clock: Clock
}

/** Null when no store is wanted. What an earlier process left in it begins to be sent. */
async function openStore(settings: CollectorSettings, parts: StoreParts): Promise<StoringKeeper | null> {
  const { storeDir, storeBytesMax, storeAgeMaxMs, storePatienceMs } = settings
  if (storeDir === null) return null
  const { producer, watch, topic, logger, clock } = parts
  const log = await openSegmentLog(
    {
      disk: await openNodeStoreDisk(storeDir),
      clock,
      logger,
      metrics: createStoreMetrics(parts.metrics),
      randomFill,
    },
    {
      topic,
      bytesMax: storeBytesMax,
      ageMaxMs: storeAgeMaxMs,
      segmentBytes: SEGMENT_BYTES,
      groupBytesMax: STORE_GROUP_BYTES,
    },
  )
  return createStoringKeeper(
    { producer, log, watch, clock, random: Math.random, logger },
    { patienceMs: storePatienceMs, drainBytes: STORE_DRAIN_BYTES },
  )
}
