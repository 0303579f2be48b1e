import type { Message } from '@confluentinc/kafka-javascript'
import { DependencyError, isDependencyError } from '../runtime/errors.ts'
import type { Logger } from '../runtime/logger.ts'
import type { KafkaSettings } from './kafka-settings.ts'
import { createAssignment } from './librdkafka-assignment.ts'
import { recordBatch } from './librdkafka-batch.ts'
import {
  connect,
  connectionConfig,
  type NativeConfig,
  type NativeConsumer,
  type NativePosition,
  nativeCalls,
  newConsumer,
} from './librdkafka-client.ts'
import {
  ERRORS,
  effectError,
  isFenced,
  type NativeError,
  permanentCode,
  queryError,
} from './librdkafka-errors.ts'
import { checkMetadata, metadataText, nativeMetadata } from './librdkafka-metadata.ts'
import type { GroupConsumer, GroupConsumerOptions, RecordBatch, TopicPartition } from './log.ts'

/** A native poll holds a thread and keeps seeks and rebalances waiting; several short ones make up a long one. */
const POLL_SLICE_MS = 100

/** Seeking only moves the client's own position; it waits for a thread, not for the network. */
const SEEK_TIMEOUT_MS = 10_000

/** What every consuming client fetches with. */
export function fetchConfig(
  settings: KafkaSettings,
  clientId: string,
  prefetchBytesMax: number,
): NativeConfig {
  return {
    ...connectionConfig(settings, clientId),
    'isolation.level': 'read_committed',
    'enable.auto.commit': false,
    'enable.auto.offset.store': false,
    // A position that the topic no longer holds is an error to be told, never a silent jump.
    'auto.offset.reset': 'error',
    'queued.max.messages.kbytes': Math.max(1, Math.ceil(prefetchBytesMax / 1024)),
    'queued.min.messages': 100_000,
    'fetch.wait.max.ms': 100,
    // A fetch that is under way counts towards the prefetch as well.
    'fetch.max.bytes': Math.max(prefetchBytesMax, settings.kafkaRecordBytesMax),
    'max.partition.fetch.bytes': Math.min(
      Math.max(1024 * 1024, settings.kafkaRecordBytesMax),
      Math.max(prefetchBytesMax, settings.kafkaRecordBytesMax),
    ),
    'fetch.queue.backoff.ms': 20,
  }
}

export interface LibrdkafkaConsumer {
  readonly consumer: GroupConsumer
  /** Runs `use` while the native client is held open. */
  withNative<T>(use: (native: NativeConsumer) => Promise<T>): Promise<T>
}

/**
 * A member of a consumer group on librdkafka: cooperative assignment with explicit start offsets, manual commits,
 * read_committed. Rebalances are answered from here rather than by the client, so that nothing is consumed before
 * `onAssigned` resolved and nothing is given up before `onRevoked` did.
 */
