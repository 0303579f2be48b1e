import type {
  CommittedPosition,
  OffsetRange,
  ProduceRecord,
  RecordBatch,
  TopicPartition,
  TopicSpec,
} from '../../services/core/kafka/log.ts'
import type { Clock } from '../../services/core/runtime/clock.ts'
import { DependencyError } from '../../services/core/runtime/errors.ts'

/** A record, or the marker that ends a transaction and takes an offset of its own. */
export interface Entry {
  readonly offset: number
  readonly timestamp: number
  /** Null for a marker. */
  readonly record: ProduceRecord | null
  readonly transaction: Transaction | null
}

export interface Transaction {
  state: 'open' | 'committed' | 'aborted'
  readonly touched: Set<Partition>
  /** Positions that become the groups' when it commits. */
  readonly positions: { group: GroupOffsets; position: CommittedPosition }[]
}

export interface Partition {
  readonly topic: Topic
  readonly partition: number
  entries: Entry[]
  start: number
  next: number
  /** No entry before this offset belongs to an open transaction. */
  settled: number
}

export interface Topic {
  readonly spec: TopicSpec
  readonly id: string
  readonly partitions: readonly Partition[]
}

/** What the coordinator keeps of one group's positions. */
export interface GroupOffsets {
  readonly groupId: string
  readonly committed: Map<string, CommittedPosition>
  /** Open transactions that hold a position of the partition back. */
  readonly pending: Map<string, Transaction>
}

/** Why a wait ended: a constant, since an error made for each costs more than all the rest of a poll. */
export const OVER = 'over'

export const keyOf = ({ topic, partition }: TopicPartition) => `${partition}:${topic}`

/** Largest record, bytes of key and value: the default of brokers, rounded. */
const RECORD_BYTES_MAX = 1_000_000

/** Topics, their records and the groups' positions: what the brokers hold. Everything here is synchronous. */
export function createStorage(clock: Clock) {
  const topics = new Map<string, Topic>()
  const groups = new Map<string, GroupOffsets>()
  const listeners = new Map<string, Set<() => void>>()
  let topicsMade = 0
  let changed = Promise.withResolvers<void>()

  function notify(): void {
    changed.resolve()
    changed = Promise.withResolvers<void>()
  }
  function notifyOf(changedTopics: ReadonlySet<string>): void {
    for (const topic of changedTopics) for (const listener of listeners.get(topic) ?? []) listener()
    notify()
  }
  function findPartition(where: TopicPartition): Partition {
    const partition = topics.get(where.topic)?.partitions[where.partition]
    if (!partition)
      throw new DependencyError('kafka', 'not_found', `There is no ${where.topic}/${where.partition}.`)
    return partition
  }
  function append(partition: Partition, record: ProduceRecord | null, transaction: Transaction | null): void {
    partition.entries.push({ offset: partition.next++, timestamp: clock.now(), record, transaction })
  }

  return {
    topics,
    findPartition,
    notify,
    /** Resolves at the next change of anything. */
    whenChanged: () => changed.promise,
    /** Calls `listener` at every change of what one of the topics holds. @returns ends that */
    listen(topicNames: readonly string[], listener: () => void): () => void {
      for (const topic of topicNames) {
        const own = listeners.get(topic) ?? new Set()
        listeners.set(topic, own.add(listener))
      }
      return () => {
        for (const topic of topicNames) listeners.get(topic)?.delete(listener)
      }
    },

    createTopic(spec: TopicSpec): void {
      if (topics.has(spec.topic)) return
      const partitions: Partition[] = []
      const topic: Topic = { spec, id: `memory-topic-${++topicsMade}`, partitions }
      for (let partition = 0; partition < spec.partitions; partition++)
        partitions.push({ topic, partition, entries: [], start: 0, next: 0, settled: 0 })
      topics.set(spec.topic, topic)
      notifyOf(new Set([spec.topic]))
    },
    deleteTopic(name: string): void {
      topics.delete(name)
      for (const group of groups.values())
        for (const [key, position] of group.committed)
          if (position.topic === name) group.committed.delete(key)
      notifyOf(new Set([name]))
    },

    /** Nothing is taken unless everything can be. */
    appendRecords(records: readonly ProduceRecord[], transaction: Transaction | null): void {
      const places = records.map((record) => {
        const bytes = (record.value?.length ?? 0) + (record.key === null ? 0 : Buffer.byteLength(record.key))
        if (bytes > RECORD_BYTES_MAX)
          throw new DependencyError('kafka', 'rejected', `A record of ${bytes} bytes is too large.`)
        return findPartition(record)
      })
      records.forEach((record, index) => {
        const partition = places[index] as Partition
        transaction?.touched.add(partition)
        append(partition, copyOf(record), transaction)
      })
      notifyOf(new Set(records.map(({ topic }) => topic)))
    },

    /** Writes the markers and, when it commits, the groups' positions. */
    endTransaction(transaction: Transaction, state: 'committed' | 'aborted'): void {
      transaction.state = state
      for (const partition of transaction.touched) append(partition, null, transaction)
      for (const { group, position } of transaction.positions) {
        group.pending.delete(keyOf(position))
        if (state === 'committed') group.committed.set(keyOf(position), position)
      }
      notifyOf(new Set([...transaction.touched].map(({ topic }) => topic.spec.topic)))
    },

    group(groupId: string): GroupOffsets {
      let group = groups.get(groupId)
      if (!group) {
        group = { groupId, committed: new Map(), pending: new Map() }
        groups.set(groupId, group)
      }
      return group
    },
  }
}

