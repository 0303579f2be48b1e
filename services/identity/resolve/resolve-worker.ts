import type { GroupConsumer, Log, TopicPartition, TransactionalProducer } from '../../core/kafka/log.ts'
import type { Clock } from '../../core/runtime/clock.ts'
import { DependencyError } from '../../core/runtime/errors.ts'
import type { FailPoint } from '../../core/runtime/fail-points.ts'
import type { Logger } from '../../core/runtime/logger.ts'
import { type PartitionWorker, REST_MAX_MS } from '../../core/stream/partition-worker.ts'
import type { IdentityFailPoint } from '../fail-points.ts'
import { createEventEraser, type EventEraserDependencies } from '../publish/event-eraser.ts'
import { createPublisher, type Publisher, type PublisherDependencies } from '../publish/publisher.ts'
import type { Claim, IdentityStore, OutboxLevel } from '../store/identity-store.ts'
import { type ResolvedBatch, resolveBatch } from './resolve-batch.ts'

export interface ResolveDependencies
  extends PublisherDependencies,
    Omit<EventEraserDependencies, keyof PublisherDependencies> {
  readonly log: Log
  /** Partitions of `events.identity`. */
  readonly partitions: number
  readonly store: IdentityStore
  readonly transactionalId: (partition: number) => string
  readonly transactionTimeoutMs: number
  /** A name that no takeover of a partition had before. */
  readonly newOwner: () => string
  /** Rows that may wait to be told, per partition; past it no further records are applied. */
  readonly outboxRowsMax: number
  readonly clock: Clock
  readonly failPoint: FailPoint<IdentityFailPoint>
  readonly logger: Logger
  /** Told of a committed batch. */
  readonly resolved: (batch: ResolvedBatch, seconds: number) => void
  /** Null: the partition is not ours any more. */
  readonly outboxLevel: (partition: number, level: OutboxLevel | null) => void
}

/** How long a batch waits for room in the outbox before its worker gives up, to begin again with a pause, ms. */
const ROOM_WAIT_MS = 5_000
const ROOM_LOOK_MS = 200
/** How long the end of a partition waits for what is being told, ms; it is told again by the next owner. */
const STOP_MS = 2_000

/**
 * The only writer of the persons whose datasets lie in one partition of `events.identity`.
 *
 * Takeover, in this order: open the producer (the owner before tells the topic nothing any more), claim the partition
 * in the store (it writes no state any more), read the position there. The group's position in Kafka is a copy for
 * people and tools; nobody reads it here.
 */
export function createResolveWorker(
  deps: ResolveDependencies,
  where: TopicPartition,
  consumer: GroupConsumer,
): PartitionWorker {
  const { log, store, clock, failPoint } = deps
  const { partition } = where
  const ended = new AbortController()
  let producer: TransactionalProducer | null = null
  let claim: Claim | null = null
  let publisher: Publisher | null = null
  let publishing: Promise<unknown> = Promise.resolve()
  let fault: { readonly error: unknown } | null = null
  let noted: number | null = null

  function requireClaim(): Claim {
    if (fault !== null) throw fault.error
    if (claim === null) throw new Error(`Partition ${partition} was not taken over.`)
    return claim
  }

  /** @throws DependencyError `overloaded` when rows are told more slowly than they come */
  async function roomInOutbox(): Promise<void> {
    const until = clock.monotonic() + ROOM_WAIT_MS
    for (;;) {
      const level = await store.outbox(partition)
      deps.outboxLevel(partition, level)
      if (level.rows < deps.outboxRowsMax) return
      if (clock.monotonic() >= until)
        throw new DependencyError(
          'clickhouse',
          'overloaded',
          `${level.rows} rows of persons in partition ${partition} wait to be told; no more are made until some are.`,
        )
      await clock.sleep(ROOM_LOOK_MS)
      requireClaim()
    }
  }

  return {
    async start() {
      const id = deps.transactionalId(partition)
      producer = await log.openTransactionalProducer(id, {
        clientId: id,
        transactionTimeoutMs: deps.transactionTimeoutMs,
      })
      const topicId = (await log.admin.describeTopic(where.topic))?.topicId ?? ''
      claim = await store.claim(partition, topicId, deps.newOwner())
      const eraser = createEventEraser(deps, { partition, partitions: deps.partitions })
      publisher = createPublisher(deps, partition, producer, eraser.nudge)
      publishing = Promise.all([publisher.run(ended.signal), eraser.run(ended.signal)]).catch(
        (error: unknown) => {
          if (!ended.signal.aborted) fault = { error }
        },
      )
      // A position that the topic no longer holds is refused by the runner: nothing is ever skipped.
      return claim.next ?? 0
    },
    async process(batch) {
      const own = requireClaim()
      await roomInOutbox()
      const begunMs = clock.monotonic()
      const resolved = await resolveBatch(store, own, batch, clock.now())
      for (const { offset, detail } of resolved.unreadable)
        deps.logger.warn({ partition, offset, detail }, 'A record of events.identity cannot be read.')
      await failPoint('after_resolve')
      await store.commit(own, resolved.step, () => failPoint('in_state'))
      await failPoint('after_state')
      const { next, sources, outbox } = resolved.step
      claim = { ...own, next, sources, outboxSeq: outbox.at(-1)?.seq ?? own.outboxSeq }
      publisher?.nudge()
      deps.resolved(resolved, (clock.monotonic() - begunMs) / 1000)
    },
    async tick() {
      const { next } = requireClaim()
      deps.outboxLevel(partition, await store.outbox(partition))
      if (next === null || next === noted) return
      await consumer.commit([{ ...where, offset: next, metadata: '' }])
      noted = next
    },
    tickInMs: () => REST_MAX_MS,
    async stop() {
      ended.abort()
      const waited = new AbortController()
      await Promise.race([publishing, clock.sleep(STOP_MS, waited.signal)])
      waited.abort()
      await producer?.close()
      producer = null
      deps.outboxLevel(partition, null)
    },
  }
}
