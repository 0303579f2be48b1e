import rdkafka from '@confluentinc/kafka-javascript'
import { DependencyError, type DependencyErrorCode, isDependencyError } from '../runtime/errors.ts'

export const ERRORS = rdkafka.CODES.ERRORS

/** What the native client's errors carry beside their message. */
export interface NativeError {
  readonly message: string
  readonly code: number
  readonly isFatal?: boolean
  readonly isRetriable?: boolean
  /** The transaction cannot commit any more; aborting it puts the producer right. */
  readonly isTxnRequiresAbort?: boolean
}

/** Nothing was taken, and asking again would be answered the same. */
const PERMANENT = new Map<number, DependencyErrorCode>([
  [ERRORS.ERR__UNKNOWN_TOPIC, 'not_found'],
  [ERRORS.ERR__UNKNOWN_PARTITION, 'not_found'],
  [ERRORS.ERR_UNKNOWN_TOPIC_OR_PART, 'not_found'],
  [ERRORS.ERR__AUTO_OFFSET_RESET, 'not_found'],
  [ERRORS.ERR_OFFSET_OUT_OF_RANGE, 'not_found'],
  [ERRORS.ERR_GROUP_ID_NOT_FOUND, 'not_found'],
  [ERRORS.ERR_MSG_SIZE_TOO_LARGE, 'rejected'],
  [ERRORS.ERR_INVALID_MSG_SIZE, 'rejected'],
  [ERRORS.ERR_RECORD_LIST_TOO_LARGE, 'rejected'],
  [ERRORS.ERR_INVALID_RECORD, 'rejected'],
  [ERRORS.ERR_INVALID_TIMESTAMP, 'rejected'],
  [ERRORS.ERR_TOPIC_EXCEPTION, 'rejected'],
  [ERRORS.ERR_INVALID_PARTITIONS, 'rejected'],
  [ERRORS.ERR_INVALID_REPLICATION_FACTOR, 'rejected'],
  [ERRORS.ERR_INVALID_CONFIG, 'rejected'],
  [ERRORS.ERR_POLICY_VIOLATION, 'rejected'],
  [ERRORS.ERR_OFFSET_METADATA_TOO_LARGE, 'rejected'],
  [ERRORS.ERR_INVALID_TRANSACTION_TIMEOUT, 'rejected'],
  [ERRORS.ERR__INVALID_ARG, 'rejected'],
  [ERRORS.ERR__AUTHENTICATION, 'denied'],
  [ERRORS.ERR__SSL, 'denied'],
  [ERRORS.ERR_SASL_AUTHENTICATION_FAILED, 'denied'],
  [ERRORS.ERR_TOPIC_AUTHORIZATION_FAILED, 'denied'],
  [ERRORS.ERR_GROUP_AUTHORIZATION_FAILED, 'denied'],
  [ERRORS.ERR_CLUSTER_AUTHORIZATION_FAILED, 'denied'],
  [ERRORS.ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, 'denied'],
])

/** A newer owner of the transactional id took over. */
const FENCED = new Set<number>([
  ERRORS.ERR__FENCED,
  ERRORS.ERR_PRODUCER_FENCED,
  ERRORS.ERR_INVALID_PRODUCER_EPOCH,
  ERRORS.ERR_FENCED_INSTANCE_ID,
])

const TIMEOUT = new Set<number>([
  ERRORS.ERR__TIMED_OUT,
  ERRORS.ERR__TIMED_OUT_QUEUE,
  ERRORS.ERR_REQUEST_TIMED_OUT,
])

/** The code of an error that leaves no doubt that nothing was taken; null for every other one. */
export function permanentCode(code: number): DependencyErrorCode | null {
  return PERMANENT.get(code) ?? null
}

export function isFenced(error: NativeError): boolean {
  return FENCED.has(error.code)
}

/** For questions and for requests that may simply be asked again. */
export function queryError(doing: string, cause: unknown): DependencyError {
  if (isDependencyError(cause)) return cause
  const error = clientError(cause)
  const code =
    permanentCode(error.code) ??
    (isFenced(error) ? 'fenced' : TIMEOUT.has(error.code) ? 'timeout' : 'unavailable')
  return dependencyError(code, doing, error)
}

/** For what changes something: without a clear refusal it may have happened. */
export function effectError(doing: string, cause: unknown): DependencyError {
  if (isDependencyError(cause)) return cause
  const error = clientError(cause)
  return dependencyError(
    isFenced(error) ? 'fenced' : (permanentCode(error.code) ?? 'outcome_unknown'),
    doing,
    error,
  )
}

/** @throws what is no client's error: a bug of ours must not pass for a problem of Kafka's */
function clientError(cause: unknown): NativeError {
  if (typeof (cause as NativeError).code !== 'number') throw cause
  return cause as NativeError
}

function dependencyError(code: DependencyErrorCode, doing: string, error: NativeError): DependencyError {
  return new DependencyError('kafka', code, `${doing} failed: ${error.message} (${error.code})`, error)
}
