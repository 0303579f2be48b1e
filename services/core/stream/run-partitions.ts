import type {
  GroupConsumer,
  GroupConsumerOptions,
  Log,
  OffsetRange,
  Position,
  RecordBatch,
  TopicPartition,
} from '../kafka/log.ts'
import type { Clock } from '../runtime/clock.ts'
import { DependencyError, isDependencyError } from '../runtime/errors.ts'
import type { Health } from '../runtime/health.ts'
import type { Logger } from '../runtime/logger.ts'
import type { Metrics } from '../runtime/metrics.ts'
import { PATIENT, type RetryPolicy } from '../runtime/retry.ts'
import { type Lane, openLane } from './partition-lane.ts'
import type { PartitionWorker } from './partition-worker.ts'

/** How long a poll waits for records, ms: as long may the seek of a restarted worker and the end of a run wait. */
const POLL_WAIT_MS = 250

/** How long the partitions of an assignment wait for each other to start, ms. */
const START_WAIT_MS = 500
const STARTED = 'started'

export interface RunPartitionsOptions {
  readonly log: Log
  /** As `openGroupConsumer` takes them; the runner polls, and answers rebalances, itself. */
  readonly group: Omit<GroupConsumerOptions, 'onAssigned' | 'onRevoked' | 'pollWaitMs'>
  /** Called for every start of a partition: at assignment, and again after a failure that may pass. */
  readonly createWorker: (partition: TopicPartition, consumer: GroupConsumer) => PartitionWorker
  /**
   * What waits for workers at most. Records are per partition, hold strictly and must leave room for two polls.
   * Bytes are for all partitions together, in equal shares, so that memory does not grow with the assignment; they may
   * be passed by what one poll brings, which the consumer's prefetch bounds.
   */
  readonly bounds: { readonly queueRecordsMax: number; readonly queueBytesMax: number }
  /** Told when a partition stops for good: an operator must act. */
  readonly onPartitionFailed?: (partition: TopicPartition, error: DependencyError) => void
  /** Pauses between restarts of a worker. */
  readonly restart?: RetryPolicy
  /** Names the metrics: `millrace_<stage>_…`. */
  readonly stage: string
  readonly logger: Logger
  readonly metrics: Metrics
  readonly health: Health
  /** Ends the run: workers are stopped, the group is left. */
  readonly signal: AbortSignal
  readonly clock: Clock
  /** In [0, 1): spreads restarts. */
  readonly random: () => number
}

/**
 * Runs a stage over the partitions that its group gives this process: one loop per partition driving one
 * `PartitionWorker`, one loop polling for all of them.
 *
 * ```
 *            assigned              start() ok              retriable error
 *  (none) ───────────▶ starting ─────────────▶ running ─────────────────────▶ resting ──▶ starting
 *                         │                       │ denied ─▶ resting longer, with an alarm ──▶ starting
 *                         │                       │ fenced, not_assigned ──▶ ended
 *                         └─ same as running      │ other DependencyError ─▶ stopped, with an alarm
 *                                                 │ any other error ───────▶ the run rejects
 *  any state ── revoked, lost, stopping ──▶ stop(reason) ──▶ (none)
 * ```
 *
 * A restarted worker continues where its own `start` says: the poll loop seeks there between two polls, so that no
 * record fetched before the failure reaches it.
 *
 * @returns resolves when the signal aborted and every worker has stopped
 * @throws whatever a worker threw that is not a DependencyError, and what `poll` rejects with
 */
