/**
 * The log as stages see it: the narrow port in front of Kafka. Two implementations pass one contract suite
 * (`test/contract/log.ts`): the adapter on Kafka's protocol against a real broker, and the in-memory log of the tests.
 *
 * Values are bytes. A batch hands out byte ranges through accessors, so that an adapter which decodes record
 * batches without an object per record fits behind the same port.
 *
 * Every failure is a DependencyError('kafka', …).
 */
export interface Log {
  /** An idempotent producer, acks=all. */
  openProducer(options: ProducerOptions): Promise<Producer>
  /**
   * A transactional producer. Opening it fences every earlier producer of the same id, whatever its group
   * generation, and aborts the transaction it left open.
   */
  openTransactionalProducer(
    transactionalId: string,
    options: TransactionalOptions,
  ): Promise<TransactionalProducer>
  /** Joins a consumer group; nothing is consumed before the first `poll`. */
  openGroupConsumer(options: GroupConsumerOptions): Promise<GroupConsumer>
  /** Reads named partitions without a group, read_committed, from given offsets. For rebuilding state and for tools. */
  openReader(positions: readonly Position[]): Promise<Reader>
  readonly admin: LogAdmin
  /** Closes what is still open. */
  close(): Promise<void>
}

export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

/** `offset` is the next one to read. */
export interface Position extends TopicPartition {
  readonly offset: number
}

/** A group's committed position; `offset` is null where none was ever committed or it has expired. */
export interface CommittedPosition extends TopicPartition {
  readonly offset: number | null
  /** Text that was committed with the offset; '' when there was none. */
  readonly metadata: string
}

export interface ProduceRecord {
  readonly topic: string
  /** Always stated: millrace computes partitions itself (`partitionOf`). */
  readonly partition: number
  readonly key: Uint8Array | string | null
  /** Null is a tombstone. */
  readonly value: Uint8Array | null
  readonly headers?: Readonly<Record<string, string>>
}

/** Consecutive records of one partition in offset order. Offsets may have gaps (transaction markers, compaction). */
export interface RecordBatch extends TopicPartition {
  readonly length: number
  /** Sum of the values' sizes, bytes. */
  readonly byteLength: number
  offset(index: number): number
  /** Epoch milliseconds; append time on topics configured so. */
  timestamp(index: number): number
  key(index: number): Buffer | null
  /** A view: valid as long as the batch is referenced; copy what is kept longer. Null is a tombstone. */
  value(index: number): Buffer | null
  /** First header of that name as text, null when there is none. */
  header(index: number, name: string): string | null
}

export interface ProducerOptions {
  readonly clientId: string
  /** How long to gather records before sending, ms. */
  readonly lingerMs: number
  /** Time until a record that was not acknowledged fails, ms. */
  readonly deliveryTimeoutMs: number
}

export interface Producer {
  /**
   * Resolves when every record is acknowledged by all in-sync replicas. Rejects when at least one was not:
   * code `rejected` or `not_found` when none was taken (too large, no such topic), else `outcome_unknown`.
   * May be called while earlier calls are under way; records of one partition keep the order of the calls.
   */
  produce(records: readonly ProduceRecord[]): Promise<void>
  /** Waits for what is under way, then disconnects. */
  close(): Promise<void>
}

export interface TransactionalOptions {
  readonly clientId: string
  /** The broker aborts a transaction that is open longer, ms. */
  readonly transactionTimeoutMs: number
}

/** One transaction at a time: begin, any number of sends, sendOffset, then commit or abort. */
export interface TransactionalProducer {
  begin(): Promise<void>
  /** Queues records; a failure shows at commit. Waits only when the client's buffer is full. */
  send(records: readonly ProduceRecord[]): Promise<void>
  /** Makes the group's position part of the transaction. `metadata` at most 1 KiB. */
  sendOffset(consumer: GroupConsumer, position: Position, metadata: string): Promise<void>
  /**
   * Rejects with `fenced` when a newer producer took over, or `outcome_unknown`: the caller then closes this
   * producer, opens a new one (which settles the question) and reads the committed position again. Rejects with
   * `rejected`, `not_found` or `denied` when a record was not taken: nothing was committed, abort.
   *
   * The coordinator has decided once this resolves; its markers reach the partitions later. Until then readers, and
   * the read_committed end in `offsetRanges`, stand before the transaction; `committed` of a consumer waits for it.
   */
  commit(): Promise<void>
  abort(): Promise<void>
  /** Disconnects without waiting for an open transaction. */
  close(): Promise<void>
}

export interface GroupConsumerOptions {
  readonly groupId: string
  readonly clientId: string
  readonly topics: readonly string[]
  readonly sessionTimeoutMs: number
  /** Longest pause between two polls before the group takes the partitions away, ms. */
  readonly maxPollIntervalMs: number
  /** Records that one `poll` hands out at most, all partitions together. */
  readonly pollRecordsMax: number
  /** How long `poll` waits when there is nothing, ms. */
  readonly pollWaitMs: number
  /** Bytes fetched ahead at most. */
  readonly prefetchBytesMax: number
  /**
   * Partitions were assigned. Returns where each starts; consumption of them begins after it resolves, so fencing
   * and rebuilding belong here. A rejection closes the consumer and makes `poll` reject with the same error.
   */
  readonly onAssigned: (
    partitions: readonly TopicPartition[],
    consumer: GroupConsumer,
  ) => Promise<readonly Position[]>
  /**
   * Partitions are about to be taken away: finish or abort what is open. They are given up after it resolves.
   * With `lost` they are gone already and commits would be refused.
   */
  readonly onRevoked: (partitions: readonly TopicPartition[], lost: boolean) => Promise<void>
}

