import { setImmediate as macrotask } from 'node:timers/promises'
import type {
  GroupConsumer,
  Log,
  Position,
  Producer,
  Reader,
  RecordBatch,
  TopicPartition,
  TransactionalProducer,
} from '../../services/core/kafka/log.ts'
import type { Clock } from '../../services/core/runtime/clock.ts'
import { DependencyError } from '../../services/core/runtime/errors.ts'
import {
  type CommitFault,
  type ConsumerWorld,
  type MemoryConsumer,
  openMemoryConsumer,
  type StaleCommits,
} from './memory-log-consumer.ts'
import { createGroup, type Group } from './memory-log-group.ts'
import {
  createStorage,
  keyOf,
  OVER,
  offsetRange,
  readCommitted,
  type Transaction,
} from './memory-log-storage.ts'

export type { CommitFault } from './memory-log-consumer.ts'

/** `failed`: nothing happened; `answer_lost`: it happened. Both reject with `outcome_unknown`. */
export type EffectFault = 'failed' | 'answer_lost'

/** What a test can do to the log behind the stage's back. Faults are used up one per operation, in order. */
export interface MemoryLogControls {
  readonly commitFaults: CommitFault[]
  readonly transactionCommitFaults: EffectFault[]
  readonly produceFaults: EffectFault[]
  /** Whose positions the coordinator takes although the partition is not theirs any more. */
  acceptStale(accept: StaleCommits): void
  /** A commit that its sender gave up, sent under `membership`, arrives now. @returns whether the coordinator took it */
  commitLate(
    consumer: GroupConsumer,
    membership: string,
    positions: readonly (Position & { readonly metadata: string })[],
  ): boolean
  /** The end of a transaction that its sender gave up arrives now: it commits what is open then, unless fenced. */
  endLate(producer: TransactionalProducer): boolean
  /** Makes the group forget a member, as after a long pause; the member learns of it at its next poll. */
  expel(consumer: GroupConsumer): void
  /** The consumer's process is dead: it answers nothing and asks nothing, while the group still counts on it. */
  die(consumer: GroupConsumer): void
  expireGroupOffsets(groupId: string): void
  /** Sets what a group has committed, as another process would. */
  setCommitted(groupId: string, position: Position, metadata: string): void
  /** What a group has committed; null for nothing. */
  committed(groupId: string, partition: TopicPartition): number | null
  /** Retention: drops what lies before `offset`. */
  truncate(position: Position): void
  /** Every record of a partition from `offset` on, or of all, that a read_committed reader sees. */
  records(topic: string, partition: number, offset?: number): RecordBatch | null
}

export interface MemoryLog extends Log {
  readonly controls: MemoryLogControls
}

export interface MemoryLogOptions {
  /** Append times, and how long polls wait. */
  readonly clock: Clock
  /** Resolves in a later turn of the event loop; a simulation has turns of its own. */
  readonly turn?: () => Promise<void>
  /** Called as every operation starts, with its name; a simulation waits, fails or crashes there. */
  readonly onCall?: (operation: string) => Promise<void>
}

interface TransactionalOwner {
  fenced: boolean
  open: Transaction | null
  /** Ends the wait for what is open to be open for too long. */
  expiry: AbortController
}

/**
 * Kafka as the port shows it, in memory: partitions with append times and offsets, groups with cooperative
 * rebalances, committed positions with metadata, transactions with fencing, markers and a last stable offset. It has
 * no timers or randomness of its own, so the same calls in the same order give the same log.
 */
