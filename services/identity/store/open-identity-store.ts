import { join } from 'node:path'
import { IDENTITY_FILE } from '../../core/metadata/identity-database-settings.ts'
import { migrateMetadata } from '../../core/metadata/metadata-migrations.ts'
import { openDatabase } from '../../core/metadata/open-metadata.ts'
import { readMigrationFiles } from '../../core/runtime/migration-files.ts'
import type { IdentityStore } from './identity-store.ts'
import { createSqlIdentityStore } from './sql-identity-store.ts'

export const IDENTITY_MIGRATIONS_DIR = join(import.meta.dirname, '../../../schemas/identity-state')

export interface IdentityStoreSettings {
  /** `postgres://…` or `sqlite:<file>`; null for a file in the state directory. */
  readonly databaseUrl: string | null
  readonly stateDir: string
  readonly connectionsMax: number
  readonly timeoutMs: number
}

/**
 * Opens the database that holds persons and brings its tables up to date.
 *
 * @throws DependencyError when it cannot be reached, or an applied migration was edited
 */
export async function openIdentityStore(settings: IdentityStoreSettings): Promise<IdentityStore> {
  const database = await openDatabase(settings.databaseUrl, join(settings.stateDir, IDENTITY_FILE), {
    connectionsMax: settings.connectionsMax,
    timeoutMs: settings.timeoutMs,
  })
  try {
    await migrateMetadata(database, readMigrationFiles(IDENTITY_MIGRATIONS_DIR))
  } catch (error) {
    await database.close()
    throw error
  }
  return createSqlIdentityStore(database)
}
