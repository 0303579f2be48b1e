import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { CLICKHOUSE_SETTINGS } from '../../../services/core/clickhouse/clickhouse-settings.ts'
import { openClickHouse } from '../../../services/core/clickhouse/http-clickhouse.ts'
import { parseSettings } from '../../../services/core/runtime/settings.ts'

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

/** A client of a server that notes the addresses it is asked under, and answers nothing. */
async function noted(datasetSetting: string | null) {
  const asked: URLSearchParams[] = []
  const server = createServer((request, response) => {
    asked.push(new URL(request.url ?? '', 'http://x').searchParams)
    request.resume().once('end', () => response.end())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const clickhouse = openClickHouse(
    parseSettings(CLICKHOUSE_SETTINGS, {
      MILLRACE_CLICKHOUSE_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    }),
    'millrace',
    datasetSetting,
  )
  closing.push(
    () => clickhouse.close(),
    () => new Promise((resolve) => server.close(resolve)),
  )
  return { clickhouse, asked }
}

test('the dataset of a statement is told in the setting that row policies read, quoted', async () => {
  const { clickhouse, asked } = await noted('SQL_millrace_dataset')
  await clickhouse.query('SELECT 1', {}, { dataset: 'shop' })
  await clickhouse.command('SELECT 1', {}, { dataset: String.raw`sh'op\ OR 1` })
  for await (const _ of await clickhouse.stream('SELECT 1', {}, { dataset: 'blog' }));
  await clickhouse.query('SELECT 1')
  expect(asked.map((address) => address.get('SQL_millrace_dataset'))).toEqual([
    "'shop'",
    String.raw`'sh\'op\\ OR 1'`,
    "'blog'",
    null,
  ])
})

test('without such a setting nothing is told that a server might not know', async () => {
  const { clickhouse, asked } = await noted(null)
  await clickhouse.query('SELECT 1', {}, { dataset: 'shop', settings: { max_execution_time: 3 } })
  expect([...(asked[0]?.keys() ?? [])].filter((name) => /dataset/i.test(name))).toEqual([])
  expect(asked[0]?.get('max_execution_time')).toBe('3')
})
