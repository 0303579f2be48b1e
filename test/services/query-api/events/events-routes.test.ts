import { expect, test } from 'vitest'
import { personIdOf } from '../../../../services/core/event/person-id.ts'
import type { EventRecord } from '../../../../services/query-api/events/event-query.ts'
import { type AskedQuestion, recordingEnvironment } from '../recording-environment.ts'

const record = (over: Partial<EventRecord> = {}): EventRecord => ({
  event_id: 'e1',
  event: 'page_view',
  distinct_id: 'd1',
  user_id: null,
  event_time_ms: Date.parse('2026-11-22T11:00:00Z'),
  src_partition: 3,
  src_offset: 17,
  properties: '{"plan":"pro"}',
  set: null,
  set_once: null,
  extra: null,
  browser: 'Firefox',
  ...over,
})

/** These events, and nobody behind them. */
const answering =
  (...records: EventRecord[]) =>
  ({ sql }: AskedQuestion) =>
    sql.includes('FROM persons') ? [] : records

test.each([
  ['limit=0', 'limit'],
  ['limit=10001', 'limit'],
  ['limit=1e3', 'limit'],
  ['limit=-1', 'limit'],
  ['format=xml', 'format'],
  ['orderBy=event', 'orderBy'],
  ['orderBy=timestamp;DROP', 'orderBy'],
  ['after=yesterday', 'after'],
  ['after=2026-02-31', 'after'],
  ['cursor=abc', 'cursor'],
  ['event=a&event=b', 'event'],
  ['properties={', 'properties'],
  ['properties=5', 'properties'],
  ['properties=[{"key":"a","operator":"sql","value":1}]', 'properties'],
  ['properties=[{"key":"a","type":"element","value":1}]', 'properties'],
  ['properties=[{"key":"a","value":{}}]', 'properties'],
  ['properties=[{"key":"a","operator":"gt"}]', 'properties'],
  [`event=${'x'.repeat(1001)}`, 'event'],
  ['csv_mode=excel', 'csv_mode'],
  ['offset=-1', 'offset'],
  ['select=evnt', 'select'],
  ['select=["event","sleep(3)"]', 'select'],
  ['select=event AS a, event', 'select'],
  ['where=event = ', 'where'],
  ['where=system.tables', 'where'],
  ['where=count() > 5', 'where'],
  ['select=event&orderBy=evnt', 'orderBy'],
  ['maskPii=maybe', 'maskPii'],
  ['properties=[{"type":"sql","key":"evnt"}]', 'properties'],
  ['properties={"type":"OR","values":[{"type":"hogql","key":"count() > 1"}]}', 'properties'],
])('%s is a 400 that names its parameter', async (query, attr) => {
  const { get, asked } = recordingEnvironment()
  const response = await get(`/api/datasets/shop/events?${query}`)
  expect(response.statusCode).toBe(400)
  expect(response.json()).toMatchObject({ type: 'validation_error', attr })
  expect(asked).toEqual([])
})

test('an event has the shape that clients of product-analytics APIs know', async () => {
  const { get } = recordingEnvironment(({ sql }) =>
    sql.includes('FROM persons')
      ? [
          { override_id: 'd1', person_key: 'ann', state: '', identified: false, created_ms: 0 },
          {
            override_id: '',
            person_key: 'ann',
            state: '{"plan":"pro"}',
            identified: true,
            created_ms: Date.parse('2026-11-01'),
          },
        ]
      : [record({ user_id: 'u1', set: '{"a":1}' })],
  )
  const { results, next } = (await get('/api/datasets/shop/events?after=2026-01-01')).json()
  expect(next).toBe(null)
  expect(results).toEqual([
    {
      id: 'e1',
      distinct_id: 'd1',
      properties: { plan: 'pro', $user_id: 'u1', $browser: 'Firefox', $set: { a: 1 } },
      event: 'page_view',
      timestamp: '2026-11-22T11:00:00.000Z',
      person: {
        id: personIdOf('shop', 'ann'),
        is_identified: true,
        properties: { plan: 'pro' },
        properties_as_of: 'now',
        created_at: '2026-11-01T00:00:00.000Z',
        distinct_ids: ['d1'],
      },
      elements: [],
      elements_chain: '',
    },
  ])
})

test('what an event says about its person is told once, what stands further out before what is among its properties', async () => {
  const said = async (over: Partial<EventRecord>) => {
    const { get } = recordingEnvironment(answering(record(over)))
    const { properties } = (await get('/api/datasets/shop/events/e1')).json()
    return [properties.$set, properties.$set_once, properties.$unset]
  }
  expect(
    await said({
      properties: '{"$set":{"a":1,"b":1,"c":1},"$set_once":{"x":1},"$unset":["p"]}',
      extra: '{"$set":{"b":2,"c":2},"$set_once":{"x":2},"$unset":["q"],"unset":["r"]}',
      set: '{"c":3}',
      set_once: '{"y":3}',
    }),
  ).toEqual([{ a: 1, b: 2, c: 3 }, { x: 2, y: 3 }, ['p', 'q', 'r']])
  expect(await said({ properties: '{"$set":"gold"}' })).toEqual(['gold', undefined, undefined])
  expect(await said({ properties: '{}', extra: '{"$set":[1],"$unset":"a"}' })).toEqual(
    Array(3).fill(undefined),
  )
})

