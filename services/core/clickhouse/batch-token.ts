import type { TopicPartition } from '../kafka/log.ts'
import type { Plan } from '../stream/planned-plan.ts'

/** A pure function of the range: whoever replays the plan uses the same. */
export function batchToken(
  partition: TopicPartition,
  { topicId, start, end }: Pick<Plan, 'topicId' | 'start' | 'end'>,
): string {
  return `${partitionToken(partition, topicId)}:${start}-${end}`
}

/** What the tokens of all batches of a partition begin with. */
export function partitionToken({ topic, partition }: TopicPartition, topicId: string): string {
  return `millrace:${topic}:${topicId}:${partition}`
}
