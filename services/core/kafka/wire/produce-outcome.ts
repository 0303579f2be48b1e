import { permanentCode } from './dependency-errors.ts'
import { CODES, LEADER_MOVED } from './errors.ts'
import type { QueuedBatch } from './partition-queue.ts'

/**
 * What a broker's code says of the batch that it was sent.
 *
 * - `stored`: now or by an earlier try
 * - `split`: nothing of it is stored, and halves of it may be
 * - `again`: the same bytes may be answered otherwise; this try may have stored them where `isDoubtful`
 * - `refused`: this try stored nothing, and no other one will
 * - `unknown`: nobody can say what is stored, and the partition takes nothing more under these numbers
 */
export type ProduceOutcome =
  | { readonly kind: 'stored' | 'split' | 'refused' | 'unknown' }
  | { readonly kind: 'again'; readonly isDoubtful: boolean; readonly waitsFor: ProduceWait }

/** For another leader to be found; for the transaction before to be ended, which is quick; for the broker itself. */
export type ProduceWait = 'leader' | 'transaction' | 'broker'

/** Pure: what is done about it is the sender's. */
export function produceOutcome(
  code: number,
  batch: Pick<QueuedBatch, 'count' | 'isDoubtful' | 'isGivenUp'>,
): ProduceOutcome {
  if (code === 0 || code === CODES.DUPLICATE_SEQUENCE) return { kind: 'stored' }
  if (TOO_LARGE.has(code) && batch.count > 1 && !batch.isDoubtful && !batch.isGivenUp)
    return { kind: 'split' }
  // A leader that was replaced may have stored it, and its follower have it; one that has no such partition has not.
  if (LEADER_MOVED.has(code))
    return { kind: 'again', isDoubtful: code !== CODES.UNKNOWN_TOPIC_OR_PARTITION, waitsFor: 'leader' }
  if (code === CODES.CONCURRENT_TRANSACTIONS)
    return { kind: 'again', isDoubtful: false, waitsFor: 'transaction' }
  if (PASSING.has(code))
    return { kind: 'again', isDoubtful: code !== CODES.NOT_ENOUGH_REPLICAS, waitsFor: 'broker' }
  return { kind: permanentCode(code) === null ? 'unknown' : 'refused' }
}

const TOO_LARGE: ReadonlySet<number> = new Set([CODES.MESSAGE_TOO_LARGE, CODES.RECORD_LIST_TOO_LARGE])

/** May be answered otherwise when the same bytes are sent again. */
const PASSING: ReadonlySet<number> = new Set([
  CODES.CORRUPT_MESSAGE,
  CODES.REQUEST_TIMED_OUT,
  CODES.NETWORK_EXCEPTION,
  CODES.COORDINATOR_LOAD_IN_PROGRESS,
  CODES.COORDINATOR_NOT_AVAILABLE,
  CODES.NOT_COORDINATOR,
  CODES.NOT_ENOUGH_REPLICAS,
  CODES.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
  CODES.THROTTLING_QUOTA_EXCEEDED,
])

/** The brokers do not take this producer's id for what it was. */
export const ESTRANGED: ReadonlySet<number> = new Set([
  CODES.INVALID_PRODUCER_EPOCH,
  CODES.PRODUCER_FENCED,
  CODES.INVALID_PRODUCER_ID_MAPPING,
])
