import { join } from 'node:path'
import { sql } from 'kysely'
import {
  type AppliedMigration,
  type Migration,
  missingMigrations,
  readMigrationFiles,
  statementsIn,
} from '../runtime/migration-files.ts'
import type { Metadata } from './metadata.ts'

/** One SQL text for both engines. */
export const METADATA_MIGRATIONS_DIR = join(import.meta.dirname, '../../../schemas/metadata')

/**
 * Brings the database to the newest version that this program knows, and leaves a newer one as it is. All of it is one
 * transaction, which only one process at a time is in: others wait and find it done, and a killed one left nothing.
 *
 * @returns the versions that this call applied
 * @throws DependencyError `corrupt` when an applied migration was edited afterwards
 */
export function migrateMetadata(
  metadata: Metadata,
  migrations: readonly Migration[] = readMigrationFiles(METADATA_MIGRATIONS_DIR),
): Promise<readonly number[]> {
  return metadata.exclusively(async (db) => {
    await sql`CREATE TABLE IF NOT EXISTS schema_migrations
      (version INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, applied_at BIGINT NOT NULL)`.execute(
      db,
    )
    const ledger = sql<AppliedMigration>`SELECT version, name, checksum FROM schema_migrations ORDER BY version`
    const applied = (await ledger.execute(db)).rows
    const missing = missingMigrations('metadata', 'the metadata database', migrations, applied)
    for (const migration of missing) {
      for (const statement of statementsIn(migration.sql)) await sql.raw(statement).execute(db)
      const { version, name, checksum } = migration
      await sql`INSERT INTO schema_migrations (version, name, checksum, applied_at)
        VALUES (${version}, ${name}, ${checksum}, ${Date.now()})`.execute(db)
    }
    return missing.map(({ version }) => version)
  })
}
