import { APIS } from '../../services/core/kafka/wire/apis.ts'
import type { Cluster } from '../../services/core/kafka/wire/cluster.ts'
import { int64At, WireReader, WireWriter } from '../../services/core/kafka/wire/codec.ts'
import { CODES } from '../../services/core/kafka/wire/errors.ts'
import { BATCH, RecordColumns, RecordsReader } from '../../services/core/kafka/wire/records.ts'
import { DependencyError } from '../../services/core/runtime/errors.ts'

/** One batch as it came to a broker. */
export interface SentBatch {
  readonly broker: number
  readonly topic: string
  readonly partition: number
  readonly producerId: number
  readonly epoch: number
  readonly sequence: number
  readonly values: readonly string[]
  readonly bytes: Buffer
}

/** A code of Kafka's, or `lost` for a connection that breaks before the answer comes. */
export type BatchAnswer = number | 'lost'

export interface ProducingCluster {
  readonly cluster: Cluster
  /** Every batch, in the order in which they came. */
  readonly sent: SentBatch[]
  /** How many batches each request brought. */
  readonly requests: number[]
  /** Broker id that leads every partition. */
  leader: number
  throttleMs: number
  /** Topics that are not there. */
  readonly missing: Set<string>
  partitions: number
  /** Producer ids given out. */
  producerIds: number
  metadataAsked: number
}

/** A cluster whose brokers answer a batch as `answer` says: everything is stored when it says nothing. */
export function producingCluster(
  answer: (batch: SentBatch) => BatchAnswer | undefined | Promise<BatchAnswer | undefined> = () => 0,
  firstEpoch = 0,
): ProducingCluster {
  let closed = false
  const state: ProducingCluster = {
    cluster: {
      async metadata(topics) {
        state.metadataAsked++
        return (topics ?? []).map((topic) =>
          state.missing.has(topic)
            ? { topic, topicId: '', code: CODES.UNKNOWN_TOPIC_OR_PARTITION, leaders: [], replicas: 0 }
            : {
                topic,
                topicId: '',
                code: 0,
                leaders: Array(state.partitions).fill(state.leader),
                replicas: 1,
              },
        )
      },
      async ask(broker, _api, body) {
        if (closed) throw new DependencyError('kafka', 'unavailable', 'closed')
        const batches = decodeProduce(broker, body.written)
        state.requests.push(batches.length)
        state.sent.push(...batches)
        const codes = await Promise.all(batches.map(answer))
        if (closed || codes.includes('lost')) throw new DependencyError('kafka', 'unavailable', 'lost')
        return encodeAnswer(
          batches.map((batch, n) => ({ ...batch, code: Number(codes[n] ?? 0) })),
          state.throttleMs,
        )
      },
      async askAnyone(api) {
        if (api !== APIS.initProducerId) throw new Error(`${api.name} is not asked here`)
        const id = 7 + state.producerIds++
        return new WireReader(
          Buffer.from(new WireWriter().int32(0).int16(0).int64(id).int16(firstEpoch).noTags().written),
        )
      },
      askController: () => Promise.reject(new Error('not asked here')),
      coordinator: () => Promise.reject(new Error('not asked here')),
      feature: () => Promise.reject(new Error('not asked here')),
      close() {
        closed = true
      },
    },
    sent: [],
    requests: [],
    leader: 1,
    throttleMs: 0,
    missing: new Set(),
    partitions: 4,
    producerIds: 0,
    metadataAsked: 0,
  }
  return state
}

function decodeProduce(broker: number, body: Buffer): SentBatch[] {
  const reader = new WireReader(body)
  reader.nullableString() // transactional id
  if (reader.int16() !== -1) throw new Error('Records are acknowledged by all replicas.')
  reader.int32()
  return reader
    .array(() => {
      const topic = reader.string()
      const batches = reader.array(() => {
        const partition = reader.int32()
        const bytes = Buffer.from(reader.bytesView())
        reader.tags()
        return sentBatch(broker, topic, partition, bytes)
      })
      reader.tags()
      return batches
    })
    .flat()
}

function sentBatch(broker: number, topic: string, partition: number, bytes: Buffer): SentBatch {
  const columns = new RecordColumns(topic, partition)
  new RecordsReader({ bytes, aborted: [] }, 0).read(columns, Number.POSITIVE_INFINITY)
  return {
    broker,
    topic,
    partition,
    producerId: int64At(bytes, BATCH.producerId),
    epoch: bytes.readInt16BE(BATCH.producerEpoch),
    sequence: bytes.readInt32BE(BATCH.firstSequence),
    values: Array.from({ length: columns.length }, (_, n) => `${columns.value(n)}`),
    bytes,
  }
}

function encodeAnswer(answers: readonly (SentBatch & { code: number })[], throttleMs: number): WireReader {
  const writer = new WireWriter()
  writer.array(answers, ({ topic, partition, code }) => {
    writer.string(topic)
    writer.array([0], () => {
      writer.int32(partition).int16(code).int64(0).int64(-1).int64(0)
      writer.uvarint(1).string(null).noTags()
    })
    writer.noTags()
  })
  return new WireReader(Buffer.from(writer.int32(throttleMs).noTags().written))
}
