import { publicKeyKey } from '../../schemas/manifest/v1.ts'
import type { ControlView } from '../core/control/control-view.ts'
import type { GroupConsumer } from '../core/kafka/log.ts'
import { currentStore } from '../core/object-store/destination-stores.ts'
import type { ObjectStore } from '../core/object-store/object-store.ts'
import { putOnce } from '../core/object-store/put-once.ts'
import { watchDependencies } from '../core/runtime/dependency-watch.ts'
import { isDependencyError } from '../core/runtime/errors.ts'
import { Health } from '../core/runtime/health.ts'
import { PATIENT } from '../core/runtime/retry.ts'
import { createPlannedBatches } from '../core/stream/planned-batch.ts'
import { runPartitions } from '../core/stream/run-partitions.ts'
import { bucketWatch } from './bucket-watch.ts'
import { keepClosing } from './closing-loop.ts'
import { deliveryMetrics, labelled } from './delivery-metrics.ts'
import { deliverySink } from './delivery-sink.ts'
import { encodingSlots } from './encoding-slots.ts'
import type { S3SinkEnvironment } from './environment.ts'
import { spoolBudget } from './spool-budget.ts'

/** Encoding and uploading one batch may take this long before the group takes the partition away. */
const POLL_INTERVAL_MAX_MS = 5 * 60_000
const COMMIT_POLICY = { attempts: 5, pauseMs: 500 }
const REPLAY_IDLE_MS = 30_000

/** One delivery that runs: its consumer group, and how it fares. */
interface RunningDelivery {
  readonly topic: string
  readonly health: Health
  problem: string | null
  /** Why hours are not closed; rows are delivered all the same. */
  closingProblem: string | null
  readonly stop: AbortController
  readonly done: Promise<void>
}

/**
 * Delivers `events.enriched` and `events.rejected` to S3. Every delivery is a consumer group of its own, so one that
 * fails or is slow holds up no other; deliveries come and go with the configuration.
 *
 * An open batch is discarded when its partition goes away or the process stops: it had no effect yet, its records are
 * read again, and a deploy neither waits for uploads nor leaves small files behind.
 *
 * @returns resolves when `stopping` aborted and every delivery has stopped
 * @throws what only our own mistakes throw
 */
export async function runS3Sink(env: S3SinkEnvironment, stopping: AbortSignal): Promise<void> {
  const { control, names, health } = env
  const running = new Map<string, RunningDelivery>()
  const crash = Promise.withResolvers<never>()
  crash.promise.catch(() => undefined)
  const runDelivery = deliveryRunner(env)

  health.add({ name: 'control', kind: 'ready', problem: () => control.problem() })
  health.add({ name: 'deliveries', kind: 'ready', problem: () => problemOf(running, control) })

  function start(id: string, topic: string): void {
    const stop = new AbortController()
    const state = {
      topic,
      health: new Health(),
      problem: null as string | null,
      closingProblem: null as string | null,
      stop,
    }
    const done = runDelivery(id, topic, state, stop.signal).catch(crash.reject)
    running.set(id, Object.assign(state, { done }))
    env.logger.info({ delivery: id, topic }, 'Delivery started.')
  }

  /** Starts what is new, ends what is gone. A changed configuration alone restarts nothing: the next batch has it. */
  function follow(): void {
    const wanted = new Map(
      [...control.snapshot.deliveries.values()]
        .filter(({ object }) => object.paused !== true)
        .map(({ object }) => [object.id, object.source === 'rejected' ? names.rejected : names.enriched]),
    )
    for (const [id, delivery] of running) {
      if (wanted.get(id) === delivery.topic || delivery.stop.signal.aborted) continue
      delivery.stop.abort()
      env.logger.info({ delivery: id }, 'Delivery ended.')
      void delivery.done.then(() => {
        running.delete(id)
        follow() // It may come back, on another topic.
      })
    }
    if (stopping.aborted) return
    for (const [id, topic] of wanted) if (!running.has(id)) start(id, topic)
  }

  const unfollow = control.onChange(follow)
  follow()
  const buckets = bucketWatch(env.store, control, env.bucketDefault, env.signingKey.keyId)
  // It ends when the process is told to stop.
  const watching = watchDependencies([buckets], health, env.clock, stopping)
  try {
    await Promise.race([watching, crash.promise])
    for (const { stop } of running.values()) stop.abort()
    await Promise.race([Promise.all([...running.values()].map(({ done }) => done)), crash.promise])
  } finally {
    unfollow()
  }
}

type RunDelivery = (
  id: string,
  topic: string,
  state: { readonly health: Health; problem: string | null; closingProblem: string | null },
  signal: AbortSignal,
) => Promise<void>

