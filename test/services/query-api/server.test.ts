import { expect, test } from 'vitest'
import { DependencyError } from '../../../services/core/runtime/errors.ts'
import type { EventRecord } from '../../../services/query-api/event-query.ts'
import { type AskedQuestion, recordingEnvironment, testKey } from './recording-environment.ts'

const ROUTES = [
  '/api/datasets/shop/events',
  '/api/datasets/shop/events.csv',
  '/api/datasets/shop/events/e1',
  '/api/datasets/shop/insights/trend',
  '/api/datasets/shop/insights/trend.csv',
  '/api/datasets/shop/trace/e1',
]

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
  browser: 'Firefox',
  ...over,
})

test.each(ROUTES)('%s opens for a read key of its dataset only', async (url) => {
  const { app, keys, asked, control } = recordingEnvironment()
  const statusOf = async (headers: Record<string, string>, query = '') =>
    (await app.inject({ url: url + query, headers })).statusCode
  const bearer = (key: string) => ({ authorization: `Bearer ${key}` })
  expect(await statusOf({})).toBe(401)
  expect(await statusOf({ authorization: 'Bearer ' })).toBe(401)
  expect(await statusOf(bearer('not a key'))).toBe(401)
  expect(await statusOf(bearer(`${keys.shopRead.slice(0, -1)}!`))).toBe(401)
  expect(await statusOf(bearer(keys.unknown))).toBe(401)
  expect(await statusOf(bearer(keys.shopExpired))).toBe(401)
  expect(await statusOf(bearer(keys.shopWrite))).toBe(403)
  expect(await statusOf(bearer(keys.blogRead))).toBe(404)
  expect(await statusOf({ authorization: `Basic ${Buffer.from(keys.shopRead).toString('base64')}` })).toBe(
    401,
  )
  control.setProblem('The end of the topic was not confirmed lately.')
  expect(await statusOf(bearer(keys.shopRead))).toBe(503)
  expect(asked).toEqual([])
  control.setProblem(null)
  // The key opens it: 404 here is the event that is not there, never the dataset.
  expect([200, 404]).toContain(await statusOf(bearer(keys.shopRead)))
  expect([200, 404]).toContain(await statusOf({}, `?personal_api_key=${keys.shopRead}`))
  expect(asked.length).toBeGreaterThan(0)
})

test('another dataset is answered like one that does not exist, byte for byte', async () => {
  const { get, keys } = recordingEnvironment()
  const [theirs, none, orphan] = await Promise.all([
    get('/api/datasets/blog/events'),
    get('/api/datasets/nothing/events'),
    get('/api/datasets/gone/events', keys.orphan),
  ])
  for (const response of [theirs, none, orphan]) {
    expect(response.statusCode).toBe(404)
    expect(response.body).toBe(theirs.body)
  }
})

test('a revoked key stops working at once', async () => {
  const { get, control, keys } = recordingEnvironment()
  expect((await get('/api/datasets/shop/events', keys.shopRead)).statusCode).toBe(200)
  control.update({ keys: [] })
  expect((await get('/api/datasets/shop/events', keys.shopRead)).statusCode).toBe(401)
})

test('no answer and no log line ever holds the key that was sent', async () => {
  const failing = recordingEnvironment(() => {
    throw new Error('boom')
  })
  const key = testKey('read')
  const bodies = [
    await failing.get(`/api/datasets/shop/events?personal_api_key=${failing.keys.shopRead}`),
    await failing.get(`/api/datasets/shop/events?event=${key}`, key),
    await failing.get('/api/datasets/shop/events', `${failing.keys.shopRead}x`),
  ].map(({ body, headers }) => body + JSON.stringify(headers))
  for (const text of [...bodies, ...failing.lines]) {
    expect(text).not.toContain(key)
    expect(text).not.toContain(failing.keys.shopRead)
  }
})

test('a failure that nobody foresaw tells nothing but a request id', async () => {
  const { get, lines } = recordingEnvironment(() => {
    throw new Error('secret detail of /etc/thing')
  })
  const response = await get('/api/datasets/shop/events')
  expect(response.statusCode).toBe(500)
  expect(response.json()).toMatchObject({ type: 'server_error', code: 'error', attr: null })
  expect(response.body).not.toContain('secret')
  expect(lines.join('')).toContain('secret detail')
})

