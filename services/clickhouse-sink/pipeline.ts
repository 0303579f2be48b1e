import { ENRICHED_EVENT_VERSION } from '../../schemas/enriched-event/v1.ts'
import { REJECTED_EVENT_VERSION } from '../../schemas/rejected-event/v1.ts'
import { createOpenBytes } from '../core/clickhouse/open-bytes.ts'
import { watchDependencies } from '../core/runtime/dependency-watch.ts'
import { createPlannedBatches } from '../core/stream/planned-batch.ts'
import { runPartitions } from '../core/stream/run-partitions.ts'
import type { Environment } from './environment.ts'
import { sinkMetrics } from './sink-metrics.ts'
import { type SinkTable, tableSink } from './table-sink.ts'

/** One insert, its verification included, may take this long before the group takes the partition away. */
const POLL_INTERVAL_MAX_MS = 5 * 60_000
const COMMIT_POLICY = { attempts: 5, pauseMs: 500 }
const REPLAY_IDLE_MS = 30_000

/** One stream into one table: a consumer group of its own, so that neither holds up the other. */
interface Lane extends SinkTable {
  readonly part: 'events' | 'rejected'
  readonly topic: string
}

/**
 * Puts `events.enriched` into `events` and `events.rejected` into `rejected_events`, every record once: planned
 * batches (`core/stream/planned-batch.ts`) whose effect is one INSERT of the records' own bytes.
 *
 * @returns resolves when `stopping` aborted and every partition has stopped; open batches are read again later
 * @throws what only our own mistakes throw
 */
export async function runClickHouseSink(env: Environment, stopping: AbortSignal): Promise<void> {
  const { log, names, clickhouse, clock, logger, metrics, health } = env
  const observe = sinkMetrics(metrics)
  const openBytes = createOpenBytes(env.bounds.openBytesMax)
  const openShare = () => {
    observe.openBytes(openBytes.total())
    return openBytes.open()
  }

  const runLane = async ({ part, topic, ...target }: Lane): Promise<void> => {
    const own = logger.child({ table: target.table })
    const planned = createPlannedBatches({
      log,
      clock,
      logger: own,
      nonce: env.nonce,
      failPoint: env.failPoint,
      observer: observe.observer(target.table),
      commitPolicy: COMMIT_POLICY,
      replayIdleMs: REPLAY_IDLE_MS,
      sessionTimeoutMs: env.group.sessionTimeoutMs,
    })
    const sink = {
      clickhouse,
      admin: log.admin,
      limits: env.limits,
      openShare,
      nonce: env.nonce,
      failPoint: env.failPoint,
      observeBatch: observe.observeBatch,
    }
    await runPartitions({
      log,
      group: {
        groupId: names.group('clickhouse-sink', part),
        clientId: `millrace-clickhouse-sink-${part}`,
        topics: [topic],
        maxPollIntervalMs: POLL_INTERVAL_MAX_MS,
        ...env.group,
      },
      createWorker: (partition, consumer) => planned(partition, consumer, tableSink(sink, target, partition)),
      bounds: { queueRecordsMax: 4 * env.group.pollRecordsMax, queueBytesMax: env.bounds.queueBytesMax },
      stage: `clickhouse_sink_${part}`,
      logger: own,
      metrics,
      health,
      signal: stopping,
      clock,
      random: env.random,
    })
  }

  const watched = [
    { name: 'clickhouse', ask: () => clickhouse.ping() },
    { name: 'kafka', ask: () => log.admin.describeTopic(names.enriched) },
  ]
  await Promise.all([
    watchDependencies(watched, health, clock, stopping),
    runLane({ part: 'events', topic: names.enriched, table: 'events', version: ENRICHED_EVENT_VERSION }),
    runLane({
      part: 'rejected',
      topic: names.rejected,
      table: 'rejected_events',
      version: REJECTED_EVENT_VERSION,
    }),
  ])
}
