import { expect, test } from 'vitest'
import { partitionOf, recordKey } from '../../../services/core/kafka/partition.ts'
import { NOW_MS, OTHER_KEY, openCollector, WRITE_KEY } from './open-collector.ts'

const NDJSON = { headers: { 'content-type': 'application/x-ndjson' } }

test('a bad event in a batch is rejected with its reason and payload, and the rest goes through in order', async () => {
  const collector = openCollector()
  const { status, body } = await collector.post({
    batch: [
      { event: 'a', event_id: '1' },
      { event: 7, event_id: '2', distinct_id: 'u' },
      5,
      { event: 'b', event_id: '4' },
    ],
    sent_at: '2026-11-22T11:59:59Z',
  })
  expect(status).toBe(200)
  expect(body).toEqual({
    accepted: 2,
    rejected: 2,
    results: [
      { event_id: '1', status: 'accepted' },
      { event_id: '2', status: 'rejected', code: 'invalid_type', detail: 'event is not text.' },
      {
        event_id: expect.stringMatching(/-7/),
        status: 'rejected',
        code: 'invalid_type',
        detail: 'The event is not an object.',
      },
      { event_id: '4', status: 'accepted' },
    ],
  })
  const shared = {
    v: 1,
    dataset_id: 'shop',
    collector_time: NOW_MS,
    protocol: 'native',
    ip: '127.0.0.1',
    user_agent: 'lightMyRequest',
    sent_at: '2026-11-22T11:59:59Z',
  }
  expect(collector.raw()).toEqual([
    { ...shared, event_id: '1', event: { event: 'a', event_id: '1' } },
    {
      ...shared,
      event_id: '2',
      refused: {
        code: 'invalid_type',
        details: ['event is not text.'],
        payload: '{"event":7,"event_id":"2","distinct_id":"u"}',
        payload_bytes: 44,
        event: null,
        distinct_id: 'u',
      },
    },
    {
      ...shared,
      event_id: body.results[2].event_id,
      refused: {
        code: 'invalid_type',
        details: ['The event is not an object.'],
        payload: '5',
        payload_bytes: 1,
        event: null,
        distinct_id: null,
      },
    },
    { ...shared, event_id: '4', event: { event: 'b', event_id: '4' } },
  ])
})

test('one event, an array, a batch and lines all say the same', async () => {
  const event = { event: 'view', event_id: 'e1', distinct_id: 'u1' }
  const line = JSON.stringify(event)
  for (const [body, options] of [
    [line, {}],
    [`[${line}]`, {}],
    [`{"batch":[${line}]}`, {}],
    [`\n${line}\r\n\n`, NDJSON],
  ] as const) {
    const collector = openCollector()
    expect((await collector.post(body, options)).body).toEqual({
      accepted: 1,
      rejected: 0,
      results: [{ event_id: 'e1', status: 'accepted' }],
    })
    expect(collector.raw().map((raw) => raw.event)).toEqual([event])
  }
})

test('of lines only the bad one fails', async () => {
  const collector = openCollector()
  const body = Buffer.concat([
    Buffer.from('{"event":"a"}\n{"event":\n{"event":"b"} x\n'),
    Buffer.from([0x22, 0xff, 0x22, 0x0a]),
    Buffer.from('{"event":"c"}'),
  ])
  const { body: answer } = await collector.post(body, NDJSON)
  expect(answer.results.map((result: { code?: string }) => result.code ?? 'accepted')).toEqual([
    'accepted',
    'invalid_json',
    'invalid_json',
    'invalid_utf8',
    'accepted',
  ])
  expect(collector.raw().map((raw) => raw.refused?.payload ?? raw.event)).toEqual([
    { event: 'a' },
    '{"event":',
    '{"event":"b"} x',
    '"\ufffd"',
    { event: 'c' },
  ])
})

test('records carry key, partition and headers that routing needs', async () => {
  const collector = openCollector()
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
  await collector.post(
    [
      { event: 'a', event_id: 'x', distinct_id: 'd' },
      { event: 'a', event_id: 'y', user_id: 'u' },
      { event: 'a', event_id: 'z' },
    ],
    { headers: { traceparent } },
  )
  const keys = [recordKey('shop', 'd', 'x'), recordKey('shop', 'u', 'y'), recordKey('shop', null, 'z')]
  expect(
    collector.records.map(({ topic, key, partition, headers }) => ({ topic, key, partition, headers })),
  ).toEqual(
    ['x', 'y', 'z'].map((id, index) => ({
      topic: 'events.raw',
      key: keys[index],
      partition: partitionOf(keys[index]!, 12),
      headers: { event_id: id, dataset_id: 'shop', traceparent },
    })),
  )
})

