import { routerTopicSpec } from '../core/kafka/topic-specs.ts'
import { DependencyError } from '../core/runtime/errors.ts'
import { runPartitions } from '../core/stream/run-partitions.ts'
import type { RouterEnvironment } from './environment.ts'
import { createLaneSlots } from './lane-slots.ts'
import { createPartitionRouter, type PartitionRouterDependencies } from './partition-router.ts'
import { createRouterMeters } from './router-meters.ts'
import { compileRoutes } from './routing-table.ts'
import { createSubscriberTopics } from './subscriber-topics.ts'
import { createSuspicions } from './suspicions.ts'

const STAGE = 'subscriber-router'
/** What waits for one partition's worker: a few batches. */
const QUEUE_BATCHES = 4
const QUEUE_BYTES_MAX = 32 * 1024 * 1024
const MAX_POLL_INTERVAL_MS = 300_000

/**
 * Writes every enriched event to the topic of every subscription that asks for it, exactly once for a consumer that
 * reads committed records. One worker per input partition: `partition-router.ts`.
 */
export async function runRouter(env: RouterEnvironment): Promise<void> {
  const { log, names, control, settings, clock, logger, metrics } = env
  const enriched = await log.admin.describeTopic(names.enriched)
  if (enriched === null)
    throw new DependencyError(
      'kafka',
      'not_found',
      `${names.enriched} is not there: start the enricher first.`,
    )
  await log.admin.createTopics([routerTopicSpec(names, enriched.partitions, settings.kafkaReplication)])

  let table = compileRoutes(control.snapshot)
  control.onChange((snapshot) => {
    table = compileRoutes(snapshot)
    for (const [subscription, reason] of table.unusable)
      logger.error({ subscription, reason }, 'A subscription cannot be carried out; its events wait.')
  })
  env.health.add({ name: 'configuration', kind: 'ready', problem: () => control.problem() })

  const meters = createRouterMeters(metrics)
  const deps: PartitionRouterDependencies = {
    log,
    control,
    topics: createSubscriberTopics(log.admin, names, {
      partitions: enriched.partitions,
      replicationFactor: settings.kafkaReplication,
      recordBytes: settings.kafkaRecordBytesMax,
    }),
    table: () => table,
    slots: createLaneSlots(settings.ownLanesMax),
    suspicions: createSuspicions(),
    clock,
    random: env.random,
    newOwner: env.newOwner,
    failPoint: env.failPoint,
    logger,
    enriched: names.enriched,
    router: names.router,
    partitions: enriched.partitions,
    sharedTransactionalId: (partition) => names.transactionalId('router', partition),
    transactionalId: (partition, subscription) =>
      names.transactionalId('router', `${partition}.${subscription}`),
    transactionTimeoutMs: settings.transactionTimeoutMs,
    retryDelayMaxMs: settings.retryDelayMaxMs,
    joinTimeoutMs: settings.joinTimeoutMs,
    slowCommitMs: settings.slowCommitMs,
    meter: meters.routed,
    onLost: meters.lost,
    onLanes: meters.lanes,
  }
  await runPartitions({
    log,
    group: {
      groupId: names.group(STAGE),
      clientId: `millrace-${STAGE}`,
      topics: [names.enriched],
      sessionTimeoutMs: settings.kafkaSessionTimeoutMs,
      maxPollIntervalMs: MAX_POLL_INTERVAL_MS,
      pollRecordsMax: settings.batchRecordsMax,
      prefetchBytesMax: settings.kafkaPrefetchBytesMax,
    },
    createWorker: (partition, consumer) => createPartitionRouter(deps, partition, consumer),
    bounds: { queueRecordsMax: QUEUE_BATCHES * settings.batchRecordsMax, queueBytesMax: QUEUE_BYTES_MAX },
    stage: 'router',
    logger,
    metrics,
    health: env.health,
    signal: env.stopping,
    clock,
    random: env.random,
  })
}
