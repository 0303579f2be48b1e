import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DependencyError } from '../runtime/errors.ts'
import type { ClickHouse } from './clickhouse.ts'

/** One file `NNNN_<name>.sql`. */
export interface Migration {
  readonly version: number
  readonly name: string
  /** With `{database}` where the database's name goes. */
  readonly sql: string
  /** SHA-256 of the file, hex. A migration that was applied is never edited; the next one changes what it made. */
  readonly checksum: string
}

export const MIGRATIONS_DIR = join(import.meta.dirname, '../../../schemas/clickhouse')

/**
 * @returns the migrations of a directory, in order
 * @throws Error when a number is missing or stands twice
 */
export function readMigrations(directory: string = MIGRATIONS_DIR): readonly Migration[] {
  const migrations = readdirSync(directory)
    .flatMap((file) => {
      const match = /^(\d{4})_([a-z0-9_]+)\.sql$/.exec(file)
      if (!match) return []
      const sql = readFileSync(join(directory, file), 'utf8')
      return [{ version: Number(match[1]), name: match[2] as string, sql, checksum: sha256(sql) }]
    })
    .sort((a, b) => a.version - b.version)
  migrations.forEach(({ version }, index) => {
    if (version !== index + 1)
      throw new Error(`${directory} has no single migration ${String(index + 1).padStart(4, '0')}.`)
  })
  return migrations
}

/** The statements of a migration: each ends in a semicolon at the end of a line. */
export function statementsOf(migration: Migration, database: string): readonly string[] {
  return migration.sql
    .split(/;[ \t]*$/m)
    .map((statement) => statement.replaceAll('{database}', `\`${database}\``).trim())
    .filter((statement) => statement.replace(/^--.*$/gm, '').trim() !== '')
}

/**
 * Brings the database to the newest version that this program knows, and leaves a newer one as it is. Any number of
 * processes may run it at once, and a killed one may be started again: ClickHouse has no lock to take, so every
 * statement of a migration is one that does nothing the second time (a test holds the files to that), and the
 * ledger may hold a row twice.
 *
 * @param clickhouse opened without a database: it may not exist yet
 * @returns the versions that this call applied
 * @throws DependencyError `corrupt` when an applied migration was edited afterwards
 */
export async function migrate(
  clickhouse: ClickHouse,
  database: string,
  migrations: readonly Migration[] = readMigrations(),
): Promise<readonly number[]> {
  const name = `\`${database}\``
  await clickhouse.command(`CREATE DATABASE IF NOT EXISTS ${name}`)
  await clickhouse.command(
    `CREATE TABLE IF NOT EXISTS ${name}.schema_migrations
     (version UInt32, name String, checksum String, applied_at DateTime64(3, 'UTC') DEFAULT now64(3))
     ENGINE = MergeTree ORDER BY version SETTINGS fsync_after_insert = 1, fsync_part_directory = 1`,
  )
  const applied = await appliedMigrations(clickhouse, database)
  const now: number[] = []
  for (const migration of migrations) {
    const found = applied.filter(({ version }) => version === migration.version)
    if (found.some(({ checksum }) => checksum !== migration.checksum))
      throw new DependencyError(
        'clickhouse',
        'corrupt',
        `Migration ${migration.version} (${migration.name}) of database ${database} was applied from another file than this program has. Applied migrations are never edited: restore the file, and put the change into a new one.`,
      )
    if (found.length > 0) continue
    for (const statement of statementsOf(migration, database)) await clickhouse.command(statement)
    const { version, checksum } = migration
    const row = Buffer.from(`${JSON.stringify({ version, name: migration.name, checksum })}\n`)
    await clickhouse.insert(`${database}.schema_migrations`, 'JSONEachRow', row, { async_insert: 0 })
    now.push(version)
  }
  return now
}

export interface AppliedMigration {
  readonly version: number
  readonly name: string
  readonly checksum: string
}

/** What the ledger says, oldest first; for `migrate` and for tools that compare. */
export function appliedMigrations(
  clickhouse: ClickHouse,
  database: string,
): Promise<readonly AppliedMigration[]> {
  return clickhouse.query<AppliedMigration>(
    `SELECT DISTINCT version, name, checksum FROM \`${database}\`.schema_migrations ORDER BY version`,
  )
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