/** Cooperative assignment: partitions that stay are not disturbed by a rebalance. */
export interface GroupConsumer {
  /** Goes up with every assignment and revocation: a check and its effect belong to the same epoch. */
  readonly assignmentEpoch: number
  assigned(partition: TopicPartition): boolean
  /**
   * Names the membership and its generation; '' while it is no member. The coordinator refuses commits that were sent
   * under another one, however late they arrive.
   */
  readonly membership: string
  /**
   * Asks the group for a new generation. Returns at once; what is held stays held, and `membership` changes when the
   * generation is there, which takes until the other members have polled.
   */
  renew(): void
  /** The next records, grouped by partition; empty after `pollWaitMs`. Keep calling it: it also serves rebalances. */
  poll(): Promise<readonly RecordBatch[]>
  /** Stops fetching these partitions; records already handed out are not affected, none are handed out after. */
  pause(partitions: readonly TopicPartition[]): void
  resume(partitions: readonly TopicPartition[]): void
  /**
   * Continues that partition at `offset`; records fetched before are dropped. One whose `onAssigned` has not resolved
   * starts there, whatever that callback returns.
   */
  seek(position: Position): Promise<void>
  /**
   * What the group coordinator has: stable positions only (an open transaction makes it wait, then time out).
   * This is the read-back: the coordinator's answer, not the client's memory.
   */
  committed(partitions: readonly TopicPartition[]): Promise<readonly CommittedPosition[]>
  /**
   * Commits positions with metadata (at most 1 KiB each). Resolving is a hint only: clients resolve commits that
   * the coordinator refused, and the coordinator accepts commits for partitions a live member no longer owns.
   * Whoever must know reads back with `committed`.
   */
  commit(positions: readonly (Position & { readonly metadata: string })[]): Promise<void>
  /** End of the partition (next offset to be written) as last heard from the broker; null when not known yet. */
  endOffset(partition: TopicPartition): number | null
  /** Leaves the group after `onRevoked` has been served. */
  close(): Promise<void>
}

export interface Reader {
  /** Records in order per partition; empty when nothing came within `waitMs`. */
  read(waitMs: number): Promise<readonly RecordBatch[]>
  /**
   * Next offset to be read. Moves past what was handed out, and past transaction markers and aborted records once
   * the broker said that nothing readable follows: at or past an end offset means that all before it was read.
   */
  position(partition: TopicPartition): number
  close(): Promise<void>
}

export interface TopicSpec {
  readonly topic: string
  readonly partitions: number
  /** -1 for the broker's default. */
  readonly replicationFactor: number
  /** Kafka topic settings, e.g. `{'cleanup.policy': 'compact'}`. */
  readonly config: Readonly<Record<string, string>>
}

export interface TopicInfo {
  readonly topic: string
  /** Changes when the topic is deleted and made again; '' where the broker does not tell. */
  readonly topicId: string
  readonly partitions: number
}

/** What a topic is set to; what was not said when it was made follows the brokers' defaults, which are in here too. */
export interface TopicSettings {
  /** The fewest that any partition has. */
  readonly replicas: number
  /** By Kafka's names, as Kafka writes them: `retention.ms` is `604800000`. */
  readonly config: Readonly<Record<string, string>>
}

export interface OffsetRange extends TopicPartition {
  /** First offset still there. */
  readonly start: number
  /** Next offset to be written (read_committed: the last stable offset). */
  readonly end: number
}

export interface LogAdmin {
  /** Makes what is missing; leaves what is there as it is. */
  createTopics(specs: readonly TopicSpec[]): Promise<void>
  /** Null for a topic that is not there. */
  describeTopic(topic: string): Promise<TopicInfo | null>
  /** Null for a topic that is not there. Needs the permission to describe a topic's settings: else `denied`. */
  topicSettings(topic: string): Promise<TopicSettings | null>
  listTopics(): Promise<readonly string[]>
  offsetRanges(
    topic: string,
    isolation: 'read_committed' | 'read_uncommitted',
  ): Promise<readonly OffsetRange[]>
  /**
   * Per partition: the first offset whose timestamp is this late or later; where there is none, the end that
   * read_committed sees. With append times, the place at which their running maximum reaches that time.
   *
   * @param timestampMs epoch ms
   */
  offsetsAt(
    topic: string,
    timestampMs: number,
  ): Promise<readonly (TopicPartition & { readonly offset: number })[]>
  /** Committed positions of a group, without joining it and without waiting for transactions under way. */
  groupPositions(groupId: string, topic: string): Promise<readonly CommittedPosition[]>
  deleteTopics(topics: readonly string[]): Promise<void>
}
