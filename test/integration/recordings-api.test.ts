import { createHash } from 'node:crypto'
import * as fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ENRICHED_EVENT_FIELDS } from '../../schemas/enriched-event/v1.ts'
import { personIdOf } from '../../services/core/event/person-id.ts'
import { removeDeleted } from '../../services/core/recordings/remove-recordings.ts'
import { queryText } from '../helpers/query-text.ts'
import { rrweb, type SentRecording } from '../helpers/recording-chunks.ts'
import { openRecordingsEngine, type RecordingsEngine } from '../helpers/recordings-engine.ts'
import { NOW_MS as NOW, recordingEnvironment } from '../services/query-api/recording-environment.ts'

const MINUTE = 60_000
let engine: RecordingsEngine
let api: ReturnType<typeof recordingEnvironment>
let key = ''

/**
 * Sessions a to d of the shop: `a` in two windows and three blocks, one chunk of it sent twice; `b` of an anonymous
 * visitor who became Ann; `c` of nobody; `d` a long time ago. The blog has a session called `a`, too.
 */
const A0 = NOW - 60 * MINUTE
const chunks: readonly (readonly SentRecording[])[] = [
  [
    { id: 'a1', session: 'a', events: [rrweb.page(A0, 'https://x/first'), rrweb.snapshot(A0 + 1)] },
    {
      id: 'b1',
      session: 'b',
      person: 'anon',
      events: [rrweb.page(A0 + MINUTE, 'https://x/b'), rrweb.console(A0 + MINUTE + 1, 'error')],
    },
    { id: 'a1', session: 'a', dataset: 'blog', person: 'eve', events: [rrweb.page(A0, 'https://blog/')] },
    { id: 'd1', session: 'd', person: 'bob', events: [rrweb.click(NOW - 20 * 24 * 60 * MINUTE)] },
  ],
  [
    {
      id: 'a2',
      session: 'a',
      window: 'w2',
      events: [rrweb.click(A0 + 10_000), rrweb.move(A0 + 13_000), rrweb.key(A0 + 20_000)],
    },
    {
      id: 'c1',
      session: 'c',
      person: '',
      events: [rrweb.mutation(A0 + 2 * MINUTE), rrweb.mutation(A0 + 4 * MINUTE)],
    },
  ],
  [
    {
      id: 'a2',
      session: 'a',
      window: 'w2',
      events: [rrweb.click(A0 + 10_000), rrweb.move(A0 + 13_000), rrweb.key(A0 + 20_000)],
    },
    // Arrived last, and begins before the chunk that is there already.
    { id: 'a0', session: 'a', events: [rrweb.mutation(A0 + 5_000)], arrivedMs: A0 + 30_000 },
  ],
]

const EMPTY_EVENT = Object.fromEntries(
  ENRICHED_EVENT_FIELDS.map(({ name, type }) => [name, type === 'text_list' ? [] : null]),
)
const eventRow = (n: number, event: string, session: string, person: string, properties: object) =>
  JSON.stringify({
    ...EMPTY_EVENT,
    schema_version: 1,
    event_id: `ev${n}`,
    dataset_id: 'shop',
    event,
    distinct_id: person,
    session_id: session,
    event_time: new Date(A0 + n * 1_000).toISOString(),
    collector_time: new Date(A0 + n * 1_000).toISOString(),
    time_corrected_ms: 0,
    protocol: 'native',
    src_partition: 0,
    src_offset: n,
    recipe: 'r',
    browser: 'Firefox',
    properties: JSON.stringify(properties),
  })

beforeAll(async () => {
  engine = await openRecordingsEngine()
  for (const range of chunks) await engine.put(range)
  const insert = (table: string, rows: readonly string[]) =>
    engine.clickhouse.insert(table, 'JSONEachRow', Buffer.from(rows.join('\n')), {
      date_time_input_format: 'best_effort',
      async_insert: 0,
    })
  await insert('events', [
    eventRow(1, 'purchase', 'a', 'ann', { plan: 'pro' }),
    eventRow(2, 'visit', 'a', 'ann', { plan: 'free' }),
    eventRow(3, 'visit', 'b', 'anon', { plan: 'free' }),
  ])
  await insert('person_overrides', [
    JSON.stringify({ dataset_id: 'shop', distinct_id: 'anon', person_key: 'ann', version: 1 }),
  ])
  await insert('persons', [
    JSON.stringify({
      dataset_id: 'shop',
      person_key: 'ann',
      person_id: personIdOf('shop', 'ann'),
      created_at: new Date(A0).toISOString(),
      is_identified: true,
      properties: '{"email":"ann@example.com"}',
      is_deleted: false,
      version: 1,
    }),
  ])
  api = recordingEnvironment(undefined, {
    clickhouse: engine.clickhouse,
    recordings: engine,
    rateLimits: { enabled: false, allowed: new Set() },
    cost: {
      executionSecondsMax: 60,
      rowsReadMax: 1_000_000,
      memoryBytesMax: 1_000_000_000,
      resultBytesMax: 50_000_000,
      streamSecondsMax: 60,
    },
  })
  key = await api.personalKey(['session_recording:write'])
})
afterAll(async () => {
  await api.app.close()
  await engine.close()
})

