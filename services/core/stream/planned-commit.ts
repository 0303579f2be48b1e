import type { GroupConsumer, TopicPartition } from '../kafka/log.ts'
import type { Clock } from '../runtime/clock.ts'
import { DependencyError, isDependencyError } from '../runtime/errors.ts'

/** A group's position as text that can be compared: what the coordinator has, or is to have. */
export interface GroupState {
  readonly offset: number | null
  readonly metadata: string
}

export interface CommitPolicy {
  /** How often the same commit is sent before its outcome counts as unknown. */
  readonly attempts: number
  /** Pause between two of them, ms. */
  readonly pauseMs: number
}

export type CommittingConsumer = Pick<
  GroupConsumer,
  'assignmentEpoch' | 'assigned' | 'commit' | 'committed' | 'membership' | 'renew'
>

/** Pause between two looks at whether the group has a new generation, ms. */
const RENEWAL_LOOK_MS = 50

/**
 * Commits of one process that were not answered: each may reach the coordinator long after others were taken, and put
 * an older position in the place of a newer one. A new generation of the group ends that.
 */
export interface UnansweredCommits {
  /** A commit for this partition is on its way, sent under the consumer's present membership. */
  sent(partition: TopicPartition, consumer: Pick<CommittingConsumer, 'membership'>): void
  /**
   * Resolves when no commit of before can arrive any more for this partition.
   *
   * @throws DependencyError `not_assigned`; `timeout` (retriable) when the group has no new generation in time
   */
  settle(partition: TopicPartition, consumer: CommittingConsumer): Promise<void>
}

/** @param waitMs longest wait for a new generation */
export function createUnansweredCommits(clock: Clock, waitMs: number): UnansweredCommits {
  /** By partition, the membership under which the last of them was sent. */
  const under = new Map<string, string>()
  return {
    sent(partition, consumer) {
      under.set(partitionName(partition), consumer.membership)
    },
    async settle(partition, consumer) {
      const name = partitionName(partition)
      const isUnderWay = () => under.has(name) && under.get(name) === consumer.membership
      for (let waitedMs = 0; isUnderWay(); waitedMs += RENEWAL_LOOK_MS) {
        if (!consumer.assigned(partition)) throw notAssigned(name)
        if (waitedMs >= waitMs)
          throw new DependencyError(
            'kafka',
            'timeout',
            `A commit of ${name} was not answered, and the group did not make a new generation within ${waitMs} ms, in which it would be refused.`,
          )
        consumer.renew()
        await clock.sleep(RENEWAL_LOOK_MS)
      }
      under.delete(name)
    },
  }
}

/**
 * Commits `next` and does not believe the answer: the coordinator is asked what it has, and only `next` itself,
 * read back in the assignment epoch in which it was sent, counts. Clients resolve commits that were refused, and
 * coordinators accept commits for partitions that a live member has lost; neither gets past this.
 *
 * When this resolves the partition is ours in this very tick: begin the effect before anything else is awaited.
 *
 * @param before  what the coordinator had last: still there means that the commit was refused or is under way, and
 *   is repeated unchanged, because the first one may still arrive
 * @throws DependencyError `not_assigned` when the partition is no longer ours or somebody else committed for it;
 *   `outcome_unknown` when the answer stayed unclear
 * @returns monotonic ms before the commit that counts was sent: later than that, the coordinator knew this process
 */
export async function commitAndReadBack(
  consumer: CommittingConsumer,
  partition: TopicPartition,
  next: GroupState & { readonly offset: number },
  before: GroupState,
  unanswered: UnansweredCommits,
  policy: CommitPolicy,
  clock: Clock,
): Promise<number> {
  const name = partitionName(partition)
  let lastError: unknown
  for (let attempt = 1; attempt <= policy.attempts; attempt++) {
    if (attempt > 1) await clock.sleep(policy.pauseMs)
    const epoch = consumer.assignmentEpoch
    if (!consumer.assigned(partition)) throw notAssigned(name)
    const sentMs = clock.monotonic()
    const found = await sendAndAsk(consumer, partition, next, unanswered).catch((error: unknown) => {
      if (!isDependencyError(error) || !error.retriable) throw error
      lastError = error
      return null
    })
    if (found === null) continue
    if (same(found, next)) {
      if (consumer.assigned(partition) && consumer.assignmentEpoch === epoch) return sentMs
      // There was a rebalance meanwhile. If the partition stayed with us the coordinator is asked once more.
      continue
    }
    if (!same(found, before))
      throw new DependencyError(
        'kafka',
        'not_assigned',
        `Another process committed offset ${found.offset} of ${name}; this one had expected ${before.offset}.`,
      )
  }
  throw new DependencyError(
    'kafka',
    'outcome_unknown',
    `The commit of offset ${next.offset} of ${name} was sent ${policy.attempts} times and is not confirmed.`,
    lastError,
  )
}

async function sendAndAsk(
  consumer: CommittingConsumer,
  { topic, partition }: TopicPartition,
  next: GroupState & { readonly offset: number },
  unanswered: UnansweredCommits,
): Promise<GroupState> {
  let commitError: unknown
  try {
    await consumer.commit([{ topic, partition, offset: next.offset, metadata: next.metadata }])
  } catch (error) {
    if (!isDependencyError(error) || !error.retriable) throw error
    commitError = error // It may have been applied all the same: ask.
    unanswered.sent({ topic, partition }, consumer)
  }
  const found = await readPosition(consumer, { topic, partition })
  if (commitError !== undefined && !same(found, next)) throw commitError
  return found
}

/** What the coordinator has for one partition. */
export async function readPosition(
  consumer: Pick<GroupConsumer, 'committed'>,
  { topic, partition }: TopicPartition,
): Promise<GroupState> {
  const [found] = await consumer.committed([{ topic, partition }])
  if (found === undefined) throw new Error(`committed() left out ${partitionName({ topic, partition })}`)
  return { offset: found.offset, metadata: found.metadata }
}

/** As messages name a partition. */
export function partitionName({ topic, partition }: TopicPartition): string {
  return `${topic}[${partition}]`
}

function notAssigned(name: string): DependencyError {
  return new DependencyError('kafka', 'not_assigned', `${name} is not assigned to this process any more.`)
}

export function same(a: GroupState, b: GroupState): boolean {
  return a.offset === b.offset && a.metadata === b.metadata
}