export async function runPartitions(options: RunPartitionsOptions): Promise<void> {
  const { log, group, logger, metrics, health, signal } = options
  if (options.bounds.queueRecordsMax < 2 * group.pollRecordsMax)
    throw new Error('queueRecordsMax must be at least twice pollRecordsMax.')
  const lanes = new Map<string, Lane>()
  const crash = Promise.withResolvers<never>()
  crash.promise.catch(() => undefined)
  let crashed = false

  const meters = {
    lag: metrics.gauge(
      `millrace_${options.stage}_partition_lag_records`,
      'Offsets between the last processed record of an assigned partition and its end.',
      ['topic', 'partition'],
    ),
    queued: metrics.gauge(
      `millrace_${options.stage}_partition_queue_records`,
      'Records of an assigned partition that wait for its worker.',
      ['topic', 'partition'],
    ),
    stopped: metrics.gauge(
      `millrace_${options.stage}_stopped_partitions_count`,
      'Assigned partitions that stopped because of an error that an operator must mend.',
    ),
    denied: metrics.gauge(
      `millrace_${options.stage}_denied_partitions_count`,
      'Assigned partitions that were denied what they need and ask again; somebody must mend credentials or permissions.',
    ),
    restarts: metrics.counter(
      `millrace_${options.stage}_partition_restarts_total`,
      'Restarts of a partition after an error that may pass.',
    ),
  }
  const stopped = () => [...lanes.values()].filter((lane) => lane.failure !== null)
  const denied = () => [...lanes.values()].filter((lane) => lane.denial !== null)
  health.add({
    name: `${options.stage} partitions`,
    kind: 'ready',
    problem() {
      const first = stopped()[0]
      if (first?.failure)
        return `${stopped().length} partitions stopped; ${keyOf(first.partition)}: ${first.failure.message} Mend the cause, then restart the process.`
      const refused = denied()[0]
      if (refused?.denial)
        return `${denied().length} partitions are denied what they need; ${keyOf(refused.partition)}: ${refused.denial.message} They ask again by themselves.`
      return null
    },
  })
  const meter = () => {
    meters.stopped.set(stopped().length)
    meters.denied.set(denied().length)
  }

  async function onAssigned(
    partitions: readonly TopicPartition[],
    consumer: GroupConsumer,
  ): Promise<readonly Position[]> {
    return Promise.all(
      partitions.map(async (partition) => {
        const labels = labelsOf(partition)
        const lane = openLane({
          partition,
          consumer,
          createWorker: () => options.createWorker(partition, consumer),
          checkPosition: (offset) => checkPosition(log, partition, offset),
          bounds: {
            queueRecordsMax: options.bounds.queueRecordsMax,
            queueBytesMax: () => options.bounds.queueBytesMax / Math.max(1, lanes.size),
          },
          pollRecordsMax: group.pollRecordsMax,
          fencedRestMs: 2 * group.sessionTimeoutMs,
          restart: options.restart ?? PATIENT,
          clock: options.clock,
          random: options.random,
          logger,
          onCrash(error) {
            crashed = true
            crash.reject(error)
          },
          onFailed(error) {
            meter()
            options.onPartitionFailed?.(partition, error)
          },
          onDenial: meter,
          onRestart: () => meters.restarts.add(1),
          onProgress(lag, queued) {
            meters.lag.set(lag, labels)
            meters.queued.set(queued, labels)
          },
        })
        lanes.set(keyOf(partition), lane)
        const offset = await startOf(lane)
        // A worker that has not started holds its partition still: any offset that is there will do until it seeks.
        return { ...partition, offset: offset ?? (await rangeOf(log, partition)).end }
      }),
    )
  }

  /** A takeover that takes long, as when it carries out a plan, holds up no other partition. */
  async function startOf(lane: Lane): Promise<number | null> {
    const waited = new AbortController()
    void options.clock.sleep(START_WAIT_MS, waited.signal).then(() => lane.stopWaiting())
    const offset = await lane.started
    waited.abort(STARTED)
    return offset
  }

  async function onRevoked(partitions: readonly TopicPartition[], lost: boolean): Promise<void> {
    await Promise.all(
      partitions.map(async (partition) => {
        const lane = lanes.get(keyOf(partition))
        await lane?.stop(lost ? 'lost' : 'revoked')
        lanes.delete(keyOf(partition))
        // Whoever has it now tells its lag.
        for (const gauge of [meters.lag, meters.queued]) gauge.remove(labelsOf(partition))
      }),
    )
    meter()
  }

  const consumer = await log.openGroupConsumer({
    ...group,
    pollWaitMs: POLL_WAIT_MS,
    onAssigned,
    onRevoked,
  })

  /** A poll that finds a position gone says so for one partition of many: each looks for itself, others go on. */
  async function pollOrDoubt(): Promise<readonly RecordBatch[]> {
    try {
      return await consumer.poll()
    } catch (error) {
      if (!isDependencyError(error) || error.code !== 'not_found') throw error
      logger.warn({ err: error }, 'A poll found a position gone; every partition checks its own.')
      for (const lane of lanes.values()) lane.doubtPosition()
      await options.clock.sleep(POLL_WAIT_MS, signal)
      return []
    }
  }
  try {
    while (!signal.aborted) {
      for (const lane of lanes.values()) await lane.continueAtSeek()
      // Not a race with the crash: a promise that never settles keeps what every race it took part in came to.
      const batches = await pollOrDoubt()
      if (crashed) await crash.promise
      for (const batch of batches) lanes.get(keyOf(batch))?.offer(batch)
    }
    await Promise.race([Promise.all([...lanes.values()].map((lane) => lane.stop('stopping'))), crash.promise])
    await Promise.race([consumer.close(), crash.promise])
  } catch (error) {
    if (crashed || !isDependencyError(error)) for (const lane of lanes.values()) lane.abandon()
    // Whoever runs this again must not find a worker of before beside the next one, nor what it kept on its disk.
    else
      await Promise.race([Promise.all([...lanes.values()].map((lane) => lane.stop('failed'))), crash.promise])
    if (!crashed) await consumer.close()
    throw error
  }
}

async function rangeOf(log: Log, { topic, partition }: TopicPartition): Promise<OffsetRange> {
  const range = (await log.admin.offsetRanges(topic, 'read_uncommitted'))[partition]
  if (!range) throw new DependencyError('kafka', 'not_found', `There is no ${topic}/${partition}.`)
  return range
}

/** A position that retention has passed, or of a topic that was made again, is an operator's case: never skip. */
async function checkPosition(log: Log, partition: TopicPartition, offset: number): Promise<void> {
  const { start, end } = await rangeOf(log, partition)
  if (offset < start || offset > end)
    throw new DependencyError(
      'kafka',
      'not_found',
      `The position ${offset} is not among ${start} to ${end}, which the partition holds: its records were deleted or the topic was made again.`,
    )
}

function labelsOf({ topic, partition }: TopicPartition) {
  return { topic, partition: String(partition) }
}

function keyOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`
}
