import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { freePort } from '../../../../infra/engines/ports.ts'
import { checkDatabase } from '../../../../services/cli/doctor/check-database.ts'
import { openSqliteMetadata } from '../../../../services/core/metadata/sqlite-metadata.ts'

const dir = mkdtempSync(join(tmpdir(), 'millrace-doctor-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const check = (url: string | null, file = 'none.sqlite') =>
  checkDatabase(
    { name: 'persons', url, file: join(dir, file), variable: 'MILLRACE_X_URL', stage: 'identity' },
    10_000,
  )

test('a file that is not there yet is well, and is not made', async () => {
  for (const url of [null, `sqlite:${join(dir, 'none.sqlite')}`])
    expect(await check(url)).toMatchObject({
      status: 'ok',
      detail: expect.stringContaining('the identity makes'),
    })
  expect(existsSync(join(dir, 'none.sqlite'))).toBe(false)
})

test('a file that is a database answers, any other is a fault', async () => {
  await openSqliteMetadata(join(dir, 'well.sqlite')).close()
  writeFileSync(join(dir, 'sick.sqlite'), 'x'.repeat(5_000))
  expect(await check(null, 'well.sqlite')).toMatchObject({ status: 'ok' })
  expect(await check(null, 'sick.sqlite')).toMatchObject({
    status: 'fault',
    fix: expect.stringContaining('MILLRACE_X_URL'),
  })
})

test('a server that is not there is a fault that tells its place and no password', async () => {
  const port = await freePort()
  const finding = await check(`postgres://me:hush@127.0.0.1:${port}/persons`)
  expect(finding).toMatchObject({ status: 'fault', name: 'persons' })
  expect(finding.fix).toContain(`PostgreSQL at 127.0.0.1:${port}/persons?`)
  expect(JSON.stringify(finding)).not.toContain('hush')
})