export async function openLibrdkafkaConsumer(
  settings: KafkaSettings,
  options: GroupConsumerOptions,
  logger: Logger,
): Promise<LibrdkafkaConsumer> {
  const calls = nativeCalls('consumer')
  const assignment = createAssignment()
  let failure: unknown = null
  let rebalancing: Promise<void> = Promise.resolve()
  let closing: Promise<void> | null = null
  /** Native polls, seeks and assignments one at a time, so that a poll never spans a change of position. */
  let turn: Promise<unknown> = Promise.resolve()

  function inTurn<T>(body: () => Promise<T>): Promise<T> {
    const mine = turn.then(body)
    turn = mine.catch(() => undefined)
    return mine
  }

  const native: NativeConsumer = newConsumer({
    ...fetchConfig(settings, options.clientId, options.prefetchBytesMax),
    'group.id': options.groupId,
    'partition.assignment.strategy': 'cooperative-sticky',
    'session.timeout.ms': options.sessionTimeoutMs,
    'heartbeat.interval.ms': Math.min(1_000, Math.max(100, Math.floor(options.sessionTimeoutMs / 5))),
    'max.poll.interval.ms': Math.max(options.maxPollIntervalMs, options.sessionTimeoutMs),
    rebalance_cb: (event: NativeError, partitions: TopicPartition[]) => {
      const plain = partitions.map(({ topic, partition }) => ({ topic, partition }))
      if (event.code === ERRORS.ERR__ASSIGN_PARTITIONS) {
        rebalancing = rebalancing.then(() => assign(plain))
        return
      }
      const lost = native.assignmentLost()
      assignment.beginRevocation(plain, lost)
      rebalancing = rebalancing.then(() => revoke(plain, lost))
    },
  })
  await connect(native, settings, logger, (error) => {
    failure ??= queryError('Consuming', error)
  })
  native.setDefaultIsTimeoutOnlyForFirstMessage(true)
  native.subscribe([...options.topics])

  async function assign(partitions: readonly TopicPartition[]): Promise<void> {
    // The client wants an answer to every event; one that changes nothing is nobody else's business.
    if (partitions.length === 0 || closing) return answer(() => native.incrementalAssign([]))
    assignment.begin(partitions)
    // Without a start, a partition is assigned at its end and never handed out: the client needs its answer.
    let start: NativePosition[] = partitions.map((each) => ({ ...each, offset: OFFSET_END }))
    let active = false
    try {
      const positions = await options.onAssigned(partitions, consumer)
      start = partitions.map((each) => {
        const position = positions.find((p) => p.topic === each.topic && p.partition === each.partition)
        if (!position) throw new Error(`onAssigned gave no start for ${each.topic}/${each.partition}.`)
        return { ...each, offset: position.offset }
      })
      active = true
    } catch (error) {
      failure ??= error
      assignment.end(partitions, false)
    }
    await answer(() => {
      native.incrementalAssign(start)
      if (!active) return
      const paused = assignment.activate(partitions)
      if (paused.length > 0) native.pause(paused)
    })
    if (!active) void close()
  }

  /** Tells the client what became of a rebalance event, between two polls. */
  function answer(tell: () => void): Promise<void> {
    return inTurn(async () => {
      try {
        tell()
      } catch (error) {
        // The group moved on meanwhile; it tells by its next event.
        logger.warn({ err: error }, 'An answer to a rebalance came too late and was dropped.')
      }
    })
  }

  async function revoke(partitions: readonly TopicPartition[], lost: boolean): Promise<void> {
    // The client would remember a pause, and a later assignment of the same partition would never fetch.
    consumer.resume(partitions)
    await giveUp(partitions, lost)
    await answer(() => native.incrementalUnassign([...partitions]))
  }

  /** Serves `onRevoked` for those that are still held: closing has done so before the client says the same. */
  async function giveUp(partitions: readonly TopicPartition[], lost: boolean): Promise<void> {
    const held = assignment.held(partitions)
    if (held.length === 0) return
    try {
      await options.onRevoked(held, lost)
    } catch (error) {
      failure ??= error
    }
    await inTurn(async () => assignment.end(held, lost))
  }

  /** @returns records, none on a passing problem: the client mends that by itself and says so in its log */
  function consumeSlice(waitMs: number): Promise<readonly Message[]> {
    return inTurn(async () => {
      native.setDefaultConsumeTimeout(waitMs)
      try {
        return await calls.run<Message[]>((done) => native.consume(options.pollRecordsMax, done))
      } catch (cause) {
        if (isDependencyError(cause)) throw cause
        const error = cause as NativeError
        if (permanentCode(error.code) === null && !isFenced(error) && !error.isFatal) return []
        throw queryError(`Consuming ${options.topics.join(', ')}`, error)
      }
    })
  }

  async function close(): Promise<void> {
    closing ??= (async () => {
      await rebalancing
      // Served while the client still works: whoever gives up a partition commits.
      const last = assignment.held()
      assignment.beginRevocation(last, false)
      await giveUp(last, false)
      await calls.close()
      native.unsubscribe()
      await new Promise<void>((resolve) => native.disconnect(resolve))
      await rebalancing
    })()
    return closing
  }

  const consumer: GroupConsumer = {
    get assignmentEpoch() {
      return assignment.epoch
    },
    assigned: (partition) => assignment.has(partition),

    async poll(): Promise<readonly RecordBatch[]> {
      const deadline = performance.now() + options.pollWaitMs
      for (;;) {
        if (failure !== null) throw failure
        if (closing) throw new DependencyError('kafka', 'unavailable', 'The consumer is closed.')
        const ready = assignment.take(options.pollRecordsMax)
        if (ready.length > 0) return ready.map(recordBatch)
        const leftMs = Math.max(0, deadline - performance.now())
        assignment.add(await consumeSlice(Math.min(POLL_SLICE_MS, Math.ceil(leftMs))))
        if (leftMs === 0) {
          if (failure !== null) throw failure
          return assignment.take(options.pollRecordsMax).map(recordBatch)
        }
      }
    },

    pause(partitions) {
      const changed = assignment.pause(partitions)
      if (changed.length > 0 && !calls.closed) native.pause(changed)
    },
    resume(partitions) {
      const changed = assignment.resume(partitions)
      if (changed.length > 0 && !calls.closed) native.resume(changed)
    },

    seek(position) {
      const moved = assignment.beginSeek(position)
      return inTurn(async () => {
        try {
          if (moved === null || !assignment.has(position))
            throw new DependencyError(
              'kafka',
              'not_assigned',
              `${position.topic}/${position.partition} is not assigned to this process.`,
            )
          await calls.run<void>((done) =>
            native.seek({ ...position }, SEEK_TIMEOUT_MS, (error) => done(error, undefined)),
          )
        } catch (error) {
          throw queryError(`Seeking ${position.topic}/${position.partition} to ${position.offset}`, error)
        } finally {
          moved?.()
        }
      })
    },

    async committed(partitions) {
      const asked = partitions.map(({ topic, partition }) => ({ topic, partition }))
      try {
        const answer = await calls.run<(NativePosition | Error)[]>((done) =>
          native.committed(asked, settings.kafkaRequestTimeoutMs, done),
        )
        return answer.map((position, index) => {
          if (position instanceof Error) throw position
          const { topic, partition } = asked[index] as TopicPartition
          const offset = (position.offset ?? -1) < 0 ? null : position.offset
          return {
            topic,
            partition,
            offset,
            metadata: offset === null ? '' : metadataText(position.metadata),
          }
        })
      } catch (error) {
        throw queryError(`Reading committed positions of ${options.groupId}`, error)
      }
    },

    async commit(positions) {
      for (const position of positions) {
        checkMetadata(position.metadata)
        if (!assignment.has(position))
          throw new DependencyError(
            'kafka',
            'not_assigned',
            `${position.topic}/${position.partition} is not assigned to this process any more.`,
          )
      }
      if (positions.length === 0) return
      try {
        await calls.run<void>((done) =>
          native.commitCb(
            positions.map(({ topic, partition, offset, metadata }) => ({
              topic,
              partition,
              offset,
              ...nativeMetadata(metadata),
            })),
            (error) => done(error, undefined),
          ),
        )
      } catch (error) {
        throw effectError(`Committing positions of ${options.groupId}`, error)
      }
    },

    endOffset(partition) {
      if (calls.closed) return null
      try {
        const { highOffset } = native.getWatermarkOffsets(partition.topic, partition.partition)
        return highOffset < 0 ? null : highOffset
      } catch {
        return null // Nothing was fetched yet.
      }
    },

    close,
  }
  return { consumer, withNative: (use) => calls.hold(() => use(native)) }
}

/** librdkafka's RD_KAFKA_OFFSET_END. */
const OFFSET_END = -1
