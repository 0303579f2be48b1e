import { randomBytes } from 'node:crypto'
import { sql } from 'kysely'
import { openPostgresMetadata } from '../../services/core/metadata/postgres-metadata.ts'

/** An empty database on a running server. @returns its URL */
export async function newPostgresDatabase(serverUrl: string): Promise<string> {
  const name = `t_${randomBytes(6).toString('hex')}`
  const server = openPostgresMetadata(serverUrl, { connectionsMax: 1, timeoutMs: 30_000 })
  await sql.raw(`CREATE DATABASE ${name}`).execute(server.db)
  await server.close()
  const url = new URL(serverUrl)
  url.pathname = name
  return url.href
}