/** Rows that a statement asks for. */
const limitOf = ({ sql, parameters }: Pick<AskedQuestion, 'sql' | 'parameters'>) =>
  Number(parameters[/ LIMIT {(\w+):/.exec(sql)?.[1] ?? ''])

test('the last hour is tried first, then the last day, and everything only when neither fills the page', async () => {
  const full = recordingEnvironment((question) =>
    Array.from({ length: limitOf(question) || 0 }, (_, i) => record({ src_offset: i })),
  )
  await full.get('/api/datasets/shop/events?limit=2')
  const ofEvents = ({ asked }: typeof full) => asked.filter(({ sql }) => !sql.includes('FROM persons'))
  const spansOf = (environment: typeof full) =>
    ofEvents(environment).map(({ sql, parameters }) => {
      const after = /event_time > fromUnixTimestamp64Milli\({(\w+):/.exec(sql)?.[1]
      return after === undefined ? null : environment.clock.now() - Number(parameters[after])
    })
  expect(ofEvents(full).length).toBe(1)
  expect(spansOf(full)).toEqual([3_600_000])
  const sparse = recordingEnvironment(() => [record()])
  await sparse.get('/api/datasets/shop/events?limit=2')
  expect(spansOf(sparse)).toEqual([3_600_000, 86_400_000, null])
})

test('next keeps the question, adds the cursor and leaves the key out', async () => {
  const { get, keys } = recordingEnvironment(answering(record(), record({ src_offset: 18 })))
  const url = `/api/datasets/shop/events?limit=1&event=page%20view&personal_api_key=${keys.shopRead}`
  const next = new URL((await get(url, null)).json().next)
  expect(next.pathname).toBe('/api/datasets/shop/events')
  expect(next.searchParams.get('event')).toBe('page view')
  expect(next.searchParams.has('personal_api_key')).toBe(false)
  const cursor = Buffer.from(next.searchParams.get('cursor') as string, 'base64url').toString()
  expect(cursor).toBe(`${Date.parse('2026-11-22T11:00:00Z')}.3.17`)
})

test('CSV has the same rows, a link to the next page and a cap of 3,500', async () => {
  let asked: AskedQuestion | undefined
  const { get } = recordingEnvironment((question) => {
    if (question.sql.includes('FROM persons')) return []
    asked = question
    return [record({ event: '=cmd()', properties: '{"a":"x,y"}', browser: null })]
  })
  const response = await get('/api/datasets/shop/events.csv?after=2026-01-01')
  expect(response.headers['content-type']).toContain('text/csv')
  expect(response.body).toBe(
    'id,timestamp,event,distinct_id,properties\r\n' +
      `e1,2026-11-22T11:00:00.000Z,'=cmd(),d1,"{""a"":""x,y""}"\r\n`,
  )
  expect(asked && limitOf(asked)).toBe(3_501)
})

test('ids with slashes, spaces, unicode and 200 bytes are found', async () => {
  for (const id of ['a/b', 'ü'.repeat(100), 'x y?z#', '%2F']) {
    const { get, asked } = recordingEnvironment(answering(record({ event_id: id })))
    const response = await get(`/api/datasets/shop/events/${encodeURIComponent(id)}`)
    expect(response.json().id).toBe(id)
    expect(Object.values(asked[0]?.parameters ?? {})).toContain(id)
  }
})

test('an event that is not there is a 404', async () => {
  const { get } = recordingEnvironment()
  expect((await get('/api/datasets/shop/events/none')).json()).toMatchObject({ code: 'not_found' })
})

test('what is personal is masked where that is asked for, in lists, files and single events', async () => {
  const { get } = recordingEnvironment(
    answering(record({ properties: '{"email":"a@b.de","plan":"pro","to":"x@y.org"}' })),
  )
  for (const path of [
    'events?after=2026-01-01&maskPii=true',
    'events.csv?after=2026-01-01&maskPii=true',
    'events/e1?maskPii=true',
  ]) {
    const { body } = await get(`/api/datasets/shop/${path}`)
    expect(body).not.toMatch(/a@b|x@y/)
    expect(body).toContain('pro')
  }
  expect((await get('/api/datasets/shop/events/e1')).body).toContain('a@b.de')
})

test('what is personal is masked in answers without pages, too', async () => {
  const properties = JSON.stringify({
    email: 'a@b.de',
    plan: 'pro',
    $elements: [{ tag_name: 'a', $el_text: 'Mail x@y.org' }],
  })
  const { get } = recordingEnvironment(answering(record({ properties, distinct_id: 'd@e.fr' })))
  for (const format of ['json', 'csv']) {
    const path = `/api/datasets/shop/events?limit=all&format=${format}`
    const { body } = await get(`${path}&maskPii=true`)
    expect(body).not.toMatch(/a@b|x@y|d@e/)
    expect(body).toContain('pro')
    expect((await get(path)).body).toMatch(/a@b.*x@y/s)
  }
})

test('an event without its person asks for none', async () => {
  const { get, asked } = recordingEnvironment(answering(record()))
  expect((await get('/api/datasets/shop/events/e1?include_person=false')).json().person).toBe(null)
  expect(asked.length).toBe(1)
})

test('values of a property are asked for with their filter, and names of events by custom_event', async () => {
  const { get, asked } = recordingEnvironment(() => [{ name: 'Firefox' }])
  const response = await get('/api/datasets/shop/events/values?key=$browser&value=fire&event_name=["a","b"]')
  expect(response.json()).toEqual([{ name: 'Firefox' }])
  expect(Object.values(asked[0]!.parameters)).toEqual(
    expect.arrayContaining(['shop', '$browser', 'fire', ['a', 'b']]),
  )
  await get('/api/datasets/shop/events/values?key=custom_event')
  expect(asked[1]!.sql).toContain("NOT startsWith(event, '$')")
  expect((await get('/api/datasets/shop/events/values')).json()).toMatchObject({
    attr: 'key',
    code: 'required',
  })
})