/** What all deliveries of the process share: encoder slots, spool disk, the signing key's publication. */
function deliveryRunner(env: S3SinkEnvironment): RunDelivery {
  const { log, names, clock, logger, bounds } = env
  const metrics = deliveryMetrics(env.metrics)
  const budget = spoolBudget(bounds.spoolBytesMax)
  const encodingSlot = encodingSlots(bounds.encodingsMax)
  const published = new Set<string>()

  async function publishKey(store: ObjectStore, bucket: string): Promise<void> {
    if (published.has(bucket)) return
    const { keyId, publicPem } = env.signingKey
    const body = { bytes: Buffer.from(publicPem) }
    await putOnce(store, bucket, publicKeyKey(keyId), body, { contentType: 'application/x-pem-file' })
    published.add(bucket)
  }

  const bucketOf = (id: string) => env.control.snapshot.deliveries.get(id)?.object.bucket ?? env.bucketDefault

  async function consume(
    id: string,
    topic: string,
    state: { readonly health: Health; closingProblem: string | null },
    signal: AbortSignal,
  ): Promise<void> {
    // Credentials in force count, also for a plan that was made under others.
    const store = currentStore(() => {
      const found = env.control.snapshot.deliveries.get(id)
      return found === undefined ? env.store : env.destinations.of(found.object)
    })
    await publishKey(store, bucketOf(id))
    const own = logger.child({ delivery: id })
    const planned = createPlannedBatches({
      log,
      clock,
      logger: own,
      nonce: env.nonce,
      failPoint: env.failPoint,
      observer: metrics.observer(id),
      commitPolicy: COMMIT_POLICY,
      replayIdleMs: REPLAY_IDLE_MS,
      sessionTimeoutMs: env.group.sessionTimeoutMs,
    })
    const sinkEnvironment = {
      store,
      disk: env.disk,
      encoder: env.encoder,
      signingKey: env.signingKey,
      encodingSlot,
      failPoint: env.failPoint,
      observeBatch: metrics.observeBatch,
      control: env.control,
      bucketDefault: env.bucketDefault,
      spoolDir: env.spoolDir,
      spoolBudget: budget,
      pathsMax: bounds.pathsMax,
    }
    let first: GroupConsumer | null = null
    const ended = new AbortController()
    const closing = keepClosing(
      {
        store,
        signingKey: env.signingKey,
        clock,
        logger: own,
        everyMs: bounds.closeEveryMs,
        delivery: id,
        topic,
        bucket: () => bucketOf(id),
        partitions: async () => (await log.admin.describeTopic(topic))?.partitions ?? 0,
        // One process of all is enough, though more would do no harm.
        isOurs: () => first?.assigned({ topic, partition: 0 }) ?? false,
        onProblem(problem) {
          state.closingProblem = problem
        },
      },
      AbortSignal.any([signal, ended.signal]),
    )
    const delivering = runPartitions({
      log,
      group: {
        groupId: names.group('s3-sink', id),
        clientId: `millrace-s3-sink-${id}`,
        topics: [topic],
        maxPollIntervalMs: POLL_INTERVAL_MAX_MS,
        ...env.group,
      },
      createWorker(partition, consumer) {
        if (partition.partition === 0) first = consumer
        return planned(partition, consumer, deliverySink(sinkEnvironment, id, partition))
      },
      bounds: {
        queueRecordsMax: 4 * env.group.pollRecordsMax,
        queueBytesMax: bounds.queueBytesMax,
      },
      stage: 's3_sink',
      logger: own,
      metrics: labelled(env.metrics, { delivery: id }),
      health: state.health,
      signal,
      clock,
      random: env.random,
    })
    await Promise.all([delivering.finally(() => ended.abort()), closing])
  }

  return async (id, topic, state, signal) => {
    for (let attempt = 1; !signal.aborted; attempt++) {
      try {
        await consume(id, topic, state, signal)
        return
      } catch (error) {
        if (!isDependencyError(error)) throw error
        // Also what an operator must mend is tried again: nothing but this delivery waits for it.
        state.problem = error.message
        const delayMs = Math.min(PATIENT.maxDelayMs, PATIENT.baseDelayMs * 2 ** Math.min(attempt, 20))
        const level = error.retriable ? 'warn' : 'error'
        logger[level]({ err: error, delivery: id, delayMs }, 'A delivery failed and will be started again.')
        await clock.sleep(delayMs * (0.5 + env.random() / 2), signal)
        state.problem = null
      }
    }
  }
}

/** What is wrong with somebody else's bucket is told where he looks, and makes no process unready. */
function problemOf(
  running: ReadonlyMap<string, RunningDelivery>,
  control: Pick<ControlView, 'snapshot'>,
): string | null {
  for (const [id, { problem, closingProblem, health }] of running) {
    if (control.snapshot.deliveries.get(id)?.object.destination !== undefined) continue
    const inner = Object.values(health.ready().checks).find((answer) => answer !== 'ok') ?? null
    const found = problem ?? inner ?? closingProblem
    if (found !== null) return `Delivery ${id}: ${found}`
  }
  return null
}
