import { join } from 'node:path'
import type { Metadata } from './metadata.ts'
import { migrateMetadata } from './metadata-migrations.ts'
import { METADATA_FILE, type MetadataSettings } from './metadata-settings.ts'
import type { PostgresOptions } from './postgres-metadata.ts'

/**
 * Opens the metadata database that the settings name, and brings it to the newest version.
 *
 * @throws DependencyError when it cannot be reached, or an applied migration was edited
 */
export async function openMetadata(settings: MetadataSettings): Promise<Metadata> {
  const metadata = await openDatabase(settings.metadataUrl, join(settings.stateDir, METADATA_FILE), {
    connectionsMax: settings.metadataConnectionsMax,
    timeoutMs: settings.metadataTimeoutMs,
  })
  try {
    await migrateMetadata(metadata)
  } catch (error) {
    await metadata.close()
    throw error
  }
  return metadata
}

/**
 * Opens a database as it is. Only the client library that is needed is loaded.
 *
 * @param url  `postgres://…` or `sqlite:<file>`; null for the file
 * @param file of SQLite, where no URL says otherwise
 */
export async function openDatabase(
  url: string | null,
  file: string,
  options: PostgresOptions,
): Promise<Metadata> {
  if (url !== null && /^postgres(ql)?:/.test(url)) {
    const { openPostgresMetadata } = await import('./postgres-metadata.ts')
    return openPostgresMetadata(url, options)
  }
  const { openSqliteMetadata } = await import('./sqlite-metadata.ts')
  return openSqliteMetadata(url === null ? file : url.replace(/^sqlite:/, ''))
}
