import { setTimeout as pause } from 'node:timers/promises'
import { DependencyError, isDependencyError } from '../../runtime/errors.ts'
import type { KafkaSettings } from '../kafka-settings.ts'
import type { Position, TopicPartition, TransactionalOptions, TransactionalProducer } from '../log.ts'
import { type Cluster, openCluster } from './cluster.ts'
import { effectError, queryError } from './error-policy.ts'
import { BrokerError, CODES, COORDINATOR_MOVED } from './errors.ts'
import { type GroupMembership, membershipOf, settledMembership } from './group-membership.ts'
import { checkMetadata } from './position-metadata.ts'
import { createRecordSender, type ProducerIdentity } from './record-sender.ts'
import { openTransactionCoordinator } from './transaction-coordinator.ts'

/** Records of one transaction gather for so long before the first go out, ms; committing sends at once. */
const LINGER_MS = 5
/** Pauses before a coordinator that is busy is asked again, ms: the end of the transaction before takes about one. */
const ASK_AGAIN_FIRST_MS = 1
const ASK_AGAIN_MAX_MS = 20

export function openTransactionalProducer(
  settings: KafkaSettings,
  transactionalId: string,
  options: TransactionalOptions,
): Promise<TransactionalProducer> {
  return createTransactionalProducer(
    openCluster(settings, options.clientId),
    settings,
    transactionalId,
    options,
  )
}

/**
 * A transactional producer. Its transactions are those of brokers before transaction version 2: an end of a
 * transaction that arrives late could settle a later one of the same epoch, so whoever did not hear the answer to a
 * commit closes the producer and opens a new one, which fences the late request.
 */