test.each([
  ['Code: 159. DB::Exception: Timeout exceeded', 'timeout', 400, 'query_too_expensive'],
  ['Code: 158. DB::Exception: Limit for rows exceeded', 'rejected', 400, 'query_too_expensive'],
  ['Code: 396. DB::Exception: Limit for result exceeded', 'rejected', 400, 'query_too_expensive'],
  ['Code: 241. DB::Exception: (for query) memory limit exceeded', 'overloaded', 400, 'query_too_expensive'],
  ['Code: 241. DB::Exception: (total) memory limit exceeded', 'overloaded', 503, 'unavailable'],
  ['connect ECONNREFUSED', 'unavailable', 503, 'unavailable'],
  ['Code: 60. DB::Exception: Unknown table', 'not_found', 500, 'error'],
] as const)('ClickHouse saying %j is answered %s → %d %s', async (message, code, status, apiCode) => {
  const { get } = recordingEnvironment(() => {
    throw new DependencyError('clickhouse', code, message)
  })
  const response = await get('/api/datasets/shop/events')
  expect(response.statusCode).toBe(status)
  expect(response.json().code).toBe(apiCode)
  expect(response.body).not.toContain('DB::')
  if (status === 503) expect(response.headers['retry-after']).toBe('5')
})

test('every statement carries the cost limits, an id and the signal', async () => {
  const { get, asked } = recordingEnvironment()
  await get('/api/datasets/shop/events')
  expect(asked[0]?.options).toMatchObject({
    queryId: expect.stringMatching(/^millrace-query-/),
    signal: expect.any(AbortSignal),
    settings: {
      max_execution_time: 20,
      max_rows_to_read: 1000,
      max_memory_usage: 2000,
      max_result_bytes: 3000,
      result_overflow_mode: 'throw',
    },
  })
})

test('a client that goes away aborts its question, and its place is free again', async () => {
  const reached = Promise.withResolvers<void>()
  const aborted = Promise.withResolvers<void>()
  const { app, env, keys } = recordingEnvironment(async (asked) => {
    asked.options.signal?.addEventListener('abort', () => aborted.resolve())
    reached.resolve()
    await aborted.promise
    throw new DependencyError('clickhouse', 'unavailable', 'aborted')
  })
  const address = await app.listen({ port: 0, host: '127.0.0.1' })
  const client = new AbortController()
  const response = fetch(`${address}/api/datasets/shop/events`, {
    headers: { authorization: `Bearer ${keys.shopRead}` },
    signal: client.signal,
  }).catch((error: Error) => error.name)
  await reached.promise
  expect(env.gate.running).toBe(1)
  client.abort()
  expect(await response).toBe('AbortError')
  await aborted.promise
  await app.close()
  expect(env.gate.running).toBe(0)
})

test('questions past the limits of a dataset or the process are told to come back', async () => {
  const release = Promise.withResolvers<void>()
  const { get, keys } = recordingEnvironment(async () => {
    await release.promise
    return []
  })
  const shop = [get('/api/datasets/shop/events'), get('/api/datasets/shop/events')]
  const third = await get('/api/datasets/shop/events')
  expect(third.statusCode).toBe(429)
  expect(third.json()).toMatchObject({ type: 'throttled_error', code: 'throttled' })
  expect(third.headers['retry-after']).toBe('1')
  const blog = get('/api/datasets/blog/events', keys.blogRead)
  await Promise.resolve()
  expect((await get('/api/datasets/blog/events', keys.blogRead)).statusCode).toBe(429)
  release.resolve()
  for (const response of await Promise.all([...shop, blog])) expect(response.statusCode).toBe(200)
  expect((await get('/api/datasets/shop/events')).statusCode).toBe(200)
})

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
  ['properties=[{"key":"a","type":"hogql","value":1}]', 'properties'],
  ['properties=[{"key":"a","value":{}}]', 'properties'],
  ['properties=[{"key":"a","operator":"gt"}]', 'properties'],
  [`event=${'x'.repeat(1001)}`, 'event'],
  ['csv_mode=excel', 'csv_mode'],
  ['offset=100', 'offset'],
  ['select=event', 'select'],
])('%s is a 400 that names its parameter', async (query, attr) => {
  const { get, asked } = recordingEnvironment()
  const response = await get(`/api/datasets/shop/events?${query}`)
  expect(response.statusCode).toBe(400)
  expect(response.json()).toMatchObject({ type: 'validation_error', attr })
  expect(asked).toEqual([])
})

