import { join } from 'node:path'
import {
  type AppliedMigration,
  type Migration,
  missingMigrations,
  readMigrationFiles,
  statementsIn,
} from '../runtime/migration-files.ts'
import type { ClickHouse } from './clickhouse.ts'

export const MIGRATIONS_DIR = join(import.meta.dirname, '../../../schemas/clickhouse')

/** The migrations of ClickHouse, in order. `{database}` stands where the database's name goes. */
export function readMigrations(directory: string = MIGRATIONS_DIR): readonly Migration[] {
  return readMigrationFiles(directory)
}

/** The statements of a migration, for one database. */
export function statementsOf(migration: Migration, database: string): readonly string[] {
  return statementsIn(migration.sql.replaceAll('{database}', `\`${database}\``))
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
  const missing = missingMigrations('clickhouse', `database ${database}`, migrations, applied)
  const now: number[] = []
  for (const migration of missing) {
    for (const statement of statementsOf(migration, database)) await clickhouse.command(statement)
    const { version, checksum } = migration
    const row = Buffer.from(`${JSON.stringify({ version, name: migration.name, checksum })}\n`)
    await clickhouse.insert(`${database}.schema_migrations`, 'JSONEachRow', row, { async_insert: 0 })
    now.push(version)
  }
  return now
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
