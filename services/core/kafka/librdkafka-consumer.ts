import { setImmediate as nextTurn } from 'node:timers/promises'
import { DependencyError, isDependencyError } from '../runtime/errors.ts'
import type { Logger } from '../runtime/logger.ts'
import type { KafkaSettings } from './kafka-settings.ts'
import {
  connect,
  connectionConfig,
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
import type { GroupConsumer, GroupConsumerOptions, Position, TopicPartition } from './log.ts'
import { openCluster } from './wire/cluster.ts'
import { createFetcher, fetcherOptions } from './wire/fetcher.ts'
import { createAssignment } from './wire/group-assignment.ts'

/** Longest native poll, ms: it holds a thread and keeps answers to rebalances waiting. */
const POLL_SLICE_MS = 100

export interface LibrdkafkaConsumer {
  readonly consumer: GroupConsumer
  /** Runs `use` while the native client is held open. */
  withNative<T>(use: (native: NativeConsumer) => Promise<T>): Promise<T>
}

/**
 * A member of a consumer group: librdkafka is the member (cooperative assignment, heartbeats, commits), and the
 * records come from a fetcher of our own, as byte ranges. To the native client every partition is paused.
 *
 * Rebalances are answered from here rather than by the client, so that nothing is consumed before `onAssigned`
 * resolved and nothing is given up before `onRevoked` did.
 */
export async function openLibrdkafkaConsumer(
  settings: KafkaSettings,
  options: GroupConsumerOptions,
  logger: Logger,
): Promise<LibrdkafkaConsumer> {
  const calls = nativeCalls('consumer')
  const assignment = createAssignment()
  const fetcher = createFetcher(
    openCluster(settings, options.clientId),
    fetcherOptions(options.prefetchBytesMax),
    logger,
  )
  let failure: unknown = null
  let rebalancing: Promise<void> = Promise.resolve()
  let closing: Promise<void> | null = null
  /** Native polls and answers to rebalances one at a time. */
  let turn: Promise<unknown> = Promise.resolve()

  function inTurn<T>(body: () => Promise<T>): Promise<T> {
    const mine = turn.then(body)
    turn = mine.catch(() => undefined)
    return mine
  }

  const native: NativeConsumer = newConsumer({
    ...connectionConfig(settings, options.clientId),
    'enable.auto.commit': false,
    'enable.auto.offset.store': false,
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
      stop(plain, lost)
      rebalancing = rebalancing.then(() => revoke(plain, lost))
    },
  })
  try {
    await connect(native, settings, logger, (error) => {
      failure ??= queryError('Consuming', error)
    })
  } catch (error) {
    await fetcher.close()
    throw error
  }
  native.setDefaultConsumeTimeout(POLL_SLICE_MS)
  native.subscribe([...options.topics])

  async function assign(partitions: readonly TopicPartition[]): Promise<void> {
    // The client wants an answer to every event; one that changes nothing is nobody else's business.
    if (partitions.length === 0 || closing) return answer(() => native.incrementalAssign([]))
    assignment.begin(partitions)
    let starts: readonly Position[] = []
    try {
      const positions = await options.onAssigned(partitions, consumer)
      starts = partitions.map(({ topic, partition }) => {
        const start = positions.find((each) => each.topic === topic && each.partition === partition)
        if (!start) throw new Error(`onAssigned gave no start for ${topic}/${partition}.`)
        return { topic, partition, offset: start.offset }
      })
    } catch (error) {
      failure ??= error
      assignment.end(partitions, false)
    }
    await answer(() => {
      // Where the client itself would start is of no account: it never fetches.
      native.incrementalAssign(partitions.map((each) => ({ ...each, offset: OFFSET_END })))
      native.pause([...partitions])
      if (starts.length === 0) return
      const paused = assignment.activate(partitions)
      fetcher.add(starts.filter((start) => assignment.isActive(start)).map(assignment.startOf))
      fetcher.pause(paused)
    })
    if (starts.length === 0) void close()
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

  /** From here on nothing of these is handed out. */
  function stop(partitions: readonly TopicPartition[], lost: boolean): void {
    assignment.beginRevocation(partitions, lost)
    fetcher.remove(partitions)
  }

  async function revoke(partitions: readonly TopicPartition[], lost: boolean): Promise<void> {
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

  let isServing = false
  /** Lets the native client do what a member must, beside what is going on here. */
  function serveGroup(): void {
    if (isServing) return
    isServing = true
    inTurn(() => calls.run<unknown>((done) => native.consume(1, done)))
      .catch((cause: unknown) => {
        if (isDependencyError(cause)) return
        const error = cause as NativeError
        // Passing problems are mended by the client, which says so in its log.
        if (permanentCode(error.code) === null && !isFenced(error) && !error.isFatal) return
        failure ??= queryError(`Consuming ${options.topics.join(', ')}`, error)
      })
      .finally(() => {
        isServing = false
      })
  }

  async function close(): Promise<void> {
    closing ??= (async () => {
      await rebalancing
      // Served while the client still works: whoever gives up a partition commits.
      const last = assignment.held()
      stop(last, false)
      await giveUp(last, false)
      await fetcher.close()
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

    async poll() {
      const deadline = performance.now() + options.pollWaitMs
      // Sockets and timers get their turn even when there is always something to hand out.
      await nextTurn()
      for (;;) {
        if (failure !== null) throw failure
        if (closing) throw new DependencyError('kafka', 'unavailable', 'The consumer is closed.')
        serveGroup()
        const batches = fetcher.take(options.pollRecordsMax)
        const leftMs = deadline - performance.now()
        if (batches.length > 0 || leftMs <= 0) return batches
        await fetcher.ready(Math.min(POLL_SLICE_MS, Math.ceil(leftMs)))
      }
    },

    pause(partitions) {
      assignment.setPaused(partitions, true)
      fetcher.pause(partitions)
    },
    resume(partitions) {
      assignment.setPaused(partitions, false)
      fetcher.resume(partitions)
    },

    async seek(position) {
      if (!assignment.has(position))
        throw new DependencyError(
          'kafka',
          'not_assigned',
          `${position.topic}/${position.partition} is not assigned to this process.`,
        )
      // One that starts or leaves is not being fetched.
      if (assignment.isActive(position)) fetcher.add([position])
      else assignment.setStart(position)
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

    endOffset: (partition) => fetcher.endOffset(partition),

    close,
  }
  return { consumer, withNative: (use) => calls.hold(() => use(native)) }
}

/** librdkafka's RD_KAFKA_OFFSET_END. */
const OFFSET_END = -1