export function createMemoryLog(options: MemoryLogOptions): MemoryLog {
  const { clock, onCall = async () => {}, turn = () => macrotask() } = options
  const storage = createStorage(clock)
  const groups = new Map<string, Group>()
  const owners = new Map<string, TransactionalOwner>()
  const consumers = new Map<GroupConsumer, MemoryConsumer>()
  const lateEnds = new WeakMap<TransactionalProducer, () => boolean>()
  const transactionCommitFaults: EffectFault[] = []
  const produceFaults: EffectFault[] = []
  const world: ConsumerWorld = { storage, clock, turn, commitFaults: [], acceptStale: 'refused', onCall }

  function group(groupId: string): Group {
    let found = groups.get(groupId)
    if (!found) {
      found = createGroup(storage)
      groups.set(groupId, found)
    }
    return found
  }

  function openProducer(): Producer {
    let closed = false
    return {
      async produce(records) {
        await onCall('produce')
        if (closed) throw new DependencyError('kafka', 'unavailable', 'The producer is closed.')
        const fault = produceFaults.shift()
        if (fault !== 'failed') storage.appendRecords(records, null)
        if (fault) throw new DependencyError('kafka', 'outcome_unknown', 'The broker did not answer a send.')
      },
      async close() {
        closed = true
      },
    }
  }

  function openTransactional(transactionalId: string, timeoutMs: number): TransactionalProducer {
    const earlier = owners.get(transactionalId)
    if (earlier) {
      earlier.fenced = true
      earlier.expiry.abort(OVER)
      if (earlier.open) storage.endTransaction(earlier.open, 'aborted')
    }
    const own: TransactionalOwner = { fenced: false, open: null, expiry: new AbortController() }
    owners.set(transactionalId, own)
    /** Shows at commit, as a failed record does. */
    let broken: unknown = null
    let closed = false

    function requireOwner(): void {
      if (own.fenced)
        throw new DependencyError('kafka', 'fenced', `A newer producer of ${transactionalId} took over.`)
      if (closed) throw new DependencyError('kafka', 'unavailable', 'The transactional producer is closed.')
    }
    /** The coordinator ends what is open for too long, and its producer with it. */
    function expire(transaction: Transaction): void {
      own.expiry = new AbortController()
      void clock.sleep(timeoutMs, own.expiry.signal).then(() => {
        if (own.fenced || own.open !== transaction) return
        own.fenced = true
        own.open = null
        storage.endTransaction(transaction, 'aborted')
      })
    }
    function requireOpen(): Transaction {
      if (!own.open) throw new Error('There is no open transaction.')
      return own.open
    }
    const producer: TransactionalProducer = {
      async begin() {
        await onCall('begin')
        requireOwner()
        if (own.open) throw new Error('A transaction is open already.')
        broken = null
        own.open = { state: 'open', touched: new Set(), positions: [] }
        expire(own.open)
      },
      async send(records) {
        await onCall('send')
        try {
          requireOwner()
          storage.appendRecords(records, requireOpen())
        } catch (error) {
          if (!(error instanceof DependencyError)) throw error
          broken ??= error
        }
      },
      async sendOffset(consumer, position, metadata) {
        await onCall('sendOffset')
        requireOwner()
        const transaction = requireOpen()
        const member = consumers.get(consumer)
        if (!member) throw new Error('A position can only be sent for a consumer of the same log.')
        try {
          member.checkMembership(position)
        } catch (error) {
          broken ??= error
          throw error
        }
        const { topic, partition, offset } = position
        transaction.positions.push({
          group: member.offsets,
          position: { topic, partition, offset, metadata },
        })
        member.offsets.pending.set(keyOf(position), transaction)
      },
      async commit() {
        await onCall('commitTransaction')
        requireOwner()
        const transaction = requireOpen()
        if (broken !== null) throw broken
        const fault = transactionCommitFaults.shift()
        // Without an answer the transaction stays as it is until the next owner of the id settles it.
        if (fault !== 'failed') {
          own.open = null
          own.expiry.abort(OVER)
          storage.endTransaction(transaction, 'committed')
        }
        if (fault)
          throw new DependencyError('kafka', 'outcome_unknown', 'The outcome of a commit is not known.')
      },
      async abort() {
        await onCall('abort')
        requireOwner()
        const transaction = requireOpen()
        own.open = null
        own.expiry.abort(OVER)
        storage.endTransaction(transaction, 'aborted')
      },
      async close() {
        closed = true
      },
    }
    lateEnds.set(producer, () => {
      const transaction = own.open
      if (own.fenced || transaction === null || broken !== null) return false
      own.open = null
      storage.endTransaction(transaction, 'committed')
      return true
    })
    return producer
  }

  function openReader(positions: readonly Position[]): Reader {
    const next = positions.map((position) => ({ ...position }))
    let closed = false
    return {
      async read(waitMs) {
        await onCall('read')
        const waited = new AbortController()
        let over = false
        const deadline = clock.sleep(waitMs, waited.signal).then(() => {
          over = true
        })
        try {
          for (;;) {
            if (closed) throw new DependencyError('kafka', 'unavailable', 'The reader is closed.')
            const batches = next.flatMap((position) => {
              const found = readCommitted(storage.findPartition(position), position.offset, READ_RECORDS_MAX)
              position.offset = found.next
              return found.batch ?? []
            })
            if (batches.length > 0 || over) return batches
            await Promise.race([storage.whenChanged(), deadline])
          }
        } finally {
          waited.abort(OVER)
        }
      },
      position(where) {
        const position = next.find((each) => keyOf(each) === keyOf(where))
        if (!position) throw new Error(`${where.topic}[${where.partition}] is not read by this reader.`)
        return position.offset
      },
      async close() {
        closed = true
        storage.notify()
      },
    }
  }

  return {
    openProducer: async () => openProducer(),
    async openTransactionalProducer(transactionalId, { transactionTimeoutMs }) {
      await onCall('openTransactionalProducer')
      return openTransactional(transactionalId, transactionTimeoutMs)
    },
    async openGroupConsumer(consumerOptions) {
      await onCall('openGroupConsumer')
      const { groupId } = consumerOptions
      const consumer = openMemoryConsumer(world, group(groupId), storage.group(groupId), consumerOptions)
      consumers.set(consumer, consumer)
      return consumer
    },
    openReader: async (positions) => openReader(positions),
    async close() {
      await Promise.all([...consumers.values()].map((consumer) => consumer.close()))
    },

    admin: {
      async createTopics(specs) {
        await onCall('createTopics')
        for (const spec of specs) storage.createTopic(spec)
        for (const each of groups.values()) each.rebalance()
      },
      async describeTopic(name) {
        await onCall('describeTopic')
        const topic = storage.topics.get(name)
        return topic ? { topic: name, topicId: topic.id, partitions: topic.partitions.length } : null
      },
      async topicSettings(name) {
        await onCall('topicSettings')
        const spec = storage.topics.get(name)?.spec
        if (!spec) return null
        const { replicationFactor, config } = spec
        return { replicas: Math.max(1, replicationFactor), config: { ...BROKER_DEFAULTS, ...config } }
      },
      async listTopics() {
        await onCall('listTopics')
        return [...storage.topics.keys()]
      },
      async offsetRanges(name, isolation) {
        await onCall('offsetRanges')
        const topic = storage.topics.get(name)
        if (!topic) throw new DependencyError('kafka', 'not_found', `There is no topic ${name}.`)
        return topic.partitions.map((partition) => offsetRange(partition, isolation))
      },
      async offsetsAt(name, timestampMs) {
        await onCall('offsetsAt')
        const topic = storage.topics.get(name)
        if (!topic) throw new DependencyError('kafka', 'not_found', `There is no topic ${name}.`)
        return topic.partitions.map((partition) => {
          const { end } = offsetRange(partition, 'read_committed')
          const found = partition.entries.find(
            ({ offset, timestamp, record }) => record !== null && timestamp >= timestampMs && offset < end,
          )
          return { topic: name, partition: partition.partition, offset: found?.offset ?? end }
        })
      },
      async groupPositions(groupId, name) {
        await onCall('groupPositions')
        const topic = storage.topics.get(name)
        if (!topic) throw new DependencyError('kafka', 'not_found', `There is no topic ${name}.`)
        const { committed } = storage.group(groupId)
        return topic.partitions.map(
          ({ partition }) =>
            committed.get(keyOf({ topic: name, partition })) ?? {
              topic: name,
              partition,
              offset: null,
              metadata: '',
            },
        )
      },
      async deleteTopics(names) {
        await onCall('deleteTopics')
        for (const name of names) storage.deleteTopic(name)
      },
    },

    controls: {
      commitFaults: world.commitFaults,
      transactionCommitFaults,
      produceFaults,
      acceptStale(accept) {
        world.acceptStale = accept
      },
      commitLate: (consumer, membership, positions) =>
        consumers.get(consumer)?.commitLate(membership, positions) ?? false,
      endLate: (producer) => lateEnds.get(producer)?.() ?? false,
      expel(consumer) {
        consumers.get(consumer)?.expel()
      },
      die(consumer) {
        consumers.get(consumer)?.die()
      },
      expireGroupOffsets(groupId) {
        storage.group(groupId).committed.clear()
      },
      committed: (groupId, partition) =>
        storage.group(groupId).committed.get(keyOf(partition))?.offset ?? null,
      setCommitted(groupId, { topic, partition, offset }, metadata) {
        storage
          .group(groupId)
          .committed.set(keyOf({ topic, partition }), { topic, partition, offset, metadata })
      },
      truncate(position) {
        const partition = storage.findPartition(position)
        partition.entries = partition.entries.filter((entry) => entry.offset >= position.offset)
        partition.start = Math.min(position.offset, partition.next)
      },
      records(topic, partition, offset = 0) {
        const found = storage.findPartition({ topic, partition })
        return readCommitted(found, Math.max(offset, found.start), Number.POSITIVE_INFINITY).batch
      },
    },
  }
}

/** Settings of a topic that says nothing about them. */
const BROKER_DEFAULTS = {
  'cleanup.policy': 'delete',
  'max.message.bytes': '1048588',
  'message.timestamp.type': 'CreateTime',
  'min.insync.replicas': '1',
  'retention.bytes': '-1',
  'retention.ms': '604800000',
  'unclean.leader.election.enable': 'false',
} as const

/** Records per partition that one `read` hands out at most. */
const READ_RECORDS_MAX = 2_000

/** Values as text, for tests that compare whole topics. */
export function valuesOf(batch: RecordBatch | null): string[] {
  return Array.from({ length: batch?.length ?? 0 }, (_, index) => batch?.value(index)?.toString() ?? 'null')
}
