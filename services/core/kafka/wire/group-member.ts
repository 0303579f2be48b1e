import type { Clock } from '../../runtime/clock.ts'
import { DependencyError, isDependencyError } from '../../runtime/errors.ts'
import type { Logger } from '../../runtime/logger.ts'
import type { TopicPartition } from '../log.ts'
import { BrokerError, CODES } from './errors.ts'
import { ASSIGNOR, assignPartitions } from './group-assignor.ts'
import type { GroupCoordinator, JoinAnswer } from './group-coordinator.ts'
import type { GroupMembership } from './group-membership.ts'
import {
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
} from './group-protocol.ts'
import { type MemberEvent, type MemberPhase, type MemberRequest, react, UNJOINED } from './group-state.ts'
import { createSignal } from './signal.ts'

/** First and longest pause before a join is tried again, ms; doubled in between. */
const BACKOFF_MS = { first: 50, longest: 1_000 }
/**
 * Pause between heartbeats, ms. It is also what a member is late by to learn that another one is gone, and what a
 * process has less of than the session timeout for standing still: 5.5 s of 6 s.
 */
const HEARTBEAT_MS = { shortest: 100, longest: 500 }
/** How often the topics are looked at for new partitions, ms: seldom, and often while one is not there. */
const TOPICS_MS = { settled: 30_000, missing: 1_000 }
/** How long a topic may be missing before that is told, ms. */
const MISSING_TOPIC_MS = 10_000

export interface GroupMemberOptions {
  readonly coordinator: GroupCoordinator
  readonly groupId: string
  readonly instanceId: string | null
  readonly topics: readonly string[]
  readonly sessionTimeoutMs: number
  /** Longest pause between two polls, and what the group waits for this member in a rebalance, ms. */
  readonly maxPollIntervalMs: number
  readonly clock: Clock
  readonly logger: Logger
  /** What this member holds, also what it is about to give up. */
  readonly owned: () => readonly TopicPartition[]
  /**
   * A generation's assignment. No join is begun before it resolves.
   *
   * @param isCurrent false once everything was lost
   * @returns whether something was given up that others wait for
   */
  readonly onAssignment: (assignment: readonly TopicPartition[], isCurrent: () => boolean) => Promise<boolean>
  /** Everything is lost. Takes effect before it returns; resolves when whoever must know has been told. */
  readonly onLost: () => Promise<void>
  /** The member is out for good. */
  readonly onFailed: (error: DependencyError) => void
}

/** A member of a group at work: joins, answers rebalances, and keeps its heartbeats going whatever else goes on. */
export interface GroupMember {
  /** Null while it is no member. */
  membership(): GroupMembership | null
  /** See `settledMembership`. */
  settled(stale: GroupMembership): Promise<GroupMembership | null>
  /**
   * Nothing was heard of the group for longer than it waits for a member: this process slept, or is cut off. What it
   * holds may be somebody else's, and nothing should be handed out until a heartbeat is answered.
   */
  isDoubtful(): boolean
  /** A topic that is not there, once it has been missing for long. */
  missingTopic(): string | null
  /** Counts as polled from here on, until the function returned is called. */
  polling(): () => void
  /** A commit was refused or not answered. */
  commitRefused(membership: GroupMembership, code: number): void
  /** Joins again as the same member, so that the group has a new generation. */
  renew(): void
  /** No join is begun any more; one under way ends without effect. */
  retire(): void
  /** Leaves the group, so that others get its share at once, and stops. */
  leave(): Promise<void>
}

