import type { TopicPartition } from '../log.ts'
import { type WireReader, WireWriter } from './codec.ts'

/** All in-sync replicas have it before it is acknowledged. */
const ACKS_ALL = -1
const HEAD_BYTES = 256
const TOPIC_BYTES = 64
const PARTITION_BYTES = 16

export interface ProducedBatch extends TopicPartition {
  /** One whole record batch. */
  readonly bytes: Buffer
}

/** @param timeoutMs how long the broker may wait for replicas @param batches at most one per partition */
export function produceRequest(
  transactionalId: string | null,
  timeoutMs: number,
  batches: readonly ProducedBatch[],
): WireWriter {
  const topics = [...Map.groupBy(batches, ({ topic }) => topic)]
  let size = HEAD_BYTES + topics.length * TOPIC_BYTES
  for (const { bytes } of batches) size += bytes.length + PARTITION_BYTES
  const body = new WireWriter(size).string(transactionalId).int16(ACKS_ALL).int32(timeoutMs)
  body.array(topics, ([topic, of]) => {
    body.string(topic)
    body.array(of, ({ partition, bytes }) => body.int32(partition).bytes(bytes).noTags())
    body.noTags()
  })
  return body.noTags()
}

export interface ProducedPartition extends TopicPartition {
  /** 0, or why the batch was not taken. */
  readonly code: number
  readonly detail: string | null
}

export interface ProduceAnswer {
  readonly partitions: readonly ProducedPartition[]
  /** How long the broker wants to be left alone, ms. */
  readonly throttleMs: number
}

export function produceAnswer(answer: WireReader): ProduceAnswer {
  const partitions: ProducedPartition[] = []
  answer.array(() => {
    const topic = answer.string()
    answer.array(() => {
      const partition = answer.int32()
      const code = answer.int16()
      answer.int64() // base offset
      answer.int64() // append time
      answer.int64() // log start
      const details = answer.array(() => {
        answer.int32() // number of the record
        const detail = answer.nullableString()
        answer.tags()
        return detail
      })
      const detail = answer.nullableString() ?? details[0] ?? null
      answer.tags()
      partitions.push({ topic, partition, code, detail })
    })
    answer.tags()
  })
  return { partitions, throttleMs: answer.int32() }
}