async function call(
  method: 'GET' | 'PATCH' | 'DELETE',
  path: string,
  body?: object,
  from = key,
  dataset = 'shop',
) {
  const response = await api.app.inject({
    method,
    url: `/api/datasets/${dataset}/session_recordings${path}`,
    headers: { authorization: `Bearer ${from}` },
    ...(body && { payload: body }),
  })
  return {
    status: response.statusCode,
    text: response.body,
    body: response.body.startsWith('{') ? response.json() : null,
  }
}
async function ids(parameters: Record<string, unknown>): Promise<string> {
  const { status, body, text } = await call('GET', queryText(parameters))
  expect([status, text]).toEqual([200, text])
  return body.results.map(({ id }: { id: string }) => id).join(' ')
}

test('a session is what its chunks add up to, each once, whatever order they came in', async () => {
  const { body } = await call('GET', '/a')
  expect(body).toEqual({
    id: 'a',
    distinct_id: 'ann',
    viewed: false,
    recording_duration: 20,
    // From the click to the move within five seconds; the key came seven seconds later.
    active_seconds: 3,
    start_time: new Date(A0).toISOString(),
    end_time: new Date(A0 + 20_000).toISOString(),
    click_count: 1,
    keypress_count: 1,
    console_log_count: 0,
    console_warn_count: 0,
    console_error_count: 0,
    start_url: 'https://x/first',
    person: expect.objectContaining({ id: personIdOf('shop', 'ann'), name: 'ann@example.com' }),
    storage: 'object_storage',
  })
  expect((await call('GET', '/c')).body).toMatchObject({ distinct_id: null, person: null, active_seconds: 0 })
})

test('filters keep what they name', async () => {
  expect(await ids({})).toBe('c b a')
  expect(await ids({ date_from: 'all' })).toBe('c b a d')
  expect(await ids({ session_ids: ['a', 'd', 'none'] })).toBe('a d')
  expect(await ids({ person_uuid: personIdOf('shop', 'ann') })).toBe('b a')
  expect(await ids({ person_uuid: personIdOf('blog', 'ann') })).toBe('')
  expect(await ids({ events: [{ id: 'purchase' }] })).toBe('a')
  expect(await ids({ events: [{ id: 'visit' }] })).toBe('b a')
  expect(await ids({ events: [{ id: 'visit' }, { id: 'purchase' }] })).toBe('a')
  expect(await ids({ events: [{ id: 'visit', properties: [{ key: 'plan', value: 'pro' }] }] })).toBe('')
  expect(await ids({ properties: [{ key: 'plan', value: 'free' }] })).toBe('b a')
  expect(
    await ids({ properties: [{ key: 'email', type: 'person', operator: 'is_set' }], date_from: 'all' }),
  ).toBe('b a')
  expect(await ids({ properties: [{ key: 'email', type: 'person', operator: 'is_not_set' }] })).toBe('c')
  expect(await ids({ console_logs: ['error'] })).toBe('b')
  expect(await ids({ console_logs: ['info', 'warn'] })).toBe('')
  expect(await ids({ session_recording_duration: { key: 'duration', value: 20, operator: 'gt' } })).toBe('c')
  expect(await ids({ session_recording_duration: { key: 'duration', value: 20, operator: 'gte' } })).toBe(
    'c a',
  )
  expect(
    await ids({ session_recording_duration: { key: 'active_seconds', value: 3, operator: 'exact' } }),
  ).toBe('a')
  expect(await ids({ date_from: new Date(A0 + 1).toISOString() })).toBe('c b')
  expect(await ids({ date_to: new Date(A0 + 1).toISOString() })).toBe('a')
})

test('a recording has an action when one of its events is of one of the steps', async () => {
  const maker = await api.personalKey(['action:write'])
  const action = async (...steps: object[]) => {
    const body = { name: `action ${JSON.stringify(steps)}`, steps }
    return (await api.send('POST', '/api/datasets/shop/actions', maker, body)).body.id as number
  }
  const bought = await action({ event: 'purchase' })
  const either = await action(
    { event: 'purchase' },
    { event: 'visit', properties: [{ key: 'plan', value: 'free' }] },
  )
  expect(await ids({ actions: [{ id: bought }] })).toBe('a')
  expect(await ids({ actions: [{ id: either }] })).toBe('b a')
  expect(await ids({ actions: [{ id: either }, { id: bought }] })).toBe('a')
  expect(await ids({ actions: [{ id: either }], events: [{ id: 'purchase' }] })).toBe('a')
  const pro = [{ key: 'plan', value: 'pro' }]
  expect(await ids({ actions: [{ id: either, properties: pro }] })).toBe('a')
  expect(await ids({ actions: [{ id: await action({ event: 'none' }) }] })).toBe('')
})

