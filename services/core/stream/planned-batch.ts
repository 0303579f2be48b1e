import type { Log, RecordBatch, TopicPartition } from '../kafka/log.ts'
import type { Clock } from '../runtime/clock.ts'
import { DependencyError } from '../runtime/errors.ts'
import type { Logger } from '../runtime/logger.ts'
import { type PartitionWorker, REST_MAX_MS } from './partition-worker.ts'
import {
  type CommitPolicy,
  type CommittingConsumer,
  commitAndReadBack,
  createUnansweredCommits,
  type GroupState,
  partitionName,
  readPosition,
  type UnansweredCommits,
} from './planned-commit.ts'
import { openRangeDigest, type RangeDigest } from './planned-digest.ts'
import { decodeCommitted, encodePlan, encodeProgress, type Plan, type Progress } from './planned-plan.ts'
import { partitionRange, readRange } from './planned-replay.ts'
import type { Hold, PlannedSink, SinkBatch } from './planned-sink.ts'

/** Where a test or the chaos harness may kill the process; in the order they are passed. */
export const PLANNED_FAIL_POINTS = [
  /** A batch is closed, nothing is committed. */
  'before_plan',
  /** The plan is committed and read back, its effect has not begun. */
  'after_plan',
  /** The effect is complete, nothing about that is committed. */
  'after_effect',
  /** The range is done, the next one has not begun. */
  'after_commit',
] as const
export type PlannedFailPoint = (typeof PLANNED_FAIL_POINTS)[number]

/** Told of what happened, for metrics. */
export interface PlannedObserver {
  planned(plan: Plan): void
  /** @param seconds from the plan's confirmation to the end of the effect */
  delivered(plan: Plan, how: { readonly replayed: boolean }, seconds: number): void
  /** The sink held ranges that the group's position did not know of. */
  adopted(): void
}

export interface PlannedEnvironment {
  readonly log: Pick<Log, 'openReader' | 'admin'>
  readonly clock: Clock
  readonly logger: Logger
  /** A text that never comes twice, at most 32 characters. */
  readonly nonce: () => string
  readonly failPoint: (name: PlannedFailPoint) => Promise<void> | void
  readonly observer: PlannedObserver
  readonly commitPolicy: CommitPolicy
  /** How long a replay waits for records that must be there, ms. */
  readonly replayIdleMs: number
  /** Of the consumers' group: so long after a sign of life nobody else is given the partition unasked, ms. */
  readonly sessionTimeoutMs: number
}

/**
 * Makes the workers of a sink, one per assigned partition: every record of the partition takes part in exactly one
 * range, and every range has its effect exactly once, whatever process dies in between.
 *
 * ```text
 *  start ── committed position ──┬── a plan ──────▶ REPLAYING ── rows or digest differ,
 *                                │                      │        records missing ──────────▶ corrupt: partition stops
 *                                ├── done at n ──┐      │ effect (idempotent), commit end + 1
 *                                └── none ───────┤      │
 *                                                ▼      ▼
 *                              what the sink itself holds past n ── commit that
 *                                                │
 *                                                ▼
 *               ┌────────────────────────────▶ IDLE      next range starts at the previous end + 1
 *               │                                │ first record
 *               │                                ▼
 *               │                              OPEN ─────── stop ────▶ discarded: the next owner reads it again
 *               │                                │ rows, bytes, age, or the sink says close
 *               │                                ▼
 *               │                             PLANNING   settle what is unanswered; commit (start, plan), read back, compare
 *               │                                │ ├── somebody else's commit ──▶ not_assigned
 *               │                                │ └── unclear after repeats ───▶ outcome_unknown: start again
 *               │                                ▼
 *               │                            DELIVERING  the sink's effect, named by the plan
 *               │                                │
 *               │                                ▼
 *               └─────────────────────────── COMPLETING  commit (end + 1, done), read back, compare
 * ```
 *
 * Between the read-back of a plan and the first step of its effect nothing is awaited (but the fail point, which
 * does nothing outside tests). An open batch that has no plan is discarded when the partition goes away: it has had
 * no effect, and finishing it would hold up the rebalance and leave a small file at every deploy.
 *
 * A range does not begin to age anew because its owner died: the first one that an owner fills also closes once its
 * records landed as far apart as it may be old. They waited for that long before this owner saw them.
 *
 * A commit that was not answered may reach the coordinator after later ones and take their place: the next owner would
 * plan a range anew that is being delivered. So before a worker reads the position, and before it commits another plan,
 * such a commit is settled: the group makes a new generation, in which the coordinator refuses it.
 */