test.each([
  ['interval=minute', 'interval'],
  ['interval=hour;', 'interval'],
  ['date_from=-5x', 'date_from'],
  ['date_from=2026-01-02&date_to=2026-01-01', 'date_to'],
  ['interval=hour&date_from=2020-01-01', 'interval'],
  ['math=sum', 'math'],
  ['events=[]', 'events'],
  ['events=[{"id":5}]', 'events__id'],
  ['events=[{"id":"a","math":"p99"}]', 'events__math'],
  ['breakdown=a&breakdown_limit=301', 'breakdown_limit'],
  ['format=xlsx', 'format'],
  ['compare=true', 'compare'],
  ['formula=A/B', 'formula'],
  ['breakdown=a&breakdown_type=cohort', 'breakdown_type'],
  ['smoothing_intervals=7', 'smoothing_intervals'],
  ['display=ActionsPie', 'display'],
  ['constructor=1', 'constructor'],
  ['events=[{"id":"a","math_property":"b"}]', 'events__math_property'],
  ['events=[{"id":"a","order":1}]', 'events__order'],
  ['events=[{"id":"a"}]&event=b', 'event'],
])('trend: %s is a 400 that names its parameter', async (query, attr) => {
  const { get, asked } = recordingEnvironment()
  const response = await get(`/api/datasets/shop/insights/trend?${query}`)
  expect(response.statusCode).toBe(400)
  expect(response.json()).toMatchObject({ type: 'validation_error', attr })
  expect(asked).toEqual([])
})

test('unknown paths are 404, other methods 405, both without asking who it is', async () => {
  const { app, get } = recordingEnvironment()
  for (const url of ['/', '/api', '/api/datasets/shop/nothing', '/api/datasets/shop/events/%', '/metrics'])
    expect((await get(url, null)).json()).toMatchObject({ code: 'not_found' })
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE'] as const) {
    const response = await app.inject({ method, url: '/api/datasets/shop/events' })
    expect([response.statusCode, response.json().code]).toEqual([405, 'method_not_allowed'])
  }
})

test('an event has the shape that clients of product-analytics APIs know', async () => {
  const { get } = recordingEnvironment(() => [record({ user_id: 'u1', set: '{"a":1}' })])
  const { results, next } = (await get('/api/datasets/shop/events?after=2026-01-01')).json()
  expect(next).toBe(null)
  expect(results).toEqual([
    {
      id: 'e1',
      distinct_id: 'd1',
      properties: { plan: 'pro', $user_id: 'u1', $browser: 'Firefox', $set: { a: 1 } },
      event: 'page_view',
      timestamp: '2026-11-22T11:00:00.000Z',
      person: { is_identified: true, distinct_ids: ['d1'], properties: {} },
      elements: [],
      elements_chain: '',
    },
  ])
})

test('the last day is tried first, and everything only when that does not fill the page', async () => {
  const full = recordingEnvironment(({ parameters }) =>
    Array.from({ length: Number(Object.values(parameters).at(-1)) }, (_, i) => record({ src_offset: i })),
  )
  await full.get('/api/datasets/shop/events?limit=2')
  expect(full.asked.length).toBe(1)
  const sparse = recordingEnvironment(() => [record()])
  await sparse.get('/api/datasets/shop/events?limit=2')
  expect(sparse.asked.map(({ sql }) => sql.includes('event_time > '))).toEqual([true, false])
})

