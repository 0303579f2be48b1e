import { expect, test } from 'vitest'
import { blockKey } from '../../../../services/core/recordings/block-names.ts'
import { queryText } from '../../../helpers/query-text.ts'
import { recordingChunk, rrweb } from '../../../helpers/recording-chunks.ts'
import { type AskedQuestion, recordingEnvironment } from '../recording-environment.ts'
import { sessionRow } from './session-row.ts'

const PATH = '/api/datasets/shop/session_recordings'
const SESSION = sessionRow('s/1')
const isOfSessions = ({ sql }: AskedQuestion) => sql.includes('started_ms')

async function opened(
  answer: (asked: AskedQuestion) => readonly unknown[] = (asked) => (isOfSessions(asked) ? [SESSION] : []),
  scopes: readonly string[] = ['session_recording:write'],
) {
  const system = recordingEnvironment(answer)
  const key = await system.personalKey(scopes)
  return {
    ...system,
    key,
    call: (method: 'GET' | 'PATCH' | 'DELETE', path = '', body?: unknown) =>
      system.send(method, `${PATH}${path}`, key, body),
  }
}
test('a page of recordings has what clients know, and says whether there are more', async () => {
  const { call, asked } = await opened((one) =>
    isOfSessions(one) ? [SESSION, { ...SESSION, id: 's2' }] : [],
  )
  const { status, body } = await call('GET', queryText({ limit: 1, version: '2' }))
  expect(status).toBe(200)
  expect(body).toEqual({
    results: [
      {
        id: 's/1',
        distinct_id: 'ann',
        viewed: false,
        recording_duration: 2.5,
        active_seconds: 2,
        start_time: '2026-11-22T11:59:55.000Z',
        end_time: '2026-11-22T11:59:57.500Z',
        click_count: 3,
        keypress_count: 4,
        console_log_count: 0,
        console_warn_count: 0,
        console_error_count: 1,
        start_url: null,
        person: expect.objectContaining({ type: 'person', name: 'ann', distinct_ids: ['ann'] }),
        storage: 'object_storage',
      },
    ],
    has_next: true,
    version: 2,
  })
  const [sessions] = asked.filter(isOfSessions)
  expect(Object.values(sessions!.parameters)).toContain('shop')
  // The last seven days, in the time zone of the dataset.
  expect(Object.values(sessions!.parameters)).toContain(Date.parse('2026-11-15T00:00:00+01:00'))
})

test('sessions that are named are of any time, unless a time is named, too', async () => {
  const { call, asked } = await opened()
  await call('GET', queryText({ session_ids: ["' OR 1=1 --"] }))
  const [sessions] = asked.filter(isOfSessions)
  expect(sessions!.sql).not.toContain('OR 1=1')
  expect(Object.values(sessions!.parameters)).toContainEqual(["' OR 1=1 --"])
  expect(sessions!.sql).not.toContain('started >=')
  await call('GET', queryText({ session_ids: ['s1'], date_from: '-1d' }))
  expect(asked.filter(isOfSessions)[1]!.sql).toContain('started >=')
})

test.each([
  [{ session_ids: 'x' }, 'session_ids'],
  [{ session_ids: [5] }, 'session_ids'],
  [{ session_ids: ['s'.repeat(201)] }, 'session_ids'],
  [{ session_ids: Array.from({ length: 1001 }, (_, n) => `s${n}`) }, 'session_ids'],
  [{ person_uuid: "'" }, 'person_uuid'],
  [{ events: '{}' }, 'events'],
  [{ events: Array.from({ length: 21 }, () => ({ id: 'a' })) }, 'events'],
  [{ actions: [{ id: 5 }] }, 'actions__id'],
  [{ properties: [{ key: 'a', type: 'recording', value: 1 }] }, 'properties'],
  [{ properties: [{ key: 'purchase', type: 'behavioral', value: 'performed_event' }] }, 'properties'],
  [{ session_recording_duration: { key: 'duration; DROP', value: 1 } }, 'session_recording_duration__key'],
  [{ session_recording_duration: { key: 'toString', value: 1 } }, 'session_recording_duration__key'],
  [{ session_recording_duration: { value: 1, operator: '>' } }, 'session_recording_duration__operator'],
  [{ session_recording_duration: { value: '1' } }, 'session_recording_duration__value'],
  [{ session_recording_duration: { value: 1, extra: 1 } }, 'session_recording_duration__extra'],
  [{ console_logs: ['fatal'] }, 'console_logs'],
  [{ console_logs: 'error' }, 'console_logs'],
  [{ date_from: 'soon' }, 'date_from'],
  [{ version: '4' }, 'version'],
  [{ limit: '1001' }, 'limit'],
  [{ offset: '-1' }, 'offset'],
  [{ order: 'x' }, 'order'],
])('%j is refused by name, before anything is asked', async (parameters, attr) => {
  const { call, asked } = await opened()
  const before = asked.length
  expect(await call('GET', queryText(parameters))).toMatchObject({
    status: 400,
    body: { type: 'validation_error', attr },
  })
  expect(asked.length).toBe(before)
})

