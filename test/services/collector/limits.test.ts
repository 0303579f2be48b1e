import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { openCollector } from './open-collector.ts'

/** An event of exactly so many bytes. */
function eventOf(bytes: number): string {
  const frame = '{"event":"a","p":""}'
  return `{"event":"a","p":"${'x'.repeat(bytes - frame.length)}"}`
}
const codes = (body: { results: { code?: string }[] }) => body.results.map((one) => one.code ?? 'accepted')

test('an event may have exactly the limit’s bytes, and its neighbours are kept', async () => {
  const collector = openCollector({ MILLRACE_COLLECTOR_EVENT_BYTES_MAX: '1000' })
  for (const body of [`[${eventOf(1000)},${eventOf(1001)},${eventOf(999)}]`])
    expect(codes((await collector.post(body)).body)).toEqual(['accepted', 'too_large', 'accepted'])
  const lines = `${eventOf(1000)}\n${eventOf(1001)}\r\n${eventOf(999)}`
  const ndjson = await collector.post(lines, { headers: { 'content-type': 'application/x-ndjson' } })
  expect(codes(ndjson.body)).toEqual(['accepted', 'too_large', 'accepted'])
})

test('an event that grows past the limit when it is stored in native shape is refused, not sent again for ever', async () => {
  const collector = openCollector({ MILLRACE_COLLECTOR_EVENT_BYTES_MAX: '1000' })
  const message = `{"type":"track","event":"a","properties":{"n":[${'1e20,'.repeat(100)}1]}}`
  expect(message.length).toBeLessThan(1000)
  await collector.post(`{"batch":[${message}]}`, { path: '/v1/batch' })
  expect(collector.raw()[0]?.refused?.code).toBe('too_large')
})

test('a refused payload is cut to its limit and keeps its size', async () => {
  const collector = openCollector({
    MILLRACE_COLLECTOR_EVENT_BYTES_MAX: '1000',
    MILLRACE_REJECTED_PAYLOAD_BYTES_MAX: '100',
  })
  const event = eventOf(1001)
  await collector.post(event)
  expect(collector.raw()[0]?.refused).toMatchObject({
    payload: event.slice(0, 100),
    payload_bytes: 1001,
    event: 'a',
  })
})

test('a body may have exactly the limit’s bytes, as it comes and unpacked', async () => {
  const collector = openCollector({
    MILLRACE_COLLECTOR_WIRE_BYTES_MAX: '2000',
    MILLRACE_COLLECTOR_BODY_BYTES_MAX: '3000',
  })
  expect((await collector.post(eventOf(2000))).status).toBe(200)
  expect(await collector.post(eventOf(2001))).toMatchObject({
    status: 413,
    body: { code: 'request_too_large' },
  })
  const packed = { gzip: gzipSync, deflate: deflateSync, br: brotliCompressSync, zstd: zstdCompressSync }
  for (const [coding, pack] of Object.entries(packed)) {
    const headers = { 'content-encoding': coding }
    expect((await collector.post(pack(eventOf(3000)), { headers })).status).toBe(200)
    expect((await collector.post(pack(eventOf(3001)), { headers })).status).toBe(413)
  }
  expect(
    (await collector.post(deflateRawSync(eventOf(3000)), { headers: { 'content-encoding': 'deflate' } }))
      .status,
  ).toBe(200)
  expect(collector.inFlightBytes()).toBe(0)
})

test('a request may have exactly the limit’s events, in every form', async () => {
  const collector = openCollector({ MILLRACE_COLLECTOR_EVENTS_MAX: '3' })
  const events = (count: number) => Array.from({ length: count }, () => ({ event: 'a' }))
  const forms = (count: number) =>
    [
      [events(count), {}],
      [{ batch: events(count) }, {}],
      [
        events(count)
          .map((e) => JSON.stringify(e))
          .join('\n'),
        { headers: { 'content-type': 'application/x-ndjson' } },
      ],
      [{ batch: events(count).map((e) => ({ ...e, type: 'track' })) }, { path: '/v1/batch' }],
    ] as const
  for (const [body, options] of forms(3)) expect((await collector.post(body, options)).status).toBe(200)
  for (const [body, options] of forms(4))
    expect(await collector.post(body, options)).toMatchObject({
      status: 413,
      body: { code: 'too_many_events' },
    })
  expect(collector.records).toHaveLength(12)
})

test('keys, nesting and texts each have their exact limit', async () => {
  const collector = openCollector({
    MILLRACE_COLLECTOR_KEYS_PER_OBJECT_MAX: '3',
    MILLRACE_COLLECTOR_KEYS_MAX: '5',
    MILLRACE_COLLECTOR_DEPTH_MAX: '4',
    MILLRACE_COLLECTOR_TEXT_BYTES_MAX: '10',
  })
  const { body } = await collector.post([
    { event: 'a', b: 1, c: 1 },
    { event: 'a', b: 1, c: 1, d: 1 },
    { event: 'a', b: { x: 1, y: 1, z: 1 } },
    { event: 'a', b: { x: 1, y: 1, z: 1 }, c: 1 },
    { event: 'a', b: [[[]]] },
    { event: 'a', b: [[[[]]]] },
    { event: '0123456789' },
    { event: '0123456789a' },
    { event: 'a', '0123456789a': 1 },
  ])
  expect(codes(body)).toEqual([
    'accepted',
    'too_many_keys',
    'accepted',
    'too_many_keys',
    'accepted',
    'too_deep',
    'accepted',
    'text_too_long',
    'text_too_long',
  ])
})

test('five million levels and a million keys or elements are answered like any other', async () => {
  const collector = openCollector({
    MILLRACE_COLLECTOR_WIRE_BYTES_MAX: '64MB',
    MILLRACE_COLLECTOR_BODY_BYTES_MAX: '64MB',
    MILLRACE_COLLECTOR_EVENT_BYTES_MAX: '64MB',
  })
  const deep = `[${'['.repeat(5_000_000)}${']'.repeat(5_000_000)},{"event":"good"}]`
  expect(codes((await collector.post(deep)).body)).toEqual(['too_deep', 'accepted'])
  const wide = `{"event":"a","p":{${Array.from({ length: 1_000_000 }, (_, i) => `"k${i}":1`).join()}}}`
  expect(codes((await collector.post(wide)).body)).toEqual(['too_many_keys'])
  const long = `{"event":"a","p":[${'1,'.repeat(999_999)}1]}`
  expect(codes((await collector.post(long)).body)).toEqual(['accepted'])
  expect((await collector.post(`[${'1,'.repeat(999_999)}1]`)).body.code).toBe('too_many_events')
})

test('what stands in every record of a request is kept short', async () => {
  const collector = openCollector()
  await collector.post({ event: 'a' }, { headers: { 'user-agent': 'u'.repeat(5000) } })
  expect(collector.raw()[0]?.user_agent).toHaveLength(1000)
})
