import { chmodSync, closeSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync, type SQLInputValue } from 'node:sqlite'
import {
  CompiledQuery,
  type DatabaseConnection,
  Kysely,
  SqliteAdapter,
  type SqliteDatabase,
  SqliteDriver,
  SqliteIntrospector,
  SqliteQueryCompiler,
  sql,
} from 'kysely'
import type { Metadata, MetadataQueries } from './metadata.ts'
import type { MetadataTables } from './metadata-tables.ts'
import { sqliteError } from './sqlite-errors.ts'
import { translatedDialect } from './translated-dialect.ts'

/** Longest wait for another process's write, ms. This process stands still meanwhile, for SQLite has no other way. */
export const SQLITE_BUSY_TIMEOUT_MS = 2_000

/**
 * The metadata database as a file of SQLite, for processes of one machine. Only its owner may read it.
 *
 * @param file made when missing, with its directory; `:memory:` for one that ends with the process
 * @throws DependencyError when it cannot be opened or is no database
 */
export function openSqliteMetadata(file: string, busyTimeoutMs = SQLITE_BUSY_TIMEOUT_MS): Metadata {
  const database = openFile(file, busyTimeoutMs)
  const dialect = {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => new WritersFirstDriver({ database: asKyselyWants(database) }),
    createQueryCompiler: () => new SqliteQueryCompiler(),
    createIntrospector: (db: Kysely<unknown>) => new SqliteIntrospector(db),
  }
  const db = new Kysely<MetadataTables>({ dialect: translatedDialect(dialect, sqliteError) })
  const transaction = <T>(work: (db: MetadataQueries) => Promise<T>) => db.transaction().execute(work)
  return {
    db,
    transaction,
    // A transaction holds the lock of the file from its beginning.
    exclusively: transaction,
    ping: async () => {
      await sql`SELECT 1`.execute(db)
    },
    close: async () => {
      await db.destroy()
      // Kysely closes only what it has used.
      if (database.isOpen) database.close()
    },
  }
}

function openFile(file: string, busyTimeoutMs: number): DatabaseSync {
  try {
    if (file !== ':memory:') {
      mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
      // SQLite gives its other files (-wal, -shm) the rights of this one.
      closeSync(openSync(file, 'a', 0o600))
      chmodSync(file, 0o600)
    }
    const database = new DatabaseSync(file, {
      enableForeignKeyConstraints: true,
      timeout: busyTimeoutMs,
    })
    database.exec('PRAGMA journal_mode = WAL')
    // What was answered is on the disk, also after the machine lost power.
    database.exec('PRAGMA synchronous = FULL')
    return database
  } catch (error) {
    throw sqliteError(asSqlite(error))
  }
}

/** A directory or file that cannot be made is to its user what SQLite calls CANTOPEN. */
function asSqlite(error: unknown): unknown {
  const { code, message } = error as NodeJS.ErrnoException
  return code?.startsWith('E') && !code.startsWith('ERR_')
    ? Object.assign(new Error(message), { errcode: 14 })
    : error
}

/** A transaction that reads first and writes then would be told "busy" in its middle: it takes the lock at once. */
class WritersFirstDriver extends SqliteDriver {
  override async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('BEGIN IMMEDIATE'))
  }
}

/** `node:sqlite` under the few names that Kysely's driver calls. */
function asKyselyWants(database: DatabaseSync): SqliteDatabase {
  return {
    close: () => database.close(),
    prepare(text) {
      const statement = database.prepare(text)
      const values = (parameters: readonly unknown[]) => parameters as readonly SQLInputValue[]
      return {
        reader: statement.columns().length > 0,
        all: (parameters) => statement.all(...values(parameters)),
        run: (parameters) => statement.run(...values(parameters)),
        iterate: (parameters) => statement.iterate(...values(parameters)),
      }
    },
  }
}
