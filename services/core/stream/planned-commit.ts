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
 */
export async function commitAndReadBack(
  consumer: Pick<GroupConsumer, 'assignmentEpoch' | 'assigned' | 'commit' | 'committed'>,
  partition: TopicPartition,
  next: GroupState & { readonly offset: number },
  before: GroupState,
  policy: CommitPolicy,
  clock: Clock,
): Promise<void> {
  const name = `${partition.topic}[${partition.partition}]`
  let lastError: unknown
  for (let attempt = 1; attempt <= policy.attempts; attempt++) {
    if (attempt > 1) await clock.sleep(policy.pauseMs)
    const epoch = consumer.assignmentEpoch
    if (!consumer.assigned(partition))
      throw new DependencyError('kafka', 'not_assigned', `${name} is not assigned to this process any more.`)
    const found = await sendAndAsk(consumer, partition, next).catch((error: unknown) => {
      if (!isDependencyError(error) || !error.retriable) throw error
      lastError = error
      return null
    })
    if (found === null) continue
    if (same(found, next)) {
      if (consumer.assigned(partition) && consumer.assignmentEpoch === epoch) return
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
  consumer: Pick<GroupConsumer, 'commit' | 'committed'>,
  { topic, partition }: TopicPartition,
  next: GroupState & { readonly offset: number },
): Promise<GroupState> {
  let commitError: unknown
  try {
    await consumer.commit([{ topic, partition, offset: next.offset, metadata: next.metadata }])
  } catch (error) {
    if (!isDependencyError(error) || !error.retriable) throw error
    commitError = error // It may have been applied all the same: ask.
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
  if (found === undefined) throw new Error(`committed() left out ${topic}[${partition}]`)
  return { offset: found.offset, metadata: found.metadata }
}

export function same(a: GroupState, b: GroupState): boolean {
  return a.offset === b.offset && a.metadata === b.metadata
}
