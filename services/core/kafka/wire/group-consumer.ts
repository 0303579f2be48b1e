import { setImmediate as nextTurn } from 'node:timers/promises'
import { type Clock, systemClock } from '../../runtime/clock.ts'
import { DependencyError, isDependencyError } from '../../runtime/errors.ts'
import type { Logger } from '../../runtime/logger.ts'
import type { KafkaSettings } from '../kafka-settings.ts'
import type { GroupConsumer, GroupConsumerOptions, Position, TopicPartition } from '../log.ts'
import { type Cluster, openCluster } from './cluster.ts'
import { effectError, queryError } from './dependency-errors.ts'
import { BrokerError, CODES, COORDINATOR_MOVED } from './errors.ts'
import { createFetcher, fetcherOptions } from './fetcher.ts'
import { createAssignment } from './group-assignment.ts'
import { type GroupCoordinator, openGroupCoordinator } from './group-coordinator.ts'
import { startGroupMember } from './group-member.ts'
import { registerMembership } from './group-membership.ts'
import { checkMetadata } from './position-metadata.ts'

/** Longest wait before a poll looks again, ms. */
const POLL_SLICE_MS = 100
/** Pause before a question that the coordinator could not answer yet is asked again, ms. */
const ASK_AGAIN_MS = 50

/** What a consumer stands on; tests bring their own. */
export interface GroupConsumerEnvironment {
  readonly coordinator: GroupCoordinator
  /** For fetching, apart from the coordinator's: a fetch may wait without holding up heartbeats. */
  readonly records: Cluster
  readonly instanceId: string | null
  /** Longest wait for one answer, ms. */
  readonly requestTimeoutMs: number
  readonly clock: Clock
}

/**
 * A member of a consumer group on a real cluster.
 *
 * @param instanceId name of a static member, which has its partitions back at once when it is started again; no two
 * processes of a group may share one: the older is fenced, and its `poll` rejects
 */
export function openGroupConsumer(
  settings: KafkaSettings,
  options: GroupConsumerOptions,
  logger: Logger,
  instanceId: string | null = null,
): GroupConsumer {
  const open = () => openCluster(settings, options.clientId)
  return createGroupConsumer(
    {
      coordinator: openGroupCoordinator(open(), open(), options.groupId, instanceId),
      records: open(),
      instanceId,
      requestTimeoutMs: settings.kafkaRequestTimeoutMs,
      clock: systemClock,
    },
    options,
    logger,
  )
}

/**
 * The member does the group's work, the fetcher brings the records, and between them stands what is assigned: nothing
 * is handed out before `onAssigned` resolved and nothing is given up before `onRevoked` did.
 */
