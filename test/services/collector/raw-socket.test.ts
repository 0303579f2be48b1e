import { type AddressInfo, connect, type Socket } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type OpenCollector, openCollector, WRITE_KEY } from './open-collector.ts'

let collector: OpenCollector
let port: number

beforeAll(async () => {
  collector = openCollector({
    MILLRACE_COLLECTOR_HEADERS_TIMEOUT: '300ms',
    MILLRACE_COLLECTOR_REQUEST_TIMEOUT: '600ms',
    MILLRACE_COLLECTOR_TIMEOUT_CHECK: '50ms',
    MILLRACE_COLLECTOR_WIRE_BYTES_MAX: '100000',
  })
  await collector.server.app.listen({ host: '127.0.0.1', port: 0 })
  port = (collector.server.app.server.address() as AddressInfo).port
})
afterAll(() => collector.server.app.close())

interface Exchange {
  readonly socket: Socket
  /** All that was answered until the connection ended. */
  readonly answered: Promise<string>
}

function open(first: string): Exchange {
  const socket = connect(port, '127.0.0.1')
  let text = ''
  const answered = new Promise<string>((resolve) => {
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1')
    })
    socket.on('error', () => {})
    socket.on('close', () => resolve(text))
  })
  socket.write(first, 'latin1')
  return { socket, answered }
}

const HEAD = `POST /v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${WRITE_KEY}\r\ncontent-type: application/json\r\n`
const EVENT = '{"event":"a"}'
const HEADER_BYTES_MAX = 16 * 1024
const statuses = (answer: string) => [...answer.matchAll(/HTTP\/1\.1 (\d{3})/g)].map((match) => match[1])

/** Waits until no request holds bytes any more and no connection is left. */
async function settled(): Promise<void> {
  while (collector.inFlightBytes() > 0 || (await connections()) > 0)
    await new Promise((resolve) => setImmediate(resolve))
}
async function closedCount(): Promise<number> {
  const found = /requests_refused_total\{code="client_closed"\} (\d+)/.exec(await collector.metrics.expose())
  return Number(found?.[1] ?? 0)
}
const connections = () =>
  new Promise<number>((resolve) => collector.server.app.server.getConnections((_, count) => resolve(count)))

test('requests that could be read in two ways are refused and their connection is ended', async () => {
  const chunked = `${EVENT.length.toString(16)}\r\n${EVENT}\r\n0\r\n\r\n`
  const smuggled = 'GET /v1/pixel HTTP/1.1\r\nhost: x\r\n\r\n'
  const wrong: Record<string, string> = {
    'content-length and transfer-encoding': `${HEAD}content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n${chunked}${smuggled}`,
    'two content-lengths': `${HEAD}content-length: 13\r\ncontent-length: 5\r\n\r\n${EVENT}`,
    'negative content-length': `${HEAD}content-length: -1\r\n\r\n${EVENT}`,
    'content-length with a plus': `${HEAD}content-length: +13\r\n\r\n${EVENT}`,
    'content-length past 64 bits': `${HEAD}content-length: 99999999999999999999999\r\n\r\n${EVENT}`,
    'unknown transfer-encoding': `${HEAD}transfer-encoding: xchunked\r\n\r\n${chunked}`,
    'chunked not last': `${HEAD}transfer-encoding: chunked, gzip\r\n\r\n${chunked}`,
    'folded header': `${HEAD}x-a: b\r\n c\r\ncontent-length: 13\r\n\r\n${EVENT}`,
    'space before colon': `${HEAD}content-length : 13\r\n\r\n${EVENT}`,
    'bare line feeds': `${HEAD.replaceAll('\r\n', '\n')}content-length: 13\n\n${EVENT}`,
    'NUL in a header': `${HEAD}x-a: b\0c\r\ncontent-length: 13\r\n\r\n${EVENT}`,
    'bad chunk size': `${HEAD}transfer-encoding: chunked\r\n\r\nzz\r\n${EVENT}\r\n0\r\n\r\n`,
    'no HTTP at all': '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
    'no host': 'POST /v1/events HTTP/1.1\r\ncontent-length: 0\r\n\r\n',
    'unknown version': 'POST /v1/events HTTP/9.9\r\nhost: x\r\n\r\n',
  }
  for (const [name, bytes] of Object.entries(wrong)) {
    const answer = await open(bytes).answered
    expect([name, statuses(answer)]).toEqual([name, ['400']])
    if (!name.startsWith('no host')) expect(answer).toContain('"code":"malformed_request"')
  }
  expect(collector.records).toEqual([])
})

