import type { Kysely } from 'kysely'
import type { MetadataTables } from './metadata-tables.ts'

/** Asks the metadata database, in a transaction or outside of one. */
export type MetadataQueries = Kysely<MetadataTables>

/**
 * The metadata database: what people made through the API (never events), and their keys. It is the same to its users
 * whether it is a SQLite file or PostgreSQL: numbers of 64 bits are JavaScript numbers, times are epoch milliseconds,
 * booleans are 0 and 1, JSON is text.
 *
 * Every failure is a {@link DependencyError} of `metadata`: `precondition_failed` when a value that must be unique is
 * there already, `rejected` when what a row refers to is not there, `overloaded` for a lock that was not to be had,
 * `outcome_unknown` for a commit whose answer was lost. A statement that is wrong in itself is a bug of ours and is
 * thrown as it came.
 */
export interface Metadata {
  /** Statements that need no transaction. They may run beside each other. */
  readonly db: MetadataQueries
  /** All of it or nothing. Rolled back when `work` rejects, with that error. Keep it short: SQLite has one writer. */
  transaction<T>(work: (db: MetadataQueries) => Promise<T>): Promise<T>
  /** Like {@link transaction}, while no other process is in one of these; for migrations. */
  exclusively<T>(work: (db: MetadataQueries) => Promise<T>): Promise<T>
  /** Rejects when it does not answer. */
  ping(): Promise<void>
  close(): Promise<void>
}