test('without a valid traceparent each request gets a new one', async () => {
  const collector = openCollector()
  for (let request = 0; request < 300; request++) await collector.post([{ event: 'a' }, { event: 'b' }])
  const traces = collector.records.splice(0).map((record) => record.headers?.traceparent)
  expect(new Set(traces).size).toBe(300)
  await collector.post(
    { event: 'a' },
    { headers: { traceparent: `00-${'0'.repeat(32)}-b7ad6b7169203331-01` } },
  )
  expect(collector.records[0]?.headers?.traceparent).toMatch(/^00-(?!0{32})[0-9a-f]{32}-[0-9a-f]{16}-00$/)
})

test('the key alone decides the dataset, whatever the event says', async () => {
  const collector = openCollector()
  await collector.post({ event: 'a', dataset_id: 'shop' }, { key: OTHER_KEY })
  expect(collector.raw()[0]?.dataset_id).toBe('blog')
})

test('JSON that parses is stored byte for byte', async () => {
  const collector = openCollector()
  const event =
    '{ "event":"a","n":[9007199254740993,1.0,-0,1E2],"__proto__":{"admin":true},"constructor":{"prototype":1},"d":1,"d":2,"":"\\u0000\\/" }'
  expect((await collector.post(`[ ${event} ,{"event":"b"}]`)).body.accepted).toBe(2)
  expect(collector.records[0]?.value?.toString()).toContain(`"event":${event}}`)
  expect(({} as { admin?: boolean }).admin).toBe(undefined)
})

test('a key in the body is taken and never stored', async () => {
  const collector = openCollector()
  const bodies = [
    { event: 'a', event_id: '1', write_key: WRITE_KEY },
    { event: 'a', event_id: '2', writeKey: WRITE_KEY },
    { event: 7, event_id: '3', writeKey: WRITE_KEY },
    { batch: [{ event: 'a', event_id: '4' }], write_key: WRITE_KEY },
  ]
  for (const body of bodies) expect((await collector.post(body, { key: null })).status).toBe(200)
  expect((await collector.post(bodies[0])).status).toBe(200)
  expect(collector.records).toHaveLength(5)
  for (const record of collector.records) expect(record.value?.toString()).not.toContain(WRITE_KEY)
  expect((await collector.post([{ event: 'a', write_key: WRITE_KEY }], { key: null })).status).toBe(401)
})

test('a dry run gives the same verdicts and produces nothing', async () => {
  const events = [
    { event: 'a', event_id: '1' },
    { event: '', event_id: '2' },
  ]
  const collector = openCollector()
  const real = await collector.post(events)
  const before = collector.records.length
  const dry = await collector.post(events, { path: '/v1/validate' })
  expect(dry.body).toEqual({ dry_run: true, ...real.body })
  expect(collector.records).toHaveLength(before)
})

test('sent_at is kept as sent, and one that is no time refuses the request', async () => {
  const collector = openCollector()
  for (const sent_at of ['soon', 1800000000000, null, undefined])
    expect((await collector.post({ batch: [{ event: 'a' }], sent_at })).status).toBe(200)
  expect(collector.raw().map((raw) => raw.sent_at)).toEqual(['soon', '1800000000000', null, null])
  for (const sent_at of [{}, [], true, 'x'.repeat(101)])
    expect((await collector.post({ batch: [{ event: 'a' }], sent_at })).body).toMatchObject({
      code: 'invalid_payload',
      attr: 'sent_at',
    })
})

test('the last of several batch members counts, however its name is written', async () => {
  const collector = openCollector()
  await collector.post('{"batch":[{"event":"a"}],"b\\u0061tch":[{"event":"b"}]}')
  await collector.post('{"b\\u0061tch":[{"event":"d"}]}')
  await collector.post('{"event":"c","properties":{"batch":[1]}}')
  expect(collector.raw().map((raw) => raw.event?.event)).toEqual(['b', 'd', 'c'])
})
