import { type Clock, systemClock } from '../../runtime/clock.ts'
import { DependencyError, isDependencyError } from '../../runtime/errors.ts'
import type { Logger } from '../../runtime/logger.ts'
import type { KafkaSettings } from '../kafka-settings.ts'
import type { GroupConsumer, Position, TransactionalOptions, TransactionalProducer } from '../log.ts'
import { APIS, TRANSACTION_2_APIS } from './apis.ts'
import { type Cluster, openCluster } from './cluster.ts'
import { type Delivery, newDelivery, settled } from './delivery.ts'
import { effectError, isFenced } from './dependency-errors.ts'
import { BrokerError, CODES } from './errors.ts'
import { membershipOf, settledMembership } from './group-membership.ts'
import type { PartitionQueue, ProducerIdentity } from './partition-queue.ts'
import { checkMetadata } from './position-metadata.ts'
import { senderOptions } from './producer.ts'
import { createRecordSender, type SenderAuthor, type SenderOptions } from './record-sender.ts'
import { createTransactionCoordinator, type TransactionCoordinator } from './transaction-coordinator.ts'

/** How long records of an open transaction are gathered; its end does not wait for that, ms. */
const LINGER_MS = 10

/** What a transaction is made of: the classic way, or where every transaction has an epoch of its own (KIP-890). */
export type TransactionVersion = 1 | 2

/** @throws DependencyError `fenced`, `denied`, `rejected`, `unavailable`, `timeout` */
export async function openTransactionalProducer(
  settings: KafkaSettings,
  transactionalId: string,
  options: TransactionalOptions,
  logger: Logger,
  versionMax: TransactionVersion = 2,
): Promise<TransactionalProducer> {
  const cluster = openCluster(settings, options.clientId)
  const coordinator = createTransactionCoordinator(cluster, {
    transactionalId,
    transactionTimeoutMs: options.transactionTimeoutMs,
    patienceMs: Math.max(settings.kafkaRequestTimeoutMs, options.transactionTimeoutMs),
    clock: systemClock,
  })
  try {
    const identity = await coordinator.initProducerId(null)
    const version = Math.min(versionMax, await coordinator.transactionVersion()) >= 2 ? 2 : 1
    return createTransactionalProducer(
      { cluster, coordinator, transactionalId, identity, version, clock: systemClock, logger },
      senderOptions(settings, { lingerMs: LINGER_MS, deliveryTimeoutMs: options.transactionTimeoutMs }),
    )
  } catch (error) {
    cluster.close()
    throw error
  }
}

/** What a transactional producer stands on; tests bring their own. */
export interface TransactionalEnvironment {
  readonly cluster: Cluster
  readonly coordinator: TransactionCoordinator
  readonly transactionalId: string
  readonly identity: ProducerIdentity
  readonly version: TransactionVersion
  readonly clock: Clock
  readonly logger: Logger
}

/**
 * ```
 *        begin          commit, nothing doubtful
 *  idle ───────▶ open ───────────────────────────▶ idle
 *                 │  abort                          ▲
 *                 ├─────────────────────────────────┘
 *                 └─ fenced, or an end without an answer ──▶ over: everything fails as that did
 * ```
 */
