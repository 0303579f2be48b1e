import type { ProduceRecord, TopicPartition } from '../log.ts'
import type { Delivery } from './delivery.ts'
import { settle } from './delivery.ts'
import { RecordBatchWriter, splitRecordBatch } from './record-batch.ts'

/** Under which name a producer's records are numbered. */
export interface ProducerIdentity {
  readonly producerId: number
  readonly epoch: number
}

/** Sequence numbers start again from 0 after 2^31 - 1. */
const SEQUENCES = 2 ** 31

/** Records that are sent and settled together. */
export interface QueuedBatch {
  /** As it is sent, but for author and checksum until it is signed. */
  readonly bytes: Buffer
  readonly count: number
  /** What it counts in the send buffer, bytes. */
  readonly size: number
  /** Whose records these are, and how many of each, in order. */
  readonly deliveries: readonly Delivery[]
  readonly counts: readonly number[]
  /** Until when it may be sent, on the monotonic clock. */
  readonly deadline: number
  /** Sent before: always the same bytes from then on. */
  isSigned: boolean
  /** An earlier try may have stored it. */
  isDoubtful: boolean
  tries: number
  /** Its deliveries were told already that it is too late. */
  isGivenUp: boolean
}

interface Gathering {
  readonly writer: RecordBatchWriter
  readonly deliveries: Delivery[]
  readonly counts: number[]
  readonly deadline: number
  size: number
}

/** One partition's records on their way out: one batch at the broker, others behind it, the last one still open. */
export class PartitionQueue implements TopicPartition {
  readonly topic: string
  readonly partition: number
  /** Broker id; null when it has to be asked for. */
  leader: number | null = null
  /** Since when the brokers do not know the topic; null when they do, or were not asked. */
  unknownSince: number | null = null
  /** Under which the last batch went out, and what the next record is numbered. */
  identity: ProducerIdentity | null = null
  nextSequence = 0
  /** At the broker; nothing else of this partition is sent meanwhile, so order needs no care. */
  inFlight: QueuedBatch | null = null
  /** Waits before a batch is tried again. */
  isResting = false
  /** The open batch has gathered for long enough. */
  isDue = false
  readonly #waiting: QueuedBatch[] = []
  #open: Gathering | null = null
  #sizeHint = 0

  constructor(topic: string, partition: number) {
    this.topic = topic
    this.partition = partition
  }

  get isGathering(): boolean {
    return this.#open !== null
  }

  /** Something could be sent, were it ready. */
  get isPending(): boolean {
    return this.#waiting.length > 0 || this.#open !== null
  }

  get hasFullBatch(): boolean {
    return this.#waiting.length > 0
  }

  /** @returns its size in bytes; 0 when no batch can hold it */
  append(
    record: ProduceRecord,
    delivery: Delivery,
    timestamp: number,
    deadline: number,
    bytesMax: number,
  ): number {
    let open = this.#open
    let size = open === null ? 0 : open.writer.append(record, timestamp, bytesMax)
    if (size === 0) {
      this.seal()
      const writer = new RecordBatchWriter(timestamp, this.#sizeHint)
      size = writer.append(record, timestamp, bytesMax)
      if (size === 0) return 0
      open = { writer, deliveries: [], counts: [], deadline, size: 0 }
      this.#open = open
      this.isDue = false
    }
    const { deliveries, counts } = open as Gathering
    const last = deliveries.length - 1
    if (deliveries[last] === delivery) counts[last] = (counts[last] as number) + 1
    else {
      deliveries.push(delivery)
      counts.push(1)
    }
    ;(open as Gathering).size += size
    delivery.unsettled++
    return size
  }

  /** The open batch takes no more. */
  seal(): void {
    const open = this.#open
    if (open === null) return
    this.#open = null
    this.#sizeHint = open.writer.size
    this.#waiting.push({
      bytes: open.writer.seal(),
      count: open.writer.count,
      size: open.size,
      deliveries: open.deliveries,
      counts: open.counts,
      deadline: open.deadline,
      isSigned: false,
      isDoubtful: false,
      tries: 0,
      isGivenUp: false,
    })
  }

  /** The batch to be sent next, which is in flight from now on; null when there is none yet. */
  next(): QueuedBatch | null {
    if (this.#waiting.length === 0 && this.isDue) this.seal()
    this.inFlight = this.#waiting.shift() ?? null
    return this.inFlight
  }

  /** Puts the batch in flight back to be sent again before any other. */
  putBack(batch: QueuedBatch): void {
    this.inFlight = null
    this.#waiting.unshift(batch)
  }

  /** Puts the batch in flight, of which nothing is stored, back as two. */
  putBackSplit(batch: QueuedBatch): void {
    const count = batch.count >> 1
    const [first, second] = splitRecordBatch(batch.bytes, count)
    const firstSize = Math.round((batch.size * count) / batch.count)
    const common = {
      deadline: batch.deadline,
      isSigned: false,
      isDoubtful: false,
      tries: 0,
      isGivenUp: false,
    }
    const [before, after] = splitDeliveries(batch, count)
    this.inFlight = null
    this.#waiting.unshift(
      { ...common, ...before, bytes: first, count, size: firstSize },
      { ...common, ...after, bytes: second, count: batch.count - count, size: batch.size - firstSize },
    )
  }

  /** @param isLate which to take out, oldest first @returns what was not sent, or not this time, in order */
  takeOut(isLate: (deadline: number) => boolean): QueuedBatch[] {
    if (this.#open !== null && isLate(this.#open.deadline)) this.seal()
    const out = this.#waiting.filter(({ deadline }) => isLate(deadline))
    if (out.length > 0) {
      const kept = this.#waiting.filter((batch) => !out.includes(batch))
      this.#waiting.length = 0
      this.#waiting.push(...kept)
    }
    return out
  }

  /** The earliest deadline of what is here; Infinity when nothing is. */
  get deadline(): number {
    let earliest = this.#open?.deadline ?? Number.POSITIVE_INFINITY
    for (const { deadline } of this.#waiting) earliest = Math.min(earliest, deadline)
    if (this.inFlight && !this.inFlight.isGivenUp) earliest = Math.min(earliest, this.inFlight.deadline)
    return earliest
  }

  /** The next batch is numbered after this one. */
  advance(count: number): void {
    this.nextSequence = (this.nextSequence + count) % SEQUENCES
  }
}

/** Tells everybody whose records are in the batch what became of them, as {@link settle} does. */
export function settleBatch(batch: QueuedBatch, error: Error | null, isDoubtful = false): void {
  for (let n = 0; n < batch.deliveries.length; n++)
    settle(batch.deliveries[n] as Delivery, batch.counts[n] as number, error, isDoubtful)
}

type Shares = Pick<QueuedBatch, 'deliveries' | 'counts'>

function splitDeliveries({ deliveries, counts }: QueuedBatch, at: number): [Shares, Shares] {
  const before: { deliveries: Delivery[]; counts: number[] } = { deliveries: [], counts: [] }
  const after: { deliveries: Delivery[]; counts: number[] } = { deliveries: [], counts: [] }
  let left = at
  for (let n = 0; n < deliveries.length; n++) {
    const count = counts[n] as number
    const first = Math.min(left, count)
    left -= first
    for (const [share, size] of [
      [before, first],
      [after, count - first],
    ] as const)
      if (size > 0) {
        share.deliveries.push(deliveries[n] as Delivery)
        share.counts.push(size)
      }
  }
  return [before, after]
}
