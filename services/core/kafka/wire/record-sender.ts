import type { Clock } from '../../runtime/clock.ts'
import { DependencyError, isDependencyError } from '../../runtime/errors.ts'
import type { Logger } from '../../runtime/logger.ts'
import type { ProduceRecord, TopicPartition } from '../log.ts'
import type { Api } from './apis.ts'
import type { Cluster } from './cluster.ts'
import { WireFormatError, type WireReader } from './codec.ts'
import { type Delivery, settle } from './delivery.ts'
import { BrokerError, CODES } from './errors.ts'
import { searchLeaders } from './leader-search.ts'
import { PartitionQueue, type ProducerIdentity, type QueuedBatch, settleBatch } from './partition-queue.ts'
import { type ProduceAnswer, type ProducedPartition, produceAnswer, produceRequest } from './produce.ts'
import { ESTRANGED, produceOutcome } from './produce-outcome.ts'
import { signRecordBatch } from './record-batch.ts'
import { createSignal } from './signal.ts'

/** What one request brings at most, beyond its first batch. */
const REQUEST_BYTES_MAX = 8 * 1024 * 1024
/** First and longest pause before a batch is tried again, ms; doubled in between. */
const BACKOFF_MS = { first: 20, longest: 1_000 }
/** The same while the coordinator is still ending the transaction before. */
const CONCURRENT_BACKOFF_MS = { first: 2, longest: 20 }

export interface SenderOptions {
  /** How long records are gathered before they are sent, ms. */
  readonly lingerMs: number
  /** How long a record is tried, ms. */
  readonly deliveryTimeoutMs: number
  /** Longest wait for one answer, ms. */
  readonly requestTimeoutMs: number
  /** A record batch before compression. */
  readonly batchBytesMax: number
  /** Everything that is not settled, before compression; a caller's records wait past it. */
  readonly bufferBytesMax: number
}

/** Who sends, and what it takes before a partition may be sent to. */
export interface SenderAuthor {
  readonly api: Api
  readonly transactionalId: string | null
  /** Whether `prepare` has to be awaited before anything goes to the partition. */
  isReady(queue: PartitionQueue): boolean
  /** @throws DependencyError or BrokerError, with which what is queued of these partitions fails */
  prepare(queues: readonly PartitionQueue[]): Promise<void>
  /** Under which the next batch goes to the partition; a change starts its sequence from 0. */
  identity(queue: PartitionQueue): ProducerIdentity
  /** It is not known what is stored of what went there: nothing more may be sent there under this identity. */
  retire(queue: PartitionQueue, isFenced: boolean): void
}

/**
 * Sends records to the leaders of their partitions: gathered over calls and partitions, at most one batch of a
 * partition at a time, again with the same bytes and sequence numbers for as long as their outcome is open.
 *
 * A batch ends in one of three ways: stored, refused with nothing of it stored, or given up in doubt.
 */
export interface RecordSender {
  /**
   * Queues records in the order of the calls.
   *
   * @returns null when there was room for all of them at once, else what resolves once all of them are queued
   */
  add(records: readonly ProduceRecord[], delivery: Delivery): Promise<void> | null
  /** What has been gathered is sent as soon as it can be. */
  flush(): void
  /** Drops what is not at a broker; it counts as refused. */
  discard(): void
  /** Gives everything up, and takes nothing more. */
  close(): void
}

