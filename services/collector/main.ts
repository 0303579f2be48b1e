import { randomFillSync } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import { openControlView } from '../core/control/control-topic.ts'
import { uuidv7Generator } from '../core/event/event-id.ts'
import { openKafkaLog } from '../core/kafka/kafka-log.ts'
import { DEFAULT_DEDUPE_WINDOW_MS, topicSpecs } from '../core/kafka/topic-specs.ts'
import { kafkaNames } from '../core/kafka/topics.ts'
import { failPoints } from '../core/runtime/fail-points.ts'
import type { Stage } from '../core/runtime/stage.ts'
import { createByteBudget } from './byte-budget.ts'
import { createCollectorMetrics } from './collector-metrics.ts'
import { COLLECTOR_SETTINGS, requireRecordRoom } from './config.ts'
import { drainServer } from './drain-server.ts'
import { createIdempotencyCache } from './idempotency.ts'
import { createKafkaWatch } from './kafka-watch.ts'
import { buildServer } from './server.ts'
import { traceparents } from './traceparent.ts'

const KAFKA_WATCH_MS = 5_000

const randomFill = (bytes: Uint8Array) => void randomFillSync(bytes)

/** Events in over HTTP, out to `events.raw`. */
export const stage: Stage<typeof COLLECTOR_SETTINGS> = {
  name: 'collector',
  settings: COLLECTOR_SETTINGS,
  async run(settings, { logger, metrics, health, stopping, clock }) {
    requireRecordRoom(settings)
    const names = kafkaNames(settings.kafkaPrefix)
    const log = await openKafkaLog(settings, logger)
    const control = await openControlView({ log, names, clock, logger })
    const specs = topicSpecs(names, {
      partitions: settings.kafkaPartitions,
      replicationFactor: settings.kafkaReplication,
      dedupeWindowMs: DEFAULT_DEDUPE_WINDOW_MS,
    })
    // Only the one that is ours to write: others are made by stages that know their settings.
    await log.admin.createTopics(specs.filter((spec) => spec.topic === names.raw))
    const topic = await log.admin.describeTopic(names.raw)
    if (topic === null) throw new Error(`The topic ${names.raw} was made and is not there.`)
    const producer = await log.openProducer({
      clientId: 'millrace-collector',
      lingerMs: settings.lingerMs,
      deliveryTimeoutMs: settings.produceTimeoutMs,
    })
    const kafka = createKafkaWatch(log.admin, names.raw, topic.partitions, KAFKA_WATCH_MS, clock)
    health.add({ name: 'kafka', kind: 'ready', problem: kafka.problem })
    health.add({ name: 'control', kind: 'ready', problem: () => control.problem() })

    const collectorMetrics = createCollectorMetrics(metrics)
    const server = buildServer(settings, {
      control,
      producer,
      kafka,
      rawTopic: names.raw,
      rawPartitions: topic.partitions,
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

    await kafka.run(stopping)
    await drainServer(server, settings.drainGraceMs, settings.drainCutMs, clock)
    await producer.close()
    await control.close()
    await log.close()
  },
}
