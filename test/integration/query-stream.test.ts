import { randomBytes } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import { connect } from 'node:net'
import { pipeline, Transform } from 'node:stream'
import { parse } from 'csv-parse/sync'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { ENRICHED_EVENT_FIELDS } from '../../schemas/enriched-event/v1.ts'
import type { ClickHouse } from '../../services/core/clickhouse/clickhouse.ts'
import { CLICKHOUSE_SETTINGS } from '../../services/core/clickhouse/clickhouse-settings.ts'
import { openClickHouse } from '../../services/core/clickhouse/http-clickhouse.ts'
import { migrate } from '../../services/core/clickhouse/migrate.ts'
import { DependencyError } from '../../services/core/runtime/errors.ts'
import { parseSettings } from '../../services/core/runtime/settings.ts'
import { environmentOver } from '../services/query-api/recording-environment.ts'

const database = `stream_${randomBytes(6).toString('hex')}`
const settings = parseSettings(CLICKHOUSE_SETTINGS, {
  MILLRACE_CLICKHOUSE_URL: inject('clickhouseUrl'),
  MILLRACE_CLICKHOUSE_DATABASE: database,
})
const admin = openClickHouse(settings, null)
const clickhouse = openClickHouse(settings)
const COST = {
  executionSecondsMax: 60,
  rowsReadMax: 1_000_000,
  memoryBytesMax: 1_000_000_000,
  resultBytesMax: 50_000_000,
  streamSecondsMax: 120,
}
const EVENTS = 60_000
const FROM_MS = Date.parse('2026-11-01T00:00:00Z')

const EMPTY = Object.fromEntries(
  ENRICHED_EVENT_FIELDS.map(({ name, type }) => [name, type === 'text_list' ? [] : null]),
)
/** Over 20 days, many of a millisecond. */
const eventMs = (i: number) => FROM_MS + Math.floor(((i * 7919) % EVENTS) / 4) * 115_000
const row = (i: number) =>
  JSON.stringify({
    ...EMPTY,
    schema_version: 1,
    event_id: `e${i}`,
    dataset_id: i % 10 === 9 ? 'blog' : 'shop',
    event: ['page_view', 'purchase', 'search'][i % 3],
    distinct_id: `d${i % 100}`,
    event_time: new Date(eventMs(i)).toISOString(),
    collector_time: new Date(eventMs(i)).toISOString(),
    time_corrected_ms: 0,
    protocol: 'native',
    src_partition: i % 6,
    src_offset: i,
    recipe: 'r',
    properties: JSON.stringify({ text: `${i % 7 === 0 ? '=1+1' : 'x'}, "${'y'.repeat(100)}"\n` }),
  })
const expected = Array.from({ length: EVENTS }, (_, i) => i)
  .filter((i) => i % 10 !== 9)
  .toSorted((a, b) => eventMs(b) - eventMs(a) || (b % 6) - (a % 6) || b - a)
  .map((i) => `e${i}`)

beforeAll(async () => {
  await migrate(admin, database)
  for (let from = 0; from < EVENTS; from += 10_000) {
    const rows = Array.from({ length: 10_000 }, (_, i) => row(from + i))
    await clickhouse.insert('events', 'JSONEachRow', Buffer.from(rows.join('\n')), {
      date_time_input_format: 'best_effort',
      async_insert: 0,
    })
  }
})
afterAll(async () => {
  await admin.command(`DROP DATABASE IF EXISTS \`${database}\``)
  await clickhouse.close()
  await admin.close()
})

async function serving(through: Partial<ClickHouse> = {}) {
  const { app, keys, env } = environmentOver({ ...clickhouse, ...through }, COST)
  await app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = app.server.address() as AddressInfo
  return { app, env, port, key: keys.shopRead }
}
const address = ({ port }: { port: number }, path: string) =>
  `http://127.0.0.1:${port}/api/datasets/shop/${path}`
