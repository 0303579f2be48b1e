import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import { afterAll, expect, test } from 'vitest'
import { sqliteError } from '../../../services/core/metadata/sqlite-errors.ts'
import { openSqliteMetadata } from '../../../services/core/metadata/sqlite-metadata.ts'
import { metadataContract } from '../../contract/metadata.ts'

const dir = mkdtempSync(join(tmpdir(), 'millrace-metadata-'))
let files = 0
const newFile = () => join(dir, String(files++), 'metadata.sqlite')
afterAll(() => rmSync(dir, { recursive: true }))

metadataContract('SQLite', async () => {
  const file = newFile()
  return { url: `sqlite:${file}`, open: () => openSqliteMetadata(file) }
})

test('only its owner can read the file, and what SQLite puts beside it', async () => {
  const file = newFile()
  const metadata = openSqliteMetadata(file)
  await sql`CREATE TABLE a (x INTEGER)`.execute(metadata.db)
  for (const part of [file, `${file}-wal`, `${file}-shm`]) expect(statSync(part).mode & 0o777).toBe(0o600)
  await metadata.close()
  chmodSync(file, 0o644)
  await openSqliteMetadata(file).close()
  expect(statSync(file).mode & 0o777).toBe(0o600)
})

test('a write that another one holds up for too long is to be tried again', async () => {
  const file = newFile()
  const [one, other] = [openSqliteMetadata(file), openSqliteMetadata(file, 10)]
  await one.transaction(async () => {
    await expect(other.transaction(async () => {})).rejects.toMatchObject({
      dependency: 'metadata',
      code: 'overloaded',
      retriable: true,
    })
  })
  await other.transaction(async () => {})
  await Promise.all([one.close(), other.close()])
})

test('a file that is no database, and one that cannot be made, are told apart', () => {
  const file = join(dir, 'text')
  writeFileSync(
    file,
    'This is not a database, but it is long enough to be taken for the head of one. '.repeat(20),
  )
  expect(() => openSqliteMetadata(file)).toThrow(expect.objectContaining({ code: 'corrupt' }))
  expect(() => openSqliteMetadata(join(file, 'below'))).toThrow(
    expect.objectContaining({ code: 'unavailable' }),
  )
})

test.each([
  [5, 'overloaded'],
  [261, 'overloaded'],
  [8, 'read_only'],
  [1032, 'read_only'],
  [13, 'read_only'],
  [778, 'unavailable'],
  [267, 'corrupt'],
  [1555, 'precondition_failed'],
  [2067, 'precondition_failed'],
  [787, 'rejected'],
] as const)('result code %d of SQLite is %s', (errcode, code) => {
  expect(sqliteError(Object.assign(new Error('x'), { errcode }))).toMatchObject({ code })
})

test.each([1, 1299, 275])('result code %d of SQLite is a bug of ours', (errcode) => {
  const error = Object.assign(new Error('x'), { errcode })
  expect(sqliteError(error)).toBe(error)
})
