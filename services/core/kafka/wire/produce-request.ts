import type { TopicPartition } from '../log.ts'
import { type WireReader, WireWriter } from './codec.ts'

/** One record batch on its way. */
export interface EncodedBatch extends TopicPartition {
  readonly bytes: Buffer
}

/** What a broker says of one partition of a request. */
export interface ProduceResult extends TopicPartition {
  /** 0 when the batch is stored on every in-sync replica. */
  readonly code: number
  readonly detail: string | null
}

/** All in-sync replicas have to have the records. */
const ACKS_ALL = -1

export function encodeProduce(
  transactionalId: string | null,
  timeoutMs: number,
  batches: readonly EncodedBatch[],
): WireWriter {
  const topics = new Map<string, EncodedBatch[]>()
  let size = 64
  for (const batch of batches) {
    const of = topics.get(batch.topic)
    if (of) of.push(batch)
    else topics.set(batch.topic, [batch])
    size += batch.bytes.length + 16 + batch.topic.length
  }
  const body = new WireWriter(size).string(transactionalId).int16(ACKS_ALL).int32(timeoutMs)
  body.array([...topics], ([topic, parts]) =>
    body
      .string(topic)
      .array(parts, ({ partition, bytes }) => body.int32(partition).bytes(bytes).noTags())
      .noTags(),
  )
  return body.noTags()
}

export function decodeProduce(answer: WireReader): ProduceResult[] {
  const results: ProduceResult[] = []
  answer.array(() => {
    const topic = answer.string()
    answer.array(() => {
      const partition = answer.int32()
      const code = answer.int16()
      answer.int64() // base offset
      answer.int64() // append time
      answer.int64() // log start offset
      let detail: string | null = null
      answer.array(() => {
        answer.int32() // index of the record
        detail ??= answer.nullableString()
        answer.tags()
      })
      detail = answer.nullableString() ?? detail
      answer.tags()
      results.push({ topic, partition, code, detail })
    })
    answer.tags()
  })
  return results
}
