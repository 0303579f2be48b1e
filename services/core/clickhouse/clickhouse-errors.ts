import { DependencyError, type DependencyErrorCode, isDependencyError } from '../runtime/errors.ts'

/**
 * What each of ClickHouse's error numbers means for whoever depends on it. A number that is not here is `rejected`:
 * repeating it would not help, an operator must look.
 *
 * @see https://github.com/ClickHouse/ClickHouse/blob/master/src/Common/ErrorCodes.cpp
 */
const CODES: Readonly<Record<number, DependencyErrorCode>> = {
  60: 'not_found', // UNKNOWN_TABLE
  81: 'not_found', // UNKNOWN_DATABASE
  159: 'timeout', // TIMEOUT_EXCEEDED
  209: 'timeout', // SOCKET_TIMEOUT
  164: 'read_only', // READONLY
  242: 'read_only', // TABLE_IS_READ_ONLY
  243: 'read_only', // NOT_ENOUGH_SPACE
  75: 'read_only', // CANNOT_WRITE_TO_FILE_DESCRIPTOR: its disk is full, or fails
  204: 'read_only', // CANNOT_FSYNC
  774: 'read_only', // TABLE_IS_PERMANENTLY_READ_ONLY: until somebody sets table_readonly back
  192: 'denied', // UNKNOWN_USER
  193: 'denied', // WRONG_PASSWORD
  194: 'denied', // REQUIRED_PASSWORD
  497: 'denied', // ACCESS_DENIED
  516: 'denied', // AUTHENTICATION_FAILED
  201: 'overloaded', // QUOTA_EXCEEDED
  202: 'overloaded', // TOO_MANY_SIMULTANEOUS_QUERIES
  241: 'overloaded', // MEMORY_LIMIT_EXCEEDED
  252: 'overloaded', // TOO_MANY_PARTS
  173: 'overloaded', // CANNOT_ALLOCATE_MEMORY
  203: 'overloaded', // NO_FREE_CONNECTION
  745: 'overloaded', // SERVER_OVERLOADED
  439: 'overloaded', // CANNOT_SCHEDULE_TASK
  210: 'unavailable', // NETWORK_ERROR
  216: 'unavailable', // QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING: the one before has not ended yet
  225: 'unavailable', // NO_ZOOKEEPER
  236: 'unavailable', // ABORTED
  285: 'unavailable', // TOO_FEW_LIVE_REPLICAS
  286: 'unavailable', // UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE
  319: 'unavailable', // UNKNOWN_STATUS_OF_INSERT
  394: 'unavailable', // QUERY_WAS_CANCELLED
  499: 'unavailable', // S3_ERROR: where its parts lie
  999: 'unavailable', // KEEPER_EXCEPTION
}

/** 252 is two things: parts that pile up (later it works) and one insert into too many partitions (it never will). */
const NEVER_WORKS = /Too many partitions for single INSERT/i

/**
 * @param error what the client library threw
 * @param doing what was asked, for the message: "insert into events"
 */
export function toDependencyError(error: unknown, doing: string): DependencyError {
  if (isDependencyError(error)) return error
  const { code, type, message } = error as { code?: unknown; type?: unknown; message?: unknown }
  const text = String(message ?? error)
  const number = typeof type === 'string' && /^\d+$/.test(String(code)) ? Number(code) : null
  const made = (kind: DependencyErrorCode, detail: string) =>
    new DependencyError('clickhouse', kind, `ClickHouse, ${doing}: ${detail}`, error)
  if (number !== null) {
    const kind = number === 252 && NEVER_WORKS.test(text) ? 'rejected' : (CODES[number] ?? 'rejected')
    return made(kind, `Code: ${number}. ${text.trim()} (${String(type)})`)
  }
  if (/timeout/i.test(text)) return made('timeout', text)
  // Anything else that carries no number never came from ClickHouse: the network, or a proxy in between.
  return made('unavailable', text === '' ? String(code ?? 'no answer') : text)
}

/** Numbers that say: these rows cannot be read as rows of this table. Fewer rows, or others, would go in. */
const DATA_CODES = new Set([
  6, // CANNOT_PARSE_TEXT
  25, // CANNOT_PARSE_ESCAPE_SEQUENCE
  26, // CANNOT_PARSE_QUOTED_STRING
  27, // CANNOT_PARSE_INPUT_ASSERTION_FAILED
  33, // CANNOT_READ_ALL_DATA
  38, // CANNOT_PARSE_DATE
  41, // CANNOT_PARSE_DATETIME
  53, // TYPE_MISMATCH
  69, // ARGUMENT_OUT_OF_BOUND
  70, // CANNOT_CONVERT_TYPE
  72, // CANNOT_PARSE_NUMBER
  117, // INCORRECT_DATA
  130, // CANNOT_READ_ARRAY_FROM_TEXT
  131, // TOO_LARGE_STRING_SIZE
  321, // VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE
  349, // CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN
  467, // CANNOT_PARSE_BOOL
])

/** Did an insert fail because of its rows, so that repeating it with the same rows never helps? */
export function isDataError(error: unknown): boolean {
  if (!isDependencyError(error) || error.dependency !== 'clickhouse' || error.code !== 'rejected')
    return false
  const { code } = (error.cause ?? {}) as { readonly code?: unknown }
  return DATA_CODES.has(Number(code)) || NEVER_WORKS.test(error.message)
}
