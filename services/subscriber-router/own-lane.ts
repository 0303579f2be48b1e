import type { ControlView } from '../core/control/control-view.ts'
import type { Log, Reader, RecordBatch, TransactionalProducer } from '../core/kafka/log.ts'
import type { Clock } from '../core/runtime/clock.ts'
import { DependencyError, isDependencyError } from '../core/runtime/errors.ts'
import type { FailPoint } from '../core/runtime/fail-points.ts'
import type { Logger } from '../core/runtime/logger.ts'
import type { RouterFailPoint } from './fail-points.ts'
import type { LaneSlots } from './lane-slots.ts'
import { type Destination, type RoutedBatch, routeBatch } from './route-batch.ts'
import type { Route, RoutingTable } from './routing-table.ts'
import type { SubscriberTopics } from './subscriber-topics.ts'
import { readStates, type SubscriptionState, stateRecord } from './subscription-state.ts'

/** What a lane needs; one record for all lanes of a process. */
export interface OwnLaneDependencies {
  readonly log: Log
  readonly control: Pick<ControlView, 'problem'>
  readonly topics: SubscriberTopics
  readonly table: () => RoutingTable
  readonly slots: LaneSlots
  readonly clock: Clock
  /** In [0, 1): spreads tries. */
  readonly random: () => number
  readonly failPoint: FailPoint<RouterFailPoint>
  readonly logger: Logger
  readonly enriched: string
  readonly router: string
  /** Of `enriched`. */
  readonly partitions: number
  readonly transactionalId: (partition: number, subscription: string) => string
  readonly transactionTimeoutMs: number
  /** Longest pause between two tries, ms. */
  readonly retryDelayMaxMs: number
  /** Told of every transaction that committed. Seconds from the choice of its records to the answer to its commit. */
  readonly meter: (routed: RoutedBatch, seconds: number) => void
  /** Told of offsets that retention took before they could be served. */
  readonly onLost: (subscription: string, offsets: number) => void
}

/** One subscription that is served apart from the others, in one partition. */
export interface OwnLane {
  readonly subscription: string
  /** Whether it works again and is so close behind that waiting for it is short. */
  readonly nearlyCaughtUp: boolean
  /**
   * Serves everything before `limit`, then ends, with nothing open.
   *
   * @returns the state it ended in; null when it did not get there within `timeoutMs`: it then goes on
   */
  join(limit: number, timeoutMs: number): Promise<SubscriptionState | null>
  /** Ends it after the transaction that it is in. */
  stop(): Promise<void>
}

/** Offsets behind the shared lane at which a lane counts as nearly caught up. */
const NEAR_OFFSETS = 5_000
const FIRST_RETRY_DELAY_MS = 250
const READ_WAIT_MS = 200
/** How often a lane that has caught up looks for more, ms. */
const IDLE_MS = 100

/**
 * Runs a subscription in state `own` beside the shared lane, for as long as `owner` owns the partition. It tries for
 * ever, ever more slowly, and never serves past `limit()`, the position of the shared lane.
 *
 * Each try begins by opening the lane's transactional producer, which settles what an earlier one left open, and by
 * reading the committed state. So it goes on from exactly what is in the subscriber's topic, whatever became of the
 * try before.
 */
