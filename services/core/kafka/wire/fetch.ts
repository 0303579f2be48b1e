import type { Position } from '../log.ts'
import { type WireReader, WireWriter } from './codec.ts'
import { BrokerError } from './errors.ts'
import type { AbortedTransaction } from './records.ts'

export interface FetchBounds {
  /** How long the broker may wait when there is nothing, ms. */
  readonly waitMs: number
  /** The broker goes beyond it only to hand out one whole record batch. */
  readonly bytesMax: number
  readonly partitionBytesMax: number
}

export interface FetchedPartition {
  readonly topic: string
  readonly partition: number
  /** 0, or why nothing was read. */
  readonly code: number
  /** Next offset to be written, as far as replicated; -1 with most errors. */
  readonly highWatermark: number
  /** Where committed reads end: the first offset of an open transaction, else the high watermark. */
  readonly lastStableOffset: number
  readonly aborted: readonly AbortedTransaction[]
  /** A view on the answer. */
  readonly bytes: Buffer
}

const READ_COMMITTED = 1

/** A read_committed fetch outside of any fetch session. @param positions those of one topic next to each other */
export function fetchRequest(positions: readonly Position[], bounds: FetchBounds): WireWriter {
  const body = new WireWriter(128 + positions.length * 48)
    .int32(-1) // not a replica
    .int32(bounds.waitMs)
    .int32(1) // bytes at least
    .int32(bounds.bytesMax)
    .int8(READ_COMMITTED)
    .int32(0) // no session,
    .int32(-1) // and none to be made
  const topics = byTopic(positions)
  body.array(topics, ({ topic, of }) => {
    body.string(topic)
    body.array(of, ({ partition, offset }) => {
      body.int32(partition)
      body.int32(-1) // leader epoch: not checked
      body.int64(offset)
      body.int32(-1) // epoch of the last record: not checked
      body.int64(-1) // log start, of replicas only
      body.int32(bounds.partitionBytesMax).noTags()
    })
    body.noTags()
  })
  return body
    .array([], () => {}) // nothing to forget of a session
    .string('') // rack
    .noTags()
}

function byTopic(positions: readonly Position[]): { topic: string; of: Position[] }[] {
  const topics: { topic: string; of: Position[] }[] = []
  for (const position of positions) {
    const last = topics.at(-1)
    if (last?.topic === position.topic) last.of.push(position)
    else topics.push({ topic: position.topic, of: [position] })
  }
  return topics
}

/** @throws BrokerError when the broker refused the fetch as a whole */
export function fetchAnswer(answer: WireReader): FetchedPartition[] {
  answer.int32() // throttle time
  const code = answer.int16()
  if (code !== 0) throw new BrokerError(code)
  answer.int32() // session
  const fetched: FetchedPartition[] = []
  answer.array(() => {
    const topic = answer.string()
    answer.array(() => {
      fetched.push(fetchedPartition(answer, topic))
    })
    answer.tags()
  })
  return fetched
}

function fetchedPartition(answer: WireReader, topic: string): FetchedPartition {
  const partition = answer.int32()
  const code = answer.int16()
  const highWatermark = answer.int64()
  const lastStableOffset = answer.int64()
  answer.int64() // log start
  const aborted = answer.array(() => {
    const transaction = { producerId: answer.int64(), firstOffset: answer.int64() }
    answer.tags()
    return transaction
  })
  answer.int32() // preferred replica: none without a rack
  const bytes = answer.bytesView()
  answer.tags()
  return { topic, partition, code, highWatermark, lastStableOffset, aborted, bytes }
}
