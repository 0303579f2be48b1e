import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freePort } from '../../infra/engines/ports.ts'
import { type PostgresEngine, startPostgres } from '../../infra/engines/postgres.ts'
import type { TableAddress } from '../../services/query-api/batch-exports/destination-table.ts'
import { openPostgresTable } from '../../services/query-api/batch-exports/postgres-table.ts'
import { batchOf, destinationTableContract, eventRow } from '../contract/destination-table.ts'
import { needs } from '../helpers/needs.ts'
import { newPostgresDatabase } from '../helpers/postgres-database.ts'

describe('a table of a PostgreSQL server', needs('postgres'), () => {
  const stateDir = mkdtempSync(join(tmpdir(), 'millrace-table-'))
  let engine: PostgresEngine
  const clients: pg.Client[] = []

  beforeAll(async () => {
    engine = await startPostgres({ stateDir, port: await freePort() })
  })
  afterAll(async () => {
    for (const client of clients) await client.end()
    await engine?.stop()
    rmSync(stateDir, { recursive: true, force: true })
  })

  /** A database of its own, with whoever looks into it beside. */
  async function database(name: string | null = null) {
    const url = name === null ? await newPostgresDatabase(engine.url) : new URL(name, engine.url).href
    const { hostname, port, pathname, username, password } = new URL(url)
    const address: TableAddress = {
      host: hostname,
      port: Number(port),
      ssl_mode: 'disable',
      database: pathname.slice(1),
      user: username,
      password,
      schema: 'public',
      table_name: 'events',
    }
    const client = new pg.Client(url)
    client.on('error', () => {})
    await client.connect()
    clients.push(client)
    const ask = async (sql: string) => (await client.query(sql)).rows
    return { address, ask }
  }
  const open = (address: TableAddress, changes: Partial<TableAddress> = {}) =>
    openPostgresTable({ ...address, ...changes })

  destinationTableContract('PostgreSQL', async () => {
    const { address, ask } = await database()
    return {
      open: () => open(address),
      rows: () => ask('SELECT * FROM events ORDER BY event_id, dataset_id'),
      loads: async () =>
        (
          await ask(
            `SELECT delivery || '/' || partition || '/' || first_offset AS batch, delivered, inserted
              FROM millrace_loads ORDER BY delivery, partition, first_offset`,
          )
        ).map(({ batch, delivered, inserted }) => ({
          batch,
          delivered: Number(delivered),
          inserted: Number(inserted),
        })),
    }
  })

  test('every type of column comes as it is', async () => {
    const { address, ask } = await database()
    const table = open(address)
    await table.load(batchOf(0, 0), [
      eventRow(0, {
        event_time: '2026-01-31T23:59:59.123Z',
        src_offset: 9_007_199_254_740_991,
        country: 'DE',
        properties: { n: 0.1, big: 1e300 },
        groups: null,
      }),
    ])
    const [row] = await ask(
      `SELECT event_time = timestamptz '2026-01-31 23:59:59.123+00' AS time, src_offset::text, groups IS NULL AS groups,
        properties->>'n' AS n, pg_typeof(properties)::text AS json, pg_typeof(event_time)::text AS type FROM events`,
    )
    expect(row).toEqual({
      time: true,
      src_offset: '9007199254740991',
      groups: true,
      n: '0.1',
      json: 'jsonb',
      type: 'timestamp with time zone',
    })
    await table.close()
  })

  test('a table of somebody else’s gets the columns that it has', async () => {
    const { address, ask } = await database()
    await ask(`CREATE TABLE events (id serial, dataset_id varchar(50), event_id varchar(50), properties json,
      came timestamptz DEFAULT now(), waits text DEFAULT current_setting('statement_timeout'), UNIQUE (event_id, dataset_id))`)
    const table = open(address)
    await table.prepare()
    await table.load(batchOf(0, 1), [eventRow(0), eventRow(1)])
    expect(
      await ask('SELECT id, event_id, came IS NOT NULL AS came, waits FROM events ORDER BY event_id'),
    ).toEqual([
      { id: expect.any(Number), event_id: 'event-0', came: true, waits: '30s' },
      { id: expect.any(Number), event_id: 'event-1', came: true, waits: '30s' },
    ])
    await table.close()
  })

  test.each([
    ['CREATE TABLE events (event_id text PRIMARY KEY)', 'rejected', 'no column dataset_id'],
    ['CREATE TABLE events (dataset_id text, event_id text)', 'rejected', 'ON CONFLICT'],
    [
      'CREATE TABLE events (dataset_id text, event_id text, must text NOT NULL, PRIMARY KEY (dataset_id, event_id))',
      'rejected',
      'must',
    ],
  ])('%s cannot be loaded into, and says why', async (made, code, words) => {
    const { address, ask } = await database()
    await ask(made)
    const table = open(address)
    const loading = (async () => {
      await table.prepare()
      await table.load(batchOf(0, 0), [eventRow(0)])
    })()
    await expect(loading).rejects.toMatchObject({
      dependency: 'destination',
      code,
      message: expect.stringContaining(words),
    })
    await table.close()
    const noted = await ask(`SELECT to_regclass('millrace_loads') IS NOT NULL AS there`)
    if (noted[0]?.there) expect(await ask('SELECT * FROM millrace_loads')).toEqual([])
  })

  test('somebody who may write and not make tables writes into those that are there', async () => {
    const { address, ask } = await database()
    const table = open(address)
    await table.prepare()
    await table.close()
    await ask(`CREATE ROLE loader_${address.database} LOGIN PASSWORD 'p'`)
    const other = { user: `loader_${address.database}`, password: 'p' }
    const denied = open(address, other)
    await expect(denied.prepare()).rejects.toMatchObject({ dependency: 'destination', code: 'denied' })
    await denied.close()
    await ask(`GRANT SELECT, INSERT, UPDATE ON events, millrace_loads TO loader_${address.database}`)
    const granted = open(address, other)
    await granted.prepare()
    expect(await granted.load(batchOf(0, 0), [eventRow(0)])).toBe(true)
    await granted.close()
    await ask(`DROP OWNED BY loader_${address.database}; DROP ROLE loader_${address.database}`)
  })

  test.each([
    [{ port: 1 }, 'unavailable'],
    [{ database: 'nowhere' }, 'not_found'],
    [{ schema: 'nowhere' }, 'rejected'],
    [{ ssl_mode: 'require' }, 'rejected'],
  ] as const)('%j is refused in words that say whose database it is', async (changes, code) => {
    const { address } = await database()
    const table = open(address, changes)
    await expect(table.prepare()).rejects.toMatchObject({
      dependency: 'destination',
      code,
      message: expect.stringContaining('database of this batch export'),
    })
    await table.close()
  })

  test(
    'encrypted, a certificate that nobody vouches for is taken only where that is asked for',
    needs('openssl'),
    async () => {
      const { address, ask } = await database()
      const made = spawnSync(
        'openssl',
        'req -new -x509 -days 2 -nodes -subj /CN=localhost -keyout server.key -out server.crt'.split(' '),
        { cwd: join(stateDir, 'data') },
      )
      expect(made.status).toBe(0)
      chmodSync(join(stateDir, 'data/server.key'), 0o600)
      await ask('ALTER SYSTEM SET ssl = on')
      await ask('SELECT pg_reload_conf()')
      const encrypted = open(address, { ssl_mode: 'require' })
      await expect
        .poll(() => encrypted.prepare().then(() => 'fine', String), { timeout: 10_000 })
        .toBe('fine')
      expect(
        await ask(
          `SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'millrace' AND datname = current_database()`,
        ),
      ).toEqual([{ ssl: true }])
      await encrypted.close()
      const verified = open(address, { ssl_mode: 'verify-full' })
      await expect(verified.prepare()).rejects.toMatchObject({
        dependency: 'destination',
        code: 'rejected',
        message: expect.stringContaining('self-signed certificate'),
      })
      await verified.close()
    },
  )

  test('a connection that is cut leaves all of a batch or nothing, and a second try makes it whole', async () => {
    const { address, ask } = await database()
    const rows = Array.from({ length: 4_000 }, (_, i) => eventRow(i))
    const table = open(address)
    await table.load(batchOf(0, 0, 'before'), rows.slice(-1))
    // Its last statement waits for whoever looks at the last row.
    await ask('BEGIN')
    await ask('SELECT 1 FROM events FOR UPDATE')
    const loading = table.load(batchOf(0, 3_999), rows)
    loading.catch(() => {})
    const { ask: beside } = await database(address.database)
    await expect
      .poll(
        () =>
          beside(`SELECT pg_terminate_backend(pid) AS done FROM pg_stat_activity
          WHERE application_name = 'millrace' AND datname = current_database() AND wait_event_type = 'Lock'`),
        { timeout: 120_000 },
      )
      .toEqual([{ done: true }])
    await expect(loading).rejects.toMatchObject({ dependency: 'destination', code: 'unavailable' })
    await ask('ROLLBACK')
    expect(await ask('SELECT event_id FROM events')).toEqual([{ event_id: 'event-3999' }])
    expect(await ask('SELECT delivery FROM millrace_loads')).toEqual([{ delivery: 'before' }])
    await table.close()
    const again = open(address)
    expect(await again.load(batchOf(0, 3_999), rows)).toBe(true)
    expect(
      await ask(
        'SELECT sum(inserted)::int AS inserted, (SELECT count(*)::int FROM events) AS there FROM millrace_loads',
      ),
    ).toEqual([{ inserted: 4_000, there: 4_000 }])
    await again.close()
  })
})