export async function createTransactionalProducer(
  cluster: Cluster,
  settings: Pick<KafkaSettings, 'kafkaRequestTimeoutMs' | 'kafkaRecordBytesMax' | 'kafkaSendBufferBytesMax'>,
  transactionalId: string,
  options: TransactionalOptions,
): Promise<TransactionalProducer> {
  const patienceMs = Math.max(settings.kafkaRequestTimeoutMs, options.transactionTimeoutMs)
  const coordinator = openTransactionCoordinator(cluster, transactionalId, patienceMs)
  let author: ProducerIdentity
  let closed = false
  /** Of the open transaction; null when none is. */
  let open: {
    readonly announced: Set<string>
    readonly groups: Set<string>
    /** Calls of `send`. */
    readonly sending: Promise<void>[]
    /** Why it cannot commit. */
    failure: DependencyError | null
  } | null = null
  /** The coordinator takes one change of a transaction at a time. */
  let turn: Promise<unknown> = Promise.resolve()
  /** Some batch was lost sight of: sequences begin anew under a new epoch. */
  let isWorn = false

  /** Asks until the coordinator is found and ready; the first code that is none of these. */
  async function settled(ask: () => Promise<number>): Promise<number> {
    const mine = turn.then(() => settledInTurn(ask))
    turn = mine.catch(() => undefined)
    return mine
  }
  async function settledInTurn(ask: () => Promise<number>): Promise<number> {
    const deadline = performance.now() + patienceMs
    for (let pauseMs = ASK_AGAIN_FIRST_MS; ; pauseMs = Math.min(ASK_AGAIN_MAX_MS, 2 * pauseMs)) {
      const code = await ask()
      const isPassing = COORDINATOR_MOVED.has(code) || code === CODES.CONCURRENT_TRANSACTIONS
      if (!isPassing || closed || performance.now() > deadline) return code
      if (COORDINATOR_MOVED.has(code)) coordinator.forget()
      await pause(pauseMs)
    }
  }

  async function takeOver(): Promise<void> {
    const doing = `Taking over the transactional id ${transactionalId}`
    const deadline = performance.now() + patienceMs
    for (;;) {
      try {
        author = await coordinator.begin(options.transactionTimeoutMs)
        return
      } catch (cause) {
        // Asking again is safe: it only makes the epoch go up once more.
        const isPassing =
          cause instanceof BrokerError
            ? COORDINATOR_MOVED.has(cause.code) || cause.code === CODES.CONCURRENT_TRANSACTIONS
            : isDependencyError(cause) && cause.retriable
        if (!isPassing || performance.now() > deadline) throw queryError(doing, cause)
        coordinator.forget()
        await pause(ASK_AGAIN_MAX_MS)
      }
    }
  }

  async function announce(partitions: readonly TopicPartition[]): Promise<void> {
    const current = requireOpen()
    const fresh = partitions.filter((each) => !current.announced.has(keyOf(each)))
    if (fresh.length === 0) return
    const code = await settled(() => coordinator.addPartitions(author, fresh))
    if (code !== 0) throw effectError('Adding partitions to the transaction', new BrokerError(code))
    for (const each of fresh) current.announced.add(keyOf(each))
  }

  const sender = createRecordSender(cluster, {
    transactionalId,
    lingerMs: LINGER_MS,
    deliveryTimeoutMs: patienceMs,
    requestTimeoutMs: settings.kafkaRequestTimeoutMs,
    batchBytesMax: settings.kafkaRecordBytesMax,
    heldBytesMax: settings.kafkaSendBufferBytesMax,
    identity: async () => author,
    announce,
  })

  function requireOpen() {
    if (open === null) throw new Error('There is no open transaction.')
    return open
  }
  function requireUsable(): void {
    if (closed) throw new DependencyError('kafka', 'unavailable', 'The transactional producer is closed.')
  }
  function fail(error: DependencyError): DependencyError {
    if (open) open.failure ??= error
    return error
  }

  /** @throws DependencyError after having noted it: the transaction cannot commit then */
  async function step(doing: string, ask: () => Promise<number>): Promise<void> {
    let code: number
    try {
      code = await settled(ask)
    } catch (error) {
      throw fail(effectError(doing, error))
    }
    if (code !== 0) throw fail(effectError(doing, new BrokerError(code)))
  }

  try {
    await takeOver()
  } catch (error) {
    cluster.close()
    throw error
  }

  return {
    async begin() {
      requireUsable()
      if (open) throw new Error('A transaction is open already.')
      if (isWorn) {
        await takeOver()
        sender.forgetAuthors()
        isWorn = false
      }
      open = { announced: new Set(), groups: new Set(), sending: [], failure: null }
    },

    async send(records) {
      requireUsable()
      const current = requireOpen()
      current.sending.push(
        sender.send(records).then(
          ({ refusal, doubt }) => {
            if (doubt) isWorn = true
            const error = doubt ?? refusal
            if (error) current.failure ??= error
          },
          (error: unknown) => {
            if (!isDependencyError(error)) throw error
            current.failure ??= error
          },
        ),
      )
    },

    async sendOffset(consumer, position, metadata) {
      requireUsable()
      checkMetadata(metadata)
      const current = requireOpen()
      let membership = consumer.assigned(position) ? membershipOf(consumer) : null
      if (membership === null) throw fail(notAssigned(position))
      const { groupId } = membership
      if (!current.groups.has(groupId)) {
        await step('Adding the group to the transaction', () => coordinator.addGroup(author, groupId))
        current.groups.add(groupId)
      }
      const doing = 'Adding the group’s position to the transaction'
      for (;;) {
        const member: GroupMembership = membership
        let code = 0
        await step(doing, async () => {
          code = await coordinator.commitPosition(author, member, position, metadata)
          return MEMBERSHIP_REFUSALS.has(code) ? 0 : code
        })
        if (code === 0) return
        membership = OUTDATED.has(code) ? await settledMembership(consumer, member) : null
        if (membership === null || !consumer.assigned(position)) throw fail(notAssigned(position))
      }
    },

    async commit() {
      requireUsable()
      const current = requireOpen()
      sender.flush()
      await Promise.all(current.sending)
      if (current.failure) throw current.failure
      if (current.announced.size > 0 || current.groups.size > 0) {
        // Asked once: a repetition could find a later transaction.
        let code: number
        try {
          code = await settled(() => coordinator.end(author, 'commit'))
        } catch (error) {
          throw fail(unknownOutcome(error as DependencyError))
        }
        if (code !== 0) throw fail(commitRefused(code))
      }
      open = null
    },

    async abort() {
      requireUsable()
      const current = requireOpen()
      sender.flush()
      await Promise.all(current.sending)
      open = null
      if (current.announced.size === 0 && current.groups.size === 0) return
      const doing = 'Aborting a transaction'
      try {
        const code = await settled(() => coordinator.end(author, 'abort'))
        if (code !== 0) throw new BrokerError(code)
      } catch (error) {
        throw effectError(doing, error)
      }
    },

    async close() {
      if (closed) return
      closed = true
      sender.abandon(new DependencyError('kafka', 'unavailable', 'The transactional producer was closed.'))
      cluster.close()
    },
  }

  function commitRefused(code: number): DependencyError {
    const error = effectError('Committing a transaction', new BrokerError(code))
    return error.code === 'fenced' || error.code === 'denied' ? error : unknownOutcome(error)
  }
}

/** The group has another view of who this is; what was asked was not done. */
const MEMBERSHIP_REFUSALS: ReadonlySet<number> = new Set([
  CODES.ILLEGAL_GENERATION,
  CODES.REBALANCE_IN_PROGRESS,
  CODES.UNKNOWN_MEMBER_ID,
  CODES.FENCED_INSTANCE_ID,
])
/** The member may be part of a generation that it has not heard of. */
const OUTDATED: ReadonlySet<number> = new Set([CODES.ILLEGAL_GENERATION, CODES.REBALANCE_IN_PROGRESS])

function unknownOutcome(cause: DependencyError): DependencyError {
  return new DependencyError(
    'kafka',
    'outcome_unknown',
    `Whether a transaction was committed is not known: ${cause.message}`,
    cause,
  )
}

function notAssigned({ topic, partition }: Position): DependencyError {
  return new DependencyError(
    'kafka',
    'not_assigned',
    `${topic}/${partition} is not assigned to this process any more.`,
  )
}

function keyOf({ topic, partition }: TopicPartition): string {
  return `${partition}:${topic}`
}
