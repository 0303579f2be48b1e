import { createHash } from 'node:crypto'
import { gunzipSync } from 'node:zlib'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeChunkRecord } from '../../../services/core/recordings/chunk-record.ts'
import { DependencyError } from '../../../services/core/runtime/errors.ts'
import { GZIP, gzip, NOW_MS, type OpenCollector, openCollector } from './open-collector.ts'

const MOVE = { type: 3, timestamp: NOW_MS, data: { source: 1, positions: [{ x: 1, y: 2 }] } }
/** A page that is nested deeper, has longer text and more keys than an event may have. */
const PAGE = {
  type: 2,
  timestamp: NOW_MS - 5,
  data: {
    node: Array.from({ length: 100 }).reduce<unknown>((childNodes) => ({ childNodes: [childNodes] }), {
      style: 'x'.repeat(100_000),
    }),
    attributes: Object.fromEntries(Array.from({ length: 3000 }, (_, n) => [`a${n}`, n])),
  },
}
const snapshot = (data: unknown, more: object = {}) => ({
  event: '$snapshot',
  distinct_id: 'ann',
  properties: { $session_id: 's1', $window_id: 'w1', $lib: 'web', $snapshot_data: data, ...more },
})
const packed = (events: unknown) => gzip(JSON.stringify(events)).toString('base64')

function chunksOf({ chunks }: OpenCollector) {
  return chunks.map((record) => {
    const decoded = decodeChunkRecord(Buffer.from(record.value!))
    if (!decoded.ok) throw new Error(decoded.detail)
    return { ...decoded.chunk, line: gunzipSync(decoded.compressed).toString() }
  })
}

test('a chunk leaves the path of events, whole, and keeps its place in the answer', async () => {
  const collector = openCollector()
  const body = [
    { event: 'a', event_id: 'e1' },
    { ...snapshot([PAGE, MOVE]), event_id: 'e2' },
    { event: 'b', event_id: 'e3' },
  ]
  const answer = await collector.post(gzip(JSON.stringify(body)), { headers: GZIP })
  expect(answer).toMatchObject({ status: 200, body: { accepted: 3, rejected: 0 } })
  expect(answer.body.results.map(({ event_id }: { event_id: string }) => event_id)).toEqual([
    'e1',
    'e2',
    'e3',
  ])
  expect(collector.raw().map(({ event }) => event?.event)).toEqual(['a', 'b'])
  const line = `${JSON.stringify({ window_id: 'w1', data: [PAGE, MOVE] })}\n`
  expect(chunksOf(collector)).toEqual([
    {
      v: 1,
      event_id: 'e2',
      dataset_id: 'shop',
      session_id: 's1',
      window_id: 'w1',
      distinct_id: 'ann',
      collector_time: NOW_MS,
      library: 'web',
      events: 2,
      bytes: Buffer.byteLength(line),
      line,
    },
  ])
})

test('whatever a recorder’s events hold is what is stored, sent plain or compressed as older clients do', async () => {
  const collector = openCollector()
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ type: fc.nat(6), timestamp: fc.nat(), data: fc.jsonValue({ maxDepth: 4 }) }), {
        minLength: 1,
        maxLength: 5,
      }),
      async (events) => {
        const sent = JSON.parse(JSON.stringify(events)) as unknown[]
        const before = collector.chunks.length
        const body = [
          snapshot(sent),
          snapshot({ compression: 'gzip-base64', data: packed(sent), chunk_count: 1 }),
        ]
        const answer = await collector.post(body)
        // Half a surrogate pair is no character: such a chunk is refused, and told so.
        if (answer.body.rejected > 0) {
          expect(answer.body.results.map(({ code }: { code: string }) => code)).toEqual([
            'invalid_utf8',
            'invalid_utf8',
          ])
          return
        }
        const stored = chunksOf(collector).slice(before)
        for (const { line } of stored) expect(JSON.parse(line).data).toEqual(sent)
        expect(stored[1]?.line).toBe(stored[0]?.line)
        collector.chunks.length = 0
      },
    ),
    { numRuns: 60 },
  )
})

