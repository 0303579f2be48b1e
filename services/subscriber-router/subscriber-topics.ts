import type { Subscription } from '../../schemas/control/v1.ts'
import type { LogAdmin } from '../core/kafka/log.ts'
import type { KafkaNames } from '../core/kafka/topics.ts'
import { DependencyError } from '../core/runtime/errors.ts'
import { parseDuration } from '../core/runtime/settings.ts'
import type { Destination } from './route-batch.ts'

export interface SubscriberTopics {
  /** The topic as it was found last; null when it is not known to be there. */
  known(subscription: Subscription): Destination | null
  /** Makes the topic where it is missing. @throws DependencyError when it cannot be used */
  prepare(subscription: Subscription): Promise<Destination>
  /** Whether its partitions answer now; asks the cluster. Forgets the topic when not. */
  answers(subscription: Subscription): Promise<boolean>
}

/** How long a subscriber's topic keeps its records unless the subscription says otherwise. */
export const DEFAULT_RETENTION = '7d'

/**
 * @param partitions   of the input, and of topics whose subscription does not say
 * @param recordBytes  largest record that a topic must take
 */
export function createSubscriberTopics(
  admin: LogAdmin,
  names: KafkaNames,
  options: { readonly partitions: number; readonly replicationFactor: number; readonly recordBytes: number },
): SubscriberTopics {
  const found = new Map<string, Destination>()
  const topicOf = ({ id }: Subscription) => names.subscriber(id)

  async function describe(topic: string): Promise<Destination | null> {
    const info = await admin.describeTopic(topic)
    return info === null ? null : { topic, partitions: info.partitions }
  }
  return {
    known: (subscription) => found.get(topicOf(subscription)) ?? null,
    async prepare(subscription) {
      const topic = topicOf(subscription)
      const known = found.get(topic)
      if (known !== undefined) return known
      let destination = await describe(topic)
      if (destination === null) {
        await admin.createTopics([
          {
            topic,
            partitions: subscription.topic?.partitions ?? options.partitions,
            replicationFactor: options.replicationFactor,
            config: {
              'cleanup.policy': 'delete',
              'retention.ms': String(parseDuration(subscription.topic?.retention ?? DEFAULT_RETENTION)),
              'max.message.bytes': String(options.recordBytes),
              // Our clock may be wrong; the brokers would refuse records more than an hour ahead of theirs.
              'message.timestamp.type': 'LogAppendTime',
            },
          },
        ])
        destination = await describe(topic)
      }
      if (destination === null)
        throw new DependencyError('kafka', 'unavailable', `${topic} was made but is not there yet.`)
      found.set(topic, destination)
      return destination
    },
    async answers(subscription) {
      const topic = topicOf(subscription)
      try {
        const info = await admin.describeTopic(topic)
        if (info !== null && info.partitions === found.get(topic)?.partitions) {
          await admin.offsetRanges(topic, 'read_uncommitted')
          return true
        }
      } catch (error) {
        if (!(error instanceof DependencyError)) throw error
      }
      found.delete(topic)
      return false
    },
  }
}
