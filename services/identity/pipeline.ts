import { identityTopicSpecs } from '../core/kafka/topic-specs.ts'
import { watchDependencies } from '../core/runtime/dependency-watch.ts'
import { DependencyError } from '../core/runtime/errors.ts'
import { type RunPartitionsOptions, runPartitions } from '../core/stream/run-partitions.ts'
import type { IdentityEnvironment } from './environment.ts'
import { identityMetrics } from './identity-metrics.ts'
import { createRepartitionWorker, type RepartitionDependencies } from './repartition/repartition-worker.ts'
import { createSightings } from './repartition/sightings.ts'
import { createResolveWorker, type ResolveDependencies } from './resolve/resolve-worker.ts'

const STAGE = 'identity'
/** What waits for one partition's worker: a few batches. */
const QUEUE_BATCHES = 4
const QUEUE_BYTES_MAX = 32 * 1024 * 1024
const POLL_INTERVAL_MAX_MS = 300_000

/**
 * Finds out who did what, in two steps that scale apart: what each partition of `events.enriched` says about persons
 * goes to `events.identity`, by dataset; each partition of that has one writer, who applies it to the persons in the
 * store and tells what became of them.
 *
 * ```
 *  events.enriched ──▶ repartition ──▶ events.identity ──▶ resolve ──▶ state, position, outbox ──▶ publish ─┬▶ persons
 *   (by person)        one Kafka        (by dataset)                   one SQL transaction                  └▶ ClickHouse
 *                      transaction
 * ```
 */
export async function runIdentity(env: IdentityEnvironment): Promise<void> {
  const { log, names, settings, clock, metrics, logger } = env
  const enriched = await log.admin.describeTopic(names.enriched)
  if (enriched === null)
    throw new DependencyError(
      'kafka',
      'not_found',
      `${names.enriched} is not there: start the enricher first.`,
    )
  await log.admin.createTopics(
    identityTopicSpecs(names, {
      partitions: enriched.partitions,
      replicationFactor: settings.kafkaReplication,
    }),
  )
  const partitionsOf = async (topic: string) =>
    (await log.admin.describeTopic(topic))?.partitions ?? enriched.partitions
  const observe = identityMetrics(metrics, clock.now)

  const repartition: RepartitionDependencies = {
    log,
    identity: { topic: names.identity, partitions: await partitionsOf(names.identity) },
    transactionalId: (partition) => names.transactionalId(STAGE, `repartition.${partition}`),
    transactionTimeoutMs: settings.transactionTimeoutMs,
    sightings: createSightings(settings.sightingsMax),
    failPoint: env.failPoint,
    clock,
    meter: observe.selected,
  }
  const resolve: ResolveDependencies = {
    log,
    partitions: repartition.identity.partitions,
    store: env.store,
    clickhouse: env.clickhouse,
    persons: { topic: names.persons, partitions: await partitionsOf(names.persons) },
    transactionalId: (partition) => names.transactionalId(STAGE, `publish.${partition}`),
    transactionTimeoutMs: settings.transactionTimeoutMs,
    newOwner: env.newOwner,
    outboxRowsMax: settings.outboxRowsMax,
    rowsMax: settings.publishRowsMax,
    bytesMax: settings.publishBytesMax,
    intervalMs: settings.publishIntervalMs,
    clock,
    random: env.random,
    failPoint: env.failPoint,
    logger,
    resolved: observe.resolved,
    meter: observe.told,
    erased: observe.erased,
    outboxLevel: observe.outbox,
  }

  const run = (
    part: 'repartition' | 'resolve',
    topic: string,
    recordsMax: number,
    createWorker: RunPartitionsOptions['createWorker'],
  ): Promise<void> =>
    runPartitions({
      log,
      group: {
        groupId: names.group(STAGE, part),
        clientId: `millrace-${STAGE}-${part}`,
        topics: [topic],
        sessionTimeoutMs: settings.kafkaSessionTimeoutMs,
        maxPollIntervalMs: POLL_INTERVAL_MAX_MS,
        pollRecordsMax: recordsMax,
        prefetchBytesMax: settings.kafkaPrefetchBytesMax,
      },
      createWorker,
      bounds: { queueRecordsMax: QUEUE_BATCHES * recordsMax, queueBytesMax: QUEUE_BYTES_MAX },
      stage: `${STAGE}_${part}`,
      logger: logger.child({ part }),
      metrics,
      health: env.health,
      signal: env.stopping,
      clock,
      random: env.random,
    })

  const watched = [
    { name: 'clickhouse', ask: () => env.clickhouse.ping() },
    { name: 'kafka', ask: () => log.admin.describeTopic(names.enriched) },
    { name: 'database of persons', ask: () => env.store.ping() },
  ]
  await Promise.all([
    watchDependencies(watched, env.health, clock, env.stopping),
    run('repartition', names.enriched, settings.selectRecordsMax, (where, consumer) =>
      createRepartitionWorker(repartition, where, consumer),
    ),
    run('resolve', names.identity, settings.batchRecordsMax, (where, consumer) =>
      createResolveWorker(resolve, where, consumer),
    ),
  ])
}
