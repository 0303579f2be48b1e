import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Metadata, MetadataQueries } from '../../services/core/metadata/metadata.ts'
import { METADATA_MIGRATIONS_DIR, migrateMetadata } from '../../services/core/metadata/metadata-migrations.ts'
import { readMigrationFiles } from '../../services/core/runtime/migration-files.ts'

export interface MetadataPlace {
  /** For `MILLRACE_METADATA_URL`; a database of its own, with nothing in it. */
  readonly url: string
  open(): Metadata
}

const MIGRATING_PROCESS = join(import.meta.dirname, '../helpers/migrating-process.ts')

/** What every metadata database must do. `place` makes an empty one per call. */
export function metadataContract(name: string, place: () => Promise<MetadataPlace>): void {
  describe(`metadata contract: ${name}`, () => {
    let metadata: Metadata
    const count = async (db: MetadataQueries = metadata.db) => {
      const { rows } = await sql<{ n: number }>`SELECT count(*) AS n FROM things`.execute(db)
      return rows[0]?.n
    }
    const insert = (id: string, db: MetadataQueries = metadata.db) =>
      sql`INSERT INTO things (id, size) VALUES (${id}, ${1})`.execute(db)

    beforeAll(async () => {
      metadata = (await place()).open()
      await sql`CREATE TABLE things (id TEXT PRIMARY KEY, label TEXT UNIQUE, size BIGINT NOT NULL)`.execute(
        metadata.db,
      )
      await sql`CREATE TABLE parts (thing TEXT NOT NULL REFERENCES things (id) ON DELETE CASCADE)`.execute(
        metadata.db,
      )
    })
    afterAll(() => metadata.close())

    test('numbers and text come back as they went in', async () => {
      const text = `'; DROP TABLE things -- "é" 🙂 \\ %`
      await sql`INSERT INTO things (id, label, size) VALUES ('same', ${text}, ${Number.MAX_SAFE_INTEGER})`.execute(
        metadata.db,
      )
      const { rows } = await sql`SELECT label, size FROM things WHERE id = 'same'`.execute(metadata.db)
      expect(rows.map((row) => ({ ...(row as object) }))).toEqual([
        { label: text, size: Number.MAX_SAFE_INTEGER },
      ])
    })

    test('a transaction that fails leaves nothing, and its error is what comes out', async () => {
      const before = await count()
      const failing = metadata.transaction(async (db) => {
        await insert('left', db)
        throw new Error('no more')
      })
      await expect(failing).rejects.toThrow('no more')
      expect(await count()).toBe(before)
    })

    test('a value that must be unique is refused as a precondition, and the next statement works', async () => {
      await insert('once')
      const twice = { dependency: 'metadata', code: 'precondition_failed', retriable: false }
      await expect(insert('once')).rejects.toMatchObject(twice)
      await expect(metadata.transaction((db) => insert('once', db))).rejects.toMatchObject(twice)
      await sql`UPDATE things SET label = 'taken' WHERE id = 'once'`.execute(metadata.db)
      await expect(
        sql`INSERT INTO things (id, label, size) VALUES ('other', 'taken', 1)`.execute(metadata.db),
      ).rejects.toMatchObject(twice)
      await insert('after')
    })

    test('what a row refers to must be there, and what refers goes with it', async () => {
      await expect(sql`INSERT INTO parts VALUES ('nothing')`.execute(metadata.db)).rejects.toMatchObject({
        dependency: 'metadata',
        code: 'rejected',
      })
      await insert('whole')
      await sql`INSERT INTO parts VALUES ('whole')`.execute(metadata.db)
      await sql`DELETE FROM things WHERE id = 'whole'`.execute(metadata.db)
      expect((await sql`SELECT * FROM parts`.execute(metadata.db)).rows).toEqual([])
    })

    test('a statement that is wrong in itself is no fault of the database', async () => {
      for (const wrong of [
        sql`SELEC 1`,
        sql`SELECT * FROM nothing`,
        sql`INSERT INTO things (id) VALUES ('x')`,
      ])
        await expect(wrong.execute(metadata.db)).rejects.not.toHaveProperty('dependency')
    })

    test('of twenty transactions at once that count up one row, each sees another number', async () => {
      await sql`INSERT INTO things (id, size) VALUES ('counter', 0)`.execute(metadata.db)
      const seen = await Promise.all(
        Array.from({ length: 20 }, () =>
          metadata.transaction(async (db) => {
            const { rows } = await sql<{ size: number }>`UPDATE things SET size = size + 1
              WHERE id = 'counter' RETURNING size`.execute(db)
            return rows[0]?.size
          }),
        ),
      )
      expect(seen.toSorted((a = 0, b = 0) => a - b)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1))
    })

    test('processes that start at once migrate it once', async () => {
      const empty = await place()
      const start = () =>
        promisify(execFile)(process.execPath, [MIGRATING_PROCESS], {
          env: { ...process.env, MILLRACE_METADATA_URL: empty.url },
        })
      await Promise.all([start(), start(), start(), start()])
      const migrated = empty.open()
      const { rows } = await sql<{ version: number }>`SELECT version FROM schema_migrations`.execute(
        migrated.db,
      )
      const known = readMigrationFiles(METADATA_MIGRATIONS_DIR).map(({ version }) => version)
      expect(rows.map(({ version }) => version).toSorted((a, b) => a - b)).toEqual(known)
      expect(await migrateMetadata(migrated)).toEqual([])
      await migrated.close()
    })

    test('a migration that fails in its middle leaves nothing of itself', async () => {
      const made = (await place()).open()
      const good = { version: 1, name: 'a', sql: 'CREATE TABLE a (x INTEGER);', checksum: '1' }
      const bad = { version: 2, name: 'b', sql: 'CREATE TABLE b (x INTEGER);\nOOPS;', checksum: '2' }
      await migrateMetadata(made, [good])
      await expect(migrateMetadata(made, [good, bad])).rejects.toThrow()
      const mended = { ...bad, sql: 'CREATE TABLE b (x INTEGER);\n', checksum: '3' }
      expect(await migrateMetadata(made, [good, mended])).toEqual([2])
      await made.close()
    })

    test('a migration that was edited after it was applied stops everything; a newer one is left alone', async () => {
      const made = (await place()).open()
      const one = { version: 1, name: 'a', sql: 'CREATE TABLE a (x INTEGER);', checksum: '1' }
      const two = { version: 2, name: 'b', sql: 'CREATE TABLE b (x INTEGER);', checksum: '2' }
      expect(await migrateMetadata(made, [one, two])).toEqual([1, 2])
      expect(await migrateMetadata(made, [one])).toEqual([])
      await expect(migrateMetadata(made, [{ ...one, checksum: 'x' }, two])).rejects.toMatchObject({
        dependency: 'metadata',
        code: 'corrupt',
      })
      await made.close()
    })

    test('it answers, and no more after it was closed', async () => {
      const made = (await place()).open()
      await made.ping()
      await made.close()
      await expect(made.ping()).rejects.toThrow()
    })
  })
}
