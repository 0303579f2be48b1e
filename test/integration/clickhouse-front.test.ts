import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from '@clickhouse/client'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { type ClickHouseEngine, startClickHouse } from '../../infra/engines/clickhouse.ts'
import { freePort } from '../../infra/engines/engine-process.ts'
import { clickHouseHttpContract } from '../contract/clickhouse-http.ts'
import { needs } from '../helpers/needs.ts'

describe('the embedded engine behind its front', needs('chdb'), () => {
  clickHouseHttpContract(() => inject('clickhouseUrl'))
})

describe('a real server', needs('clickhouse-server'), () => {
  clickHouseHttpContract(() => process.env.MILLRACE_TEST_CLICKHOUSE_URL as string)
})

describe('the embedded engine as a process', needs('chdb'), () => {
  const stateDir = mkdtempSync(join(tmpdir(), 'millrace-clickhouse-'))
  let engine: ClickHouseEngine
  const ask = async (query: string, body: string | null = null, more: Record<string, string> = {}) => {
    const answer = await fetch(`${engine.url}/?${new URLSearchParams({ query, ...more })}`, {
      method: 'POST',
      body,
    })
    return {
      status: answer.status,
      code: answer.headers.get('x-clickhouse-exception-code'),
      text: await answer.text(),
    }
  }
  const start = async (environment: Record<string, string> = {}) => {
    engine = await startClickHouse({ stateDir, port: await freePort(), environment })
  }
  beforeAll(() => start())
  afterAll(async () => {
    await engine.stop()
    rmSync(stateDir, { recursive: true, force: true })
  })

  test('kill -9 after acknowledged inserts loses none of them, and a body on its way leaves nothing', async () => {
    await ask('CREATE DATABASE d')
    await ask('CREATE TABLE d.t (n Int64) ENGINE = MergeTree ORDER BY n')
    let acknowledged = 0
    for (let round = 0; round < 3; round++) {
      for (let batch = 0; batch < 20; batch++) {
        const body = Array.from({ length: 100 }, (_, n) => `{"n":${acknowledged + n}}\n`).join('')
        const { status } = await ask('INSERT INTO d.t FORMAT JSONEachRow', body, { async_insert: '0' })
        if (status === 200) acknowledged += 100
      }
      const client = createClient({ url: engine.url, log: { level: 127 } })
      const underWay = client.query({ query: 'SELECT sleepEachRow(1) FROM numbers(100)' }).catch(() => {})
      await engine.kill()
      await underWay
      await client.close()
      await start()
      expect((await ask('SELECT count(), uniqExact(n) FROM d.t')).text).toBe(
        `${acknowledged}\t${acknowledged}\n`,
      )
    }
    expect(acknowledged).toBe(6000)
  })

  test.each([
    "SELECT * FROM file('/etc/passwd', 'LineAsString')",
    "SELECT * FROM url('http://127.0.0.1/', 'LineAsString')",
    "SELECT * FROM remote('127.0.0.1', system.one)",
    "SELECT * FROM s3('http://127.0.0.1/b/k')",
    "SELECT file('/etc/passwd')",
    'SELECT * FROM default.`/etc/passwd`',
    "SELECT * FROM default.'/etc/passwd'",
    "SELECT 1 INTO OUTFILE '/tmp/millrace-outfile'",
  ])('%s is denied', async (sql) => {
    const { status, code } = await ask(sql)
    expect([status, code]).toEqual([403, '497'])
  })

  test.each([
    "SELECT * FROM '/etc/passwd'",
    'SELECT * FROM "/etc/passwd"',
    'SELECT * FROM `\\/etc\\/passwd`',
  ])('%s reads no file', async (sql) => {
    for (const database of ['d', 'default', '']) {
      const { status, text } = await ask(sql, null, database ? { database } : {})
      expect(status).toBeGreaterThanOrEqual(400)
      expect(text).not.toContain('root:')
    }
  })

  test('a reader cannot leave read-only mode', async () => {
    expect((await ask('SET readonly = 0')).code).toBe('164')
    expect((await ask('SELECT 1 SETTINGS readonly = 0')).code).toBe('164')
  })

  test('more statements than threads and queue take are answered 503, and the others run', async () => {
    await engine.stop()
    await start({ MILLRACE_CLICKHOUSE_FRONT_READERS: '1', MILLRACE_CLICKHOUSE_FRONT_QUEUE_MAX: '1' })
    const asked = await Promise.all(Array.from({ length: 6 }, () => ask('SELECT sleep(0.3)')))
    const statuses = asked.map(({ status }) => status).sort()
    expect(statuses).toEqual([200, 200, 503, 503, 503, 503])
    expect(asked.filter(({ code }) => code === '202')).toHaveLength(4)
  })

  test('bodies and results are bounded', async () => {
    await engine.stop()
    await start({
      MILLRACE_CLICKHOUSE_FRONT_INSERT_BYTES_MAX: '1000',
      MILLRACE_CLICKHOUSE_FRONT_SQL_BYTES_MAX: '2000',
      MILLRACE_CLICKHOUSE_FRONT_RESULT_BYTES_MAX: '1MB',
    })
    expect(await ask('INSERT INTO d.t FORMAT JSONEachRow', `{"n":1}${' '.repeat(994)}`)).toMatchObject({
      status: 413,
      code: '223',
    })
    expect(await ask('', `SELECT 1${' '.repeat(1993)}`)).toMatchObject({ status: 413, code: '223' })
    expect(await ask('SELECT number FROM numbers(1000000) FORMAT JSON')).toMatchObject({ code: '396' })
    expect((await ask('SELECT number FROM numbers(1000000) FORMAT TSV')).status).toBe(200)
  })

  test('where a password is set, only its holder is let in', async () => {
    await engine.stop()
    await start({ MILLRACE_CLICKHOUSE_FRONT_PASSWORD: 'right' })
    const say = async (headers: Record<string, string>) =>
      (await fetch(`${engine.url}/?query=SELECT+1`, { method: 'POST', headers })).status
    expect(await say({})).toBe(403)
    expect(await say({ 'x-clickhouse-user': 'default', 'x-clickhouse-key': 'wrong' })).toBe(403)
    expect(await say({ 'x-clickhouse-user': 'default', 'x-clickhouse-key': 'right' })).toBe(200)
    const client = createClient({ url: engine.url, password: 'right' })
    expect(await (await client.query({ query: 'SELECT 1', format: 'TabSeparated' })).text()).toBe('1\n')
    await client.close()
  })

  test.each(['session_id=1', 'decompress=1'])('%s is refused, not silently ignored', async (parameter) => {
    const [name = '', value = ''] = parameter.split('=')
    expect((await ask('SELECT 1', null, { [name]: value, password: 'right' })).status).toBe(501)
  })
})
