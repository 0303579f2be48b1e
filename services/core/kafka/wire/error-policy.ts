import { DependencyError, type DependencyErrorCode, isDependencyError } from '../../runtime/errors.ts'

/** What an error of the protocol carries beside its message: a code of Kafka's, or -1. */
export interface ProtocolError {
  readonly message: string
  readonly code: number
}

/** Nothing was taken, and asking again would be answered the same. Codes of Kafka's protocol. */
const PERMANENT: ReadonlyMap<number, DependencyErrorCode> = new Map([
  [1, 'not_found'], // OFFSET_OUT_OF_RANGE
  [3, 'not_found'], // UNKNOWN_TOPIC_OR_PARTITION
  [69, 'not_found'], // GROUP_ID_NOT_FOUND
  [10, 'rejected'], // MESSAGE_TOO_LARGE
  [12, 'rejected'], // OFFSET_METADATA_TOO_LARGE
  [17, 'rejected'], // INVALID_TOPIC_EXCEPTION
  [18, 'rejected'], // RECORD_LIST_TOO_LARGE
  [32, 'rejected'], // INVALID_TIMESTAMP
  [37, 'rejected'], // INVALID_PARTITIONS
  [38, 'rejected'], // INVALID_REPLICATION_FACTOR
  [40, 'rejected'], // INVALID_CONFIG
  [44, 'rejected'], // POLICY_VIOLATION
  [50, 'rejected'], // INVALID_TRANSACTION_TIMEOUT
  [87, 'rejected'], // INVALID_RECORD
  [29, 'denied'], // TOPIC_AUTHORIZATION_FAILED
  [30, 'denied'], // GROUP_AUTHORIZATION_FAILED
  [31, 'denied'], // CLUSTER_AUTHORIZATION_FAILED
  [53, 'denied'], // TRANSACTIONAL_ID_AUTHORIZATION_FAILED
  [58, 'denied'], // SASL_AUTHENTICATION_FAILED
])

/** A newer owner of the transactional id, or of the static member's name, took over. */
const FENCED: ReadonlySet<number> = new Set([
  47, // INVALID_PRODUCER_EPOCH
  82, // FENCED_INSTANCE_ID
  90, // PRODUCER_FENCED
])

const REQUEST_TIMED_OUT = 7

/** The code of an error that leaves no doubt that nothing was taken; null for every other one. */
export function permanentCode(code: number): DependencyErrorCode | null {
  return PERMANENT.get(code) ?? null
}

export function isFenced({ code }: ProtocolError): boolean {
  return FENCED.has(code)
}

/** For questions and for requests that may simply be asked again. */
export function queryError(doing: string, cause: unknown): DependencyError {
  if (isDependencyError(cause)) return cause
  const error = protocolError(cause)
  const code =
    permanentCode(error.code) ??
    (isFenced(error) ? 'fenced' : error.code === REQUEST_TIMED_OUT ? 'timeout' : 'unavailable')
  return dependencyError(code, doing, error)
}

/** For what changes something: without a clear refusal it may have happened. */
export function effectError(doing: string, cause: unknown): DependencyError {
  if (isDependencyError(cause)) return cause
  const error = protocolError(cause)
  const code = isFenced(error) ? 'fenced' : (permanentCode(error.code) ?? 'outcome_unknown')
  return dependencyError(code, doing, error)
}

/** @throws what is no error of the protocol: a bug of ours must not pass for a problem of Kafka's */
function protocolError(cause: unknown): ProtocolError {
  if (typeof (cause as ProtocolError).code !== 'number') throw cause
  return cause as ProtocolError
}

function dependencyError(code: DependencyErrorCode, doing: string, error: ProtocolError): DependencyError {
  return new DependencyError('kafka', code, `${doing} failed: ${error.message} (${error.code})`, error)
}
