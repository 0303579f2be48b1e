import { DependencyError, isDependencyError } from '../../runtime/errors.ts'
import type { ProduceRecord, TopicPartition } from '../log.ts'
import { APIS } from './apis.ts'
import type { Cluster } from './cluster.ts'
import { effectError, permanentCode } from './error-policy.ts'
import { BrokerError, CODES, LEADER_MOVED } from './errors.ts'
import { decodeProduce, encodeProduce } from './produce-request.ts'
import { encodeRecordBatch, recordSizeMax } from './record-batch.ts'

/** A producer's name for itself: brokers recognise repetitions of its batches, and older epochs of it. */
export interface ProducerIdentity {
  readonly producerId: number
  readonly producerEpoch: number
}

export interface SenderOptions {
  readonly transactionalId: string | null
  /** How long records gather before they are sent, ms. */
  readonly lingerMs: number
  /** Time from its first record until a batch fails, ms. */
  readonly deliveryTimeoutMs: number
  /** Longest wait for one answer, ms. */
  readonly requestTimeoutMs: number
  /** Bytes of one batch, uncompressed, at most; a record alone may be as large. */
  readonly batchBytesMax: number
  /** Bytes that are held unacknowledged at most; whoever sends more waits. */
  readonly heldBytesMax: number
  /**
   * Who writes to a partition that has no author yet, or whose last batch was lost sight of: its sequence cannot go on.
   */
  readonly identity: () => Promise<ProducerIdentity>
  /** Called with the partitions of batches before they are sent; a transaction learns of them here. */
  readonly announce: (partitions: readonly TopicPartition[]) => Promise<void>
}

/** What became of the records of one `send`. */
export interface SendOutcome {
  /** Records stored. */
  readonly stored: number
  /** Why some were certainly not stored; null when there is none. */
  readonly refusal: DependencyError | null
  /** Why nobody knows of some; null when there is none. */
  readonly doubt: DependencyError | null
}

/**
 * Gathers records into batches per partition and sends them to the partitions' leaders, in order and without loss or
 * repetition: at most one batch of a partition is under way, and it is sent again, byte by byte the same and with the
 * same sequence number, until a broker answers for it or its time is up.
 *
 * ```
 *  gathered ──▶ under way ── stored, or stored before ──▶ done
 *                 │   ▲ └─── refused ──▶ refused: its sequence numbers are used by the next batch
 *                 │   └───── no answer, leader moved, too few replicas
 *                 └── time is up ──▶ in doubt: it may be stored, so the partition goes on under a new identity
 * ```
 */
export interface RecordSender {
  /** Resolves when something is known of every record. Waits first while too much is held. */
  send(records: readonly ProduceRecord[]): Promise<SendOutcome>
  /** Sends what is gathered now instead of when it has lingered. */
  flush(): void
  /** Resolves when nothing is held. */
  idle(): Promise<void>
  /** Fails what is held, and sends nothing more. */
  abandon(error: DependencyError): void
  /** Every partition begins anew under the next identity. To be called when nothing is held. */
  forgetAuthors(): void
}

interface Call {
  left: number
  stored: number
  refusal: DependencyError | null
  doubt: DependencyError | null
  readonly settle: (outcome: SendOutcome) => void
}

interface Author extends ProducerIdentity {
  /** Sequence number of the next record. */
  next: number
}

interface Batch {
  readonly lane: Lane
  readonly records: ProduceRecord[]
  readonly calls: Call[]
  readonly size: number
  readonly madeMs: number
  bytes: Buffer | null
  firstSequence: number
  /** A broker may have it, though none said so. */
  mayBeStored: boolean
  tries: number
  lastError: DependencyError | null
}

/** One partition. */
interface Lane extends TopicPartition {
  records: ProduceRecord[]
  calls: Call[]
  sizes: number[]
  batch: Batch | null
  author: Author | null
  /** Fewer than usual after a broker found a batch too large. */
  recordsMax: number
}

/** Records of one batch at most: sequence numbers and deltas stay small. */
const BATCH_RECORDS_MAX = 100_000
const SEQUENCES = 2 ** 31
/** Pauses between two tries of a batch, ms. */
const RETRY_FIRST_MS = 10
const RETRY_MAX_MS = 500
/** A request that is given less would only break its connection off, ms. */
const ANSWER_MIN_MS = 500
/** How long a topic may stay unknown before its records fail: longer than a new topic takes to be known, ms. */
const UNKNOWN_TOPIC_MS = 5_000