test('filters of the type recording ask about what was recorded, in lists and of events', async () => {
  const recording = (key: string, operator: string, value?: unknown) => ({
    key,
    operator,
    type: 'recording',
    ...(value !== undefined && { value }),
  })
  const listed = (...properties: object[]) => ids({ properties, date_from: 'all' })
  expect(await listed(recording('click_count', 'gte', 1))).toBe('a d')
  expect(await listed(recording('click_count', 'lt', 1))).toBe('c b')
  expect(await listed(recording('duration', 'exact', 20))).toBe('a')
  expect(await listed(recording('start_url', 'icontains', 'FIRST'))).toBe('a')
  expect(await listed(recording('start_url', 'is_not_set'))).toBe('c d')
  expect(await listed(recording('console_error_count', 'gt', 0), { key: 'plan', value: 'free' })).toBe('b')
  const errors = [recording('console_error_count', 'is_not', 0)]
  expect(await ids({ events: [{ id: 'visit', properties: errors }] })).toBe('b')
  const events = async (properties: object[]) => {
    const path = `/api/datasets/shop/events${queryText({ properties })}`
    const { results } = (await api.send('GET', path, api.keys.shopRead)).body
    return results.map((one: { id: string }) => one.id).join(' ')
  }
  expect(await events([recording('keypress_count', 'exact', 1)])).toBe('ev2 ev1')
  expect(await events([recording('keypress_count', 'is_not', 1)])).toBe('ev3')
})

test('pages follow each other, and has_next tells when there are no more', async () => {
  const page = async (offset: number) =>
    (await call('GET', queryText({ limit: 2, offset, date_from: 'all' }))).body
  const [first, second] = [await page(0), await page(2)]
  expect([...first.results, ...second.results].map(({ id }: { id: string }) => id)).toEqual([
    'c',
    'b',
    'a',
    'd',
  ])
  expect([first.has_next, second.has_next]).toEqual([true, false])
})

test('whatever text a filter holds, it is answered, and with nothing of another dataset', async () => {
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 40 }), async (text) => {
      const hostile = [text, `' OR 1=1 --`, '\\', '{p0:String}', `a\0'`].map((part) => part.slice(0, 200))
      expect(await ids({ session_ids: hostile })).toBe('')
      for (const filters of [{ events: [{ id: text }] }, { properties: [{ key: text, value: text }] }]) {
        const { status, text: told } = await call('GET', queryText(filters))
        expect([200, 400], told).toContain(status)
      }
      expect((await call('GET', `/${encodeURIComponent(`x${text}`.toWellFormed())}`)).status).toBe(404)
    }),
    { numRuns: 10 },
  )
  expect((await call('GET', '/a', undefined, api.keys.blogRead, 'blog')).body).toMatchObject({
    distinct_id: 'eve',
    click_count: 0,
  })
  expect((await call('GET', '', undefined, api.keys.blogRead, 'shop')).status).toBe(404)
})

test('snapshots come by window in the order they play, chunk by chunk, and block by block', async () => {
  const events = (id: string) =>
    chunks.flat().find((one) => one.id === id && one.dataset === undefined)!.events
  const whole = { w1: [...events('a1'), ...events('a0')], w2: events('a2') }
  expect((await call('GET', '/a/snapshots')).body).toEqual({
    next: null,
    snapshot_data_by_window_id: whole,
    storage: 'object_storage',
  })
  const paged: Record<string, unknown[]> = {}
  let path: string | null = '/a/snapshots?limit=1'
  let pages = 0
  while (path !== null) {
    const { body }: { body: { next: string | null; snapshot_data_by_window_id: Record<string, unknown[]> } } =
      await call('GET', path)
    for (const [window, list] of Object.entries(body.snapshot_data_by_window_id))
      paged[window] = [...(paged[window] ?? []), ...list]
    path = body.next === null ? null : `/a/snapshots${new URL(body.next).search}`
    pages++
  }
  expect([paged, pages]).toEqual([whole, 3])

  const { body } = await call('GET', '/a/snapshots?version=2')
  expect(
    body.sources.map(({ start_timestamp: at }: { start_timestamp: string }) => Date.parse(at) - A0),
  ).toEqual([0, 5_000, 10_000])
  const lines: { window_id: string; data: unknown[] }[] = []
  for (const { blob_key } of body.sources) {
    const { status, text } = await call('GET', `/a/snapshots?source=blob&blob_key=${blob_key}`)
    expect(status).toBe(200)
    lines.push(
      ...text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line)),
    )
  }
  expect(lines.map(({ window_id, data }) => [window_id, data.length])).toEqual([
    ['w1', 2],
    ['w1', 1],
    ['w2', 3],
  ])
  // A block is the session's own: with the name of another one nothing is read.
  const blob = body.sources[0].blob_key
  expect((await call('GET', `/b/snapshots?source=blob&blob_key=${blob}x`)).status).toBe(404)
  expect((await call('GET', '/a/snapshots?source=realtime')).text).toBe('')
})