test('headers over their limit are 431', async () => {
  const answer = await open(`${HEAD}x-long: ${'x'.repeat(16 * 1024)}\r\n\r\n`).answered
  expect(statuses(answer)).toEqual(['431'])
  expect(answer).toContain('"code":"headers_too_large"')
})

test('path, names and values of headers may have exactly the limit’s bytes, and one more is 431', async () => {
  const fields = [
    ['host', 'x'],
    ['authorization', `Bearer ${WRITE_KEY}`],
    ['content-type', 'application/json'],
    ['content-length', String(EVENT.length)],
    ['connection', 'close'],
  ] as const
  const send = (bytes: number) => {
    const path = '/v1/events'
    const counted = path.length + fields.flat().reduce((sum, text) => sum + text.length, 0)
    const filler = `x-fill: ${'x'.repeat(bytes - counted - 'x-fill'.length)}`
    const lines = [`POST ${path} HTTP/1.1`, ...fields.map(([name, value]) => `${name}: ${value}`), filler]
    return open(`${lines.join('\r\n')}\r\n\r\n${EVENT}`).answered
  }
  expect(statuses(await send(HEADER_BYTES_MAX))).toEqual(['200'])
  expect(collector.records.splice(0)).toHaveLength(1)
  expect(statuses(await send(HEADER_BYTES_MAX + 1))).toEqual(['431'])
  expect(collector.records).toEqual([])
})

test('headers that do not end in time are 408', async () => {
  const answer = await open(HEAD).answered
  expect(statuses(answer)).toEqual(['408'])
  expect(answer).toContain('"code":"request_timeout"')
})

test('a body that trickles, or never ends, is cut with 408 and leaves nothing', async () => {
  const slow = open(`${HEAD}content-length: 100\r\n\r\n{"event":`)
  const endless = open(`${HEAD}transfer-encoding: chunked\r\n\r\n5\r\n{"eve\r\n`)
  expect(statuses(await slow.answered)).toEqual(['408'])
  expect(statuses(await endless.answered)).toEqual(['408'])
  await settled()
  expect(collector.records).toEqual([])
})

test('a hundred clients that leave in the middle of their bodies leave nothing behind', async () => {
  const closedBefore = await closedCount()
  const clients = Array.from({ length: 100 }, () =>
    open(`${HEAD}content-length: 50000\r\n\r\n${' '.repeat(20_000)}`),
  )
  while (collector.inFlightBytes() < 100 * 20_000) await new Promise((resolve) => setImmediate(resolve))
  for (const { socket } of clients) socket.destroy()
  await settled()
  expect(collector.records).toEqual([])
  expect((await closedCount()) - closedBefore).toBe(100)
})

test('a content-length over the limit is refused before the body comes, a chunked body when it passes it', async () => {
  const promised = open(`${HEAD}content-length: 100001\r\n\r\n`)
  expect(statuses(await promised.answered)[0]).toBe('413')
  const chunk = `4e20\r\n${' '.repeat(20_000)}\r\n`
  const streamed = open(`${HEAD}transfer-encoding: chunked\r\n\r\n${chunk.repeat(6)}`)
  expect(statuses(await streamed.answered)[0]).toBe('413')
  await settled()
})

test('a content-length that is too small leaves a broken body, and the connection ends', async () => {
  const answer = await open(`${HEAD}content-length: 5\r\n\r\n${EVENT}`).answered
  expect(statuses(answer)).toEqual(['400'])
  expect(collector.records).toEqual([])
})

test('garbage after a good request never takes the place of its answer', async () => {
  const answer = await open(`${HEAD}content-length: ${EVENT.length}\r\n\r\n${EVENT}GARBAGE\r\n\r\n`).answered
  expect(statuses(answer)).toEqual(['200'])
  expect(collector.records.splice(0)).toHaveLength(1)
})

test('pipelined requests are answered in order on one connection', async () => {
  const request = (event: string) => `${HEAD}content-length: ${event.length}\r\n\r\n${event}`
  const last = `${HEAD}connection: close\r\ncontent-length: 1\r\n\r\n{`
  const answer = await open(request('{"event":"a"}') + request('{"event":5}') + last).answered
  expect(statuses(answer)).toEqual(['200', '200', '400'])
  expect(collector.records.splice(0)).toHaveLength(2)
})

test('a form that no browser preflights needs no header of ours', async () => {
  const body = JSON.stringify({ batch: [{ event: 'beacon' }], write_key: WRITE_KEY })
  const answer = await fetch(`http://127.0.0.1:${port}/v1/events`, { method: 'POST', body })
  expect([answer.status, answer.headers.get('access-control-allow-origin')]).toEqual([200, '*'])
  expect(collector.raw()[0]?.event?.event).toBe('beacon')
})