export function createRecordSender(cluster: Cluster, options: SenderOptions): RecordSender {
  const lanes = new Map<string, Lane[]>()
  /** Lanes with records that wait. */
  const waiting = new Set<Lane>()
  const leaders = new Map<string, readonly number[]>()
  /** Why nothing is known of a topic. */
  const topicCodes = new Map<string, number>()
  let refreshing: Promise<void> | null = null
  let held = 0
  let broken: DependencyError | null = null
  let timer: NodeJS.Timeout | null = null
  let isFlushing = false
  let room = Promise.withResolvers<void>()
  /** Calls that wait for room. */
  let lined = 0
  let turn: Promise<unknown> = Promise.resolve()

  function laneOf(topic: string, partition: number): Lane {
    let ofTopic = lanes.get(topic)
    if (!ofTopic) {
      ofTopic = []
      lanes.set(topic, ofTopic)
    }
    let lane = ofTopic[partition]
    if (!lane) {
      lane = {
        topic,
        partition,
        records: [],
        calls: [],
        sizes: [],
        batch: null,
        author: null,
        recordsMax: BATCH_RECORDS_MAX,
      }
      ofTopic[partition] = lane
    }
    return lane
  }

  function gather(records: readonly ProduceRecord[], call: Call): void {
    for (const record of records) {
      const size = recordSizeMax(record)
      if (size > options.batchBytesMax) {
        const detail = `A record of ${size} bytes is larger than ${options.batchBytesMax} (MILLRACE_KAFKA_RECORD_BYTES).`
        call.refusal ??= new DependencyError('kafka', 'rejected', detail)
        settleOne(call)
        continue
      }
      const lane = laneOf(record.topic, record.partition)
      lane.records.push(record)
      lane.calls.push(call)
      lane.sizes.push(size)
      held += size
      waiting.add(lane)
    }
  }

  function settleOne(call: Call): void {
    if (--call.left === 0) call.settle({ stored: call.stored, refusal: call.refusal, doubt: call.doubt })
  }

  function linger(): void {
    if (waiting.size === 0 || timer !== null || isFlushing) return
    timer = setTimeout(flush, options.lingerMs)
  }

  /** Together with whatever else is ready in this turn of the event loop. */
  function flushSoon(): void {
    if (isFlushing || waiting.size === 0) return
    isFlushing = true
    setImmediate(() => {
      isFlushing = false
      flush()
    })
  }

  function flush(): void {
    if (timer !== null) clearTimeout(timer)
    timer = null
    const batches: Batch[] = []
    for (const lane of waiting) {
      if (lane.batch !== null) continue
      batches.push(takeBatch(lane))
      if (lane.records.length === 0) waiting.delete(lane)
    }
    if (batches.length > 0) void dispatch(batches)
  }

  function takeBatch(lane: Lane): Batch {
    let [count, size] = [0, 0]
    const most = Math.min(lane.records.length, lane.recordsMax)
    while (count < most && (count === 0 || size + (lane.sizes[count] as number) <= options.batchBytesMax))
      size += lane.sizes[count++] as number
    const isAll = count === lane.records.length
    const batch: Batch = {
      lane,
      records: isAll ? lane.records : lane.records.splice(0, count),
      calls: isAll ? lane.calls : lane.calls.splice(0, count),
      size,
      madeMs: performance.now(),
      bytes: null,
      firstSequence: 0,
      mayBeStored: false,
      tries: 0,
      lastError: null,
    }
    if (isAll) {
      lane.records = []
      lane.calls = []
      lane.sizes = []
    } else lane.sizes.splice(0, count)
    lane.batch = batch
    return batch
  }

  async function dispatch(batches: readonly Batch[]): Promise<void> {
    if (broken) {
      for (const batch of batches) tryAgain(batch, broken)
      return
    }
    try {
      await options.announce(batches.map(({ lane }) => lane))
      for (const batch of batches) await encode(batch)
      if (batches.some(({ lane }) => !leaders.has(lane.topic))) await refresh()
    } catch (error) {
      if (!isDependencyError(error)) throw error
      for (const batch of batches) tryAgain(batch, error)
      return
    }
    const byLeader = new Map<number, Batch[]>()
    for (const batch of batches) {
      const { topic, partition } = batch.lane
      const leader = leaders.get(topic)?.[partition] ?? -1
      if (leader < 0) {
        const error = new BrokerError(missingLeader(topic, partition))
        leaders.delete(topic)
        tryAgain(batch, effectError(`Sending to ${topic}/${partition}`, error))
        continue
      }
      const led = byLeader.get(leader)
      if (led) led.push(batch)
      else byLeader.set(leader, [batch])
    }
    for (const [leader, led] of byLeader) void request(leader, led)
  }

  function missingLeader(topic: string, partition: number): number {
    const known = leaders.get(topic)
    // A topic that has partitions, but not this one, will not get it by waiting either.
    if (known !== undefined && known.length > 0 && partition < known.length) return CODES.LEADER_NOT_AVAILABLE
    return topicCodes.get(topic) || CODES.UNKNOWN_TOPIC_OR_PARTITION
  }

  async function encode(batch: Batch): Promise<void> {
    if (batch.bytes !== null) return
    const { lane } = batch
    lane.author ??= { ...(await options.identity()), next: 0 }
    batch.firstSequence = lane.author.next
    const isTransactional = options.transactionalId !== null
    const { producerId, producerEpoch } = lane.author
    const author = { producerId, producerEpoch, firstSequence: batch.firstSequence, isTransactional }
    batch.bytes = encodeRecordBatch(batch.records, Date.now(), author)
    lane.author.next = (batch.firstSequence + batch.records.length) % SEQUENCES
  }

  async function request(leader: number, batches: readonly Batch[]): Promise<void> {
    const body = encodeProduce(
      options.transactionalId,
      options.requestTimeoutMs,
      batches.map(({ lane: { topic, partition }, bytes }) => ({ topic, partition, bytes: bytes as Buffer })),
    )
    const leftMs =
      Math.min(...batches.map(({ madeMs }) => madeMs)) + options.deliveryTimeoutMs - performance.now()
    let results: ReturnType<typeof decodeProduce>
    try {
      const timeoutMs = Math.max(ANSWER_MIN_MS, Math.min(options.requestTimeoutMs, leftMs))
      results = decodeProduce(await cluster.ask(leader, APIS.produce, body, timeoutMs))
    } catch (error) {
      if (!isDependencyError(error)) throw error
      for (const batch of batches) {
        batch.mayBeStored = true
        leaders.delete(batch.lane.topic)
        tryAgain(batch, error)
      }
      return
    }
    const byPlace = new Map(results.map((result) => [`${result.partition}:${result.topic}`, result]))
    for (const batch of batches) {
      const { topic, partition } = batch.lane
      const { code, detail } = byPlace.get(`${partition}:${topic}`) ?? {
        code: -1,
        detail: 'no answer for it',
      }
      settle(batch, code, detail)
    }
    flushSoon()
  }

  function settle(batch: Batch, code: number, detail: string | null): void {
    const { topic, partition } = batch.lane
    const doing = `Sending to ${topic}/${partition}`
    if (code === 0 || code === CODES.DUPLICATE_SEQUENCE_NUMBER) finish(batch, null, null)
    else if (LEADER_MOVED.has(code) || code === CODES.NOT_ENOUGH_REPLICAS) {
      leaders.delete(topic)
      tryAgain(batch, effectError(doing, new BrokerError(code, detail)))
    } else if (code === CODES.REQUEST_TIMED_OUT || code === CODES.NOT_ENOUGH_REPLICAS_AFTER_APPEND) {
      batch.mayBeStored = true
      tryAgain(batch, effectError(doing, new BrokerError(code, detail)))
    } else if (isTooLarge(code) && batch.records.length > 1 && !batch.mayBeStored) split(batch)
    else if (permanentCode(code) !== null && !batch.mayBeStored)
      finish(batch, effectError(doing, new BrokerError(code, detail)), null)
    else finish(batch, null, effectError(doing, new BrokerError(code, detail)))
  }

  /** The same records again in smaller batches: the broker took none of them. */
  function split(batch: Batch): void {
    const { lane } = batch
    lane.recordsMax = Math.max(1, Math.ceil(batch.records.length / 2))
    lane.records = [...batch.records, ...lane.records]
    lane.calls = [...batch.calls, ...lane.calls]
    lane.sizes = [...batch.records.map(recordSizeMax), ...lane.sizes]
    if (lane.author) lane.author.next = batch.firstSequence
    lane.batch = null
    waiting.add(lane)
    flushSoon()
  }

  function tryAgain(batch: Batch, error: DependencyError): void {
    batch.lastError = error
    if (broken) {
      finish(batch, batch.mayBeStored ? null : broken, batch.mayBeStored ? broken : null)
      return
    }
    const ageMs = performance.now() - batch.madeMs
    const isUnknown = error.code === 'not_found' && !batch.mayBeStored && ageMs > UNKNOWN_TOPIC_MS
    const isHopeless = !error.retriable && error.code !== 'not_found'
    if (isUnknown || isHopeless || ageMs >= options.deliveryTimeoutMs) {
      if (batch.mayBeStored || (error.retriable && error.code !== 'not_found'))
        finish(batch, null, inDoubt(batch, error))
      else finish(batch, error, null)
      return
    }
    batch.tries++
    const ceilingMs = Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** Math.min(batch.tries - 1, 10))
    setTimeout(() => void dispatch([batch]), ceilingMs * (0.5 + Math.random() / 2))
  }

  function inDoubt({ lane }: Batch, error: DependencyError): DependencyError {
    const detail = `Sending to ${lane.topic}/${lane.partition} was not acknowledged in ${options.deliveryTimeoutMs} ms: ${error.message}`
    return error.code === 'fenced' ? error : new DependencyError('kafka', 'outcome_unknown', detail, error)
  }

  function finish(batch: Batch, refusal: DependencyError | null, doubt: DependencyError | null): void {
    const { lane, calls } = batch
    lane.batch = null
    // Numbers that may be used cannot be given again, and those after them would not follow.
    if (doubt) lane.author = null
    else if (refusal && lane.author && batch.bytes !== null) lane.author.next = batch.firstSequence
    held -= batch.size
    for (const call of calls) {
      if (doubt) call.doubt ??= doubt
      else if (refusal) call.refusal ??= refusal
      else call.stored++
      settleOne(call)
    }
    if (lane.records.length > 0) flushSoon()
    room.resolve()
    room = Promise.withResolvers()
  }

  async function refresh(): Promise<void> {
    refreshing ??= (async () => {
      const topics = [...lanes.keys()].filter((topic) => !leaders.has(topic))
      for (const { topic, code, leaders: found } of await cluster.metadata(topics)) {
        topicCodes.set(topic, code)
        if (code === 0) leaders.set(topic, found)
      }
    })().finally(() => {
      refreshing = null
    })
    await refreshing
  }

  return {
    async send(records) {
      if (broken) throw broken
      if (records.length === 0) return { stored: 0, refusal: null, doubt: null }
      if (held >= options.heldBytesMax || lined > 0) {
        // In the order of the calls.
        lined++
        const mine = turn.then(async () => {
          while (held >= options.heldBytesMax && broken === null) await room.promise
          lined--
        })
        turn = mine
        await mine
        if (broken) throw broken
      }
      return new Promise((settle) => {
        gather(records, { left: records.length, stored: 0, refusal: null, doubt: null, settle })
        if (held >= options.batchBytesMax) flushSoon()
        linger()
      })
    },
    flush,
    async idle() {
      while (held > 0) await room.promise
    },
    abandon(error) {
      broken = error
      if (timer !== null) clearTimeout(timer)
      timer = null
      for (const lane of waiting) if (lane.batch === null) finish(takeBatch(lane), error, null)
      waiting.clear()
      room.resolve()
      room = Promise.withResolvers()
    },
    forgetAuthors() {
      for (const ofTopic of lanes.values()) for (const lane of ofTopic) if (lane) lane.author = null
    },
  }
}

function isTooLarge(code: number): boolean {
  return code === CODES.MESSAGE_TOO_LARGE || code === CODES.RECORD_LIST_TOO_LARGE
}
