import { setTimeout as pause } from 'node:timers/promises'
import rdkafka, { type IAdminClient } from '@confluentinc/kafka-javascript'
import { systemClock } from '../runtime/clock.ts'
import { DependencyError } from '../runtime/errors.ts'
import type { Logger } from '../runtime/logger.ts'
import { BRIEF, retry } from '../runtime/retry.ts'
import { brokerReachable } from './broker-reachable.ts'
import type { KafkaSettings } from './kafka-settings.ts'
import { connectionConfig, nativeCalls } from './librdkafka-client.ts'
import { ERRORS, effectError, type NativeError, permanentCode, queryError } from './librdkafka-errors.ts'
import { metadataText } from './librdkafka-metadata.ts'
import type { LogAdmin, TopicInfo } from './log.ts'

/** Longest wait for a topic that was just made to have a leader for every partition, ms. */
const TOPIC_READY_MS = 15_000

type Done<T> = (error: NativeError | null, result: T) => void

interface NativeTopic {
  readonly name: string
  /** The typings call its member `base64str`. */
  readonly topicId?: { readonly base64: string }
  readonly error?: NativeError
  readonly partitions: readonly { readonly leader: { readonly id: number } | null }[]
}

/** Topic and group administration on librdkafka. The client is opened by the first call that needs it. */
export function openLibrdkafkaAdmin(
  settings: KafkaSettings,
  logger: Logger,
): LogAdmin & { close(): Promise<void> } {
  const calls = nativeCalls('Kafka administration')
  let opened: IAdminClient | null = null
  const timeout = settings.kafkaRequestTimeoutMs
  let turn: Promise<unknown> = Promise.resolve()

  /** One request at a time: processes were seen to die in the binding with several of them under way. */
  function ask<T>(start: (done: Done<T>) => void): Promise<T> {
    const answer = turn.then(async () => {
      if (!(await brokerReachable(settings.kafkaBrokers, timeout)))
        throw new DependencyError('kafka', 'unavailable', `No broker answers at ${settings.kafkaBrokers}.`)
      return calls.run(start)
    })
    turn = answer.catch(() => undefined)
    return answer
  }

  function client(): IAdminClient {
    opened ??= rdkafka.AdminClient.create(connectionConfig(settings, 'millrace-admin') as never, {
      'event.error': (error: NativeError) =>
        logger.warn({ code: error.code, detail: error.message }, 'The Kafka client reports a problem.'),
    })
    return opened
  }

  async function describe(topic: string): Promise<NativeTopic | null> {
    try {
      const [description] = await ask<NativeTopic[]>((done) =>
        client().describeTopics([topic], { timeout }, done as never),
      )
      if (!description || description.error?.code === ERRORS.ERR_UNKNOWN_TOPIC_OR_PART) return null
      if (description.error && description.error.code !== 0) throw description.error
      return description
    } catch (error) {
      if ((error as NativeError).code === ERRORS.ERR_UNKNOWN_TOPIC_OR_PART) return null
      throw queryError(`Describing topic ${topic}`, error)
    }
  }

  async function describeTopic(topic: string): Promise<TopicInfo | null> {
    const description = await describe(topic)
    if (!description) return null
    return {
      topic,
      topicId: description.topicId?.base64 ?? '',
      partitions: description.partitions.length,
    }
  }

  async function untilReady(topic: string, partitions: number): Promise<void> {
    const deadline = performance.now() + TOPIC_READY_MS
    for (;;) {
      const description = await describe(topic)
      const led = description?.partitions.filter((each) => (each.leader?.id ?? -1) >= 0).length ?? 0
      if (led >= partitions) return
      if (performance.now() > deadline)
        throw new DependencyError('kafka', 'timeout', `Topic ${topic} was made but has no leaders yet.`)
      await pause(50)
    }
  }

  return {
    async createTopics(specs) {
      for (const spec of specs) {
        try {
          await ask<void>((done: Done<void>) =>
            client().createTopic(
              {
                topic: spec.topic,
                num_partitions: spec.partitions,
                replication_factor: spec.replicationFactor,
                config: { ...spec.config },
              },
              timeout,
              ((error: NativeError | null) => done(error, undefined)) as never,
            ),
          )
          await untilReady(spec.topic, spec.partitions)
        } catch (error) {
          if ((error as NativeError).code === ERRORS.ERR_TOPIC_ALREADY_EXISTS) continue
          throw effectError(`Making topic ${spec.topic}`, error)
        }
      }
    },

    describeTopic,

    async listTopics() {
      try {
        return await ask<string[]>((done) => client().listTopics({ timeout }, done as never))
      } catch (error) {
        throw queryError('Listing topics', error)
      }
    },

    async offsetRanges(topic, isolation) {
      const info = await describeTopic(topic)
      if (!info) throw new DependencyError('kafka', 'not_found', `There is no topic ${topic}.`)
      const numbers = Array.from({ length: info.partitions }, (_, partition) => partition)
      const { OffsetSpec, IsolationLevel } = rdkafka.AdminClient as unknown as {
        OffsetSpec: { EARLIEST: object; LATEST: object }
        IsolationLevel: { READ_UNCOMMITTED: number; READ_COMMITTED: number }
      }
      const offsetsAt = async (offset: object) => {
        const answer = await ask<{ partition: number; offset: number; error?: NativeError }[]>((done) =>
          client().listOffsets(
            numbers.map((partition) => ({ topic, partition, offset })) as never,
            {
              timeout,
              isolationLevel: (isolation === 'read_committed'
                ? IsolationLevel.READ_COMMITTED
                : IsolationLevel.READ_UNCOMMITTED) as never,
            },
            done as never,
          ),
        )
        return new Map(
          answer.map((each) => {
            if (each.error && each.error.code !== 0) throw each.error
            return [each.partition, each.offset]
          }),
        )
      }
      // A topic that was just made may be led by a broker that has not heard of it yet.
      return retry(BRIEF, { clock: systemClock, random: Math.random }, async () => {
        try {
          const starts = await offsetsAt(OffsetSpec.EARLIEST)
          const ends = await offsetsAt(OffsetSpec.LATEST)
          return numbers.map((partition) => ({
            topic,
            partition,
            start: starts.get(partition) as number,
            end: ends.get(partition) as number,
          }))
        } catch (error) {
          throw queryError(`Reading the offsets of ${topic}`, error)
        }
      })
    },

    async groupPositions(groupId, topic) {
      const info = await describeTopic(topic)
      if (!info) throw new DependencyError('kafka', 'not_found', `There is no topic ${topic}.`)
      const numbers = Array.from({ length: info.partitions }, (_, partition) => partition)
      try {
        const [group] = await ask<
          {
            error?: NativeError
            partitions: { partition: number; offset: number; metadata: string | null; error?: NativeError }[]
          }[]
        >((done) =>
          client().listConsumerGroupOffsets(
            [{ groupId, partitions: numbers.map((partition) => ({ topic, partition })) }],
            // A transaction under way is not waited for: what is committed is what counts.
            { timeout, requireStableOffsets: false },
            done as never,
          ),
        )
        if (group?.error && permanentCode(group.error.code) !== 'not_found') throw group.error
        const positions = new Map(group?.partitions.map((each) => [each.partition, each]))
        return numbers.map((partition) => {
          const position = positions.get(partition)
          if (position?.error && position.error.code !== 0) throw position.error
          if (!position || position.offset < 0) return { topic, partition, offset: null, metadata: '' }
          return { topic, partition, offset: position.offset, metadata: metadataText(position.metadata) }
        })
      } catch (error) {
        throw queryError(`Reading positions of ${groupId}`, error)
      }
    },

    async deleteTopics(topics) {
      for (const topic of topics) {
        try {
          await ask<void>((done: Done<void>) =>
            client().deleteTopic(topic, timeout, ((error: NativeError | null) =>
              done(error, undefined)) as never),
          )
        } catch (error) {
          if ((error as NativeError).code === ERRORS.ERR_UNKNOWN_TOPIC_OR_PART) continue
          throw effectError(`Deleting topic ${topic}`, error)
        }
      }
    },

    async close() {
      if (calls.closed) return
      await calls.close()
      opened?.disconnect()
      opened = null
    },
  }
}