test('a playlist lists what was put on it and what its filters find, of its own dataset', async () => {
  const both = await api.personalKey(['session_recording_playlist:write', 'session_recording:read'])
  const path = '/api/datasets/shop/session_recording_playlists'
  const { id } = (await api.send('POST', path, both, { filters: { events: [{ id: 'visit' }] } })).body
  for (const session of ['d', 'a', 'c']) await api.send('POST', `${path}/${id}/recordings/${session}`, both)
  expect((await api.send('POST', `${path}/${id}/recordings/none`, both)).status).toBe(404)
  const listed = async (query: string) => {
    const { results, has_next } = (await api.send('GET', `${path}/${id}/recordings${query}`, both)).body
    return [results.map((one: { id: string }) => one.id).join(' '), has_next]
  }
  expect(await listed('')).toEqual(['c a d', false])
  expect(await listed('?limit=2')).toEqual(['c a', true])
  expect(await listed('?source=filters')).toEqual(['b a', false])
  await api.send('DELETE', `${path}/${id}/recordings/a`, both)
  expect(await listed('')).toEqual(['c d', false])
})

test('properties of sessions are those of their first events', async () => {
  const { body } = await call('GET', `/properties${queryText({ session_ids: ['b', 'c'] })}`)
  expect(body.results).toEqual([
    { id: 'b', properties: { $browser: 'Firefox' } },
    { id: 'c', properties: {} },
  ])
})

test('what is deleted is gone at once, with what comes later, and its neighbours stay', async () => {
  await call('PATCH', '/a', { viewed: true })
  expect((await call('GET', '/a')).body.viewed).toBe(true)
  const hash = (session: string) => createHash('sha256').update(session).digest('hex').slice(0, 32)
  expect(await engine.keys(`recordings/shop/${hash('a')}/`)).toHaveLength(3)
  expect((await call('DELETE', '/a')).status).toBe(204)
  expect(await engine.keys(`recordings/shop/${hash('a')}/`)).toEqual([])
  await engine.put([{ id: 'a9', session: 'a', events: [rrweb.click(NOW)] }])
  expect(await ids({ date_from: 'all' })).toBe('c b d')
  for (const path of ['/a', '/a/snapshots', '/a/snapshots?version=2'])
    expect([path, (await call('GET', path)).status]).toEqual([path, 404])
  expect((await call('PATCH', '/a', { viewed: true })).status).toBe(404)
  // What came late is there to be removed once more.
  expect((await call('DELETE', '/a')).status).toBe(204)
  expect((await call('DELETE', '/a')).status).toBe(404)
  expect(await engine.rows()).toBe(chunks.flat().length + 1 - 5)
  expect((await call('GET', '/a', undefined, api.keys.blogRead, 'blog')).status).toBe(200)
})

test("recordings of a person go with a call that deletes persons, and nobody else's", async () => {
  const both = await api.personalKey(['person:write', 'session_recording:write'])
  const deleted = async () => {
    const path = '/api/datasets/shop/persons/bulk_delete'
    const body = { ids: [personIdOf('shop', 'ann')], delete_recordings: true, keep_person: true }
    const answer = await api.send('POST', path, both, body)
    expect([answer.status, answer.body.commands]).toEqual([202, []])
    return answer.body.recordings_deleted
  }
  const rows = await engine.rows()
  expect(await ids({ person_uuid: personIdOf('shop', 'ann'), date_from: 'all' })).toBe('b')
  expect(await deleted()).toBe(1)
  expect(await ids({ date_from: 'all' })).toBe('c d')
  expect((await call('GET', '/b/snapshots')).status).toBe(404)
  expect(await deleted()).toBe(0)
  expect((await call('GET', '/a', undefined, api.keys.blogRead, 'blog')).status).toBe(200)
  // As the stage does, every few minutes.
  expect(await removeDeleted(engine.stores, 10)).toBe(1)
  expect(await engine.rows()).toBe(rows - 1)
})