test('one rrweb event is a list of one, a session may stand at the top, and no window is one of its own', async () => {
  const collector = openCollector()
  await collector.post({ event: '$snapshot', session_id: 'top', properties: { $snapshot_data: MOVE } })
  expect(chunksOf(collector)).toMatchObject([
    { session_id: 'top', window_id: 'top', distinct_id: '', library: null, events: 1 },
  ])
})

test('all chunks of a session go to one partition, whoever sends them', async () => {
  const collector = openCollector()
  const ids = ['ann', 'bob', undefined]
  await collector.post(ids.map((distinct_id) => ({ ...snapshot([MOVE]), distinct_id })))
  await collector.post(Array.from({ length: 40 }, (_, n) => snapshot([MOVE], { $session_id: `s-${n}` })))
  const partitions = collector.chunks.map(({ partition }) => partition)
  expect(new Set(partitions.slice(0, 3)).size).toBe(1)
  expect(new Set(partitions.slice(3)).size).toBeGreaterThan(5)
})

const bad: readonly [string, object, string, string][] = [
  ['no data', snapshot(undefined), 'missing_field', '$snapshot_data is missing'],
  ['text for data', snapshot('x'), 'invalid_type', 'list of rrweb events'],
  ['an empty list', snapshot([]), 'invalid_value', 'no rrweb event'],
  ['an event that is none', snapshot([MOVE, 5]), 'invalid_type', '[1] is not an object'],
  ['an event without a type', snapshot([{ timestamp: 1 }]), 'invalid_value', '[0].type'],
  ['an event without a time', snapshot([{ type: 1 }]), 'invalid_value', '[0].timestamp'],
  ['a time in text', snapshot([{ type: 1, timestamp: '1' }]), 'invalid_value', '[0].timestamp'],
  ['no session', snapshot([MOVE], { $session_id: undefined }), 'missing_field', '$session_id is missing'],
  [
    'a session that is no text',
    snapshot([MOVE], { $session_id: 5 }),
    'invalid_type',
    '$session_id is not text',
  ],
  ['an empty session', snapshot([MOVE], { $session_id: '' }), 'invalid_value', '$session_id is empty'],
  ['a long session', snapshot([MOVE], { $session_id: 's'.repeat(201) }), 'id_too_long', '201 bytes'],
  ['a long window', snapshot([MOVE], { $window_id: 'w'.repeat(201) }), 'id_too_long', '201 bytes'],
  ['an unknown compression', snapshot({ compression: 'zip', data: '' }), 'invalid_value', 'gzip-base64'],
  ['no gzip', snapshot({ compression: 'gzip-base64', data: 'AAAA' }), 'invalid_value', 'not gzip'],
  [
    'compressed nonsense',
    snapshot({ compression: 'gzip-base64', data: gzip('[1').toString('base64') }),
    'invalid_json',
    'not JSON',
  ],
  [
    'a part of a chunk',
    snapshot({ compression: 'gzip-base64', data: packed([MOVE]), chunk_count: 2 }),
    'invalid_value',
    'part of a chunk',
  ],
  [
    'a bomb',
    snapshot({ compression: 'gzip-base64', data: gzip('0'.repeat(50_000_000)).toString('base64') }),
    'too_large',
    'when decompressed',
  ],
]

test.each(bad)(
  '%s is refused with its reason, and its neighbours are kept',
  async (_, event, code, detail) => {
    const collector = openCollector()
    const { status, body } = await collector.post([snapshot([MOVE]), event, { event: 'a' }])
    expect(status).toBe(200)
    expect(body.results[1]).toMatchObject({
      status: 'rejected',
      code,
      detail: expect.stringContaining(detail),
    })
    expect(body).toMatchObject({ accepted: 2, rejected: 1 })
    expect(collector.chunks).toHaveLength(1)
    // What is refused stays data: it goes the way of every refused event.
    expect(collector.raw().map(({ refused }) => refused?.code)).toEqual([code, undefined])
  },
)

