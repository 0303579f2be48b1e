import { expect, test } from 'vitest'
import { openCollector, WRITE_KEY } from './open-collector.ts'

const EVENT = '{"event":"a"}'
const bearer = { authorization: `Bearer ${WRITE_KEY}` }

test('content types: what is no label of ours is 415, what is one works however it is written', async () => {
  const collector = openCollector()
  for (const type of [
    'application/jsonx',
    'application/xml',
    'multipart/form-data; boundary=x',
    'application/json, text/plain',
    'json',
    '/',
    'application/json; charset=utf-16',
    'text/html',
    'toString',
    'constructor/__proto__',
  ]) {
    const answer = await collector.post(EVENT, { headers: { 'content-type': type } })
    expect([type, answer.status, answer.body.code]).toEqual([type, 415, 'unsupported_media_type'])
  }
  expect(collector.records).toEqual([])
  for (const type of [
    'application/json',
    'APPLICATION/JSON',
    ' application/json ',
    'application/json;',
    'application/json\t',
    'application/json; charset=UTF-8',
    'application/json;charset="utf-8"',
    'application/json; odata=verbose',
    'text/plain;charset=UTF-8',
    'application/x-www-form-urlencoded',
    'application/octet-stream',
    'application/x-ndjson; charset=utf-8',
  ]) {
    const answer = await collector.post(EVENT, { headers: { 'content-type': type } })
    expect([type, answer.status]).toEqual([type, 200])
  }
  const unlabelled = await collector.server.app.inject({
    method: 'POST',
    url: '/v1/events',
    payload: EVENT,
    headers: bearer,
  })
  expect(unlabelled.statusCode).toBe(200)
})

test('a request without a body is told so', async () => {
  const collector = openCollector()
  const answer = await collector.server.app.inject({ method: 'POST', url: '/v1/events', headers: bearer })
  expect([answer.statusCode, answer.json().code]).toEqual([400, 'no_data'])
})

test('browsers may send from anywhere, without credentials, and keep the preflight', async () => {
  const { server } = openCollector()
  for (const url of [
    '/v1/events',
    '/v1/events/',
    '/v1/batch',
    '/v1/track',
    '/v1/t',
    '/v1/validate',
    '/v1/pixel',
  ]) {
    const { statusCode, headers, body } = await server.app.inject({
      method: 'OPTIONS',
      url,
      headers: { origin: 'https://evil.example', 'access-control-request-method': 'POST' },
    })
    expect([url, statusCode, body]).toEqual([url, 204, ''])
    expect(headers).toMatchObject({
      'access-control-allow-origin': '*',
      'access-control-max-age': '86400',
      'access-control-allow-headers': expect.stringContaining('authorization'),
    })
    expect(headers['access-control-allow-credentials']).toBe(undefined)
  }
  const refused = await server.app.inject({ method: 'POST', url: '/v1/events', payload: EVENT })
  expect(refused.headers['access-control-allow-origin']).toBe('*')
})

test('a trailing slash changes nothing', async () => {
  const collector = openCollector()
  for (const path of ['/v1/events/', '/v1/validate/', '/v1/pixel/?event=a'])
    expect(
      (
        await collector.server.app.inject({
          method: path.includes('pixel') ? 'GET' : 'POST',
          url: path,
          payload: EVENT,
          headers: bearer,
        })
      ).statusCode,
    ).toBe(200)
})

test('paths that are not ours are 404, methods that are not are 405 and named, both as JSON', async () => {
  const { server } = openCollector()
  for (const url of [
    '/',
    '/v1',
    '/v1/event',
    '/V1/EVENTS',
    '/v1//events',
    '/v1/events/x',
    '/v1/events;a=b',
    '/v1/%2e%2e/events',
    '/v1/events%00',
    '/metrics',
    '/healthz',
  ])
    for (const method of ['GET', 'POST', 'OPTIONS'] as const) {
      const answer = await server.app.inject({ method, url, headers: bearer })
      expect([url, answer.statusCode, answer.json().code]).toEqual([url, 404, 'not_found'])
    }
  for (const method of ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'TRACE'] as const) {
    const answer = await server.app.inject({ method, url: '/v1/events?x', headers: bearer })
    expect([method, answer.statusCode, answer.headers.allow]).toEqual([method, 405, 'POST, OPTIONS'])
  }
  const pixel = await server.app.inject({ method: 'POST', url: '/v1/pixel', headers: bearer })
  expect([pixel.statusCode, pixel.headers.allow]).toEqual([405, 'GET, HEAD, OPTIONS'])
  const broken = await server.app.inject({ method: 'GET', url: '/v1/%ff' })
  expect(broken.statusCode).toBe(400)
  expect(broken.json().code).toBe('malformed_request')
})

test('more headers than the limit are 431, exactly so many pass', async () => {
  const collector = openCollector({ MILLRACE_COLLECTOR_HEADERS_MAX: '20' })
  const send = (more: number) =>
    collector.server.app.inject({
      method: 'POST',
      url: '/v1/events',
      payload: EVENT,
      headers: { ...bearer, ...Object.fromEntries(Array.from({ length: more }, (_, i) => [`x-${i}`, '1'])) },
    })
  const base = (await send(0)).raw.req.rawHeaders?.length
  expect(base).toBeDefined()
  const own = (base as number) / 2
  expect((await send(20 - own)).statusCode).toBe(200)
  expect((await send(21 - own)).statusCode).toBe(431)
})

test('a fault of ours says nothing about itself', async () => {
  const collector = openCollector()
  collector.onProduce = () => Promise.reject(new Error('secret path /etc/x'))
  const answer = await collector.post({ event: 'a' })
  expect(answer.status).toBe(500)
  expect(answer.body).toMatchObject({ type: 'server_error', code: 'internal_error' })
  expect(JSON.stringify(answer)).not.toContain('secret path')
  expect(collector.logged.join('')).toContain('secret path')
  expect(collector.inFlightBytes()).toBe(0)
})

test('answers are never cached or sniffed', async () => {
  const collector = openCollector()
  expect((await collector.post({ event: '<script>' })).headers).toMatchObject({
    'content-type': 'application/json; charset=utf-8',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  })
})
