import type { Clock } from '../../runtime/clock.ts'
import { DependencyError, isDependencyError } from '../../runtime/errors.ts'
import type { Position, TopicPartition } from '../log.ts'
import { APIS, type Api } from './apis.ts'
import type { Cluster } from './cluster.ts'
import { type WireReader, WireWriter } from './codec.ts'
import { effectError, queryError } from './dependency-errors.ts'
import { BrokerError, CODES, COORDINATOR_MOVED } from './errors.ts'
import type { GroupMembership } from './group-membership.ts'
import { writePositions } from './offset-codec.ts'
import { partitionCodes } from './partition-codes.ts'
import type { ProducerIdentity } from './partition-queue.ts'

/** First and longest pause before a request is made again, ms; doubled in between. */
const BACKOFF_MS = { first: 5, longest: 500 }
/** Longest pause while an earlier transaction is still being ended, ms: its markers are on their way. */
const CONCURRENT_BACKOFF_MS = 50
const TRANSACTION_VERSION = 'transaction.version'

/** The broker that keeps a transactional id, and the one that keeps a group, in the requests of a transaction. */
export interface TransactionCoordinator {
  /**
   * Takes the id over, or with `own` goes on to its next epoch: whatever is open under an earlier epoch is aborted.
   *
   * @throws DependencyError `fenced` when somebody else took over since `own`
   */
  initProducerId(own: ProducerIdentity | null): Promise<ProducerIdentity>
  /** Level of `transaction.version` that the cluster has switched on. */
  transactionVersion(): Promise<number>
  /** @throws BrokerError or DependencyError; what was added before stays added */
  addPartitions(identity: ProducerIdentity, partitions: readonly TopicPartition[]): Promise<void>
  addGroup(identity: ProducerIdentity, groupId: string): Promise<void>
  /** @returns a refusal that asking again as the same member does not mend, or 0 */
  commitOffset(
    api: Api,
    identity: ProducerIdentity,
    membership: GroupMembership,
    position: Position,
    metadata: string,
  ): Promise<number>
  /**
   * @returns under which the next transaction runs
   * @throws BrokerError when the coordinator plainly refused; DependencyError `outcome_unknown` when it may have
   *   carried it out
   */
  end(api: Api, identity: ProducerIdentity, isCommit: boolean): Promise<ProducerIdentity>
  /** Nothing is asked again. */
  close(): void
}

export interface TransactionCoordinatorOptions {
  readonly transactionalId: string
  /** The broker aborts a transaction that is open longer, ms. */
  readonly transactionTimeoutMs: number
  /** How long anything but a commit without an answer is asked again, ms. */
  readonly patienceMs: number
  readonly clock: Clock
}

