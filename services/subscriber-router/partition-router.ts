import type {
  GroupConsumer,
  ProduceRecord,
  RecordBatch,
  TopicPartition,
  TransactionalProducer,
} from '../core/kafka/log.ts'
import { DependencyError, isDependencyError } from '../core/runtime/errors.ts'
import { type PartitionWorker, REST_MAX_MS } from '../core/stream/partition-worker.ts'
import { findStablePosition } from '../core/stream/stable-position.ts'
import { type OwnLane, type OwnLaneDependencies, openOwnLane } from './own-lane.ts'
import { type RoutedBatch, routeBatch } from './route-batch.ts'
import type { RoutingTable } from './routing-table.ts'
import {
  highWaterMetadata,
  ownerRecord,
  readHighWater,
  readStates,
  type SubscriptionState,
  stateRecord,
} from './subscription-state.ts'
import type { Suspicions } from './suspicions.ts'

export interface PartitionRouterDependencies extends OwnLaneDependencies {
  readonly sharedTransactionalId: (partition: number) => string
  /** A name that no takeover had before. */
  readonly newOwner: () => string
  readonly suspicions: Suspicions
  /** How long the shared lane waits at most for a lane that is about to join it, ms. */
  readonly joinTimeoutMs: number
  /** How long a transaction may take before its topics are asked, ms. */
  readonly slowCommitMs: number
  readonly onLanes: (partition: number, ownLanes: number) => void
}

/** How long the end of a partition waits for open transactions, ms; its successor fences what is left. */
const STOP_MS = 2_000

/**
 * Routes one partition of `events.enriched`. The shared lane: one transaction per batch with the records of every
 * healthy subscription, the group's position, and every change of a subscription's state. Beside it the lanes of
 * subscriptions whose topic does not work.
 *
 * Takeover, in this order: open the shared producer (fences the previous owner), commit a new owner's name, open and
 * close the producer of every lane there is (fences what the previous owner has under way), read the states, read
 * the position. From the owner's name on no other process can begin a lane's transaction, and from the fencing on
 * none can commit one.
 */