export function createRecordSender(
  cluster: Cluster,
  author: SenderAuthor,
  options: SenderOptions,
  clock: Clock,
  logger: Logger,
): RecordSender {
  const topics = new Map<string, PartitionQueue[]>()
  /** Has something to send and may be sent to, as far as known. */
  const ready = new Set<PartitionQueue>()
  /** Gathers a batch whose time has not come. */
  const gathering = new Set<PartitionQueue>()
  /** Brokers that want to be left alone, until when. */
  const throttled = new Map<number, number>()
  const timers = new Set<NodeJS.Timeout>()
  const room = createSignal()
  let used = 0
  let line: Promise<void> | null = null
  let lingering = false
  let watching = false
  let isScheduled = false
  let isLocating = false
  let closed = false

  function after(ms: number, then: () => void): void {
    const timer = setTimeout(() => {
      timers.delete(timer)
      then()
    }, ms)
    timers.add(timer)
  }

  const queues = () => [...topics.values()].flatMap((partitions) => Object.values(partitions))

  function queueOf(topic: string, partition: number): PartitionQueue {
    let partitions = topics.get(topic)
    if (!partitions) {
      partitions = []
      topics.set(topic, partitions)
    }
    let queue = partitions[partition]
    if (!queue) {
      queue = new PartitionQueue(topic, partition)
      partitions[partition] = queue
    }
    return queue
  }

  /** @returns how many of the records were queued, or refused, before the buffer was full */
  function append(records: readonly ProduceRecord[], from: number, delivery: Delivery): number {
    const timestamp = clock.now()
    const deadline = clock.monotonic() + options.deliveryTimeoutMs
    let queue: PartitionQueue | null = null
    for (let index = from; index < records.length; index++) {
      if (used >= options.bufferBytesMax) {
        flush()
        return index
      }
      const record = records[index] as ProduceRecord
      if (queue === null || queue.partition !== record.partition || queue.topic !== record.topic)
        queue = queueOf(record.topic, record.partition)
      const size = queue.append(record, delivery, timestamp, deadline, options.batchBytesMax)
      if (size === 0) {
        delivery.unsettled++
        settle(delivery, 1, tooLarge(record, options.batchBytesMax))
      }
      used += size
      if (queue.hasFullBatch) ready.add(queue)
      if (queue.isGathering && !queue.isDue) gathering.add(queue)
    }
    return records.length
  }

  function push(records: readonly ProduceRecord[], from: number, delivery: Delivery): number {
    const next = append(records, from, delivery)
    if (ready.size > 0) schedule()
    if (gathering.size > 0 && !lingering) linger()
    if (used > 0 && !watching) watch()
    return next
  }

  function linger(): void {
    lingering = true
    after(options.lingerMs, () => {
      lingering = false
      flush()
    })
  }

  function flush(): void {
    for (const queue of gathering) {
      queue.isDue = true
      ready.add(queue)
    }
    gathering.clear()
    if (ready.size > 0) schedule()
  }

  /** Everything that became ready in this turn goes out together. */
  function schedule(): void {
    if (isScheduled || closed) return
    isScheduled = true
    queueMicrotask(() => {
      isScheduled = false
      if (!closed) dispatch()
    })
  }

  function dispatch(): void {
    const unready: PartitionQueue[] = []
    const byLeader = new Map<number, PartitionQueue[]>()
    let isLost = false
    for (const queue of ready) {
      if (queue.leader !== null && throttled.has(queue.leader)) continue
      ready.delete(queue)
      if (queue.inFlight !== null || queue.isResting || !queue.isPending) continue
      if (queue.leader === null) isLost = true
      else if (!author.isReady(queue)) unready.push(queue)
      else {
        const led = byLeader.get(queue.leader)
        if (led) led.push(queue)
        else byLeader.set(queue.leader, [queue])
      }
    }
    if (isLost && !isLocating) run(locate())
    if (unready.length > 0) run(prepare(unready))
    for (const [leader, led] of byLeader) sendTo(leader, led)
  }

  async function prepare(unready: readonly PartitionQueue[]): Promise<void> {
    for (const queue of unready) queue.isResting = true
    let failure: Error | null = null
    try {
      await author.prepare(unready)
    } catch (error) {
      if (!(error instanceof BrokerError) && !isDependencyError(error)) throw error
      failure = error
    }
    for (const queue of unready) {
      queue.isResting = false
      if (failure !== null) failQueued(queue, failure)
      wake(queue)
    }
  }

  function sendTo(leader: number, led: readonly PartitionQueue[]): void {
    let request: PartitionQueue[] = []
    let size = 0
    for (const queue of led) {
      const batch = queue.next()
      if (batch === null) continue
      if (!batch.isSigned) sign(queue, batch)
      if (request.length > 0 && size + batch.bytes.length > REQUEST_BYTES_MAX) {
        run(send(leader, request))
        request = []
        size = 0
      }
      request.push(queue)
      size += batch.bytes.length
    }
    if (request.length > 0) run(send(leader, request))
  }

  function sign(queue: PartitionQueue, batch: QueuedBatch): void {
    const identity = author.identity(queue)
    if (identity !== queue.identity) {
      queue.identity = identity
      queue.nextSequence = 0
    }
    signRecordBatch(batch.bytes, {
      producerId: identity.producerId,
      producerEpoch: identity.epoch,
      firstSequence: queue.nextSequence,
      isTransactional: author.transactionalId !== null,
    })
    batch.isSigned = true
  }

  async function send(leader: number, asked: readonly PartitionQueue[]): Promise<void> {
    const body = produceRequest(
      author.transactionalId,
      options.requestTimeoutMs,
      asked.map(({ topic, partition, inFlight }) => ({
        topic,
        partition,
        bytes: (inFlight as QueuedBatch).bytes,
      })),
    )
    let answer: ProduceAnswer
    try {
      const reader: WireReader = await cluster.ask(leader, author.api, body, options.requestTimeoutMs)
      answer = produceAnswer(reader)
    } catch (error) {
      if (!isDependencyError(error) && !(error instanceof WireFormatError)) throw error
      if (!closed) logger.warn({ err: error, broker: leader }, 'Sending to a broker failed; trying again.')
      for (const queue of asked) unanswered(queue, error)
      return
    }
    if (answer.throttleMs > 0) throttle(leader, answer.throttleMs)
    const byPartition = new Map(answer.partitions.map((each) => [keyOf(each), each]))
    for (const queue of asked) {
      const found = byPartition.get(keyOf(queue))
      if (found) answered(queue, found)
      else unanswered(queue, new WireFormatError('an answer without a partition that was sent'))
    }
    if (ready.size > 0) schedule()
  }

  function throttle(leader: number, ms: number): void {
    const until = clock.monotonic() + ms
    throttled.set(leader, until)
    after(ms, () => {
      if (throttled.get(leader) === until) throttled.delete(leader)
      schedule()
    })
  }

  function unanswered(queue: PartitionQueue, error: Error): void {
    const batch = queue.inFlight as QueuedBatch
    // A broker that does not let us in was sent nothing.
    const isRefused = isDependencyError(error) && !error.retriable
    if (isRefused) {
      end(queue, batch, error, batch.isDoubtful)
      return
    }
    batch.isDoubtful = true
    queue.leader = null
    again(queue, batch, error, BACKOFF_MS)
  }

  function answered(queue: PartitionQueue, { code, detail }: ProducedPartition): void {
    const batch = queue.inFlight as QueuedBatch
    const outcome = produceOutcome(code, batch)
    const error = new BrokerError(code, detail)
    switch (outcome.kind) {
      case 'stored':
        queue.advance(batch.count)
        queue.unknownSince = null
        end(queue, batch, null)
        break
      case 'split':
        queue.putBackSplit(batch)
        wake(queue)
        break
      case 'again':
        batch.isDoubtful ||= outcome.isDoubtful
        if (outcome.waitsFor === 'leader') queue.leader = null
        again(queue, batch, error, outcome.waitsFor === 'transaction' ? CONCURRENT_BACKOFF_MS : BACKOFF_MS)
        break
      case 'refused':
        end(queue, batch, error, batch.isDoubtful)
        break
      case 'unknown':
        batch.isDoubtful = true
        end(queue, batch, error, true)
    }
  }

  /** Tries the batch in flight again, if it is not too late. */
  function again(
    queue: PartitionQueue,
    batch: QueuedBatch,
    error: Error,
    backoffMs: { readonly first: number; readonly longest: number },
  ): void {
    if (closed || batch.isGivenUp || clock.monotonic() >= batch.deadline) {
      end(queue, batch, error, true)
      return
    }
    queue.putBack(batch)
    queue.isResting = true
    after(Math.min(backoffMs.longest, backoffMs.first * 2 ** Math.min(batch.tries++, 10)), () => {
      queue.isResting = false
      wake(queue)
      schedule()
    })
  }

  /** What became of the batch in flight is known, or will not be. */
  function end(queue: PartitionQueue, batch: QueuedBatch, error: Error | null, isDoubtful = false): void {
    queue.inFlight = null
    release(queue, batch, error, isDoubtful)
    wake(queue)
  }

  function release(
    queue: PartitionQueue,
    batch: QueuedBatch,
    error: Error | null,
    isDoubtful: boolean,
  ): void {
    if (error !== null && batch.isDoubtful)
      author.retire(queue, error instanceof BrokerError && ESTRANGED.has(error.code))
    if (!batch.isGivenUp) settleBatch(batch, error, isDoubtful)
    used -= batch.size
    if (used < options.bufferBytesMax) room.raise()
  }

  function wake(queue: PartitionQueue): void {
    if (queue.hasFullBatch || (queue.isGathering && queue.isDue)) {
      ready.add(queue)
      schedule()
    }
  }

  /** Fails what is queued of a partition. */
  function failQueued(queue: PartitionQueue, error: Error): void {
    for (const batch of queue.takeOut(() => true)) release(queue, batch, error, batch.isDoubtful)
    gathering.delete(queue)
  }

  const isLost = (queue: PartitionQueue) => queue.leader === null && queue.isPending

  async function locate(): Promise<void> {
    isLocating = true
    const lost = { lost: () => queues().filter(isLost), found: wake, failed: failQueued, looked: schedule }
    await searchLeaders(cluster, lost, () => closed, clock, logger)
    isLocating = false
  }

  /** Looks after deadlines for as long as there is anything to send. */
  function watch(): void {
    watching = true
    let earliest = Number.POSITIVE_INFINITY
    for (const queue of queues()) earliest = Math.min(earliest, queue.deadline)
    if (earliest === Number.POSITIVE_INFINITY) {
      watching = false
      return
    }
    after(Math.max(1, Math.ceil(earliest - clock.monotonic())), () => {
      const now = clock.monotonic()
      for (const queue of queues()) expire(queue, now)
      watch()
    })
  }

  function expire(queue: PartitionQueue, now: number): void {
    const late = new DependencyError(
      'kafka',
      'outcome_unknown',
      `Kafka did not acknowledge records in ${options.deliveryTimeoutMs} ms.`,
    )
    const { inFlight } = queue
    if (inFlight && !inFlight.isGivenUp && inFlight.deadline <= now) {
      // Its answer may still come, and then says how to go on.
      inFlight.isGivenUp = true
      settleBatch(inFlight, late, true)
    }
    for (const batch of queue.takeOut((deadline) => deadline <= now)) release(queue, batch, late, true)
    if (!queue.isGathering) gathering.delete(queue)
  }

  return {
    add(records, delivery) {
      let next = 0
      if (line === null) {
        next = push(records, 0, delivery)
        if (next === records.length) return null
      }
      const turn = (line ?? Promise.resolve()).then(async () => {
        for (;;) {
          next = closed ? refuse(records, next, delivery) : push(records, next, delivery)
          if (next === records.length) return
          await room.wait()
        }
      })
      line = turn
      void turn.then(() => {
        if (line === turn) line = null
      })
      return turn
    },
    flush,
    discard() {
      for (const queue of queues()) failQueued(queue, new Error('The transaction was aborted.'))
      ready.clear()
    },
    close() {
      closed = true
      for (const timer of timers) clearTimeout(timer)
      timers.clear()
      cluster.close()
      const error = new DependencyError('kafka', 'outcome_unknown', 'The producer was closed.')
      for (const queue of queues())
        for (const batch of queue.takeOut(() => true)) release(queue, batch, error, true)
      room.raise()
    },
  }
}

/** Requests run beside each other; an error that none of them names is a bug, and ends the process. */
function run(work: Promise<void>): void {
  void work
}

const keyOf = ({ topic, partition }: TopicPartition) => `${partition}:${topic}`

function refuse(records: readonly ProduceRecord[], from: number, delivery: Delivery): number {
  const count = records.length - from
  delivery.unsettled += count
  settle(delivery, count, new DependencyError('kafka', 'unavailable', 'The producer is closed.'), true)
  return records.length
}

function tooLarge({ topic, partition, value }: ProduceRecord, bytesMax: number): BrokerError {
  const size = value?.length ?? 0
  return new BrokerError(
    CODES.MESSAGE_TOO_LARGE,
    `a record of ${size} bytes for ${topic}/${partition} is larger than MILLRACE_KAFKA_RECORD_BYTES, ${bytesMax}`,
  )
}