test('limits are met exactly: of a chunk, of its record in Kafka, of its session', async () => {
  const noise = createHash('shake256', { outputLength: 3000 }).update('x').digest('base64')
  const large = [{ ...MOVE, data: noise }]
  const bytes = JSON.stringify(snapshot(large)).length
  const codeOf = async (environment: Record<string, string>, event: object = snapshot(large)) =>
    (await openCollector(environment).post([event])).body.results[0].code ?? 'accepted'
  const chunkMax = 'MILLRACE_COLLECTOR_RECORDING_CHUNK_BYTES_MAX'
  expect(await codeOf({ [chunkMax]: String(bytes) })).toBe('accepted')
  expect(await codeOf({ [chunkMax]: String(bytes - 1) })).toBe('too_large')
  expect(await codeOf({ MILLRACE_COLLECTOR_EVENT_BYTES_MAX: '100' })).toBe('accepted')
  expect(
    await codeOf({ MILLRACE_COLLECTOR_EVENT_BYTES_MAX: '100' }, { ...snapshot(large), event: 'other' }),
  ).toBe('too_large')
  expect(await codeOf({ MILLRACE_KAFKA_RECORD_BYTES: '10000' })).toBe('too_large')

  const collector = openCollector({ MILLRACE_COLLECTOR_RECORDING_SESSION_BYTES_MAX: '10000' })
  const post = async (session: string) =>
    (await collector.post([snapshot(large, { $session_id: session })])).body.results[0]
  await collector.post([snapshot(large)], { path: '/v1/validate' })
  expect([await post('s1'), await post('s1')].map(({ status }) => status)).toEqual(['accepted', 'accepted'])
  expect(await post('s1')).toMatchObject({ code: 'too_large', detail: expect.stringContaining('session') })
  expect((await post('s2')).status).toBe('accepted')
})

test('lines are judged like a list, by the limits of a chunk', async () => {
  const collector = openCollector()
  const lines = [snapshot([PAGE]), { event: 'a', properties: { PAGE } }].map((one) => JSON.stringify(one))
  const { body } = await collector.post(lines.join('\n'), {
    headers: { 'content-type': 'application/x-ndjson' },
  })
  expect(body.results.map(({ code }: { code?: string }) => code)).toEqual([undefined, 'too_deep'])
  expect(chunksOf(collector)[0]?.line).toContain('childNodes')
})

test('an event that only says $snapshot somewhere is an event, with an event’s limits', async () => {
  const collector = openCollector()
  const { body } = await collector.post([{ event: 'a', properties: { event: '$snapshot', PAGE } }])
  expect(body.results[0].code).toBe('too_deep')
  expect(collector.chunks).toEqual([])
})

test('a dry run says what would happen, and keeps nothing', async () => {
  const collector = openCollector()
  const { body } = await collector.post([snapshot([MOVE]), snapshot([])], { path: '/v1/validate' })
  expect(body.results.map(({ status }: { status: string }) => status)).toEqual(['accepted', 'rejected'])
  expect([collector.chunks, collector.records]).toEqual([[], []])
})

test('when chunks are not taken, no event of the request is; when events are not, that is not known', async () => {
  const collector = openCollector()
  collector.onProduceChunks = () => Promise.reject(new DependencyError('kafka', 'rejected', 'No.'))
  const body = [{ event: 'a' }, snapshot([MOVE])]
  expect(await collector.post(body)).toMatchObject({ status: 503, body: { code: 'not_taken' } })
  expect(collector.records).toEqual([])
  expect((await collector.post([{ event: 'a' }])).status).toBe(200)

  collector.onProduceChunks = async () => {}
  collector.onProduce = () => Promise.reject(new DependencyError('kafka', 'rejected', 'No.'))
  expect(await collector.post(body)).toMatchObject({ status: 503, body: { code: 'unknown' } })
  expect((await collector.post([snapshot([MOVE])])).status).toBe(200)
  expect(await collector.metrics.expose()).toMatch(/^millrace_collector_recording_chunks_total 1$/m)
})
