import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe } from 'vitest'
import { freePort } from '../../infra/engines/ports.ts'
import { type PostgresEngine, startPostgres } from '../../infra/engines/postgres.ts'
import { openIdentityStore } from '../../services/identity/store/open-identity-store.ts'
import { identityStoreContract } from '../contract/identity-store.ts'
import { needs } from '../helpers/needs.ts'
import { newPostgresDatabase } from '../helpers/postgres-database.ts'

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
    const databaseUrl = await newPostgresDatabase(engine.url)
    const settings = { databaseUrl, stateDir, connectionsMax: 4, timeoutMs: 30_000 }
    return { open: () => openIdentityStore(settings) }
  })
})