export function openOwnLane(
  deps: OwnLaneDependencies,
  place: { readonly partition: number; readonly owner: string; readonly subscription: string },
  opened: SubscriptionState,
  limit: () => number,
): OwnLane {
  const { log, clock, logger } = deps
  const { partition, owner, subscription } = place
  const stopping = new AbortController()
  let { next } = opened
  let failures = 0
  let healthy = false
  let askedToJoin: { readonly limit: number; readonly done: (state: SubscriptionState) => void } | null = null

  async function destinationNow(): Promise<{ route: Route; destination: Destination }> {
    const unusable = deps.control.problem() ?? deps.table().unusable.get(subscription)
    if (unusable) throw new DependencyError('control', 'unavailable', unusable)
    const route = deps.table().routes.get(subscription)
    if (route === undefined)
      throw new DependencyError('control', 'unavailable', 'The subscription was removed.')
    return { route, destination: await deps.topics.prepare(route.subscription) }
  }

  /** One transaction: the subscription's records of the batch before `end`, and where it then stands. */
  async function serveBatch(
    producer: TransactionalProducer,
    state: SubscriptionState,
    batch: RecordBatch,
    end: number,
  ): Promise<SubscriptionState> {
    const { route, destination } = await destinationNow()
    const begunMs = deps.clock.monotonic()
    const routed = routeBatch(batch, {
      table: { matching: (id, event) => (route.selection.matchesHeaders(id, event) ? [route] : []) },
      destination: () => destination,
      partitions: deps.partitions,
      highWater: state.src,
      from: state.next,
      before: end,
    })
    const after: SubscriptionState = {
      ...state,
      next: Math.min(batch.offset(batch.length - 1) + 1, end),
      src: routed.highWater,
    }
    await producer.begin()
    const records = routed.records.get(subscription)
    if (records) await producer.send(records)
    await deps.failPoint('after_send')
    await producer.send([stateRecord(deps.router, partition, subscription, after)])
    await deps.failPoint('before_end')
    await producer.commit()
    await deps.failPoint('after_end')
    deps.meter(routed, (deps.clock.monotonic() - begunMs) / 1000)
    return after
  }

  async function serve(
    producer: TransactionalProducer,
    reader: Reader,
    begun: SubscriptionState,
  ): Promise<void> {
    let state = begun
    let waiting: RecordBatch[] = []
    while (!stopping.signal.aborted) {
      if (askedToJoin !== null && state.next === askedToJoin.limit) {
        stopping.abort()
        askedToJoin.done(state)
        return
      }
      const end = limit()
      if (state.next >= end) {
        healthy = true
        await clock.sleep(IDLE_MS, stopping.signal)
        continue
      }
      if (waiting.length === 0) waiting = [...(await reader.read(READ_WAIT_MS))]
      const batch = waiting[0]
      if (batch === undefined) continue
      state = await serveBatch(producer, state, batch, end)
      next = state.next
      failures = 0
      healthy = true
      if (batch.offset(batch.length - 1) < state.next) waiting.shift()
    }
  }

  async function attempt(): Promise<void> {
    await destinationNow() // Costs nothing while the topic is out of order.
    const id = deps.transactionalId(partition, subscription)
    const producer = await log.openTransactionalProducer(id, {
      clientId: id,
      transactionTimeoutMs: deps.transactionTimeoutMs,
    })
    try {
      const states = await readStates(log, deps.router, partition, 'all')
      const state = states.subscriptions.get(subscription)
      if (states.owner !== owner || state?.lane !== 'own') return stopping.abort()
      const from = await firstReadable(state)
      next = from
      const reader = await log.openReader([{ topic: deps.enriched, partition, offset: from }])
      try {
        await serve(producer, reader, { ...state, next: from })
      } finally {
        await reader.close()
      }
    } finally {
      await producer.close()
    }
  }

  /** Retention does not wait for a subscriber whose topic is out of order: what it took is told, not passed over. */
  async function firstReadable(state: SubscriptionState): Promise<number> {
    const ranges = await log.admin.offsetRanges(deps.enriched, 'read_committed')
    const start = ranges.find((range) => range.partition === partition)?.start ?? 0
    if (start <= state.next) return state.next
    deps.onLost(subscription, start - state.next)
    logger.error(
      { subscription, partition, from: state.next, to: start },
      'A subscription lost events: its topic was out of order for longer than events.enriched keeps them.',
    )
    return start
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      const release = await deps.slots.take(stopping.signal)
      if (release === null) return
      try {
        await attempt()
      } catch (error) {
        if (!isDependencyError(error)) throw error
        failures++
        healthy = false
        logger.warn(
          { err: error, subscription, partition, failures },
          'A subscription cannot be served; it is tried again and others are not held up.',
        )
      } finally {
        release()
      }
      const ceiling = Math.min(deps.retryDelayMaxMs, FIRST_RETRY_DELAY_MS * 2 ** Math.min(failures, 20))
      await clock.sleep(Math.round(ceiling * (0.5 + deps.random() / 2)), stopping.signal)
    }
  }

  const running = run()
  return {
    subscription,
    get nearlyCaughtUp() {
      return healthy && next <= limit() && limit() - next <= NEAR_OFFSETS
    },
    async join(end, timeoutMs) {
      let joined: SubscriptionState | null = null
      const done = Promise.withResolvers<void>()
      askedToJoin = {
        limit: end,
        done(state) {
          joined = state
          done.resolve()
        },
      }
      const waited = new AbortController()
      await Promise.race([done.promise, clock.sleep(timeoutMs, waited.signal)])
      waited.abort()
      askedToJoin = null
      if (joined !== null) await running
      return joined
    },
    async stop() {
      stopping.abort()
      await running
    },
  }
}