export type Storage = ReturnType<typeof createStorage>

/** Producers may reuse their buffers. */
function copyOf(record: ProduceRecord): ProduceRecord {
  return {
    ...record,
    key: record.key === null ? null : Buffer.from(record.key),
    value: record.value === null ? null : Buffer.from(record.value),
  }
}

/** First offset of a transaction that is still open, else the end. */
export function lastStableOffset(partition: Partition): number {
  partition.settled = Math.max(partition.settled, partition.start)
  while (partition.settled < partition.next && !isOpenAt(partition, partition.settled)) partition.settled++
  return partition.settled
}

function isOpenAt({ entries, start }: Partition, offset: number): boolean {
  return entries[offset - start]?.transaction?.state === 'open'
}

export function offsetRange(
  partition: Partition,
  isolation: 'read_committed' | 'read_uncommitted',
): OffsetRange {
  return {
    topic: partition.topic.spec.topic,
    partition: partition.partition,
    start: partition.start,
    end: isolation === 'read_committed' ? lastStableOffset(partition) : partition.next,
  }
}

/**
 * Committed records from `offset` on.
 *
 * @returns the batch, null when there is none, and where to go on: past markers and aborted records
 * @throws DependencyError `not_found` when the partition does not hold that position
 */
export function readCommitted(
  partition: Partition,
  offset: number,
  recordsMax: number,
): { batch: RecordBatch | null; next: number } {
  if (offset < partition.start || offset > partition.next)
    throw new DependencyError(
      'kafka',
      'not_found',
      `${partition.topic.spec.topic}/${partition.partition} holds ${partition.start} to ${partition.next}, not ${offset}.`,
    )
  const stable = lastStableOffset(partition)
  const found: Entry[] = []
  let next = offset
  // Entries are dense, so the index follows from the offset.
  for (let index = offset - partition.start; next < stable && found.length < recordsMax; index++) {
    const entry = partition.entries[index] as Entry
    next = entry.offset + 1
    if (entry.record !== null && entry.transaction?.state !== 'aborted') found.push(entry)
  }
  return { batch: found.length > 0 ? batchOf(partition, found) : null, next }
}

function batchOf(partition: Partition, entries: readonly Entry[]): RecordBatch {
  const at = (index: number) => entries[index] as Entry & { record: ProduceRecord }
  const bytes = (value: Uint8Array | string | null) => value as Buffer | null
  return {
    topic: partition.topic.spec.topic,
    partition: partition.partition,
    length: entries.length,
    byteLength: entries.reduce((sum, entry) => sum + (entry.record?.value?.length ?? 0), 0),
    offset: (index) => at(index).offset,
    timestamp: (index) => at(index).timestamp,
    key: (index) => bytes(at(index).record.key),
    value: (index) => bytes(at(index).record.value),
    header: (index, name) => at(index).record.headers?.[name] ?? null,
  }
}
