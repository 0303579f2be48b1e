import { type AddressInfo, connect } from 'node:net'
import { expect, test } from 'vitest'
import { createLogger } from '../../../../services/core/runtime/logger.ts'
import { createMetrics } from '../../../../services/core/runtime/metrics.ts'
import { addressIdentity } from '../../../../services/query-api/http/address-identity.ts'
import { createMemoryRateCounters } from '../../../../services/query-api/http/memory-rate-counters.ts'
import { createQueryGate } from '../../../../services/query-api/http/query-gate.ts'
import { createRateLimiter } from '../../../../services/query-api/http/rate-limiter.ts'
import { recordingEnvironment, testKey } from '../recording-environment.ts'

const EVENTS = '/api/datasets/shop/events'
const KEYS = '/api/personal_api_keys'

test('a dataset gets 240 questions a minute, whoever asks, and the next one is told which limit it met', async () => {
  const { get, personalKey, keys, clock } = recordingEnvironment()
  const key = await personalKey(['query:read'])
  for (let i = 0; i < 239; i++) expect((await get(EVENTS, i % 2 ? key : keys.shopRead)).statusCode).toBe(200)
  const last = await get(EVENTS, key)
  expect([last.statusCode, last.headers['ratelimit-remaining']]).toEqual([200, '0'])
  await clock.advance(500)
  // Another writing of the same path is the same route.
  const refused = await get(`${EVENTS}/`, keys.shopRead)
  expect(refused.statusCode).toBe(429)
  expect(refused.json()).toEqual({
    type: 'throttled_error',
    code: 'throttled',
    detail:
      'Request was throttled. Expected available in 60 seconds. The limit is 240 requests per minute (clickhouse_burst) for all keys of this dataset together.',
    attr: null,
  })
  expect(refused.headers).toMatchObject({
    'retry-after': '60',
    'ratelimit-limit': '240',
    'ratelimit-remaining': '0',
    'ratelimit-reset': '60',
    'ratelimit-policy': '240;w=60;comment="clickhouse_burst"',
  })
  expect((await get('/api/datasets/blog/events', keys.blogRead)).statusCode).toBe(200)
  await clock.advance(59_499)
  expect((await get(EVENTS, key)).statusCode).toBe(429)
  await clock.advance(1)
  expect((await get(EVENTS, key)).statusCode).toBe(200)
})

test('waiting as long as Retry-After says is enough', async () => {
  const { get, clock } = recordingEnvironment()
  for (let i = 0; i < 240; i++) {
    await get(EVENTS)
    if (i % 40 === 0) await clock.advance(777)
  }
  const refused = await get(EVENTS)
  expect(refused.statusCode).toBe(429)
  await clock.advance(Number(refused.headers['retry-after']) * 1_000)
  expect((await get(EVENTS)).statusCode).toBe(200)
})

test('every answer tells what is left, errors too', async () => {
  const { get } = recordingEnvironment()
  const found = await get(`${EVENTS}/none`)
  expect([found.statusCode, found.headers['ratelimit-limit'], found.headers['ratelimit-remaining']]).toEqual([
    404,
    '240',
    '239',
  ])
})

test('a dataset of the allow list is served and counted as that', async () => {
  const { get, personalKey, metrics } = recordingEnvironment()
  const key = await personalKey(['query:read'], ['free'])
  for (let i = 0; i < 241; i++) await get('/api/datasets/free/events', key)
  expect((await get('/api/datasets/free/events', key)).statusCode).toBe(200)
  expect(await metrics.expose()).toContain(
    'millrace_query_api_rate_limit_bypassed_total{path="/api/datasets/:dataset/events"} 242',
  )
})

test('a dataset that the configuration does not limit is served, from the moment on that it says so', async () => {
  const { get, control } = recordingEnvironment()
  for (let i = 0; i < 240; i++) await get(EVENTS)
  expect((await get(EVENTS)).statusCode).toBe(429)
  const datasets = [...control.snapshot.datasets.values()].map(({ object }) => object)
  const limited = (rate_limited: boolean) =>
    control.update({ datasets: datasets.map((each) => ({ ...each, rate_limited })) })
  limited(false)
  const served = await get(EVENTS)
  expect([served.statusCode, served.headers['ratelimit-limit']]).toEqual([200, undefined])
  limited(true)
  expect((await get(EVENTS)).statusCode).toBe(429)
})

test('guesses are limited by address, and use up nobody else’s limit', async () => {
  const { app, get, metrics } = recordingEnvironment()
  const guess = (remoteAddress: string, headers: Record<string, string> = {}) =>
    app.inject({
      url: EVENTS,
      remoteAddress,
      headers: { authorization: `Bearer ${testKey('personal')}`, ...headers },
    })
  for (let i = 0; i < 240; i++)
    expect((await guess('192.0.2.1', { 'x-forwarded-for': `198.51.100.${i}` })).statusCode).toBe(401)
  expect((await guess('192.0.2.1', { 'x-forwarded-for': '198.51.100.250' })).statusCode).toBe(429)
  expect((await guess('192.0.2.2')).statusCode).toBe(401)
  // A proxy that is trusted speaks for its clients.
  expect((await guess('10.9.0.1', { 'x-forwarded-for': '192.0.2.1' })).statusCode).toBe(429)
  expect((await get(EVENTS)).headers['ratelimit-remaining']).toBe('239')
  expect(await metrics.expose()).toMatch(
    /rate_limit_exceeded_total\{dataset="address",scope="clickhouse_burst",path="\/api\/datasets\/:dataset\/events"\} 2/,
  )
})