test('looking at a recording is noted for whoever looked, once', async () => {
  const { call, send, personalKey } = await opened()
  const other = await personalKey(['session_recording:read'])
  const id = '/s%2F1'
  expect((await call('GET', id)).body.viewed).toBe(false)
  for (const viewed of [true, true, false, true])
    expect(await call('PATCH', id, { viewed })).toMatchObject({ status: 200, body: { id: 's/1', viewed } })
  expect((await call('GET', id)).body.viewed).toBe(true)
  expect((await send('GET', `${PATH}${id}`, other)).body.viewed).toBe(false)
  for (const [body, attr] of [
    [{}, 'viewed'],
    [{ viewed: 1 }, 'viewed'],
    [{ viewed: true, id: 'x' }, 'id'],
    [[], 'body'],
  ] as const)
    expect(await call('PATCH', id, body)).toMatchObject({ status: 400, body: { attr } })
})

test('what is not there is a 404 for every call about it', async () => {
  const { call } = await opened(() => [])
  expect((await call('GET')).body).toEqual({ results: [], has_next: false, version: 1 })
  for (const [method, path, body] of [
    ['GET', '/none'],
    ['PATCH', '/none', { viewed: true }],
    ['DELETE', '/none'],
    ['GET', '/none/snapshots'],
    ['GET', '/none/snapshots?version=2'],
    ['GET', '/none/snapshots?source=realtime'],
    ['GET', '/none/snapshots?source=blob&blob_key=../../x'],
  ] as const)
    expect([path, (await call(method, path, body)).status]).toEqual([path, 404])
  expect(await call('GET', '/none/snapshots?source=blob')).toMatchObject({
    status: 400,
    body: { attr: 'blob_key' },
  })
  expect(await call('GET', '/none/snapshots?limit=21')).toMatchObject({
    status: 400,
    body: { attr: 'limit' },
  })
})

test('a right is needed for each, and another dataset is as if it were not there', async () => {
  const { keys, send, personalKey } = await opened()
  const calls = [
    ['GET', ''],
    ['GET', '/properties?session_ids=[]'],
    ['GET', '/s1'],
    ['GET', '/s1/snapshots?version=2'],
    ['PATCH', '/s1', { viewed: true }],
    ['DELETE', '/s1'],
  ] as const
  const statuses = async (key: string | null, dataset = 'shop') => {
    const found: number[] = []
    for (const [method, path, body] of calls)
      found.push((await send(method, `${PATH.replace('shop', dataset)}${path}`, key, body)).status)
    return found
  }
  const reader = await personalKey(['session_recording:read'])
  const others = await personalKey(['annotation:write'])
  const stranger = await personalKey(['session_recording:write'], ['blog'])
  expect(await statuses(reader)).toEqual([200, 200, 200, 404, 403, 403])
  expect(await statuses(others)).toEqual([403, 403, 403, 403, 403, 403])
  expect(await statuses(keys.shopWrite)).toEqual([403, 403, 403, 403, 403, 403])
  expect(await statuses(null)).toEqual([401, 401, 401, 401, 401, 401])
  expect(await statuses(stranger)).toEqual([404, 404, 404, 404, 404, 404])
  const writer = await personalKey(['session_recording:write'], ['shop'])
  expect(await statuses(writer, 'none')).toEqual([404, 404, 404, 404, 404, 404])
})

test('calls are counted as those that reach ClickHouse', async () => {
  const { call } = await opened()
  let answer = await call('GET')
  expect(answer.headers['ratelimit-policy'] ?? answer.headers['ratelimit-limit']).toMatch(/240/)
  for (let n = 0; n < 240 && answer.status === 200; n++) answer = await call('GET')
  expect(answer).toMatchObject({ status: 429, body: { code: 'throttled' } })
})

