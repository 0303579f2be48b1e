import type { TopicPartition } from '../log.ts'
import { WireReader, WireWriter } from './codec.ts'

/**
 * What members tell each other through the coordinator, which passes it on unread: Kafka's consumer protocol
 * (ConsumerProtocolSubscription and ConsumerProtocolAssignment), so that its tools can show who holds what and members
 * on other clients can share the group. Not flexible: lengths are fixed integers.
 */
export interface Subscription {
  readonly topics: readonly string[]
  /** What the member holds as it joins; nobody else may be given it before the member joined without it. */
  readonly owned: readonly TopicPartition[]
  /** Generation in which it was given that; -1 for none, or when a client does not tell. */
  readonly generationId: number
}

/** Version 2 has the generation; whoever knows version 1 only reads as far as that. */
const SUBSCRIPTION_VERSION = 2
const ASSIGNMENT_VERSION = 0
/** A null of four-byte length: no data of the assignor's own. */
const NO_USER_DATA = -1

export function encodeSubscription({ topics, owned, generationId }: Subscription): Buffer {
  const writer = new WireWriter().int16(SUBSCRIPTION_VERSION).int32(topics.length)
  for (const topic of topics) writer.shortString(topic)
  writer.int32(NO_USER_DATA)
  writePartitions(writer, owned)
  return writer.int32(generationId).written
}

/** @throws WireFormatError */
export function decodeSubscription(bytes: Buffer): Subscription {
  const reader = new WireReader(bytes)
  const version = reader.int16()
  const topics = reader.longArray(() => reader.shortString())
  reader.skip(Math.max(0, reader.int32())) // the assignor's own data
  const owned = version >= 1 ? readPartitions(reader) : []
  return { topics, owned, generationId: version >= 2 ? reader.int32() : -1 }
}

export function encodeAssignment(partitions: readonly TopicPartition[]): Buffer {
  const writer = new WireWriter().int16(ASSIGNMENT_VERSION)
  writePartitions(writer, partitions)
  return writer.int32(NO_USER_DATA).written
}

/** Nothing at all is what a member gets that the leader left out. @throws WireFormatError */
export function decodeAssignment(bytes: Buffer): readonly TopicPartition[] {
  if (bytes.length === 0) return []
  const reader = new WireReader(bytes)
  reader.int16() // version
  return readPartitions(reader)
}

function writePartitions(writer: WireWriter, partitions: readonly TopicPartition[]): void {
  const byTopic = Map.groupBy(partitions, ({ topic }) => topic)
  writer.int32(byTopic.size)
  for (const [topic, held] of byTopic) {
    writer.shortString(topic).int32(held.length)
    for (const { partition } of held) writer.int32(partition)
  }
}

function readPartitions(reader: WireReader): TopicPartition[] {
  return reader
    .longArray(() => {
      const topic = reader.shortString()
      return reader.longArray(() => ({ topic, partition: reader.int32() }))
    })
    .flat()
}
