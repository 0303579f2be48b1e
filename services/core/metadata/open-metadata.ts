import { join } from 'node:path'
import type { Metadata } from './metadata.ts'
import { migrateMetadata } from './metadata-migrations.ts'
import type { MetadataSettings } from './metadata-settings.ts'

/**
 * Opens the metadata database that the settings name, and brings it to the newest version. Only the client library
 * that is needed is loaded.
 *
 * @throws DependencyError when it cannot be reached, or an applied migration was edited
 */
export async function openMetadata(settings: MetadataSettings): Promise<Metadata> {
  const metadata = await openUnmigrated(settings)
  try {
    await migrateMetadata(metadata)
  } catch (error) {
    await metadata.close()
    throw error
  }
  return metadata
}

async function openUnmigrated(settings: MetadataSettings): Promise<Metadata> {
  const { metadataUrl: url, stateDir } = settings
  if (url !== null && /^postgres(ql)?:/.test(url)) {
    const { openPostgresMetadata } = await import('./postgres-metadata.ts')
    return openPostgresMetadata(url, {
      connectionsMax: settings.metadataConnectionsMax,
      timeoutMs: settings.metadataTimeoutMs,
    })
  }
  const { openSqliteMetadata } = await import('./sqlite-metadata.ts')
  return openSqliteMetadata(url === null ? join(stateDir, 'metadata.sqlite') : url.replace(/^sqlite:/, ''))
}
