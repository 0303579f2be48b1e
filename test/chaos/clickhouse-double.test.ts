import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { ClickHouse } from '../../services/core/clickhouse/clickhouse.ts'
import { CLICKHOUSE_SETTINGS } from '../../services/core/clickhouse/clickhouse-settings.ts'
import { openClickHouse } from '../../services/core/clickhouse/http-clickhouse.ts'
import { parseSettings } from '../../services/core/runtime/settings.ts'
import { type ClickHouseDouble, type ClickHouseFault, openClickHouseDouble } from './clickhouse-double.ts'

let upstream: Server
/** Bodies of what reached the server. */
let arrived: string[]
let double: ClickHouseDouble
let clickhouse: ClickHouse

beforeEach(async () => {
  arrived = []
  upstream = createServer((incoming, outgoing) => {
    let body = ''
    incoming.on('data', (chunk: Buffer) => {
      body += String(chunk)
    })
    incoming.on('end', () => {
      arrived.push(body)
      outgoing.end()
    })
  })
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
  double = await openClickHouseDouble(0, (upstream.address() as AddressInfo).port, () => 0.5)
  clickhouse = openClickHouse(
    parseSettings(CLICKHOUSE_SETTINGS, { MILLRACE_CLICKHOUSE_URL: `http://127.0.0.1:${double.port}` }),
  )
})

afterEach(async () => {
  await clickhouse.close()
  await double.close()
  upstream.closeAllConnections()
  await new Promise<void>((resolve) => upstream.close(() => resolve()))
})

const onInserts = (fault: ClickHouseFault) => double.setFaults([{ fault, probability: 1, meets: 'inserts' }])
const insert = () => clickhouse.insert('events', 'JSONEachRow', Buffer.from('{"a":1}'), {})

test('a refusal is read as what it says, and nothing reaches the server', async () => {
  const codes = {
    READONLY: 'read_only',
    QUOTA_EXCEEDED: 'overloaded',
    MEMORY_LIMIT_EXCEEDED: 'overloaded',
    ACCESS_DENIED: 'denied',
    AUTHENTICATION_FAILED: 'denied',
  } as const
  for (const [error, code] of Object.entries(codes)) {
    onInserts({ kind: 'refuse', error: error as keyof typeof codes })
    await expect(insert(), error).rejects.toMatchObject({ dependency: 'clickhouse', code })
  }
  expect(arrived).toEqual([])
  expect([...double.inflicted.keys()]).toEqual(Object.keys(codes))
})

test('a lie comes after the insert was carried out', async () => {
  onInserts({ kind: 'lie', error: 'MEMORY_LIMIT_EXCEEDED' })
  await expect(insert()).rejects.toMatchObject({ code: 'overloaded' })
  expect(arrived).toEqual(['{"a":1}'])
  expect([...double.inflicted]).toEqual([['lie MEMORY_LIMIT_EXCEEDED', 1]])
})

test('a late answer is the server’s own', async () => {
  onInserts({ kind: 'late', ms: 20 })
  await insert()
  expect(arrived).toEqual(['{"a":1}'])
  expect([...double.inflicted]).toEqual([['late', 1]])
})

test('statements that are no inserts go through', async () => {
  onInserts({ kind: 'refuse', error: 'READONLY' })
  await clickhouse.command('KILL QUERY WHERE 1')
  expect(arrived).toEqual([expect.stringContaining('KILL QUERY')])
  expect(double.inflicted.size).toBe(0)
})