export function createTransactionCoordinator(
  cluster: Cluster,
  { transactionalId, transactionTimeoutMs, patienceMs, clock }: TransactionCoordinatorOptions,
): TransactionCoordinator {
  /** Broker ids by what they coordinate. */
  const known = new Map<string, number>()
  let closed = false

  async function find(id: string, of: 'group' | 'transaction'): Promise<number> {
    const key = `${of}:${id}`
    let broker = known.get(key)
    if (broker === undefined) {
      broker = await cluster.coordinator(id, of)
      known.set(key, broker)
    }
    return broker
  }

  const ask = async (api: Api, body: WireWriter): Promise<WireReader> => {
    const answer = await cluster.ask(await find(transactionalId, 'transaction'), api, body)
    answer.int32() // throttle time
    return answer
  }

  /** Makes a request until it is answered by whoever is responsible. @returns 0, or a refusal of another kind */
  async function persist(attempt: () => Promise<number>, passing: ReadonlySet<number>): Promise<number> {
    const deadline = clock.monotonic() + patienceMs
    for (let pauseMs = BACKOFF_MS.first; ; pauseMs = Math.min(pauseMs * 2, BACKOFF_MS.longest)) {
      let longestMs: number = BACKOFF_MS.longest
      try {
        const code = await attempt()
        if (!passing.has(code)) return code
        if (code === CODES.CONCURRENT_TRANSACTIONS) longestMs = CONCURRENT_BACKOFF_MS
        else known.clear()
        if (closed || clock.monotonic() >= deadline) return code
      } catch (error) {
        const isPassing = isDependencyError(error) && error.retriable
        if (!isPassing || closed || clock.monotonic() >= deadline) throw error
        known.clear()
      }
      await clock.sleep(Math.min(pauseMs, longestMs))
    }
  }

  const head = (identity: ProducerIdentity, size?: number) =>
    new WireWriter(size).string(transactionalId).int64(identity.producerId).int16(identity.epoch)

  return {
    async initProducerId(own) {
      const doing = `Taking over the transactional id ${transactionalId}`
      const body = new WireWriter().string(transactionalId).int32(transactionTimeoutMs)
      body
        .int64(own?.producerId ?? -1)
        .int16(own?.epoch ?? -1)
        .noTags()
      let identity: ProducerIdentity | null = null
      try {
        const code = await persist(async () => {
          const answer = await ask(APIS.initProducerId, body)
          const refusal = answer.int16()
          identity = { producerId: answer.int64(), epoch: answer.int16() }
          return refusal
        }, NOT_YET)
        if (code !== 0) throw new BrokerError(code)
      } catch (error) {
        throw queryError(doing, error)
      }
      return identity as unknown as ProducerIdentity
    },

    transactionVersion: async () =>
      cluster.feature(await find(transactionalId, 'transaction'), TRANSACTION_VERSION),

    async addPartitions(identity, partitions) {
      const body = head(identity)
      body.array([...Map.groupBy(partitions, ({ topic }) => topic)], ([topic, of]) => {
        body.string(topic)
        body.uvarint(of.length + 1)
        for (const { partition } of of) body.int32(partition)
        body.noTags()
      })
      body.noTags()
      const code = await persist(async () => {
        const codes = partitionCodes(await ask(APIS.addPartitionsToTxn, body)).filter((code) => code !== 0)
        // Others are not attempted when one is refused, and say no more than that.
        return codes.find((code) => code !== CODES.OPERATION_NOT_ATTEMPTED) ?? codes[0] ?? 0
      }, NOT_YET)
      if (code !== 0) throw new BrokerError(code)
    },

    async addGroup(identity, groupId) {
      const body = head(identity).string(groupId).noTags()
      const code = await persist(async () => (await ask(APIS.addOffsetsToTxn, body)).int16(), NOT_YET)
      if (code !== 0) throw new BrokerError(code)
    },

    async commitOffset(api, identity, { groupId, generationId, memberId, instanceId }, position, metadata) {
      const body = new WireWriter(512).string(transactionalId).string(groupId)
      body.int64(identity.producerId).int16(identity.epoch)
      body.int32(generationId).string(memberId).string(instanceId)
      writePositions(body, [{ ...position, metadata }])
      body.noTags()
      return persist(async () => {
        const answer = await cluster.ask(await find(groupId, 'group'), api, body)
        answer.int32() // throttle time
        return partitionCodes(answer).find((code) => code !== 0) ?? 0
      }, NOT_YET_OF_GROUPS)
    },

    async end(api, identity, isCommit) {
      const doing = isCommit ? 'Committing a transaction' : 'Aborting a transaction'
      const body = head(identity).boolean(isCommit).noTags()
      let next = identity
      /** An earlier try may have been carried out. */
      let isDoubtful = false
      let unanswered: Error | null = null
      let code: number
      try {
        code = await persist(async () => {
          const broker = await find(transactionalId, 'transaction')
          let answer: WireReader
          try {
            answer = await cluster.ask(broker, api, body)
          } catch (error) {
            if (!isDependencyError(error) || !error.retriable) throw error
            // Whoever opens the next producer settles it; asking again could only learn less.
            unanswered = error
            return UNANSWERED
          }
          answer.int32() // throttle time
          const refusal = answer.int16()
          isDoubtful ||= COORDINATOR_MOVED.has(refusal)
          if (refusal === 0 && api.version >= NEXT_EPOCH_VERSION)
            next = { producerId: answer.int64(), epoch: answer.int16() }
          return refusal
        }, NOT_YET)
      } catch (error) {
        throw effectError(doing, error)
      }
      if (code === 0) return next
      const refusal = new BrokerError(code)
      if (code !== UNANSWERED && !isDoubtful) throw refusal
      const cause: Error = unanswered ?? refusal
      throw new DependencyError('kafka', 'outcome_unknown', `${doing}: ${cause.message}`, cause)
    },

    close() {
      closed = true
    },
  }
}

/** No code of Kafka's: nobody said what became of it. */
const UNANSWERED = -1
/** From this version on EndTxn answers the epoch of the next transaction. */
const NEXT_EPOCH_VERSION = 5

/** Whoever is responsible is elsewhere, not ready, or busy with the transaction before. */
const NOT_YET: ReadonlySet<number> = new Set([...COORDINATOR_MOVED, CODES.CONCURRENT_TRANSACTIONS])
/** A coordinator that has just started may not know the topic yet. */
const NOT_YET_OF_GROUPS: ReadonlySet<number> = new Set([
  ...NOT_YET,
  CODES.UNKNOWN_TOPIC_OR_PARTITION,
  CODES.REQUEST_TIMED_OUT,
])