export function createPartitionRouter(
  deps: PartitionRouterDependencies,
  where: TopicPartition,
  consumer: GroupConsumer,
): PartitionWorker {
  const { log, topics, logger } = deps
  const { partition } = where
  const states = new Map<string, SubscriptionState>()
  const lanes = new Map<string, OwnLane>()
  let producer: TransactionalProducer | null = null
  let owner = ''
  let next = 0
  let src: number | null = null
  let appliedControlOffset = -1

  async function openProducer(id: string): Promise<TransactionalProducer> {
    return log.openTransactionalProducer(id, {
      clientId: id,
      transactionTimeoutMs: deps.transactionTimeoutMs,
    })
  }

  async function takeOver(): Promise<void> {
    producer = await openProducer(deps.sharedTransactionalId(partition))
    owner = deps.newOwner()
    await producer.begin()
    await producer.send([ownerRecord(deps.router, partition, owner)])
    await producer.commit()
    await fenceLanes()
    for (const [id, state] of (await readStates(log, deps.router, partition, 'all')).subscriptions)
      states.set(id, state)
  }

  /** An open transaction hides what comes after it, other lanes too: the first one hidden by none is found first. */
  async function fenceLanes(): Promise<void> {
    const fenced = new Set<string>()
    for (;;) {
      const { subscriptions } = await readStates(log, deps.router, partition, 'stable')
      const found = [...subscriptions].filter(([id, { lane }]) => lane === 'own' && !fenced.has(id))
      if (found.length === 0) return
      for (const [id] of found) {
        await (await openProducer(deps.transactionalId(partition, id))).close()
        fenced.add(id)
      }
    }
  }

  /** @throws DependencyError('kafka', 'corrupt') when going on would lose or repeat events unseen */
  async function findPosition(): Promise<void> {
    const position = await findStablePosition(log, consumer, where, 'router')
    if (!position.isCommitted && states.size > 0)
      throw new DependencyError(
        'kafka',
        'corrupt',
        `The router's position in ${where.topic}/${partition} has expired. Set it with Kafka's own tools: subscribers get everything from there on.`,
      )
    next = position.next
    src = readHighWater(position.metadata)
  }

  function openLane(id: string, state: SubscriptionState): void {
    lanes.set(
      id,
      openOwnLane(deps, { partition, owner, subscription: id }, state, () => next),
    )
    deps.onLanes(partition, lanes.size)
  }

  function closedLane(id: string): void {
    lanes.delete(id)
    deps.onLanes(partition, lanes.size)
  }

  /**
   * Everything that is due for subscriptions before the next transaction: null removes one. What is decided here
   * holds once that transaction committed.
   */
  async function dueChanges(table: RoutingTable): Promise<Map<string, SubscriptionState | null>> {
    const changes = new Map<string, SubscriptionState | null>()
    const configured = new Set([...table.routes.keys(), ...table.unusable.keys()])
    for (const id of states.keys()) {
      if (configured.has(id)) continue
      await lanes.get(id)?.stop()
      closedLane(id)
      changes.set(id, null)
    }
    for (const lane of [...lanes.values()].filter((each) => each.nearlyCaughtUp)) {
      const state = await lane.join(next, deps.joinTimeoutMs)
      if (state === null) continue
      closedLane(lane.subscription)
      changes.set(lane.subscription, { ...state, lane: 'shared' })
      logger.info({ subscription: lane.subscription, partition }, 'A subscription has caught up.')
    }
    for (const id of configured) {
      if (!states.has(id)) changes.set(id, { v: 1, lane: 'shared', start: next, next, src })
    }
    for (const id of deps.suspicions.of(partition)) detach(id, changes, 'its topic did not answer')
    for (const [id, reason] of table.unusable) detach(id, changes, reason)
    for (const { id, subscription } of table.routes.values()) {
      if (stateOf(id, changes)?.lane !== 'shared' || topics.known(subscription) !== null) continue
      try {
        await topics.prepare(subscription)
      } catch (error) {
        if (!isDependencyError(error)) throw error
        detach(id, changes, error.message)
      }
    }
    return changes
  }

  function stateOf(id: string, changes: ReadonlyMap<string, SubscriptionState | null>) {
    const changed = changes.get(id)
    return changed === undefined ? (states.get(id) ?? null) : changed
  }

  function detach(id: string, changes: Map<string, SubscriptionState | null>, reason: string): void {
    const state = stateOf(id, changes)
    if (state?.lane !== 'shared') return
    changes.set(id, { ...state, lane: 'own', next, src })
    logger.warn(
      { subscription: id, partition, reason },
      'A subscription leaves the shared lane until its topic works.',
    )
  }

  /** One transaction: records, states, position. */
  async function commit(
    routed: RoutedBatch | null,
    changes: ReadonlyMap<string, SubscriptionState | null>,
    after: number,
  ): Promise<void> {
    const open = producer as TransactionalProducer
    await open.begin()
    for (const records of routed?.records.values() ?? []) {
      await open.send(records)
      await deps.failPoint('after_send')
    }
    const changed = [...changes].map(
      ([id, state]): ProduceRecord => stateRecord(deps.router, partition, id, state),
    )
    if (changed.length > 0) await open.send(changed)
    await deps.failPoint('before_offset')
    await open.sendOffset(
      consumer,
      { ...where, offset: after },
      highWaterMetadata(routed ? routed.highWater : src),
    )
    await deps.failPoint('before_end')
    await open.commit()
    await deps.failPoint('after_end')
  }

  /**
   * Whose topic made a transaction fail. The client does not tell, so every topic involved is asked; where all
   * answer, everybody involved leaves, and those that work come back within seconds.
   *
   * @throws the error itself when the transaction's outcome is not known or nobody's topic is to blame
   */
  async function culprits(
    error: DependencyError,
    table: RoutingTable,
    routed: RoutedBatch,
  ): Promise<string[]> {
    const involved = [...routed.records.keys()]
    const silent = await silentTopics(table, routed)
    if (error.retriable) {
      const answers = await inputAnswers()
      if (answers) deps.suspicions.failed(partition, next, involved, silent)
      throw error
    }
    const found = silent.length > 0 ? silent : involved
    if (found.length === 0) throw error
    deps.suspicions.add(partition, found)
    await producer?.abort()
    return found
  }

  /**
   * A client waits long for a topic that is not there. Past a while the topics are asked, and where one is silent
   * this worker ends without waiting: the next one fences its producer and leaves that subscription out.
   */
  async function commitWatched(
    table: RoutingTable,
    routed: RoutedBatch | null,
    changes: ReadonlyMap<string, SubscriptionState | null>,
    after: number,
  ): Promise<void> {
    const committing = commit(routed, changes, after).then(() => true)
    const waited = new AbortController()
    const slow = deps.clock.sleep(deps.slowCommitMs, waited.signal).then(() => false)
    try {
      if ((await Promise.race([committing, slow])) || routed === null) return void (await committing)
      const silent = await silentTopics(table, routed)
      if (silent.length === 0 || !(await inputAnswers())) return void (await committing)
      committing.catch(() => undefined) // Its outcome is settled by fencing.
      deps.suspicions.add(partition, silent)
      throw new DependencyError(
        'kafka',
        'outcome_unknown',
        `A transaction takes long and these subscriptions' topics do not answer: ${silent.join(', ')}.`,
      )
    } finally {
      waited.abort()
    }
  }

  async function silentTopics(table: RoutingTable, routed: RoutedBatch): Promise<string[]> {
    const silent: string[] = []
    for (const id of routed.records.keys()) {
      const route = table.routes.get(id)
      if (route && !(await topics.answers(route.subscription))) silent.push(id)
    }
    return silent
  }

  async function inputAnswers(): Promise<boolean> {
    try {
      await log.admin.offsetRanges(where.topic, 'read_committed')
      return true
    } catch (error) {
      if (isDependencyError(error)) return false
      throw error
    }
  }

  async function advance(batch: RecordBatch | null): Promise<void> {
    const problem = deps.control.problem()
    if (problem !== null) throw new DependencyError('control', 'unavailable', problem)
    const table = deps.table()
    const changes = await dueChanges(table)
    appliedControlOffset = table.controlOffset
    if (batch === null && changes.size === 0) return
    const after = batch === null ? next : batch.offset(batch.length - 1) + 1
    let routed: RoutedBatch | null
    let begunMs: number
    for (;;) {
      begunMs = deps.clock.monotonic()
      routed =
        batch &&
        routeBatch(batch, {
          table,
          destination: ({ id, subscription }) =>
            stateOf(id, changes)?.lane === 'shared' ? topics.known(subscription) : null,
          partitions: deps.partitions,
          highWater: src,
          from: next,
        })
      await deps.failPoint('after_route')
      try {
        await commitWatched(table, routed, changes, after)
        break
      } catch (error) {
        if (!isDependencyError(error) || error.code === 'fenced' || error.code === 'not_assigned') throw error
        if (routed === null) throw error
        for (const id of await culprits(error, table, routed)) detach(id, changes, error.message)
      }
    }
    deps.suspicions.clear(partition)
    settle(changes, after, routed, (deps.clock.monotonic() - begunMs) / 1000)
  }

  /** The transaction committed: what it said holds. */
  function settle(
    changes: ReadonlyMap<string, SubscriptionState | null>,
    after: number,
    routed: RoutedBatch | null,
    seconds: number,
  ): void {
    next = after
    if (routed) src = routed.highWater
    for (const [id, state] of changes) {
      if (state === null) states.delete(id)
      else states.set(id, state)
      if (state?.lane === 'own') openLane(id, state)
    }
    if (routed) deps.meter(routed, seconds)
  }

  return {
    async start() {
      await takeOver()
      await findPosition()
      for (const [id, state] of states) if (state.lane === 'own') openLane(id, state)
      return next
    },
    async process(batch) {
      await deps.failPoint('after_poll')
      await advance(batch)
    },
    async tick() {
      if (lanes.size > 0 || deps.table().controlOffset !== appliedControlOffset) await advance(null)
    },
    tickInMs: () => REST_MAX_MS,
    async stop() {
      const stopped = Promise.all([...[...lanes.values()].map((lane) => lane.stop()), producer?.close()])
      const waited = new AbortController()
      await Promise.race([stopped, deps.clock.sleep(STOP_MS, waited.signal)])
      waited.abort()
      deps.onLanes(partition, 0)
    },
  }
}
