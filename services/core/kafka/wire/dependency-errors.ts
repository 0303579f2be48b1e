import { DependencyError, type DependencyErrorCode, isDependencyError } from '../../runtime/errors.ts'
import { CODES } from './errors.ts'

/** What a broker's refusal and an unreadable answer carry beside their message. */
interface CodedError {
  readonly message: string
  readonly code: number
}

/** Nothing was taken, and asking again would be answered the same. */
const PERMANENT = new Map<number, DependencyErrorCode>([
  [CODES.OFFSET_OUT_OF_RANGE, 'not_found'],
  [CODES.UNKNOWN_TOPIC_OR_PARTITION, 'not_found'],
  [CODES.GROUP_ID_NOT_FOUND, 'not_found'],
  [CODES.INVALID_FETCH_SIZE, 'rejected'],
  [CODES.MESSAGE_TOO_LARGE, 'rejected'],
  [CODES.OFFSET_METADATA_TOO_LARGE, 'rejected'],
  [CODES.INVALID_TOPIC, 'rejected'],
  [CODES.RECORD_LIST_TOO_LARGE, 'rejected'],
  // Our clock and the broker's are an hour apart or more, until somebody sets one of them.
  [CODES.INVALID_TIMESTAMP, 'read_only'],
  [CODES.INVALID_PARTITIONS, 'rejected'],
  [CODES.INVALID_REPLICATION_FACTOR, 'rejected'],
  [CODES.INVALID_CONFIG, 'rejected'],
  [CODES.POLICY_VIOLATION, 'rejected'],
  [CODES.INVALID_TRANSACTION_TIMEOUT, 'rejected'],
  [CODES.INVALID_RECORD, 'rejected'],
  [CODES.TOPIC_AUTHORIZATION_FAILED, 'denied'],
  [CODES.GROUP_AUTHORIZATION_FAILED, 'denied'],
  [CODES.CLUSTER_AUTHORIZATION_FAILED, 'denied'],
  [CODES.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, 'denied'],
  [CODES.SASL_AUTHENTICATION_FAILED, 'denied'],
])

/** A newer owner of the transactional id, or of the instance id, took over. */
const FENCED: ReadonlySet<number> = new Set([
  CODES.INVALID_PRODUCER_EPOCH,
  CODES.PRODUCER_FENCED,
  CODES.FENCED_INSTANCE_ID,
])

/** The code of an error that leaves no doubt that nothing was taken; null for every other one. */
export function permanentCode(code: number): DependencyErrorCode | null {
  return PERMANENT.get(code) ?? null
}

export function isFenced(error: { readonly code: unknown }): boolean {
  return typeof error.code === 'number' && FENCED.has(error.code)
}

/** For questions and for requests that may simply be asked again. */
export function queryError(doing: string, cause: unknown): DependencyError {
  if (isDependencyError(cause)) return cause
  const error = codedError(cause)
  const code =
    permanentCode(error.code) ??
    (isFenced(error) ? 'fenced' : error.code === CODES.REQUEST_TIMED_OUT ? 'timeout' : 'unavailable')
  return dependencyError(code, doing, error)
}

/** For what changes something: without a clear refusal it may have happened. */
export function effectError(doing: string, cause: unknown): DependencyError {
  if (isDependencyError(cause)) return cause
  const error = codedError(cause)
  return dependencyError(
    isFenced(error) ? 'fenced' : (permanentCode(error.code) ?? 'outcome_unknown'),
    doing,
    error,
  )
}

/** @throws what is no refusal of a broker: a bug of ours must not pass for a problem of Kafka's */
function codedError(cause: unknown): CodedError {
  if (typeof (cause as CodedError).code !== 'number') throw cause
  return cause as CodedError
}

function dependencyError(code: DependencyErrorCode, doing: string, error: CodedError): DependencyError {
  return new DependencyError('kafka', code, `${doing} failed: ${error.message} (${error.code})`, error)
}
