import type { AddressInfo } from 'node:net'
import { connect } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { DependencyError } from '../../../../services/core/runtime/errors.ts'
import { recordingEnvironment } from '../recording-environment.ts'

const record = (i: number) => ({
  event_id: `e${i}`,
  event: i === 1 ? '=cmd()' : 'page_view',
  distinct_id: null,
  user_id: null,
  event_time_ms: 1_000 * i,
  src_partition: 0,
  src_offset: i,
  properties: `{"text":"${'x'.repeat(200)}"}`,
  set: null,
  set_once: null,
  extra: null,
})
/** More than one piece of an answer, and more than a socket buffers. */
const many = Array.from({ length: 20_000 }, (_, i) => record(i))
const lost = new DependencyError('clickhouse', 'unavailable', 'gone')

let close: (() => Promise<void>) | null = null
afterEach(async () => {
  await close?.()
  close = null
})

async function listening(rows: readonly unknown[] | Error) {
  const environment = recordingEnvironment(({ sql }) => {
    if (rows instanceof Error) throw rows
    return sql.endsWith('FORMAT JSONEachRow') ? rows : []
  })
  const { app, keys } = environment
  await app.listen({ port: 0, host: '127.0.0.1' })
  close = () => app.close()
  const { port } = app.server.address() as AddressInfo
  return {
    ...environment,
    port,
    ask: (query: string, signal?: AbortSignal) =>
      fetch(`http://127.0.0.1:${port}/api/datasets/shop/events${query}`, {
        headers: { authorization: `Bearer ${keys.shopRead}` },
        ...(signal === undefined ? {} : { signal }),
      }),
  }
}

test('limit=all gives every row in one answer, as JSON and as a file', async () => {
  const { ask, asked } = await listening(many)
  const page = (await (await ask('?limit=all')).json()) as { next: null; results: { id: string }[] }
  expect(page.next).toBe(null)
  expect(page.results.map(({ id }) => id)).toEqual(many.map(({ event_id }) => event_id))
  const file = await ask('.csv?limit=all')
  expect(file.headers.get('content-disposition')).toBe('attachment; filename="shop-events.csv"')
  const lines = (await file.text()).split('\r\n')
  expect(lines).toHaveLength(many.length + 2)
  expect(lines[2]).toContain(",'=cmd(),")
  expect(asked.every(({ sql }) => !sql.includes('LIMIT'))).toBe(true)
})

test('an empty answer is a whole document', async () => {
  const { ask } = await listening([])
  expect(await (await ask('?limit=all')).json()).toEqual({ next: null, results: [] })
})

test('a failure before the first piece is an ordinary error', async () => {
  const { ask } = await listening(lost)
  const response = await ask('?limit=all')
  expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([503, 'unavailable'])
})

test('a failure after the first piece breaks the connection off: nobody gets a short answer', async () => {
  const { ask, metrics, env } = await listening([...many, lost])
  const response = await ask('?limit=all')
  expect(response.status).toBe(200)
  await expect(response.text()).rejects.toThrow()
  expect(await metrics.expose()).toMatch(/streams_broken_total 1/)
  expect(env.gate.running).toBe(0)
})

test('a client of HTTP/1.0, which knows no chunks, sees a reset and not an end', async () => {
  const { port, keys } = await listening([...many, lost])
  const socket = connect(port, '127.0.0.1')
  socket.write(
    `GET /api/datasets/shop/events?limit=all HTTP/1.0\r\nHost: a\r\nAuthorization: Bearer ${keys.shopRead}\r\n\r\n`,
  )
  socket.resume()
  const end = await new Promise((resolve) => {
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code))
    socket.once('end', () => resolve('end'))
  })
  expect(end).toBe('ECONNRESET')
})

test('a client that goes away ends the statement, and its place is free', async () => {
  const { ask, env, asked } = await listening(many)
  const abort = new AbortController()
  const response = await ask('?limit=all', abort.signal)
  expect(env.gate.running).toBe(1)
  abort.abort()
  await expect(response.text()).rejects.toThrow()
  await expect.poll(() => env.gate.running).toBe(0)
  expect(asked.at(-1)?.options.signal?.aborted).toBe(true)
})

test('a client that stops reading holds a bounded part of the answer, and is cut', async () => {
  let given = 0
  const environment = await listening(
    new Proxy(many, {
      get(target, name) {
        if (typeof name === 'string' && /^\d+$/.test(name)) given = Math.max(given, Number(name))
        return Reflect.get(target, name)
      },
    }),
  )
  const socket = connect(environment.port, '127.0.0.1')
  socket.pause()
  socket.write(
    `GET /api/datasets/shop/events?limit=all HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${environment.keys.shopRead}\r\n\r\n`,
  )
  await expect.poll(() => environment.env.gate.running).toBe(1)
  const cut = new Promise((resolve) => socket.once('error', resolve))
  await expect.poll(() => environment.env.gate.running, { timeout: 20_000 }).toBe(0)
  socket.resume()
  await cut
  expect(given).toBeLessThan(many.length - 1)
})
