import type { Clock } from '../../runtime/clock.ts'
import { isDependencyError } from '../../runtime/errors.ts'
import type { Logger } from '../../runtime/logger.ts'
import type { Cluster } from './cluster.ts'
import { WireFormatError } from './codec.ts'
import { permanentCode } from './dependency-errors.ts'
import { BrokerError, CODES } from './errors.ts'
import type { PartitionQueue } from './partition-queue.ts'

/** First and longest pause between two questions, ms; doubled in between. */
const BACKOFF_MS = { first: 20, longest: 1_000 }
/** How long a topic may be unknown to the brokers before its records fail: longer than a new one takes, ms. */
const UNKNOWN_TOPIC_MS = 5_000

/** The partitions that somebody must lead before they can be sent to. */
export interface LostPartitions {
  /** Those that have something to send and no leader. */
  lost(): readonly PartitionQueue[]
  /** Its leader is set. */
  found(queue: PartitionQueue): void
  /** Nobody will lead it: what it has to send fails with this. */
  failed(queue: PartitionQueue, error: Error): void
  /** Some may have been found. */
  looked(): void
}

/**
 * Asks who leads the partitions that have something to send, until all are known or `isClosed`.
 *
 * @throws what is no failure of a dependency
 */
export async function searchLeaders(
  cluster: Pick<Cluster, 'metadata'>,
  partitions: LostPartitions,
  isClosed: () => boolean,
  clock: Clock,
  logger: Logger,
): Promise<void> {
  for (let pauseMs = BACKOFF_MS.first; !isClosed(); pauseMs = Math.min(pauseMs * 2, BACKOFF_MS.longest)) {
    const lost = partitions.lost()
    if (lost.length === 0) return
    try {
      const described = await cluster.metadata([...new Set(lost.map(({ topic }) => topic))])
      const byTopic = new Map(described.map((each) => [each.topic, each]))
      for (const queue of lost) {
        const { code = CODES.UNKNOWN_TOPIC_OR_PARTITION, leaders = [] } = byTopic.get(queue.topic) ?? {}
        const error = locate(queue, code, leaders, clock.monotonic())
        if (queue.leader !== null) partitions.found(queue)
        else if (error !== null) partitions.failed(queue, error)
      }
      partitions.looked()
    } catch (error) {
      const isPassing = isDependencyError(error) ? error.retriable : error instanceof WireFormatError
      if (!isPassing && !isDependencyError(error)) throw error
      if (!isPassing) for (const queue of lost) partitions.failed(queue, error as Error)
      else if (!isClosed())
        logger.warn({ err: error }, 'Kafka does not tell who leads the partitions; asking again.')
    }
    if (partitions.lost().length > 0) await clock.sleep(pauseMs)
  }
}

/** Takes what a broker says of the partition. @returns why nobody will lead it; null while somebody may */
function locate(
  queue: PartitionQueue,
  code: number,
  leaders: readonly number[],
  nowMs: number,
): BrokerError | null {
  const leader = leaders[queue.partition]
  if (leader !== undefined && leader >= 0) {
    queue.leader = leader
    queue.unknownSince = null
    return null
  }
  if (code === CODES.UNKNOWN_TOPIC_OR_PARTITION) {
    queue.unknownSince ??= nowMs
    if (nowMs - queue.unknownSince < UNKNOWN_TOPIC_MS) return null
    queue.unknownSince = null
    return new BrokerError(code, `there is no topic ${queue.topic}`)
  }
  if (code === 0 && leader === undefined)
    return new BrokerError(
      CODES.UNKNOWN_TOPIC_OR_PARTITION,
      `${queue.topic} has ${leaders.length} partitions, none with number ${queue.partition}`,
    )
  return permanentCode(code) === null ? null : new BrokerError(code)
}
