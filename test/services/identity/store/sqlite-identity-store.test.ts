import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import { afterAll, expect, test } from 'vitest'
import { migrateMetadata } from '../../../../services/core/metadata/metadata-migrations.ts'
import { openDatabase } from '../../../../services/core/metadata/open-metadata.ts'
import { readMigrationFiles } from '../../../../services/core/runtime/migration-files.ts'
import {
  IDENTITY_MIGRATIONS_DIR,
  openIdentityStore,
} from '../../../../services/identity/store/open-identity-store.ts'
import { identityStoreContract } from '../../../contract/identity-store.ts'

const directory = mkdtempSync(join(tmpdir(), 'millrace-identity-'))
let places = 0
afterAll(() => rmSync(directory, { recursive: true, force: true }))

identityStoreContract('SQLite', async () => {
  const databaseUrl = `sqlite:${join(directory, `${places++}.sqlite`)}`
  const settings = { databaseUrl, stateDir: directory, connectionsMax: 1, timeoutMs: 10_000 }
  return { open: () => openIdentityStore(settings) }
})

test('every migration finds the data of the versions before it, and changes none of it', async () => {
  const migrations = readMigrationFiles(IDENTITY_MIGRATIONS_DIR)
  expect(migrations.length).toBeGreaterThan(1)
  for (const { version } of migrations.slice(1)) {
    const databaseUrl = `sqlite:${join(directory, `from-${version - 1}.sqlite`)}`
    const options = { connectionsMax: 1, timeoutMs: 10_000 }
    const before = await openDatabase(databaseUrl, '', options)
    await migrateMetadata(before, migrations.slice(0, version - 1))
    const { rows: columns } = await sql<{ table_name: string; name: string; type: string }>`
      SELECT tables.name AS table_name, columns.name, columns.type
      FROM sqlite_master AS tables, pragma_table_info(tables.name) AS columns
      WHERE tables.type = 'table' AND tables.name LIKE 'identity!_%' ESCAPE '!'`.execute(before.db)
    const tables = Map.groupBy(columns, (column) => column.table_name)
    expect(tables.size).toBeGreaterThan(5)
    // A row of each, whose texts are also lists of JSON.
    const rowOf = (own: typeof columns) =>
      Object.fromEntries(own.map(({ name, type }, at) => [name, type === 'TEXT' ? `["${name}"]` : at + 1]))
    for (const [table, own] of tables) {
      const row = rowOf(own)
      const names = sql.join(Object.keys(row).map((name) => sql.ref(name)))
      await sql`INSERT INTO ${sql.table(table)} (${names}) VALUES (${sql.join(Object.values(row))})`.execute(
        before.db,
      )
    }
    await before.close()
    const store = await openIdentityStore({ databaseUrl, stateDir: directory, ...options })
    await store.close()
    const after = await openDatabase(databaseUrl, '', options)
    for (const [table, own] of tables) {
      const { rows } = await sql`SELECT * FROM ${sql.table(table)}`.execute(after.db)
      expect([table, rows]).toEqual([table, [expect.objectContaining(rowOf(own))]])
    }
    const command = { dataset_id: 'shop', command_id: 'c1' }
    await sql`INSERT INTO identity_commands (dataset_id, command_id) VALUES ('shop', 'c1')`.execute(after.db)
    const again = sql`INSERT INTO identity_commands (dataset_id, command_id) VALUES ('shop', 'c1')`
    await expect(again.execute(after.db)).rejects.toThrow()
    const { rows: commands } = await sql`SELECT * FROM identity_commands WHERE dataset_id = 'shop'`.execute(
      after.db,
    )
    expect(commands).toEqual([command])
    expect(await migrateMetadata(after, migrations)).toEqual([])
    await after.close()
  }
})