test('a page of snapshots is what was recorded, by window, and its next address goes on', async () => {
  const block = { topicId: 't', start: 0, end: 9 }
  const key = blockKey('shop', 's1', 0, block)
  const sent = [
    { id: 'e1', window: 'w"1', events: [rrweb.page(1, 'https://x/?a=1&b="2"')] },
    { id: 'e2', window: 'w2', events: [rrweb.click(2), rrweb.key(3)] },
    { id: 'e3', window: 'w"1', events: [rrweb.move(4)] },
  ]
  const chunks = await Promise.all(sent.map(recordingChunk))
  const body = Buffer.concat(chunks.map(({ compressed }) => compressed))
  let from = 0
  const places = chunks.map(({ chunk, compressed }) => {
    const place = {
      window_id: chunk.window_id,
      bytes: String(chunk.bytes),
      object_key: key,
      object_from: String(from),
      object_bytes: String(compressed.length),
    }
    from += compressed.length
    return place
  })
  const { call, store } = await opened(({ sql, parameters }) => {
    if (sql.includes('first_ms')) return [{ object_key: key, first_ms: '1', last_ms: '4' }]
    if (!sql.includes('OFFSET')) return places
    const [limit = 0, offset = 0] = Object.values(parameters).slice(-2).map(Number)
    return places.slice(offset, offset + limit)
  })
  store.buckets.get('millrace')!.set(key, { bytes: body, metadata: {} })

  const all = await call('GET', '/s1/snapshots')
  expect(all.headers['content-type']).toContain('application/json')
  expect(all.body).toEqual({
    next: null,
    snapshot_data_by_window_id: { 'w"1': [...sent[0]!.events, ...sent[2]!.events], w2: sent[1]!.events },
    storage: 'object_storage',
  })
  const first = await call('GET', '/s1/snapshots?limit=2')
  expect(Object.keys(first.body.snapshot_data_by_window_id)).toEqual(['w"1', 'w2'])
  const next = new URL(first.body.next)
  expect(next.searchParams.get('offset')).toBe('2')
  expect((await call('GET', `/s1/snapshots${next.search}`)).body).toMatchObject({
    next: null,
    snapshot_data_by_window_id: { 'w"1': sent[2]!.events },
  })

  const { body: list } = await call('GET', '/s1/snapshots?version=2')
  expect(list.sources).toEqual([
    {
      source: 'blob',
      start_timestamp: '1970-01-01T00:00:00.001Z',
      end_timestamp: '1970-01-01T00:00:00.004Z',
      blob_key: 't-0-00000000000000000000-00000000000000000009',
    },
  ])
  store.buckets.get('millrace')!.clear()
  expect((await call('GET', '/s1/snapshots')).status).toBe(404)
})

test('deleting removes objects and rows, tells nobody of it from its first step on, and forgets who looked', async () => {
  const system = recordingEnvironment(({ sql }) =>
    sql.includes('AS found') ? [{ found: 1 }] : sql.includes('started_ms') ? [SESSION] : [],
  )
  const key = await system.personalKey(['session_recording:write'])
  const effects: string[] = []
  Object.assign(system.env.clickhouse, {
    insert: async (table: string, _format: string, body: Buffer) =>
      void effects.push(`insert ${table} ${JSON.parse(body.toString()).session_id}`),
    command: async (sql: string, parameters: object) =>
      void effects.push(`${sql.split(' ').slice(0, 4).join(' ')} ${JSON.stringify(parameters)}`),
  })
  const objects = system.store.buckets.get('millrace')!
  const range = { topicId: 't', start: 0, end: 1 }
  const [mine, other] = [blockKey('shop', 's/1', 0, range), blockKey('shop', 's/10', 0, range)]
  for (const name of [mine, other]) objects.set(name, { bytes: Buffer.from('x'), metadata: {} })
  system.store.onRequest = (verb, name) => void effects.push(`${verb} ${name.slice(0, 20)}`)
  await system.send('PATCH', `${PATH}/s%2F1`, key, { viewed: true })
  expect((await system.send('DELETE', `${PATH}/s%2F1`, key)).status).toBe(204)
  expect([...objects.keys()]).toEqual([other])
  expect(effects).toEqual([
    'insert recording_deletions s/1',
    'list millrace/recordings/',
    'delete millrace/recordings/',
    'ALTER TABLE recording_chunks DELETE {"dataset_id":"shop","session_id":"s/1"}',
  ])
  expect((await system.send('GET', `${PATH}/s%2F1`, key)).body.viewed).toBe(false)
})

test('properties come in the order asked, empty for a session without events', async () => {
  const { call, asked } = await opened(({ sql }) =>
    sql.includes('AS v0') ? [{ id: 's2', v0: 'Firefox', v1: null }] : [],
  )
  const { body } = await call('GET', `/properties${queryText({ session_ids: ['s1', 's2'] })}`)
  expect(body).toEqual({
    results: [
      { id: 's1', properties: {} },
      { id: 's2', properties: { $browser: 'Firefox' } },
    ],
  })
  expect(Object.values(asked.at(-1)!.parameters)).toContainEqual(['s1', 's2'])
  expect((await call('GET', '/properties')).body).toMatchObject({ attr: 'session_ids', code: 'required' })
})