export function createTransactionalProducer(
  env: TransactionalEnvironment,
  options: SenderOptions,
): TransactionalProducer {
  const { coordinator, transactionalId, version } = env
  const apis = version === 2 ? { ...APIS, ...TRANSACTION_2_APIS } : APIS
  let identity = env.identity
  let delivery: Delivery = newDelivery()
  let isOpen = false
  /** The coordinator may know of the transaction. */
  let isTold = false
  /** What became of something sent under this identity is not known. */
  let isDoubtful = false
  /** Why the open transaction cannot be committed, other than for its records. */
  let refusal: DependencyError | null = null
  let over: DependencyError | null = null
  const members = { partitions: new Set<PartitionQueue>(), groups: new Set<string>() }
  /** The coordinator takes one change at a time. */
  let changing: Promise<unknown> = Promise.resolve()

  const author: SenderAuthor = {
    api: apis.produce,
    transactionalId,
    isReady: (queue) => version === 2 || members.partitions.has(queue),
    prepare: (queues) =>
      inTurn(async () => {
        isTold = true
        await coordinator.addPartitions(identity, queues)
        for (const queue of queues) members.partitions.add(queue)
      }),
    identity() {
      isTold = true
      return identity
    },
    retire() {
      isDoubtful = true
    },
  }
  const sender = createRecordSender(env.cluster, author, options, env.clock, env.logger)

  function inTurn<T>(change: () => Promise<T>): Promise<T> {
    const mine = changing.then(change)
    changing = mine.catch(() => undefined)
    return mine
  }

  /** @returns what the caller is told; nothing works any more after it was fenced or lost sight of an end */
  function failure(doing: string, cause: unknown): DependencyError {
    if (isFenced(cause as { code: unknown })) {
      over ??= new DependencyError(
        'kafka',
        'fenced',
        `${doing}: a newer producer of ${transactionalId} took over.`,
        cause,
      )
      return over
    }
    // Without an answer it may have happened.
    if (isDependencyError(cause) && cause.retriable && cause.code !== 'outcome_unknown')
      return new DependencyError('kafka', 'outcome_unknown', `${doing}: ${cause.message}`, cause)
    return effectError(doing, cause)
  }

  function endFailure(doing: string, cause: unknown): DependencyError {
    const error = failure(doing, cause)
    over ??= error
    return error
  }

  function recordsFailure(): DependencyError | null {
    const doing = 'Sending records of the transaction'
    const cause = delivery.doubt ?? delivery.refusal
    if (cause === null) return null
    if (delivery.doubt === null || isFenced(cause as unknown as { code: unknown }))
      return failure(doing, cause)
    if (isDependencyError(cause) && cause.code === 'outcome_unknown') return cause
    return new DependencyError('kafka', 'outcome_unknown', `${doing} failed: ${cause.message}`, cause)
  }

  function check(): void {
    if (over !== null) throw over
    if (!isOpen) throw new Error('No transaction is open.')
  }

  function ended(): void {
    isOpen = false
    isTold = false
    isDoubtful = false
    members.partitions.clear()
    members.groups.clear()
  }

  function notAssigned({ topic, partition }: Position): DependencyError {
    return new DependencyError(
      'kafka',
      'not_assigned',
      `${topic}/${partition} is not assigned to this process any more.`,
    )
  }

  /** @throws DependencyError */
  async function commitOffset(consumer: GroupConsumer, position: Position, metadata: string): Promise<void> {
    const doing = 'Adding the group’s position to the transaction'
    for (let membership = membershipOf(consumer); membership !== null; ) {
      const { groupId } = membership
      let code: number
      try {
        if (version === 1 && !members.groups.has(groupId)) {
          isTold = true
          await inTurn(() => coordinator.addGroup(identity, groupId))
          members.groups.add(groupId)
        }
        isTold = true
        code = await coordinator.commitOffset(apis.txnOffsetCommit, identity, membership, position, metadata)
      } catch (error) {
        throw failure(doing, error)
      }
      if (code === 0) return
      // A member that was replaced is out of its group; the producer is not fenced for that.
      if (code === CODES.UNKNOWN_MEMBER_ID || code === CODES.FENCED_INSTANCE_ID) break
      if (code !== CODES.ILLEGAL_GENERATION && code !== CODES.REBALANCE_IN_PROGRESS)
        throw failure(doing, new BrokerError(code))
      // The group may be a generation ahead of what this member has heard.
      membership = await settledMembership(consumer, membership)
      if (!consumer.assigned(position)) break
    }
    throw notAssigned(position)
  }

  return {
    async begin() {
      if (over !== null) throw over
      if (isOpen) throw new Error('A transaction is open already.')
      isOpen = true
      delivery = newDelivery()
      refusal = null
    },

    async send(records) {
      // Being fenced is told by the commit, like whatever else becomes of records.
      if (over?.code === 'fenced') return
      check()
      const queueing = sender.add(records, delivery)
      if (queueing !== null) await queueing
    },

    async sendOffset(consumer, position, metadata) {
      check()
      checkMetadata(metadata)
      // Nearly always the last thing before the commit: records go out meanwhile.
      sender.flush()
      try {
        // The coordinator checks the generation, not who owns the partition in it.
        if (!consumer.assigned(position)) throw notAssigned(position)
        await commitOffset(consumer, position, metadata)
      } catch (error) {
        if (isDependencyError(error)) refusal ??= error
        throw error
      }
    },

    async commit() {
      check()
      sender.flush()
      await settled(delivery)
      const refused = recordsFailure() ?? refusal
      if (refused !== null) throw refused
      if (isTold) {
        const doing = 'Committing a transaction'
        try {
          identity = await inTurn(() => coordinator.end(apis.endTxn, identity, true))
        } catch (error) {
          throw endFailure(doing, error)
        }
      }
      ended()
    },

    async abort() {
      check()
      sender.discard()
      await settled(delivery)
      const doing = 'Aborting a transaction'
      if (isTold) {
        try {
          identity = await inTurn(endByAborting)
        } catch (error) {
          throw endFailure(doing, error)
        }
      }
      ended()
    },

    async close() {
      over ??= new DependencyError('kafka', 'unavailable', 'The transactional producer is closed.')
      coordinator.close()
      sender.close()
    },
  }

  async function endByAborting(): Promise<ProducerIdentity> {
    // A late record of this epoch would belong to the next transaction: the epoch goes up with the abort.
    if (version === 1 && isDoubtful) return coordinator.initProducerId(identity)
    try {
      return await coordinator.end(apis.endTxn, identity, false)
    } catch (error) {
      // Nothing had come to the coordinator yet, or it gave the transaction up by itself.
      const isNotOpen = error instanceof BrokerError && error.code === CODES.INVALID_TXN_STATE
      if (isNotOpen) return coordinator.initProducerId(identity)
      throw error
    }
  }
}
