import { createOpenBytes } from '../core/clickhouse/open-bytes.ts'
import { watchDependencies } from '../core/runtime/dependency-watch.ts'
import { createPlannedBatches } from '../core/stream/planned-batch.ts'
import { runPartitions } from '../core/stream/run-partitions.ts'
import { keepCleaningUp } from './clean-up.ts'
import type { Environment } from './environment.ts'
import { recordingSink } from './recording-sink.ts'
import { recordingsMetrics } from './recordings-metrics.ts'

/** One batch, objects and rows, may take this long before the group takes the partition away. */
const POLL_INTERVAL_MAX_MS = 5 * 60_000
const COMMIT_POLICY = { attempts: 5, pauseMs: 500 }
const REPLAY_IDLE_MS = 30_000

/**
 * Puts the chunks of `recordings.raw` into objects and their rows into `recording_chunks`, every record once: planned
 * batches (`core/stream/planned-batch.ts`). Beside that it removes what is too old, and what came late of sessions that
 * were deleted.
 *
 * @returns resolves when `stopping` aborted and every partition has stopped; open batches are read again later
 * @throws what only our own mistakes throw
 */
export async function runRecordings(env: Environment, stopping: AbortSignal): Promise<void> {
  const { log, names, clickhouse, store, bucket, clock, logger, metrics, health } = env
  const observe = recordingsMetrics(metrics)
  const openBytes = createOpenBytes(env.bounds.openBytesMax)
  const planned = createPlannedBatches({
    log,
    clock,
    logger,
    nonce: env.nonce,
    failPoint: env.failPoint,
    observer: observe.observer,
    commitPolicy: COMMIT_POLICY,
    replayIdleMs: REPLAY_IDLE_MS,
    sessionTimeoutMs: env.group.sessionTimeoutMs,
  })
  const sink = {
    clickhouse,
    store,
    bucket,
    admin: log.admin,
    limits: env.limits,
    decompress: env.decompress,
    openShare: () => {
      observe.openBytes(openBytes.total())
      return openBytes.open()
    },
    nonce: env.nonce,
    failPoint: env.failPoint,
    observeBatch: observe.observeBatch,
  }
  const watched = [
    { name: 'clickhouse', ask: () => clickhouse.ping() },
    { name: 'kafka', ask: () => log.admin.describeTopic(names.recordings) },
    // That nothing is there is an answer, too; a bucket that is gone is none.
    { name: 's3', ask: () => store.get(bucket, 'recordings/') },
  ]
  await Promise.all([
    watchDependencies(watched, health, clock, stopping),
    keepCleaningUp(
      { stores: { clickhouse, store, bucket }, ...env.cleanUp, clock, logger, removed: observe.removed },
      stopping,
    ),
    runPartitions({
      log,
      group: {
        groupId: names.group('recordings'),
        clientId: 'millrace-recordings',
        topics: [names.recordings],
        maxPollIntervalMs: POLL_INTERVAL_MAX_MS,
        ...env.group,
      },
      createWorker: (partition, consumer) => planned(partition, consumer, recordingSink(sink, partition)),
      bounds: { queueRecordsMax: 4 * env.group.pollRecordsMax, queueBytesMax: env.bounds.queueBytesMax },
      stage: 'recordings',
      logger,
      metrics,
      health,
      signal: stopping,
      clock,
      random: env.random,
    }),
  ])
}
