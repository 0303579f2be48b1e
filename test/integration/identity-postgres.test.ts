import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe } from 'vitest'
import { freePort } from '../../infra/engines/ports.ts'
import { type PostgresEngine, startPostgres } from '../../infra/engines/postgres.ts'
import { openPostgresMetadata } from '../../services/core/metadata/postgres-metadata.ts'
import { openIdentityStore } from '../../services/identity/store/open-identity-store.ts'
import { identityStoreContract } from '../contract/identity-store.ts'
import { needs } from '../helpers/needs.ts'

describe('on a PostgreSQL server', needs('postgres'), () => {
  const stateDir = mkdtempSync(join(tmpdir(), 'millrace-postgres-'))
  let engine: PostgresEngine
  beforeAll(async () => {
    engine = await startPostgres({ stateDir, port: await freePort() })
  })
  afterAll(async () => {
    await engine?.stop()
    rmSync(stateDir, { recursive: true, force: true })
  })

  identityStoreContract('PostgreSQL', async () => {
    const name = `i_${randomBytes(6).toString('hex')}`
    const server = openPostgresMetadata(engine.url, { connectionsMax: 1, timeoutMs: 30_000 })
    await sql.raw(`CREATE DATABASE ${name}`).execute(server.db)
    await server.close()
    const url = new URL(engine.url)
    url.pathname = name
    const settings = { databaseUrl: url.href, stateDir, connectionsMax: 4, timeoutMs: 30_000 }
    return { open: () => openIdentityStore(settings) }
  })
})
