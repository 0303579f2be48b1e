import { DependencyError, type DependencyErrorCode } from '../runtime/errors.ts'

/** By SQLite's primary result codes. What is not here is a bug of ours: wrong SQL, a column that must not be null. */
const CODES: Readonly<Record<number, DependencyErrorCode>> = {
  3: 'denied', // SQLITE_PERM
  5: 'overloaded', // SQLITE_BUSY: another process is writing, for longer than we waited
  6: 'overloaded', // SQLITE_LOCKED
  7: 'overloaded', // SQLITE_NOMEM
  8: 'read_only', // SQLITE_READONLY
  10: 'unavailable', // SQLITE_IOERR
  11: 'corrupt', // SQLITE_CORRUPT
  13: 'read_only', // SQLITE_FULL
  14: 'unavailable', // SQLITE_CANTOPEN: no such directory, no right to it, no file to be had at the moment
  26: 'corrupt', // SQLITE_NOTADB
}

/** By extended result codes, which tell constraints apart. */
const CONSTRAINTS: Readonly<Record<number, DependencyErrorCode>> = {
  787: 'rejected', // SQLITE_CONSTRAINT_FOREIGNKEY
  1555: 'precondition_failed', // SQLITE_CONSTRAINT_PRIMARYKEY
  2067: 'precondition_failed', // SQLITE_CONSTRAINT_UNIQUE
}

/**
 * What a failure of SQLite means; anything else is returned as it came.
 *
 * @see https://www.sqlite.org/rescode.html
 */
export function sqliteError(error: unknown): unknown {
  const { errcode, message } = error as { readonly errcode?: unknown; readonly message?: unknown }
  if (typeof errcode !== 'number') return error
  const code = CONSTRAINTS[errcode] ?? CODES[errcode & 0xff]
  if (code === undefined) return error
  return new DependencyError('metadata', code, `The metadata database (SQLite): ${String(message)}.`, error)
}