export function startGroupMember(options: GroupMemberOptions): GroupMember {
  const { coordinator, groupId, instanceId, clock, logger } = options
  const maxPollIntervalMs = Math.max(options.maxPollIntervalMs, options.sessionTimeoutMs)
  const heartbeatMs = Math.min(
    HEARTBEAT_MS.longest,
    Math.max(HEARTBEAT_MS.shortest, Math.floor(options.sessionTimeoutMs / 12)),
  )
  const stopped = new AbortController()
  const changed = createSignal()
  let state = UNJOINED
  /** When the last request was sent that the coordinator took as a sign of life. */
  let heardMs = 0
  let polledMs = clock.monotonic()
  let polls = 0
  let retired = false
  let hurried: Promise<void> | null = null
  /** Callbacks under way, and how many. */
  let serving: Promise<unknown> = Promise.resolve()
  let callbacks = 0
  let backoffMs = 0
  let partitionCounts: ReadonlyMap<string, number> = new Map()
  let missingSinceMs: number | null = null

  const phase = (): MemberPhase => state.phase
  const isMember = () => state.generationId >= 0 && state.phase !== 'ended'
  const current = (): GroupMembership => ({
    groupId,
    memberId: state.memberId,
    generationId: state.generationId,
    instanceId,
  })

  function apply(event: MemberEvent): void {
    const { state: next, effect } = react(state, event)
    if (next.phase !== state.phase)
      logger.debug(
        { group: groupId, from: state.phase, to: next.phase, generation: next.generationId },
        'Group.',
      )
    state = next
    if (effect === 'find_coordinator') coordinator.forget()
    if (effect === 'lost' || effect === 'fenced') serve(options.onLost())
    if (effect === 'fenced')
      options.onFailed(
        new DependencyError(
          'kafka',
          'fenced',
          `Another process joined group ${groupId} under the instance id ${instanceId}: every process needs one of its own.`,
        ),
      )
    if (effect === 'refused' && event.type === 'refused') options.onFailed(refusal(groupId, event.code))
    changed.raise()
  }

  function serve(callback: Promise<unknown>): void {
    callbacks++
    serving = callback.finally(() => callbacks--)
  }

  async function run(): Promise<void> {
    while (state.phase !== 'ended' && !retired) {
      if (state.phase === 'stable') {
        await changed.wait()
        continue
      }
      const before = serving
      await before
      // Whoever has nobody to hand anything to stays out until he is polled again.
      if (serving !== before || retired) continue
      if (state.phase === 'unjoined' && isUnpolled()) await changed.wait()
      else if (state.phase === 'unjoined' || state.phase === 'due') await join()
    }
  }

  async function join(): Promise<void> {
    let by: MemberRequest = 'join'
    try {
      partitionCounts = await countPartitions(options.topics)
      if (state.phase !== 'unjoined' && state.phase !== 'due') return
      const { memberId, generationId } = state
      apply({ type: 'joining' })
      const metadata = encodeSubscription({ topics: options.topics, owned: options.owned(), generationId })
      const answer = await coordinator.join({
        memberId,
        sessionTimeoutMs: options.sessionTimeoutMs,
        rebalanceTimeoutMs: maxPollIntervalMs,
        protocol: ASSIGNOR,
        metadata,
      })
      if (phase() !== 'joining' || state.memberId !== memberId) return
      if (answer.code !== 0) {
        apply({ type: 'refused', by, code: answer.code, memberId: answer.memberId, generationId })
        if (answer.code !== CODES.MEMBER_ID_REQUIRED) await backOff(new BrokerError(answer.code))
        return
      }
      by = 'sync'
      apply({ type: 'joined', memberId: answer.memberId, generationId: answer.generationId })
      await synchronise(answer)
    } catch (error) {
      if (!isDependencyError(error)) throw error
      if (!error.retriable) {
        apply({ type: 'ended' })
        serve(options.onLost())
        options.onFailed(error)
        return
      }
      apply({ type: 'unanswered', by })
      await backOff(error)
    }
  }

  async function synchronise(joined: JoinAnswer): Promise<void> {
    const membership = current()
    const isLeader = joined.leaderId === joined.memberId
    const assignments = isLeader ? await assignmentsFor(joined) : new Map<string, Buffer>()
    const sentMs = clock.monotonic()
    const { code, assignment } = await coordinator.sync(
      membership,
      assignments,
      maxPollIntervalMs + SYNC_MARGIN_MS,
    )
    if (state.phase !== 'syncing' || state.generationId !== membership.generationId) return
    if (code !== 0) {
      apply({ type: 'refused', by: 'sync', code, ...membership })
      if (code !== CODES.REBALANCE_IN_PROGRESS) await backOff(new BrokerError(code))
      return
    }
    backoffMs = 0
    heardMs = Math.max(heardMs, sentMs)
    apply({ type: 'synced' })
    if (retired) return
    const isCurrent = () =>
      state.memberId === membership.memberId && state.generationId === membership.generationId
    const served = options.onAssignment(decodeAssignment(assignment), isCurrent)
    serve(
      served.then((mustRejoin) => {
        if (mustRejoin && isCurrent()) apply({ type: 'due' })
      }),
    )
  }

  async function assignmentsFor({ members }: JoinAnswer): Promise<ReadonlyMap<string, Buffer>> {
    const subscribed = members.map(({ memberId, metadata }) => ({
      memberId,
      ...decodeSubscription(metadata),
    }))
    const topics = [...new Set(subscribed.flatMap((member) => member.topics))]
    const assigned = assignPartitions(subscribed, await coordinator.partitionCounts(topics))
    return new Map([...assigned].map(([memberId, partitions]) => [memberId, encodeAssignment(partitions)]))
  }

  async function countPartitions(topics: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const counts = await coordinator.partitionCounts(topics)
    if (topics.every((topic) => counts.has(topic))) missingSinceMs = null
    else missingSinceMs ??= clock.monotonic()
    return counts
  }

  async function backOff(error: Error): Promise<void> {
    if (stopped.signal.aborted || state.phase === 'ended') return
    logger.warn({ err: error, group: groupId }, 'Joining the group did not succeed; trying again.')
    backoffMs = Math.min(BACKOFF_MS.longest, Math.max(BACKOFF_MS.first, backoffMs * 2))
    await clock.sleep(backoffMs, stopped.signal)
  }

  function isUnpolled(): boolean {
    return polls === 0 && clock.monotonic() - polledMs > maxPollIntervalMs
  }

  async function keepBeating(): Promise<void> {
    while (!stopped.signal.aborted) {
      await clock.sleep(heartbeatMs, stopped.signal)
      if (stopped.signal.aborted || !isMember()) continue
      if (isUnpolled() && !retired) {
        logger.warn(
          { group: groupId, maxPollIntervalMs },
          'Left the group: nobody polled for longer than it was told to wait.',
        )
        const membership = current()
        apply({ type: 'left' })
        await coordinator.leave(membership).catch(passing)
        continue
      }
      await hurry()
    }
  }

  /** One heartbeat at a time. */
  function hurry(): Promise<void> {
    hurried ??= heartbeat().finally(() => {
      hurried = null
    })
    return hurried
  }

  async function heartbeat(): Promise<void> {
    const membership = current()
    const sentMs = clock.monotonic()
    try {
      const code = await coordinator.heartbeat(membership, options.sessionTimeoutMs)
      // Who is told of a rebalance is still one of those it is about.
      if (code === 0 || code === CODES.REBALANCE_IN_PROGRESS) heardMs = Math.max(heardMs, sentMs)
      if (code !== 0) apply({ type: 'refused', by: 'heartbeat', code, ...membership })
    } catch (error) {
      passing(error)
      apply({ type: 'unanswered', by: 'heartbeat' })
    }
  }

  async function keepWatchingTopics(): Promise<void> {
    while (!stopped.signal.aborted) {
      const waitMs = missingSinceMs === null ? TOPICS_MS.settled : TOPICS_MS.missing
      await clock.sleep(waitMs, stopped.signal)
      if (stopped.signal.aborted || state.phase !== 'stable') continue
      try {
        const counts = await countPartitions(options.topics)
        if (options.topics.some((topic) => counts.get(topic) !== partitionCounts.get(topic)))
          apply({ type: 'due' })
      } catch (error) {
        passing(error)
      }
    }
  }

  const crash = (error: unknown) => {
    // A bug of ours, not a failure of Kafka's.
    queueMicrotask(() => {
      throw error
    })
  }
  run().catch(crash)
  keepBeating().catch(crash)
  keepWatchingTopics().catch(crash)

  return {
    membership: () => (isMember() ? current() : null),
    async settled(stale) {
      const isStale = () => state.memberId === stale.memberId && state.generationId === stale.generationId
      while (isMember()) {
        const isMoving = state.phase === 'joining' || state.phase === 'syncing'
        if (!isMoving && !isStale()) return current()
        // No join is begun before callbacks end, and it may be one of them that asks.
        if (!isMoving && (retired || state.phase === 'stable' || callbacks > 0)) return null
        await changed.wait()
      }
      return null
    },
    isDoubtful() {
      const isDoubtful = isMember() && clock.monotonic() - heardMs > options.sessionTimeoutMs
      if (isDoubtful) hurry().catch(crash)
      return isDoubtful
    },
    missingTopic() {
      if (missingSinceMs === null || clock.monotonic() - missingSinceMs < MISSING_TOPIC_MS) return null
      return options.topics.find((topic) => !partitionCounts.has(topic)) ?? null
    },
    polling() {
      polls++
      changed.raise()
      return () => {
        polls--
        polledMs = clock.monotonic()
      }
    },
    commitRefused: (membership, code) => apply({ type: 'refused', by: 'commit', code, ...membership }),
    renew: () => apply({ type: 'due' }),
    retire() {
      retired = true
      changed.raise()
    },
    async leave() {
      retired = true
      const membership = isMember() ? current() : null
      stopped.abort()
      apply({ type: 'ended' })
      if (membership) await coordinator.leave(membership).catch(passing)
      coordinator.close()
    },
  }
}

/** The leader may take as long as the slowest member, ms on top of that. */
const SYNC_MARGIN_MS = 10_000

/** Failures of Kafka's are mended by asking again. @throws what is a bug of ours */
function passing(error: unknown): void {
  if (!isDependencyError(error)) throw error
}

function refusal(groupId: string, code: number): DependencyError {
  const cause = new BrokerError(code)
  return new DependencyError(
    'kafka',
    code === GROUP_AUTHORIZATION_FAILED ? 'denied' : 'rejected',
    `Joining group ${groupId} failed: ${cause.message} (${code})`,
    cause,
  )
}

const GROUP_AUTHORIZATION_FAILED = 30