export function createPlannedBatches(env: PlannedEnvironment) {
  const unanswered = createUnansweredCommits(env.clock, env.sessionTimeoutMs)
  return (partition: TopicPartition, consumer: CommittingConsumer, sink: PlannedSink): PartitionWorker =>
    plannedBatchWorker(env, partition, consumer, sink, unanswered)
}

/** How often a sink is asked whether an open range must close before its time, ms. */
const LOOK_MS = 100

interface OpenRange {
  readonly batch: SinkBatch
  readonly digest: RangeDigest
  readonly openedMs: number
  /** Landed time of the first record of the first range of an owner; null in every other range. */
  readonly continuedFrom: number | null
  end: number
  landed: number
}

function plannedBatchWorker(
  env: PlannedEnvironment,
  partition: TopicPartition,
  consumer: CommittingConsumer,
  sink: PlannedSink,
  unanswered: UnansweredCommits,
): PartitionWorker {
  const name = partitionName(partition)
  const logger = env.logger.child({ topic: partition.topic, partition: partition.partition })
  let topicId = ''
  let progress: Progress = { offset: 0, src: -1, landed: 0, carry: '' }
  let coordinatorHas: GroupState = { offset: null, metadata: '' }
  let open: OpenRange | null = null
  /** Monotonic ms: since then the coordinator has heard this process. */
  let heardMs = Number.NEGATIVE_INFINITY
  /** Until the first range is closed: its records may have waited with the owner before. */
  let isFirstRange = true

  const commit = async (next: GroupState & { readonly offset: number }): Promise<void> => {
    const { commitPolicy, clock } = env
    heardMs = await commitAndReadBack(
      consumer,
      partition,
      next,
      coordinatorHas,
      unanswered,
      commitPolicy,
      clock,
    )
    coordinatorHas = next
  }

  const commitPlan = (plan: Plan) => commit({ offset: plan.start, metadata: encodePlan(plan) })

  const holdOf = (plan: Plan): Hold => ({
    confirm: () => commitPlan(plan),
    requireFresh() {
      const silentMs = env.clock.monotonic() - heardMs
      if (silentMs > env.sessionTimeoutMs)
        throw new DependencyError(
          'kafka',
          'timeout',
          `The plan of ${plan.start}–${plan.end} of ${name} was confirmed ${Math.round(silentMs)} ms ago; another process may carry it out by now.`,
        )
    },
  })

  const complete = async (next: Progress): Promise<void> => {
    await commit({ offset: next.offset, metadata: encodeProgress(next) })
    progress = next
  }

  /** The plan is committed and confirmed in this tick. */
  const deliver = async (plan: Plan, batch: SinkBatch, replayed: boolean): Promise<void> => {
    const startedMs = env.clock.monotonic()
    await env.failPoint('after_plan')
    const carry = await batch.deliver(plan, { replayed, hold: holdOf(plan) })
    env.observer.delivered(plan, { replayed }, (env.clock.monotonic() - startedMs) / 1000)
    await env.failPoint('after_effect')
    await complete({ offset: plan.end + 1, src: plan.src, landed: plan.landed, carry })
    await env.failPoint('after_commit')
  }

  const openRange = async (landed: number): Promise<OpenRange> => ({
    batch: await sink.open(progress, null),
    digest: openRangeDigest(progress.src),
    openedMs: env.clock.monotonic(),
    continuedFrom: isFirstRange ? landed : null,
    end: progress.offset - 1,
    landed: progress.landed,
  })

  const close = async (range: OpenRange): Promise<void> => {
    await range.batch.flush()
    const plan: Plan = {
      ...range.batch.pinned,
      start: progress.offset,
      end: range.end,
      nonce: env.nonce(),
      topicId,
      rows: range.digest.rows,
      digest: range.digest.finish(),
      src: range.digest.src,
      landed: range.landed,
      srcBefore: progress.src,
      landedBefore: progress.landed,
      carry: progress.carry,
    }
    await env.failPoint('before_plan')
    await unanswered.settle(partition, consumer)
    await commitPlan(plan)
    env.observer.planned(plan)
    await deliver(plan, range.batch, false)
    open = null
    isFirstRange = false
  }

  const isDue = ({ batch, digest, openedMs, continuedFrom, landed }: OpenRange): boolean =>
    digest.rows >= batch.limits.rows ||
    digest.bytes >= batch.limits.bytes ||
    env.clock.monotonic() - openedMs >= batch.limits.ageMs ||
    (continuedFrom !== null && landed - continuedFrom >= batch.limits.ageMs) ||
    batch.closesNow()

  /** Re-reads what the plan covers, under what the plan pinned, and completes it; never less than the plan says. */
  const replay = async (plan: Plan): Promise<void> => {
    if (plan.topicId !== topicId && plan.topicId !== '' && topicId !== '')
      throw new DependencyError(
        'kafka',
        'corrupt',
        `${name} has an open plan for topic ${plan.topicId}, but the topic was deleted and made again as ${topicId}.`,
      )
    logger.warn({ start: plan.start, end: plan.end }, 'Replaying an open plan.')
    const before = { offset: plan.start, src: plan.srcBefore, landed: plan.landedBefore, carry: plan.carry }
    const batch = await sink.open(before, plan)
    try {
      const digest = openRangeDigest(plan.srcBefore)
      let landed = plan.landedBefore
      const add = (records: RecordBatch, index: number) => {
        digest.add(records, index)
        landed = Math.max(landed, records.timestamp(index))
        batch.add(records, index, landed)
      }
      const { start, end } = plan
      await readRange(env.log, partition, start, end, env.replayIdleMs, env.clock, add, () => batch.flush())
      const found = digest.finish()
      if (digest.rows !== plan.rows || found !== plan.digest)
        throw new DependencyError(
          'kafka',
          'corrupt',
          `The range ${start}–${end} of ${name} was planned with ${plan.rows} records (${plan.digest}) and now has ${digest.rows} (${found}).`,
        )
      // Reading may have taken long, and the effect must not begin on a partition that was lost meanwhile.
      await commitPlan(plan)
      await deliver(plan, batch, true)
    } catch (error) {
      await batch.discard()
      throw error
    }
  }

  /** The group's position, when no commit of this process can change it any more. */
  const readCommitted = async () => {
    await unanswered.settle(partition, consumer)
    coordinatorHas = await readPosition(consumer, partition)
    const { offset, metadata } = coordinatorHas
    return offset === null ? null : decodeCommitted(offset, metadata)
  }

  return {
    async start() {
      topicId = (await env.log.admin.describeTopic(partition.topic))?.topicId ?? ''
      const committed = await readCommitted()
      const plan = committed?.kind === 'plan' ? committed.plan : null
      if (plan)
        progress = { offset: plan.start, src: plan.srcBefore, landed: plan.landedBefore, carry: plan.carry }
      else if (committed?.kind === 'done') progress = committed.progress

      const truth = await sink.delivered(committed === null ? null : progress)
      if (truth && truth.progress.offset > progress.offset && truth.firstEnd !== plan?.end) {
        // The position is older than the sink: it expired, or was moved back. What the sink holds complete is
        // delivered, and a plan beside it never had its effect.
        logger.warn(
          { committed: progress.offset, delivered: truth.progress.offset },
          'Resuming from the sink.',
        )
        env.observer.adopted()
        await complete(truth.progress)
      } else if (plan) {
        await replay(plan)
        if (truth && truth.progress.offset > progress.offset) {
          logger.warn(
            { committed: progress.offset, delivered: truth.progress.offset },
            'Resuming from the sink.',
          )
          env.observer.adopted()
          await complete(truth.progress)
        }
      }
      // Asked last: what the sink holds may have been delivered by another owner while this one asked.
      const range = await partitionRange(env.log, partition)
      // Nobody ever delivered anything from here: begin with the oldest record there is.
      if (committed === null && truth === null) progress = { ...progress, offset: range.start }
      if (range.start > progress.offset || range.end < progress.offset)
        throw new DependencyError(
          'kafka',
          'corrupt',
          `${name} was delivered up to offset ${progress.offset - 1}, but the log holds ${range.start}–${range.end - 1}: records were removed before they were delivered, or the topic was made again.`,
        )
      return progress.offset
    },

    async process(records) {
      for (let index = 0; index < records.length; index++) {
        const offset = records.offset(index)
        if (offset < progress.offset || (open && offset <= open.end)) continue // Handed out before a seek.
        const landed = Math.max(open?.landed ?? progress.landed, records.timestamp(index))
        if (
          open &&
          (isDue(open) || open.batch.closesBefore(landed, offset) || overflows(open, records, index))
        )
          await close(open)
        open ??= await openRange(landed)
        open.digest.add(records, index)
        open.batch.add(records, index, landed)
        open.end = offset
        open.landed = landed
      }
      if (!open) return
      await open.batch.flush()
      if (isDue(open)) await close(open)
    },

    async tick() {
      if (open && isDue(open)) await close(open)
    },

    tickInMs() {
      if (!open) return REST_MAX_MS
      const leftMs = open.openedMs + open.batch.limits.ageMs - env.clock.monotonic()
      return Math.min(leftMs, LOOK_MS)
    },

    async stop() {
      await open?.batch.discard()
      open = null
    },
  }
}

/** Would this record take the open range past its byte limit? */
function overflows({ digest, batch }: OpenRange, records: RecordBatch, index: number): boolean {
  return digest.bytes + (records.value(index)?.length ?? 0) > batch.limits.bytes
}
