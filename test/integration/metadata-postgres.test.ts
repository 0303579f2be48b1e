import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freePort } from '../../infra/engines/ports.ts'
import { type PostgresEngine, startPostgres } from '../../infra/engines/postgres.ts'
import { openPostgresMetadata } from '../../services/core/metadata/postgres-metadata.ts'
import { metadataContract } from '../contract/metadata.ts'
import { metadataMigrationsContract } from '../contract/metadata-migrations.ts'
import { metadataStoresContract } from '../contract/metadata-stores.ts'
import { needs } from '../helpers/needs.ts'

describe('on a PostgreSQL server', needs('postgres'), () => {
  const stateDir = mkdtempSync(join(tmpdir(), 'millrace-postgres-'))
  let engine: PostgresEngine
  const open = (url: string) => openPostgresMetadata(url, { connectionsMax: 4, timeoutMs: 30_000 })

  async function newDatabase(): Promise<string> {
    const name = `m_${randomBytes(6).toString('hex')}`
    const server = open(engine.url)
    await sql.raw(`CREATE DATABASE ${name}`).execute(server.db)
    await server.close()
    const url = new URL(engine.url)
    url.pathname = name
    return url.href
  }

  beforeAll(async () => {
    engine = await startPostgres({ stateDir, port: await freePort() })
  })
  afterAll(async () => {
    await engine?.stop()
    rmSync(stateDir, { recursive: true, force: true })
  })

  metadataContract('PostgreSQL', async () => {
    const url = await newDatabase()
    return { url, open: () => open(url) }
  })

  metadataMigrationsContract('PostgreSQL', async () => open(await newDatabase()))
  metadataStoresContract('PostgreSQL', async () => open(await newDatabase()))

  test('a commit whose connection was ended may have happened', async () => {
    const url = await newDatabase()
    const [metadata, other] = [open(url), open(url)]
    const cut = metadata.transaction(async (db) => {
      const { rows } = await sql<{ pid: number }>`SELECT pg_backend_pid() AS pid`.execute(db)
      await sql`SELECT pg_terminate_backend(${rows[0]?.pid})`.execute(other.db)
    })
    await expect(cut).rejects.toMatchObject({ dependency: 'metadata', code: 'outcome_unknown' })
    await metadata.ping()
    await Promise.all([metadata.close(), other.close()])
  })

  test('a statement that takes too long is given up, and the connection is of use again', async () => {
    const metadata = openPostgresMetadata(engine.url, { connectionsMax: 1, timeoutMs: 500 })
    await expect(sql`SELECT pg_sleep(60)`.execute(metadata.db)).rejects.toMatchObject({ code: 'timeout' })
    await metadata.ping()
    await metadata.close()
  })

  test('connections that the server ended while nobody used them are replaced', async () => {
    const metadata = open(engine.url)
    await metadata.ping()
    const server = open(engine.url)
    await sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'`.execute(server.db)
    await expect
      .poll(() =>
        metadata.ping().then(
          () => 'answers',
          () => 'not yet',
        ),
      )
      .toBe('answers')
    await Promise.all([metadata.close(), server.close()])
  })
})
