import { expect, test } from 'vitest'
import { parseAccessKey } from '../../../services/core/control/access-key.ts'
import { DependencyError } from '../../../services/core/runtime/errors.ts'
import { recordingEnvironment, testKey } from './recording-environment.ts'

const ROUTES = [
  '/api/datasets/shop/events',
  '/api/datasets/shop/events.csv',
  '/api/datasets/shop/events/e1',
  '/api/datasets/shop/insights/trend',
  '/api/datasets/shop/insights/trend.csv',
  '/api/datasets/shop/trace/e1',
]

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

test('metrics hold neither keys nor their hashes, whatever came of the requests', async () => {
  const { app, get, send, personalKey, keys, metrics } = recordingEnvironment()
  const personal = await personalKey(['query:read', 'annotation:write'])
  const sent = [personal, ...Object.values(keys), testKey('personal'), 'mr_p_nonsense']
  for (const key of sent) {
    await get('/api/datasets/shop/events', key)
    await get('/api/datasets/blog/events', key)
    await get(`/api/datasets/${key}/events`, key)
    await get(`/api/datasets/shop/events/${key}?personal_api_key=${key}`, null)
    await send('POST', '/api/datasets/shop/annotations', null, { personal_api_key: key, content: key })
    await app.inject({ url: `/${key}` })
  }
  const text = await metrics.expose()
  expect(text).toContain('millrace_query_api_requests_total')
  for (const key of sent) {
    expect(text).not.toContain(key)
    expect(text).not.toContain(parseAccessKey(key)?.hash ?? key)
  }
  expect(text).not.toContain('mr_')
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
      max_bytes_before_external_group_by: 666,
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
  expect(third.headers).not.toHaveProperty('ratelimit-limit')
  const blog = get('/api/datasets/blog/events', keys.blogRead)
  await Promise.resolve()
  expect((await get('/api/datasets/blog/events', keys.blogRead)).statusCode).toBe(429)
  release.resolve()
  for (const response of await Promise.all([...shop, blog])) expect(response.statusCode).toBe(200)
  // What was refused was not counted.
  const last = await get('/api/datasets/shop/events')
  expect([last.statusCode, last.headers['ratelimit-remaining']]).toEqual([200, '237'])
})

test('unknown paths are 404, other methods 405, both without asking who it is', async () => {
  const { app, get } = recordingEnvironment()
  for (const url of ['/', '/api', '/api/datasets/shop/nothing', '/api/datasets/shop/events/%', '/metrics'])
    expect((await get(url, null)).json()).toMatchObject({ code: 'not_found' })
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE'] as const) {
    const response = await app.inject({ method, url: '/api/datasets/shop/events' })
    expect([response.statusCode, response.json().code]).toEqual([405, 'method_not_allowed'])
  }
})

test('HEAD is refused wherever GET is answered, and asks ClickHouse for nothing', async () => {
  const { app, asked, keys } = recordingEnvironment()
  for (const path of ['events?limit=all', 'events.csv', 'insights/trend', 'annotations']) {
    const response = await app.inject({
      method: 'HEAD',
      url: `/api/datasets/shop/${path}`,
      headers: { authorization: `Bearer ${keys.shopRead}` },
    })
    expect([path, response.statusCode, response.body]).toEqual([path, 405, ''])
    expect(response.headers.allow).toMatch(/^GET\b/)
  }
  expect(asked).toEqual([])
})

test('a Host header that names no host is a 400, for links in answers are made of it', async () => {
  const { app, keys } = recordingEnvironment()
  const response = await app.inject({
    url: '/api/datasets/shop/events',
    headers: { host: '[', authorization: `Bearer ${keys.shopRead}` },
  })
  expect([response.statusCode, response.json().code]).toEqual([400, 'parse_error'])
})

test('what is written is said to the user who writes, and whoever asks only reads', async () => {
  const written: string[] = []
  const { clickhouse } = recordingEnvironment().env
  const refused = async () => {
    throw new DependencyError('clickhouse', 'read_only', 'Code: 164. Cannot execute query in readonly mode')
  }
  const { app, send, personalKey } = recordingEnvironment(() => [], {
    clickhouse: { ...clickhouse, command: refused, insert: refused },
    writer: {
      query: clickhouse.query,
      command: async (sql, _parameters, options) => {
        written.push(`${sql.split(' ').slice(0, 3).join(' ')} of ${options?.dataset}`)
      },
      insert: async (table) => {
        written.push(`insert into ${table}`)
      },
    },
  })
  const key = await personalKey(['*'])
  const made = await app.inject({
    method: 'POST',
    url: '/api/datasets/shop/cohorts?name=Guests',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'text/csv' },
    payload: 'distinct_id\nuser-1\n',
  })
  expect(made.statusCode).toBe(201)
  expect((await send('DELETE', '/api/datasets/shop/cohorts/1', key)).status).toBe(204)
  expect(written).toEqual([
    'insert into cohort_members',
    'INSERT INTO cohort_changes of shop',
    'ALTER TABLE cohort_members of shop',
    'ALTER TABLE cohort_changes of shop',
  ])
})
