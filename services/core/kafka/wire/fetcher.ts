import { setTimeout as pause } from 'node:timers/promises'
import { DependencyError, isDependencyError } from '../../runtime/errors.ts'
import type { Logger } from '../../runtime/logger.ts'
import type { Position, RecordBatch, TopicPartition } from '../log.ts'
import { APIS } from './apis.ts'
import type { Cluster } from './cluster.ts'
import { queryError } from './dependency-errors.ts'
import { BrokerError, CODES, LEADER_MOVED } from './errors.ts'
import { type FetchedPartition, fetchAnswer, fetchRequest } from './fetch.ts'
import { endOfRecords, RecordColumns, RecordsReader } from './records.ts'
import { createSignal } from './signal.ts'

/** How long a broker may wait for records, ms. What is resumed or assigned meanwhile waits as long. */
const WAIT_MS = 100
/** The same while a partition is left out because enough of it lies here: it may be wanted again any moment. */
const SHORT_WAIT_MS = 5
/** One answer brings at most this, ahead of the bound on everything that is fetched ahead. */
const FETCH_BYTES_MAX = 8 * 1024 * 1024
/** First and longest pause after a failure, ms; doubled in between. */
const BACKOFF_MS = { first: 50, longest: 1_000 }
/** How long a topic may be unknown to the brokers before that is an error: longer than a new one takes, ms. */
const UNKNOWN_TOPIC_MS = 10_000
/** Beyond the request's own wait, ms. */
const ANSWER_TIMEOUT_MS = 30_000

export interface FetcherOptions {
  /**
   * Bytes fetched ahead and not handed out yet, as they came (compressed). A broker answers with at least one whole
   * record batch, so it can be exceeded by one batch per broker.
   */
  readonly bytesMax: number
  /** The same of one partition, and what one answer brings of it. */
  readonly partitionBytesMax: number
}

/** Largest share of one partition. */
const PARTITION_BYTES_MAX = 1024 * 1024

/** Bounds for a consumer that may fetch `bytesMax` ahead. */
export function fetcherOptions(bytesMax: number): FetcherOptions {
  return { bytesMax, partitionBytesMax: Math.min(PARTITION_BYTES_MAX, bytesMax) }
}

/**
 * Fetches committed records of partitions ahead of their use, in one loop per broker. Broken connections and moved
 * leaders are mended here and logged. What asking again cannot mend is thrown by `take`: once when it concerns one
 * partition, which then rests until it is added again while others go on; every time when it concerns them all.
 */
export interface Fetcher {
  /** Starts fetching at these positions; a partition that is there already moves. */
  add(positions: readonly Position[]): void
  remove(partitions: readonly TopicPartition[]): void
  /** Paused partitions are not fetched and not taken; what was fetched stays. */
  pause(partitions: readonly TopicPartition[]): void
  resume(partitions: readonly TopicPartition[]): void
  /** Up to `recordsMax` records, at most one batch per partition. @throws DependencyError */
  take(recordsMax: number): RecordBatch[]
  /** Resolves as soon as `take` has something to give or to throw, else after `waitMs`. */
  ready(waitMs: number): Promise<void>
  /** Next offset that `take` would hand out, past transaction markers where nothing else is left. */
  position(partition: TopicPartition): number | null
  /** High watermark as last heard; null when never. */
  endOffset(partition: TopicPartition): number | null
  close(): Promise<void>
}

interface Fetched {
  readonly reader: RecordsReader
  readonly size: number
  /** Next offset after all of it. */
  readonly end: number
}

interface Partition {
  readonly topic: string
  readonly partition: number
  /** Next offset to be fetched. */
  offset: number
  /** Next offset to be handed out. */
  position: number
  /** Changes with every `add`: an answer to an earlier question is dropped. */
  readonly since: symbol
  paused: boolean
  fetched: Fetched[]
  /** Bytes in `fetched`. */
  size: number
  /** Null when it has to be asked for. */
  leader: number | null
  wasLed: boolean
  /** Since when the brokers do not know it; null when they do. */
  unknownSince: number | null
  endOffset: number | null
  /** The brokers refused it for good. */
  stopped: boolean
}