export function createGroupConsumer(
  env: GroupConsumerEnvironment,
  options: GroupConsumerOptions,
  logger: Logger,
): GroupConsumer {
  const { clock, coordinator } = env
  const assignment = createAssignment()
  const fetcher = createFetcher(env.records, fetcherOptions(options.prefetchBytesMax), logger)
  let failure: unknown = null
  let closing: Promise<void> | null = null
  /** Callbacks one at a time. */
  let rebalancing: Promise<unknown> = Promise.resolve()

  function inTurn<T>(body: () => Promise<T>): Promise<T> {
    const mine = rebalancing.then(body)
    rebalancing = mine
    return mine
  }

  const member = startGroupMember({
    coordinator,
    groupId: options.groupId,
    instanceId: env.instanceId,
    topics: options.topics,
    sessionTimeoutMs: options.sessionTimeoutMs,
    maxPollIntervalMs: options.maxPollIntervalMs,
    clock,
    logger,
    owned: () => assignment.held(),
    onAssignment: (target, isCurrent) =>
      inTurn(async () => {
        const wanted = new Set(target.map(keyOf))
        const leaving = assignment.held().filter((each) => !wanted.has(keyOf(each)))
        if (leaving.length > 0) {
          stop(leaving, false)
          await giveUp(leaving, false)
        }
        if (!isCurrent() || closing) return false
        const held = new Set(assignment.held().map(keyOf))
        const added = target.filter((each) => !held.has(keyOf(each)))
        if (added.length > 0) await start(added)
        return leaving.length > 0
      }),
    onLost() {
      const held = assignment.held()
      stop(held, true)
      return inTurn(() => giveUp(held, true))
    },
    onFailed(error) {
      failure ??= error
    },
  })

  async function start(partitions: readonly TopicPartition[]): Promise<void> {
    assignment.begin(partitions)
    try {
      const positions = await options.onAssigned(partitions, consumer)
      const starts = partitions.map(({ topic, partition }): Position => {
        const found = positions.find((each) => each.topic === topic && each.partition === partition)
        if (!found) throw new Error(`onAssigned gave no start for ${topic}/${partition}.`)
        return { topic, partition, offset: found.offset }
      })
      const paused = assignment.activate(partitions)
      fetcher.add(starts.filter((each) => assignment.isActive(each)).map(assignment.startOf))
      fetcher.pause(paused)
    } catch (error) {
      failure ??= error
      assignment.end(partitions, false)
      close().catch(() => undefined)
    }
  }

  /** From here on nothing of these is handed out. */
  function stop(partitions: readonly TopicPartition[], lost: boolean): void {
    assignment.beginRevocation(partitions, lost)
    fetcher.remove(partitions)
  }

  /** Serves `onRevoked` for those that are still held. */
  async function giveUp(partitions: readonly TopicPartition[], lost: boolean): Promise<void> {
    const held = assignment.held(partitions)
    if (held.length === 0) return
    try {
      await options.onRevoked(held, lost)
    } catch (error) {
      failure ??= error
    }
    assignment.end(held, lost)
  }

  function close(): Promise<void> {
    closing ??= (async () => {
      member.retire()
      // Served while still a member: whoever gives up a partition commits.
      await inTurn(async () => {
        const last = assignment.held()
        stop(last, false)
        await giveUp(last, false)
      })
      await Promise.all([member.leave(), fetcher.close()])
    })()
    return closing
  }

  function missingTopic(): DependencyError | null {
    const topic = member.missingTopic()
    return topic === null
      ? null
      : new DependencyError('kafka', 'not_found', `There is no topic ${topic} to consume.`)
  }

  async function nextBatches() {
    const deadline = clock.monotonic() + options.pollWaitMs
    // Sockets and timers get their turn even when there is always something to hand out.
    await nextTurn()
    for (;;) {
      if (failure !== null) throw failure
      if (closing) throw new DependencyError('kafka', 'unavailable', 'The consumer is closed.')
      const missing = missingTopic()
      if (missing) throw missing
      const isDoubtful = member.isDoubtful()
      const batches = isDoubtful ? [] : fetcher.take(options.pollRecordsMax)
      const leftMs = deadline - clock.monotonic()
      if (batches.length > 0 || leftMs <= 0) return batches
      const sliceMs = Math.min(POLL_SLICE_MS, Math.ceil(leftMs))
      await (isDoubtful ? clock.sleep(Math.min(ASK_AGAIN_MS, sliceMs)) : fetcher.ready(sliceMs))
    }
  }

  function notAssigned(where: TopicPartition): DependencyError {
    return new DependencyError(
      'kafka',
      'not_assigned',
      `${where.topic}/${where.partition} is not assigned to this process any more.`,
    )
  }

  const consumer: GroupConsumer = {
    get assignmentEpoch() {
      return assignment.epoch
    },
    assigned: (partition) => assignment.has(partition),
    get membership() {
      const found = member.membership()
      return found === null ? '' : `${found.memberId}/${found.generationId}`
    },
    renew: member.renew,

    async poll() {
      const polled = member.polling()
      try {
        return await nextBatches()
      } finally {
        polled()
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
      if (!assignment.has(position)) throw notAssigned(position)
      // One that starts or leaves is not being fetched.
      if (assignment.isActive(position)) fetcher.add([position])
      else assignment.setStart(position)
    },

    async committed(partitions) {
      const doing = `Reading committed positions of ${options.groupId}`
      const deadline = clock.monotonic() + env.requestTimeoutMs
      for (;;) {
        try {
          return await coordinator.committed(partitions)
        } catch (cause) {
          const isUnstable = cause instanceof BrokerError && cause.code === CODES.UNSTABLE_OFFSET_COMMIT
          if (!isUnstable) coordinator.forget()
          const error = queryError(doing, cause)
          const isLate = clock.monotonic() >= deadline
          if (isUnstable && isLate)
            throw new DependencyError(
              'kafka',
              'timeout',
              `${doing}: a transaction over them is still open.`,
              cause,
            )
          if (!error.retriable || isLate || closed()) throw error
        }
        await clock.sleep(ASK_AGAIN_MS)
      }
    },

    async commit(positions) {
      for (const position of positions) {
        checkMetadata(position.metadata)
        if (!assignment.has(position)) throw notAssigned(position)
      }
      const [first] = positions
      if (!first) return
      const doing = `Committing positions of ${options.groupId}`
      const deadline = clock.monotonic() + env.requestTimeoutMs
      for (let membership = member.membership(); membership !== null; ) {
        let code: number
        try {
          code = await coordinator.commit(membership, positions)
        } catch (error) {
          if (!isDependencyError(error)) throw error
          coordinator.forget()
          throw error.retriable
            ? new DependencyError('kafka', 'outcome_unknown', `${doing}: ${error.message}`, error)
            : error
        }
        if (code === 0) return
        member.commitRefused(membership, code)
        // A generation that begins takes no commits before everybody in it has heard of it.
        const isPassing = COORDINATOR_MOVED.has(code) || code === CODES.REBALANCE_IN_PROGRESS
        if (isPassing && clock.monotonic() < deadline) {
          await clock.sleep(ASK_AGAIN_MS)
          membership = member.membership()
        } else if (code === CODES.ILLEGAL_GENERATION) {
          // The group may be a generation ahead of what this member has heard.
          membership = await member.settled(membership)
        } else if (code === CODES.UNKNOWN_MEMBER_ID || code === CODES.FENCED_INSTANCE_ID) break
        else throw effectError(doing, new BrokerError(code))
        const gone = positions.find((position) => !assignment.has(position))
        if (gone) throw notAssigned(gone)
      }
      throw notAssigned(first)
    },

    endOffset: (partition) => fetcher.endOffset(partition),

    close,
  }

  function closed(): boolean {
    return closing !== null && member.membership() === null
  }

  registerMembership(consumer, { current: member.membership, settled: member.settled })
  return consumer
}

function keyOf({ topic, partition }: TopicPartition): string {
  return `${partition}:${topic}`
}
