import { Kysely, PostgresDialect, sql } from 'kysely'
import pg from 'pg'
import type { Metadata, MetadataQueries } from './metadata.ts'
import type { MetadataTables } from './metadata-tables.ts'
import { postgresError } from './postgres-errors.ts'
import { translatedDialect } from './translated-dialect.ts'

export interface PostgresOptions {
  readonly connectionsMax: number
  /** For a connection to open, and for one statement. */
  readonly timeoutMs: number
}

/** PostgreSQL's oid of BIGINT. The client gives its values as text unless it is told otherwise. */
const BIGINT_OID = 20
/** Idle connections are given back after this, ms. */
const IDLE_MS = 30_000
/** Of the advisory lock that {@link Metadata.exclusively} takes: `mill` as a number. */
const EXCLUSIVE_LOCK = 0x6d696c6c

/** The metadata database in PostgreSQL, for processes of any number of machines. Connects with the first question. */
export function openPostgresMetadata(url: string, options: PostgresOptions): Metadata {
  const types = new pg.TypeOverrides()
  types.setTypeParser(BIGINT_OID, safeInteger)
  const pool = new pg.Pool({
    connectionString: url,
    max: options.connectionsMax,
    connectionTimeoutMillis: options.timeoutMs,
    statement_timeout: options.timeoutMs,
    // The server is asked to give up first; this is for one that does not answer at all.
    query_timeout: options.timeoutMs * 2,
    idleTimeoutMillis: IDLE_MS,
    application_name: 'millrace',
    types,
  })
  // A connection that breaks, in the pool or between two statements of a transaction, is found out by who uses it next.
  // Without listeners it would end the process.
  pool.on('error', () => {})
  pool.on('connect', (client) => client.on('error', () => {}))
  const db = new Kysely<MetadataTables>({
    dialect: translatedDialect(new PostgresDialect({ pool }), postgresError),
  })
  const transaction = <T>(work: (db: MetadataQueries) => Promise<T>) => db.transaction().execute(work)
  return {
    db,
    transaction,
    exclusively: (work) =>
      transaction(async (inside) => {
        await sql`SELECT pg_advisory_xact_lock(${EXCLUSIVE_LOCK})`.execute(inside)
        return work(inside)
      }),
    ping: async () => {
      await sql`SELECT 1`.execute(db)
    },
    close: async () => {
      await db.destroy()
      if (!pool.ended) await pool.end()
    },
  }
}

function safeInteger(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value)) throw new RangeError(`${text} is past what a JavaScript number holds.`)
  return value
}