export function createFetcher(cluster: Cluster, options: FetcherOptions, logger: Logger): Fetcher {
  const partitions = new Map<string, Partition>()
  const loops = new Map<number, Promise<void>>()
  let finding: Promise<void> | null = null
  let size = 0
  /** Bytes that answers under way may bring. */
  let expected = 0
  let failure: DependencyError | null = null
  /** Of single partitions, not thrown yet. */
  const refusals: DependencyError[] = []
  let closed = false
  const changed = createSignal()
  const arrived = createSignal()

  const find = ({ topic, partition }: TopicPartition) => partitions.get(`${partition}:${topic}`)

  function drop(partition: Partition): void {
    size -= partition.size
    partition.size = 0
    partition.fetched = []
  }

  function fail(error: unknown): void {
    failure ??= queryError('Fetching', error)
    arrived.raise()
  }

  function stop(partition: Partition, error: DependencyError): void {
    partition.stopped = true
    refusals.push(error)
    arrived.raise()
  }

  /** Sees to it that every partition's leader is known and has a loop. */
  function route(): void {
    changed.raise()
    if (closed || failure !== null) return
    for (const { leader } of partitions.values())
      if (leader !== null && !loops.has(leader)) loops.set(leader, run(leader))
    if (finding === null && [...partitions.values()].some(isLost))
      finding = findLeaders().finally(() => {
        finding = null
        route()
      })
  }

  async function findLeaders(): Promise<void> {
    const backoff = createBackoff()
    while (!closed && failure === null) {
      const lost = [...partitions.values()].filter(isLost)
      if (lost.length === 0) return
      // Who was refused asks again, and the brokers take a moment to agree on a new leader.
      if (lost.some(({ wasLed }) => wasLed)) await pause(BACKOFF_MS.first)
      try {
        const topics = await cluster.metadata([...new Set(lost.map(({ topic }) => topic))])
        const known = new Map(topics.map((topic) => [topic.topic, topic]))
        for (const partition of lost) {
          const topic = known.get(partition.topic)
          if (topic && topic.code !== 0 && !LEADER_MOVED.has(topic.code)) {
            stop(partition, queryError(`Asking who leads ${partition.topic}`, new BrokerError(topic.code)))
            continue
          }
          const leader = topic?.leaders[partition.partition] ?? -1
          if (leader >= 0) {
            partition.leader = leader
            partition.wasLed = true
          } else if (topic?.code === CODES.UNKNOWN_TOPIC_OR_PARTITION) waitForTopic(partition)
        }
        route()
        if (!lost.some(isLost)) return
      } catch (error) {
        if (!isRetriable(error)) return fail(error)
        if (!closed)
          logger.warn({ err: error }, 'Kafka does not tell who leads the partitions; asking again.')
      }
      await backoff.wait()
    }
  }

  function waitForTopic(partition: Partition): void {
    partition.unknownSince ??= performance.now()
    if (performance.now() - partition.unknownSince < UNKNOWN_TOPIC_MS) return
    const which = `${partition.topic}/${partition.partition}`
    stop(
      partition,
      new DependencyError('kafka', 'not_found', `Fetching failed: the brokers do not know ${which}.`),
    )
  }

  /** Fetches from one broker for as long as it leads any of the partitions. */
  async function run(broker: number): Promise<void> {
    const backoff = createBackoff()
    /** Brokers fill an answer in the order of the question: who comes first changes. */
    let first = 0
    while (!closed && failure === null) {
      const led = [...partitions.values()].filter(({ leader }) => leader === broker)
      if (led.length === 0) break
      const wanted = led.filter(
        ({ paused, stopped, size }) => !paused && !stopped && size < options.partitionBytesMax,
      )
      const room = Math.min(FETCH_BYTES_MAX, options.bytesMax - size - expected)
      if (wanted.length === 0 || room <= 0) {
        await changed.wait()
        continue
      }
      first = (first + 1) % wanted.length
      const asked = [...wanted.slice(first), ...wanted.slice(0, first)].sort(byTopic)
      const isSkipping = led.some((each) => !each.paused && each.size >= options.partitionBytesMax)
      expected += room
      try {
        const waitMs = isSkipping ? SHORT_WAIT_MS : WAIT_MS
        const bounds = { waitMs, bytesMax: room, partitionBytesMax: options.partitionBytesMax }
        const body = fetchRequest(asked, bounds)
        accept(asked, fetchAnswer(await cluster.ask(broker, APIS.fetch, body, waitMs + ANSWER_TIMEOUT_MS)))
        backoff.reset()
      } catch (error) {
        if (!isRetriable(error)) {
          fail(error)
          break
        }
        if (closed) break
        logger.warn({ err: error, broker }, 'Fetching from a broker failed; trying again.')
        for (const partition of asked) partition.leader = null
        await backoff.wait()
      } finally {
        expected -= room
      }
    }
    loops.delete(broker)
    route()
  }

  function accept(asked: readonly Partition[], answers: readonly FetchedPartition[]): void {
    let isEmpty = true
    for (const answer of answers) if (answer.bytes.length > 0) isEmpty = false
    const askedBy = new Map(asked.map((partition) => [partition.since, partition]))
    for (const answer of answers) {
      const partition = find(answer)
      if (!partition || !askedBy.has(partition.since)) continue
      if (answer.code !== 0) {
        refused(partition, answer.code)
        continue
      }
      partition.unknownSince = null
      partition.endOffset = answer.highWatermark
      const end = endOfRecords(answer.bytes, partition.offset)
      if (end > partition.offset) {
        const bytes = ownBytes(answer.bytes)
        const reader = new RecordsReader({ bytes, aborted: answer.aborted }, partition.offset)
        partition.fetched.push({ reader, size: bytes.length, end })
        partition.offset = end
        partition.size += bytes.length
        size += bytes.length
        arrived.raise()
      } else if (isEmpty && answer.lastStableOffset > partition.offset) {
        // Nothing was left out for want of room, so there is nothing up to there: compaction took it all.
        partition.offset = answer.lastStableOffset
        if (partition.fetched.length === 0) partition.position = partition.offset
      }
    }
    route()
  }

  function refused(partition: Partition, code: number): void {
    const which = `${partition.topic}/${partition.partition}`
    if (!LEADER_MOVED.has(code)) {
      stop(partition, queryError(`Fetching ${which} from offset ${partition.offset}`, new BrokerError(code)))
      return
    }
    partition.leader = null
    if (code === CODES.UNKNOWN_TOPIC_OR_PARTITION) waitForTopic(partition)
  }

  /** @returns null when there was nothing but markers and aborted records, or what there was cannot be read */
  function takeFrom(partition: Partition, recordsMax: number): RecordBatch | null {
    const columns = new RecordColumns(partition.topic, partition.partition)
    try {
      while (partition.fetched.length > 0 && columns.length < recordsMax)
        takeNext(partition, columns, recordsMax)
    } catch (cause) {
      drop(partition)
      const which = `${partition.topic}/${partition.partition} from offset ${partition.position}`
      const why = (cause as Error).message
      stop(
        partition,
        new DependencyError(
          'kafka',
          'corrupt',
          `What Kafka holds of ${which} cannot be read: ${why}.`,
          cause,
        ),
      )
    }
    return columns.length > 0 ? columns : null
  }

  function takeNext(partition: Partition, columns: RecordColumns, recordsMax: number): void {
    const next = partition.fetched[0] as Fetched
    const isRead = next.reader.read(columns, recordsMax)
    if (!isRead) {
      partition.position = columns.offset(columns.length - 1) + 1
      return
    }
    partition.fetched.shift()
    partition.size -= next.size
    size -= next.size
    partition.position = partition.fetched.length > 0 ? next.end : Math.max(next.end, partition.offset)
  }

  function hasSomething(): boolean {
    if (failure !== null || refusals.length > 0 || closed) return true
    for (const partition of partitions.values())
      if (!partition.paused && partition.fetched.length > 0) return true
    return false
  }

  return {
    add(positions) {
      for (const { topic, partition, offset } of positions) {
        const earlier = find({ topic, partition })
        if (earlier) drop(earlier)
        partitions.set(`${partition}:${topic}`, {
          topic,
          partition,
          offset,
          position: offset,
          since: Symbol(),
          paused: earlier?.paused ?? false,
          fetched: [],
          size: 0,
          leader: earlier?.leader ?? null,
          wasLed: earlier?.wasLed ?? false,
          unknownSince: null,
          endOffset: earlier?.endOffset ?? null,
          stopped: false,
        })
      }
      route()
    },
    remove(which) {
      for (const each of which) {
        const partition = find(each)
        if (!partition) continue
        drop(partition)
        partitions.delete(`${each.partition}:${each.topic}`)
      }
      route()
    },
    pause(which) {
      for (const each of which) {
        const partition = find(each)
        if (partition) partition.paused = true
      }
    },
    resume(which) {
      for (const each of which) {
        const partition = find(each)
        if (partition) partition.paused = false
      }
      changed.raise()
      if (hasSomething()) arrived.raise()
    },
    take(recordsMax) {
      const error = failure ?? refusals.shift()
      if (error) throw error
      const batches: RecordBatch[] = []
      let room = recordsMax
      for (const [key, partition] of [...partitions]) {
        if (room === 0) break
        if (partition.paused || partition.fetched.length === 0) continue
        const batch = takeFrom(partition, room)
        if (batch === null) continue
        room -= batch.length
        batches.push(batch)
        // Who was served goes to the end of the line.
        partitions.delete(key)
        partitions.set(key, partition)
      }
      changed.raise()
      return batches
    },
    async ready(waitMs) {
      if (hasSomething() || waitMs <= 0) return
      await arrived.wait(waitMs)
    },
    position: (which) => find(which)?.position ?? null,
    endOffset: (which) => find(which)?.endOffset ?? null,
    async close() {
      if (closed) return
      closed = true
      changed.raise()
      arrived.raise()
      cluster.close()
      await Promise.all([...loops.values(), finding])
    },
  }
}

const isLost = ({ leader, stopped }: Partition) => leader === null && !stopped

/** What lies here for long must not keep a much larger answer alive with it. */
function ownBytes(view: Buffer): Buffer {
  return view.length * 2 < view.buffer.byteLength ? Buffer.from(view) : view
}

function isRetriable(error: unknown): boolean {
  if (error instanceof BrokerError) return true
  return isDependencyError(error) && error.retriable
}

/** By topic, else in the order given. */
function byTopic(a: Partition, b: Partition): number {
  return a.topic === b.topic ? 0 : a.topic < b.topic ? -1 : 1
}

function createBackoff() {
  let delayMs = 0
  return {
    async wait() {
      delayMs = Math.min(BACKOFF_MS.longest, Math.max(BACKOFF_MS.first, delayMs * 2))
      await pause(delayMs)
    },
    reset() {
      delayMs = 0
    },
  }
}
