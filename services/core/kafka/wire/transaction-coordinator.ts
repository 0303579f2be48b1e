import { setTimeout as pause } from 'node:timers/promises'
import type { Position, TopicPartition } from '../log.ts'
import { APIS, type Api } from './apis.ts'
import type { Cluster } from './cluster.ts'
import { type WireReader, WireWriter } from './codec.ts'
import { BrokerError, COORDINATOR_MOVED } from './errors.ts'
import type { GroupMembership } from './group-membership.ts'
import { decodeInitProducerId, encodeInitProducerId, INIT_PRODUCER_ID } from './producer-identity.ts'
import type { ProducerIdentity } from './record-sender.ts'

/** The requests of a transaction, each to the broker that has to answer it. Refusals are codes, 0 for none. */
export interface TransactionCoordinator {
  /** Fences every older producer of the id, and aborts what it left open. @throws BrokerError */
  begin(timeoutMs: number): Promise<ProducerIdentity>
  addPartitions(author: ProducerIdentity, partitions: readonly TopicPartition[]): Promise<number>
  /** The group's position will be part of the transaction. */
  addGroup(author: ProducerIdentity, groupId: string): Promise<number>
  commitPosition(
    author: ProducerIdentity,
    membership: GroupMembership,
    position: Position,
    metadata: string,
  ): Promise<number>
  end(author: ProducerIdentity, outcome: 'commit' | 'abort'): Promise<number>
  /** The next requests ask who coordinates. */
  forget(): void
}

/** @param patienceMs longest wait for a coordinator to be there */
export function openTransactionCoordinator(
  cluster: Cluster,
  transactionalId: string,
  patienceMs: number,
): TransactionCoordinator {
  let own: Promise<number> | null = null
  const groups = new Map<string, Promise<number>>()

  async function ask(api: Api, body: WireWriter): Promise<WireReader> {
    own ??= find(transactionalId, 'transaction')
    try {
      return await cluster.ask(await own, api, body)
    } catch (error) {
      own = null
      throw error
    }
  }

  async function askGroup(groupId: string, api: Api, body: WireWriter): Promise<WireReader> {
    let finding = groups.get(groupId)
    if (!finding) {
      finding = find(groupId, 'group')
      groups.set(groupId, finding)
    }
    try {
      return await cluster.ask(await finding, api, body)
    } catch (error) {
      groups.delete(groupId)
      throw error
    }
  }

  /** The first question of a new cluster makes the topic that coordinators keep their state in, and has to wait for it. */
  async function find(id: string, of: 'group' | 'transaction'): Promise<number> {
    const deadline = performance.now() + patienceMs
    for (;;) {
      try {
        return await cluster.coordinator(id, of)
      } catch (error) {
        const cause = (error as Error).cause
        const isPassing = cause instanceof BrokerError && COORDINATOR_MOVED.has(cause.code)
        if (!isPassing || performance.now() > deadline) throw error
        await pause(FIND_AGAIN_MS)
      }
    }
  }

  const head = ({ producerId, producerEpoch }: ProducerIdentity) =>
    new WireWriter().string(transactionalId).int64(producerId).int16(producerEpoch)

  return {
    async begin(timeoutMs) {
      return decodeInitProducerId(
        await ask(INIT_PRODUCER_ID, encodeInitProducerId(transactionalId, timeoutMs)),
      )
    },

    async addPartitions(author, partitions) {
      const topics = new Map<string, number[]>()
      for (const { topic, partition } of partitions) {
        const of = topics.get(topic)
        if (of) of.push(partition)
        else topics.set(topic, [partition])
      }
      const body = head(author)
      body
        .array([...topics], ([topic, of]) =>
          body
            .string(topic)
            .array(of, (partition) => body.int32(partition))
            .noTags(),
        )
        .noTags()
      return worstCode(await ask(APIS.addPartitionsToTxn, body))
    },

    async addGroup(author, groupId) {
      const answer = await ask(APIS.addOffsetsToTxn, head(author).string(groupId).noTags())
      answer.int32() // throttle time
      return answer.int16()
    },

    async commitPosition({ producerId, producerEpoch }, membership, { topic, partition, offset }, metadata) {
      const body = new WireWriter().string(transactionalId).string(membership.groupId)
      body.int64(producerId).int16(producerEpoch).int32(membership.generationId)
      body.string(membership.memberId).string(membership.instanceId)
      body
        .array([topic], () =>
          body
            .string(topic)
            .array([partition], () =>
              // No leader epoch: positions are checked against what the partition holds instead.
              body.int32(partition).int64(offset).int32(-1).string(metadata).noTags(),
            )
            .noTags(),
        )
        .noTags()
      return worstCode(await askGroup(membership.groupId, APIS.txnOffsetCommit, body))
    },

    async end(author, outcome) {
      const answer = await ask(
        APIS.endTxn,
        head(author)
          .boolean(outcome === 'commit')
          .noTags(),
      )
      answer.int32() // throttle time
      return answer.int16()
    },

    forget() {
      own = null
      groups.clear()
    },
  }
}

/** Pause before a coordinator is looked for again, ms. */
const FIND_AGAIN_MS = 20

/** OPERATION_NOT_ATTEMPTED: refused because of another partition. */
const NOT_ATTEMPTED = 55

/** Of an answer that lists partitions: the refusal that says most, or 0. */
function worstCode(answer: WireReader): number {
  let worst = 0
  answer.int32() // throttle time
  answer.array(() => {
    answer.string() // topic
    answer.array(() => {
      answer.int32() // partition
      const code = answer.int16()
      if (code !== 0 && (worst === 0 || worst === NOT_ATTEMPTED)) worst = code
      answer.tags()
    })
    answer.tags()
  })
  return worst
}