test('next keeps the question, adds the cursor and leaves the key out', async () => {
  const { get, keys } = recordingEnvironment(() => [record(), record({ src_offset: 18 })])
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
    asked = question
    return [record({ event: '=cmd()', properties: '{"a":"x,y"}', browser: null })]
  })
  const response = await get('/api/datasets/shop/events.csv?after=2026-01-01')
  expect(response.headers['content-type']).toContain('text/csv')
  expect(response.body).toBe(
    'id,timestamp,event,distinct_id,properties\r\n' +
      `e1,2026-11-22T11:00:00.000Z,'=cmd(),d1,"{""a"":""x,y""}"\r\n`,
  )
  expect(Object.values(asked?.parameters ?? {}).at(-1)).toBe(3_501)
})

test('what is refused as not supported is told with what is', async () => {
  const { get } = recordingEnvironment()
  const detail = async (query: string) =>
    (await get(`/api/datasets/shop/insights/trend?${query}`)).json().detail
  expect(await detail('formula=A/B')).toMatch(/^formula is not supported here\. What is: event, math, /)
  expect(await detail('compare=true')).toBe('compare is not supported here, except as false.')
})

test('parameters that ask for what is done anyway are taken', async () => {
  const { get } = recordingEnvironment()
  const query =
    'insight=TRENDS&display=ActionsLineGraph&compare=false&breakdown_type=event&refresh=true&formula='
  expect((await get(`/api/datasets/shop/insights/trend?${query}`)).statusCode).toBe(200)
})

test('a trend as CSV has a line per series and value, and a column per interval', async () => {
  const { get } = recordingEnvironment(({ sql }) =>
    sql.includes('start_ms')
      ? [{ start_ms: String(Date.parse('2026-11-20T23:00:00Z')), value: '1,2', is_other: 0, amount: '5' }]
      : [{ value: '1,2' }],
  )
  const query = 'date_from=-2d&events=[{"id":"a","name":"=x"}]&breakdown=p'
  const text = `series,20-Nov-2026,21-Nov-2026,22-Nov-2026\r\n"'=x - 1,2",0,5,0\r\n`
  const suffix = await get(`/api/datasets/shop/insights/trend.csv?${query}`)
  expect(suffix.body).toBe(text)
  expect(suffix.headers['content-disposition']).toBe('attachment; filename="shop-trend.csv"')
  const parameter = await get(`/api/datasets/shop/insights/trend?${query}&format=csv&csv_mode=raw`)
  expect(parameter.headers['content-type']).toContain('text/csv')
  expect(parameter.body).toBe(text.replace("'", ''))
})

test('ids with slashes, spaces, unicode and 200 bytes are found', async () => {
  for (const id of ['a/b', 'ü'.repeat(100), 'x y?z#', '%2F']) {
    const { get, asked } = recordingEnvironment(() => [record({ event_id: id })])
    const response = await get(`/api/datasets/shop/events/${encodeURIComponent(id)}`)
    expect(response.json().id).toBe(id)
    expect(Object.values(asked[0]?.parameters ?? {})).toContain(id)
  }
})

test('an event that is not there is a 404', async () => {
  const { get } = recordingEnvironment()
  expect((await get('/api/datasets/shop/events/none')).json()).toMatchObject({ code: 'not_found' })
})

test('a trend is zero-filled in the time zone of the dataset', async () => {
  const { get } = recordingEnvironment(() => [
    { start_ms: String(Date.parse('2026-11-20T23:00:00Z')), value: '', is_other: 0, amount: '5' },
  ])
  const body = (await get('/api/datasets/shop/insights/trend?date_from=-2d&event=page_view')).json()
  expect(body).toMatchObject({ is_cached: false, timezone: 'Europe/Berlin', next: null })
  expect(body.result).toEqual([
    {
      action: { id: 'page_view', type: 'events', order: 0, name: 'page_view', math: 'total' },
      label: 'page_view',
      count: 5,
      data: [0, 5, 0],
      labels: ['20-Nov-2026', '21-Nov-2026', '22-Nov-2026'],
      days: ['2026-11-20', '2026-11-21', '2026-11-22'],
    },
  ])
})
