import { identityProduceRecord } from '../../core/event/identity-record.ts'
import type { GroupConsumer, Log, TopicPartition, TransactionalProducer } from '../../core/kafka/log.ts'
import type { Clock } from '../../core/runtime/clock.ts'
import type { FailPoint } from '../../core/runtime/fail-points.ts'
import { type PartitionWorker, REST_MAX_MS } from '../../core/stream/partition-worker.ts'
import { findStablePosition } from '../../core/stream/stable-position.ts'
import type { IdentityFailPoint } from '../fail-points.ts'
import { type Selection, selectRecords } from './select-records.ts'
import type { Sightings } from './sightings.ts'

export interface RepartitionDependencies {
  readonly log: Log
  /** `events.identity`, and how many partitions it has. */
  readonly identity: { readonly topic: string; readonly partitions: number }
  readonly transactionalId: (partition: number) => string
  readonly transactionTimeoutMs: number
  /** Shared by the partitions of a process: an id is only ever met in one of them. */
  readonly sightings: Sightings
  readonly failPoint: FailPoint<IdentityFailPoint>
  readonly clock: Clock
  /** Told of a committed transaction. */
  readonly meter: (selection: Selection, seconds: number) => void
}

/**
 * Sends on what one partition of `events.enriched` says about persons, by dataset: one transaction per batch with
 * the records and the position. Opening the producer fences the owner before; the stable position then says what
 * was committed.
 */
export function createRepartitionWorker(
  deps: RepartitionDependencies,
  where: TopicPartition,
  consumer: GroupConsumer,
): PartitionWorker {
  const { log, identity, failPoint, clock } = deps
  let producer: TransactionalProducer | null = null
  let next = 0

  return {
    async start() {
      const id = deps.transactionalId(where.partition)
      producer = await log.openTransactionalProducer(id, {
        clientId: id,
        transactionTimeoutMs: deps.transactionTimeoutMs,
      })
      next = (await findStablePosition(log, consumer, where, 'identity stage')).next
      return next
    },
    async process(batch) {
      await failPoint('after_poll')
      const open = producer as TransactionalProducer
      const begunMs = clock.monotonic()
      const sightings = deps.sightings.begin()
      const selection = selectRecords(batch, next, sightings)
      await failPoint('after_select')
      const after = batch.offset(batch.length - 1) + 1
      await open.begin()
      await open.send(
        selection.records.map((record) => identityProduceRecord(identity.topic, identity.partitions, record)),
      )
      await failPoint('after_send')
      await failPoint('before_offset')
      await open.sendOffset(consumer, { ...where, offset: after }, '')
      await failPoint('before_end')
      await open.commit()
      await failPoint('after_end')
      sightings.keep()
      next = after
      deps.meter(selection, (clock.monotonic() - begunMs) / 1000)
    },
    async tick() {},
    tickInMs: () => REST_MAX_MS,
    /** An open transaction is left to the fencing by the next owner, which settles it whatever became of it. */
    async stop() {
      await producer?.close()
      producer = null
    },
  }
}