const bearer = ({ key }: { key: string }) => ({ headers: { authorization: `Bearer ${key}` } })
const running = async () => {
  const rows = await admin.query<{ n: number | string }>(
    `SELECT count() AS n FROM system.processes
    WHERE Settings['log_comment'] LIKE 'millrace-stream-%' AND current_database = '${database}'`,
  )
  return Number(rows[0]?.n)
}

test('every event is in one answer, once and in the order of pages, as JSON and as a file', async () => {
  const api = await serving()
  const page = (await (await fetch(address(api, 'events?limit=all'), bearer(api))).json()) as {
    results: { id: string }[]
  }
  expect(page.results.map(({ id }) => id)).toEqual(expected)
  const text = await (
    await fetch(address(api, 'events.csv?limit=all&orderBy=timestamp&csv_mode=raw'), bearer(api))
  ).text()
  const lines = parse(text, { columns: true, record_delimiter: '\r\n' }) as {
    id: string
    properties: string
  }[]
  expect(lines.map(({ id }) => id)).toEqual(expected.toReversed())
  expect(JSON.parse(lines[0]!.properties).text).toContain('"y')
  await api.app.close()
})

test('a filter holds for a whole answer as for a page, and other datasets stay out', async () => {
  const api = await serving()
  const query = new URLSearchParams({ limit: 'all', event: 'purchase', after: '2026-11-10T00:00:00Z' })
  const { results } = (await (await fetch(address(api, `events?${query}`), bearer(api))).json()) as {
    results: { id: string }[]
  }
  const after = Date.parse('2026-11-10T00:00:00Z')
  expect(results.map(({ id }) => id)).toEqual(
    expected.filter((id) => Number(id.slice(1)) % 3 === 1 && eventMs(Number(id.slice(1))) > after),
  )
  await api.app.close()
})

test('ClickHouse stands still while the client does, and is told to stop when the client goes', async () => {
  let read = 0
  const api = await serving({
    stream: async (sql, parameters, options) => {
      // Else all of it is one block, and the engine has done its part when that is sent.
      const settings = { ...options?.settings, max_block_size: 1_000 }
      const source = await clickhouse.stream(sql, parameters, { ...options, settings })
      const counting = new Transform({
        transform(chunk, _, done) {
          read += chunk.length
          done(null, chunk)
        },
      })
      return pipeline(source, counting, () => {})
    },
  })
  const socket = connect(api.port, '127.0.0.1')
  socket.pause()
  socket.write(
    `GET /api/datasets/shop/events?limit=all HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${api.key}\r\n\r\n`,
  )
  await expect.poll(() => read, { timeout: 20_000 }).toBeGreaterThan(0)
  await expect.poll(() => api.env.gate.running).toBe(1)
  const before = read
  // The socket's buffers fill, then nothing moves.
  await expect
    .poll(
      async () => {
        const last = read
        await new Promise((resolve) => setTimeout(resolve, 300))
        return read - last
      },
      { timeout: 20_000 },
    )
    .toBe(0)
  expect(read).toBeGreaterThanOrEqual(before)
  expect(read).toBeLessThan(EVENTS * 200)
  expect(await running()).toBe(1)
  socket.destroy()
  await expect.poll(running, { timeout: 20_000 }).toBe(0)
  await expect.poll(() => api.env.gate.running).toBe(0)
  await api.app.close()
})

test('an engine that fails on the way breaks the answer off', async () => {
  const api = await serving({
    stream: async (...asked) => {
      const source = await clickhouse.stream(...asked)
      let bytes = 0
      const failing = new Transform({
        transform(chunk, _, done) {
          bytes += chunk.length
          if (bytes > 4_000_000) done(new DependencyError('clickhouse', 'unavailable', 'cut'))
          else done(null, chunk)
        },
      })
      return pipeline(source, failing, () => {})
    },
  })
  const response = await fetch(address(api, 'events.csv?limit=all'), bearer(api))
  expect(response.status).toBe(200)
  await expect(response.text()).rejects.toThrow()
  await api.app.close()
})
