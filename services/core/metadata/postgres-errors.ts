import { type Dependency, DependencyError, type DependencyErrorCode } from '../runtime/errors.ts'

/** By SQLSTATE, or its first two characters, which are its class. What is not here is a bug of ours. */
const STATES: Readonly<Record<string, DependencyErrorCode>> = {
  '08': 'unavailable', // connection exception
  '57P': 'unavailable', // shut down, crashed, starting
  57014: 'timeout', // query_canceled: past our statement_timeout
  53: 'overloaded', // insufficient resources: connections, memory
  53100: 'read_only', // disk_full
  25006: 'read_only', // read_only_sql_transaction: a standby
  28: 'denied', // invalid authorization
  42501: 'denied', // insufficient_privilege
  '3D000': 'not_found', // invalid_catalog_name: no such database
  40001: 'overloaded', // serialization_failure
  '40P01': 'overloaded', // deadlock_detected
  55: 'overloaded', // object in use, lock not available
  23505: 'precondition_failed', // unique_violation
  23503: 'rejected', // foreign_key_violation
  58: 'unavailable', // system error, of its disk
  XX001: 'corrupt', // data_corrupted
  XX002: 'corrupt', // index_corrupted
}

/** Failures that leave it open whether a commit happened. */
const SILENT = new Set<DependencyErrorCode>(['unavailable', 'timeout'])

/** Whose database it is, and what a refusal means that is not in the list. */
interface Whose {
  readonly dependency: Dependency
  /** Begins the sentence of an error. */
  readonly words: string
  /** Of any other error; null where our own statements alone can bring it about. */
  readonly otherwise: DependencyErrorCode | null
}

/**
 * What a failure of PostgreSQL means; anything else is returned as it came.
 *
 * @returns a function of the error and of whether it was the answer to a commit, which may then have happened all the same
 * @see https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
export function postgresErrors({ dependency, words, otherwise }: Whose) {
  return (error: unknown, committing: boolean): unknown => {
    if (!(error instanceof Error)) return error
    const { code: given } = error as { readonly code?: unknown }
    const code = (typeof given === 'string' ? byState(given) : byWords(error.message)) ?? otherwise
    if (code === null) return error
    return new DependencyError(
      dependency,
      committing && SILENT.has(code) ? 'outcome_unknown' : code,
      `${words}: ${error.message}.`,
      error,
    )
  }
}

/** Of the metadata database. */
export const postgresError = postgresErrors({
  dependency: 'metadata',
  words: 'The metadata database (PostgreSQL)',
  otherwise: null,
})

function byState(code: string): DependencyErrorCode | null {
  if (code === 'ETIMEDOUT') return 'timeout'
  if (/^(ECONN\w+|EPIPE|ENOTFOUND|EAI_AGAIN|EHOST\w+|ENET\w+|EADDR\w+|EMFILE|ENFILE|ENOENT)$/.test(code))
    return 'unavailable'
  if (/CERT|_TLS_|_SSL_/.test(code)) return 'rejected'
  return STATES[code] ?? STATES[code.slice(0, 3)] ?? STATES[code.slice(0, 2)] ?? null
}

/** Sentences of the client library, which gives its own errors no code. */
function byWords(message: string): DependencyErrorCode | null {
  if (/timeout/i.test(message)) return 'timeout'
  if (/connection terminated|connection error|not queryable/i.test(message)) return 'unavailable'
  return /server does not support SSL/i.test(message) ? 'rejected' : null
}
