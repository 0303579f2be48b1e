import { Agent, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { OTHER_KEY, openCollector, WRITE_KEY } from './open-collector.ts'

const EVENT = { event: 'a' }

test('past its quota a dataset is answered 429, others are not, and time lets it in again', async () => {
  const collector = openCollector({}, { quota: { events_per_second: 2 } })
  expect((await collector.post([EVENT, EVENT, EVENT, EVENT])).status).toBe(200)
  expect(await collector.post(EVENT)).toMatchObject({
    status: 429,
    body: { type: 'throttled_error', code: 'quota_exceeded', attr: null },
    headers: { 'retry-after': '1', ratelimit: '"events";r=0;t=1', 'ratelimit-policy': '"events";q=4;w=2' },
  })
  expect((await collector.post(EVENT, { key: OTHER_KEY })).status).toBe(200)
  collector.nowMs += 1_000
  expect((await collector.post(EVENT)).status).toBe(200)
  expect(collector.records).toHaveLength(6)
})

test('the settings give a quota to datasets without one', async () => {
  const collector = openCollector({ MILLRACE_COLLECTOR_DATASET_BYTES_PER_SECOND: '100' })
  expect((await collector.post({ event: 'a', p: 'x'.repeat(300) })).status).toBe(200)
  expect((await collector.post(EVENT)).body).toMatchObject({ code: 'quota_exceeded' })
})

test('past the capacity requests are answered 503, also those whose key stands in the body, the pixel, and dry runs', async () => {
  const collector = openCollector({ MILLRACE_COLLECTOR_EVENTS_PER_SECOND_MAX: '4' })
  expect((await collector.post(Array.from({ length: 9 }, () => EVENT))).status).toBe(200)
  const told = { status: 503, body: { code: 'not_taken' }, headers: { 'retry-after': '2' } }
  expect(await collector.post(EVENT)).toMatchObject(told)
  expect(await collector.post(EVENT, { path: '/v1/validate' })).toMatchObject(told)
  expect(await collector.post({ batch: [EVENT], write_key: WRITE_KEY }, { key: null })).toMatchObject(told)
  const pixel = await collector.server.app.inject(`/v1/pixel?event=a&write_key=${WRITE_KEY}`)
  expect(pixel.statusCode).toBe(503)
  expect(collector.records).toHaveLength(9)
  const counted = (await collector.metrics.expose())
    .split('\n')
    .filter((line) => line.startsWith('millrace_collector_events_failed_total'))
  expect(counted).toEqual([
    'millrace_collector_events_failed_total{protocol="native",outcome="not_taken"} 1',
    'millrace_collector_events_failed_total{protocol="pixel",outcome="not_taken"} 1',
  ])
})

test('a lagging loop sheds', async () => {
  const collector = openCollector()
  collector.lagMs = 1001
  expect(await collector.post(EVENT)).toMatchObject({ status: 503, body: { code: 'not_taken' } })
})

test('who is turned away is so by the headers alone, before the body has come', async () => {
  const collector = openCollector({}, { quota: { events_per_second: 1 } })
  await collector.post([EVENT, EVENT])
  await collector.server.app.listen({ host: '127.0.0.1', port: 0 })
  const agent = new Agent()
  const status = await new Promise((resolve, reject) => {
    const sent = request(
      {
        port: (collector.server.app.server.address() as AddressInfo).port,
        method: 'POST',
        path: '/v1/events',
        agent,
        headers: { authorization: `Bearer ${WRITE_KEY}`, 'content-length': '1000' },
      },
      (answer) => resolve(answer.statusCode),
    )
    sent.on('error', reject)
    sent.flushHeaders()
  })
  expect(status).toBe(429)
  expect(collector.inFlightBytes()).toBe(0)
  agent.destroy()
  await collector.server.app.close()
})
