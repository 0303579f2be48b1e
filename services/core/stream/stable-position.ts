import type { GroupConsumer, Log, TopicPartition } from '../kafka/log.ts'
import { DependencyError } from '../runtime/errors.ts'

export interface StablePosition {
  /** Offset to consume from: the committed one, or the partition's beginning where nothing is committed. */
  readonly next: number
  /** False where nothing was ever committed, or it has expired. */
  readonly isCommitted: boolean
  /** Text that was committed with it; '' when there was none. */
  readonly metadata: string
}

/**
 * Where a transactional stage goes on in a partition, once its producer has fenced the owner before: what the group
 * coordinator answers when no transaction is open any more.
 *
 * @param stage how messages call whoever asks
 * @throws DependencyError `corrupt` when retention took records that were not read: going on would lose them unseen
 */
export async function findStablePosition(
  log: Log,
  consumer: GroupConsumer,
  where: TopicPartition,
  stage: string,
): Promise<StablePosition> {
  const [committed] = await consumer.committed([where])
  const ranges = await log.admin.offsetRanges(where.topic, 'read_committed')
  const start = ranges.find(({ partition }) => partition === where.partition)?.start ?? 0
  const next = committed?.offset ?? start
  if (next < start)
    throw new DependencyError(
      'kafka',
      'corrupt',
      `${where.topic}/${where.partition} begins at ${start}, but the ${stage} stands at ${next}: retention took ${start - next} offsets. Set the group's position to ${start} to go on without them.`,
    )
  return { next, isCommitted: (committed?.offset ?? null) !== null, metadata: committed?.metadata ?? '' }
}