test('another writing of a key, of its scheme or of a dataset has no limit of its own', async () => {
  const { app, keys, personalKey } = recordingEnvironment()
  const key = await personalKey(['query:read'])
  const ask = async (authorization: string, dataset = 'shop') => {
    const { statusCode, headers } = await app.inject({
      url: `/api/datasets/${dataset}/events`,
      headers: { authorization },
    })
    return [statusCode, headers['ratelimit-remaining']]
  }
  // The scheme is written as one likes.
  expect(await ask(`Bearer ${key}`)).toEqual([200, '239'])
  expect(await ask(`bEARER   ${key} `)).toEqual([200, '238'])
  expect(await ask(`bearer ${keys.shopRead}`)).toEqual([200, '237'])
  // A key is not, and counts as a guess of its address.
  expect(await ask(`Bearer ${key.toUpperCase()}`)).toEqual([401, '239'])
  expect(await ask(`Bearer ${key.replace('mr_p_', 'MR_P_')}`)).toEqual([401, '238'])
  // A dataset of another writing is none, and counts for the key.
  expect(await ask(`Bearer ${key}`, 'SHOP')).toEqual([404, '239'])
  expect(await ask(`Bearer ${key}`, 'Shop')).toEqual([404, '238'])
  expect(await ask(`Bearer ${key}`, '%73hop')).toEqual([200, '236'])
})

test('requests that come on one connection without waiting for answers are counted one by one', async () => {
  const { app, keys } = recordingEnvironment(() => [], { gate: createQueryGate(300, 300) })
  await app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = app.server.address() as AddressInfo
  const request = `GET ${EVENTS} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${keys.shopRead}\r\n\r\n`
  const socket = connect(port, '127.0.0.1')
  let text = ''
  const ended = new Promise<void>((resolve) => socket.once('close', resolve))
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1')
  })
  socket.write(request.repeat(299) + request.replace('host: x', 'host: x\r\nconnection: close'))
  await ended
  const statuses = [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => status)
  expect(statuses).toHaveLength(300)
  expect(statuses.filter((status) => status === '200')).toHaveLength(240)
  expect(statuses.filter((status) => status === '429')).toHaveLength(60)
  await app.close()
})

test('a key that asks about datasets of others uses up its own limit', async () => {
  const { get, keys } = recordingEnvironment()
  for (let i = 0; i < 240; i++)
    expect((await get('/api/datasets/blog/events', keys.shopRead)).statusCode).toBe(404)
  expect((await get('/api/datasets/blog/events', keys.shopRead)).statusCode).toBe(429)
  expect((await get('/api/datasets/blog/events', keys.blogRead)).statusCode).toBe(200)
})

test('routes that do not reach ClickHouse have the default limits, per key', async () => {
  const { get, keys, personalKey } = recordingEnvironment()
  const key = await personalKey(['personal_api_key:read'])
  for (let i = 0; i < 480; i++) expect((await get(KEYS, key)).statusCode).toBe(200)
  expect((await get(KEYS, key)).headers['ratelimit-limit']).toBe('480')
  expect((await get(KEYS, key)).statusCode).toBe(429)
  expect((await get(KEYS, keys.admin)).statusCode).toBe(200)
})

test('when counting fails requests are served, and that is counted', async () => {
  const metrics = createMetrics()
  const lines: string[] = []
  const logger = createLogger('test', 'debug', { write: (line: string) => lines.push(line) })
  const broken = { take: () => Promise.reject(new Error('no counters')), close: async () => {} }
  const limiter = createRateLimiter(
    { known: broken, addresses: broken },
    { enabled: true, isAllowed: () => false },
    metrics,
    logger,
  )
  for (let i = 0; i < 3; i++)
    expect(await limiter.take({ kind: 'dataset', id: 'shop' }, 'default', '/x')).toEqual({})
  expect(await metrics.expose()).toContain('millrace_query_api_rate_limit_failures_total 3')
  expect(lines).toHaveLength(1)
})

test('switched off, nothing is counted', async () => {
  const counters = createMemoryRateCounters({ monotonic: () => 0 }, () => {})
  const limiter = createRateLimiter(
    { known: counters, addresses: counters },
    { enabled: false, isAllowed: () => false },
    createMetrics(),
    createLogger('test', 'error'),
  )
  for (let i = 0; i < 500; i++)
    expect(await limiter.take({ kind: 'dataset', id: 'shop' }, 'clickhouse', '/x')).toEqual({})
})

test.each([
  ['192.0.2.1', '192.0.2.1'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['2001:0DB8:0001:0002::', '2001:db8:1:2::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  [null, 'unknown'],
])('%s counts as %s', (address, id) => {
  expect(addressIdentity(address)).toEqual({ kind: 'address', id })
})
