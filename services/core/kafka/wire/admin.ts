import { setTimeout as pause } from 'node:timers/promises'
import { systemClock } from '../../runtime/clock.ts'
import { DependencyError } from '../../runtime/errors.ts'
import { BRIEF, retry } from '../../runtime/retry.ts'
import type { KafkaSettings } from '../kafka-settings.ts'
import type { LogAdmin, OffsetRange, TopicSpec } from '../log.ts'
import { APIS } from './apis.ts'
import { openCluster, type TopicMetadata } from './cluster.ts'
import { type WireReader, WireWriter } from './codec.ts'
import { effectError, queryError } from './dependency-errors.ts'
import { BrokerError, CODES, LEADER_MOVED } from './errors.ts'
import { committedPositions, committedRequest } from './offset-codec.ts'
import { topicConfigIn, topicConfigRequest } from './topic-config.ts'

/** Longest wait for a topic that was just made to have a leader for every partition, ms. */
const TOPIC_READY_MS = 15_000
const EARLIEST = -2
const LATEST = -1

/** Topic and group administration. Connects with the first question. */
export function openAdmin(settings: KafkaSettings): LogAdmin & { close(): Promise<void> } {
  const cluster = openCluster(settings, 'millrace-admin')
  const timeoutMs = settings.kafkaRequestTimeoutMs

  /** @returns null for a topic that is not there */
  async function describe(topic: string): Promise<TopicMetadata | null> {
    const [described] = await cluster.metadata([topic])
    if (!described || described.code === CODES.UNKNOWN_TOPIC_OR_PARTITION) return null
    if (described.code !== 0 && !LEADER_MOVED.has(described.code)) throw new BrokerError(described.code)
    return described
  }

  async function existing(topic: string): Promise<TopicMetadata> {
    const described = await describe(topic)
    if (described) return described
    throw new DependencyError('kafka', 'not_found', `There is no topic ${topic}.`)
  }

  /** Questions may be asked again, of whoever is responsible by then. */
  async function query<T>(doing: string, ask: () => Promise<T>): Promise<T> {
    return retry(BRIEF, { clock: systemClock, random: Math.random }, async () => {
      try {
        return await ask()
      } catch (error) {
        throw queryError(doing, error)
      }
    })
  }

  async function create(spec: TopicSpec): Promise<void> {
    const body = new WireWriter()
    body.array([spec], ({ topic, partitions, replicationFactor, config }) => {
      body.string(topic).int32(partitions).int16(replicationFactor)
      body.array([], () => {}) // brokers place the replicas
      body.array(Object.entries(config), ([name, value]) => body.string(name).string(value).noTags())
      body.noTags()
    })
    body.int32(timeoutMs).boolean(false).noTags()
    const answer = await cluster.askController(APIS.createTopics, body)
    answer.int32() // throttle time
    const [made] = answer.array(() => {
      answer.string() // topic
      answer.uuid()
      const refusal = { code: answer.int16(), detail: answer.nullableString() }
      answer.int32() // partitions
      answer.int16() // replicas
      answer.array(() => skipConfig(answer))
      answer.tags()
      return refusal
    })
    if (made && made.code !== 0 && made.code !== CODES.TOPIC_ALREADY_EXISTS)
      throw new BrokerError(made.code, made.detail)
    if (made?.code === 0) await untilReady(spec)
  }

  async function untilReady({ topic, partitions }: TopicSpec): Promise<void> {
    const deadline = performance.now() + TOPIC_READY_MS
    for (;;) {
      const described = await describe(topic)
      if ((described?.leaders.filter((leader) => leader >= 0).length ?? 0) >= partitions) return
      if (performance.now() > deadline)
        throw new DependencyError('kafka', 'timeout', `Topic ${topic} was made but has no leaders yet.`)
      await pause(50)
    }
  }

  /** Offsets at one end of the given partitions or at a time, asked of each leader; -1 where none is so late. */
  async function offsetsAt(
    { topic, leaders }: TopicMetadata,
    timestamp: number,
    isolation: number,
  ): Promise<ReadonlyMap<number, number>> {
    const offsets = new Map<number, number>()
    const byLeader = Map.groupBy(leaders.keys(), (partition) => leaders[partition] as number)
    for (const [leader, partitions] of byLeader) {
      if (leader < 0) throw new BrokerError(CODES.LEADER_NOT_AVAILABLE)
      const body = new WireWriter().int32(-1).int8(isolation)
      body.array([topic], () => {
        body.string(topic)
        body.array(partitions, (partition) => body.int32(partition).int32(-1).int64(timestamp).noTags())
        body.noTags()
      })
      const answer = await cluster.ask(leader, APIS.listOffsets, body.noTags())
      answer.int32() // throttle time
      answer.array(() => {
        answer.string() // topic
        answer.array(() => {
          const partition = answer.int32()
          const code = answer.int16()
          answer.int64() // timestamp
          offsets.set(partition, answer.int64())
          answer.int32() // leader epoch
          answer.tags()
          // The topic is there, so a leader that does not know it has yet to hear of it.
          if (LEADER_MOVED.has(code)) throw new BrokerError(CODES.NOT_LEADER_OR_FOLLOWER)
          if (code !== 0) throw new BrokerError(code)
        })
        answer.tags()
      })
    }
    return offsets
  }

  return {
    async createTopics(specs) {
      for (const spec of specs) {
        try {
          await create(spec)
        } catch (error) {
          throw effectError(`Making topic ${spec.topic}`, error)
        }
      }
    },

    describeTopic: (topic) =>
      query(`Describing topic ${topic}`, async () => {
        const described = await describe(topic)
        return described && { topic, topicId: described.topicId, partitions: described.leaders.length }
      }),

    topicSettings: (topic) =>
      query(`Reading the settings of ${topic}`, async () => {
        const described = await describe(topic)
        if (described === null) return null
        const answer = await cluster.askController(APIS.describeConfigs, topicConfigRequest(topic))
        return { replicas: described.replicas, config: topicConfigIn(answer) }
      }),

    listTopics: () =>
      query('Listing topics', async () => (await cluster.metadata(null)).map(({ topic }) => topic)),

    offsetRanges: (topic, isolation) =>
      query(`Reading the offsets of ${topic}`, async () => {
        const described = await existing(topic)
        const starts = await offsetsAt(described, EARLIEST, READ_UNCOMMITTED)
        const ends = await offsetsAt(
          described,
          LATEST,
          isolation === 'read_committed' ? READ_COMMITTED : READ_UNCOMMITTED,
        )
        return described.leaders.map(
          (_, partition): OffsetRange => ({
            topic,
            partition,
            start: starts.get(partition) as number,
            end: ends.get(partition) as number,
          }),
        )
      }),

    offsetsAt: (topic, timestampMs) =>
      query(`Reading the offsets of ${topic}`, async () => {
        const described = await existing(topic)
        const found = await offsetsAt(described, timestampMs, READ_COMMITTED)
        const ends = await offsetsAt(described, LATEST, READ_COMMITTED)
        return described.leaders.map((_, partition) => {
          const offset = found.get(partition) ?? -1
          return { topic, partition, offset: offset < 0 ? (ends.get(partition) as number) : offset }
        })
      }),

    groupPositions: (groupId, topic) =>
      query(`Reading positions of ${groupId}`, async () => {
        const { leaders } = await existing(topic)
        const partitions = [...leaders.keys()].map((partition) => ({ topic, partition }))
        // A transaction under way is not waited for: what is committed is what counts.
        const body = committedRequest(groupId, partitions, false)
        const answer = await cluster.ask(await cluster.coordinator(groupId), APIS.offsetFetch, body)
        return committedPositions(answer, partitions)
      }),

    async deleteTopics(topics) {
      for (const topic of topics) {
        try {
          const body = new WireWriter()
          body.array([topic], () => body.string(topic).raw(Buffer.alloc(16)).noTags())
          const answer = await cluster.askController(APIS.deleteTopics, body.int32(timeoutMs).noTags())
          answer.int32() // throttle time
          const [deleted] = answer.array(() => {
            answer.nullableString() // topic
            answer.uuid()
            const refusal = { code: answer.int16(), detail: answer.nullableString() }
            answer.tags()
            return refusal
          })
          if (deleted && deleted.code !== 0 && deleted.code !== CODES.UNKNOWN_TOPIC_OR_PARTITION)
            throw new BrokerError(deleted.code, deleted.detail)
        } catch (error) {
          throw effectError(`Deleting topic ${topic}`, error)
        }
      }
    },

    async close() {
      cluster.close()
    },
  }
}

const READ_UNCOMMITTED = 0
const READ_COMMITTED = 1

function skipConfig(answer: WireReader): void {
  answer.string() // name
  answer.nullableString() // value
  answer.boolean() // read only
  answer.int8() // source
  answer.boolean() // sensitive
  answer.tags()
}
