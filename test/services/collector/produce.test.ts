import { expect, test } from 'vitest'
import { COLLECTOR_FAIL_POINTS } from '../../../services/collector/fail-points.ts'
import { DependencyError, type DependencyErrorCode } from '../../../services/core/runtime/errors.ts'
import { GZIP, gzip, openCollector } from './open-collector.ts'

const EVENT = { event: 'a' }
const failing = (code: DependencyErrorCode) => async () => {
  throw new DependencyError('kafka', code, 'the broker said so')
}

/** Values of the metrics of that name, by their labels as they stand in the exposition. */
async function metric(
  collector: ReturnType<typeof openCollector>,
  name: string,
): Promise<Record<string, number>> {
  const lines = (await collector.metrics.expose()).split('\n').filter((line) => line.startsWith(name))
  return Object.fromEntries(
    lines.map((line) => [
      line.slice(name.length, line.lastIndexOf(' ')),
      Number(line.slice(line.lastIndexOf(' ') + 1)),
    ]),
  )
}

test('every fail point is passed once on the way of a request', async () => {
  const collector = openCollector()
  await collector.post(EVENT)
  expect(collector.passed).toEqual([...COLLECTOR_FAIL_POINTS])
})

test('what Kafka did not acknowledge is unknown, to be sent again', async () => {
  const collector = openCollector()
  for (const code of ['outcome_unknown', 'timeout', 'unavailable', 'fenced'] as const) {
    collector.onProduce = failing(code)
    expect(await collector.post(EVENT)).toMatchObject({
      status: 503,
      body: { type: 'server_error', code: 'unknown' },
      headers: { 'retry-after': '2' },
    })
  }
  expect(collector.records).toEqual([])
  expect(collector.inFlightBytes()).toBe(0)
})

test('what Kafka surely did not take is not_taken, and an operator hears of it', async () => {
  const collector = openCollector()
  for (const code of ['rejected', 'not_found'] as const) {
    collector.onProduce = failing(code)
    expect(await collector.post(EVENT)).toMatchObject({ status: 503, body: { code: 'not_taken' } })
  }
  expect(collector.logged.map((line) => JSON.parse(line).level)).toEqual([50, 50])
})

test('what lies in the local store is accepted, and told from what Kafka has', async () => {
  const collector = openCollector()
  collector.keptIn = 'store'
  expect(await collector.post([EVENT, { event: 5 }])).toMatchObject({
    status: 202,
    body: { accepted: 1, rejected: 1 },
  })
  expect(
    (await collector.post({ batch: [{ type: 'track', event: 'a' }] }, { path: '/v1/batch' })).status,
  ).toBe(202)
  expect((await collector.post([EVENT], { path: '/v1/validate' })).status).toBe(200)
})

test('a store that takes nothing leaves nothing; one whose disk failed in the middle leaves it open', async () => {
  const collector = openCollector()
  for (const [code, told] of [
    ['overloaded', 'not_taken'],
    ['read_only', 'not_taken'],
    ['outcome_unknown', 'unknown'],
  ] as const) {
    collector.onProduce = async () => {
      throw new DependencyError('disk', code, 'the store said so')
    }
    expect(await collector.post(EVENT)).toMatchObject({
      status: 503,
      body: { code: told },
      headers: { 'retry-after': '2' },
    })
  }
})

test('an answer waits for the acknowledgement', async () => {
  const collector = openCollector()
  const acknowledged = Promise.withResolvers<void>()
  const sent = Promise.withResolvers<void>()
  collector.onProduce = () => {
    sent.resolve()
    return acknowledged.promise
  }
  let answered = false
  const answer = collector.post(EVENT).then((given) => {
    answered = true
    return given
  })
  await sent.promise
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
  expect(answered).toBe(false)
  acknowledged.resolve()
  expect((await answer).status).toBe(200)
})

test('past the bound of bytes under way nothing is produced, and room comes back with the answers', async () => {
  const collector = openCollector({ MILLRACE_COLLECTOR_IN_FLIGHT_BYTES_MAX: '25000' })
  const event = { event: 'a', p: 'x'.repeat(8000) }
  const acknowledged = Promise.withResolvers<void>()
  const sent = Promise.withResolvers<void>()
  collector.onProduce = () => {
    sent.resolve()
    return acknowledged.promise
  }
  const first = collector.post(event)
  await sent.promise
  expect(collector.inFlightBytes()).toBeGreaterThan(16_000)
  expect(await collector.post(event)).toMatchObject({
    status: 503,
    body: { code: 'not_taken' },
    headers: { 'retry-after': '2' },
  })
  // One whose body still fits but not its record is turned away before anything is produced, too.
  expect((await collector.post({ event: 'a', p: 'x'.repeat(2000) })).status).toBe(503)
  acknowledged.resolve()
  expect((await first).status).toBe(200)
  expect(collector.records).toHaveLength(1)
  expect(collector.inFlightBytes()).toBe(0)
  expect((await collector.post(event)).status).toBe(200)
})

test('received is accepted and rejected and failed, whatever happened', async () => {
  const collector = openCollector({ MILLRACE_COLLECTOR_IN_FLIGHT_BYTES_MAX: '20000' })
  await collector.post([EVENT, { event: 5 }, {}, { event: 6 }])
  await collector.post({ batch: [{ type: 'track', event: 'a' }] }, { path: '/v1/batch' })
  collector.onProduce = failing('timeout')
  await collector.post([EVENT, EVENT])
  collector.onProduce = failing('rejected')
  await collector.post([EVENT, EVENT, EVENT])
  await collector.post(Array.from({ length: 100 }, () => EVENT))
  await collector.post('{')
  await collector.post([EVENT], { path: '/v1/validate' })
  expect(await metric(collector, 'millrace_collector_events_received_total')).toEqual({
    '{protocol="native"}': 109,
    '{protocol="segment"}': 1,
  })
  expect(await metric(collector, 'millrace_collector_events_accepted_total')).toEqual({
    '{protocol="native"}': 1,
    '{protocol="segment"}': 1,
  })
  expect(await metric(collector, 'millrace_collector_events_rejected_total')).toEqual({
    '{protocol="native",code="invalid_type"}': 2,
    '{protocol="native",code="missing_field"}': 1,
  })
  expect(await metric(collector, 'millrace_collector_events_failed_total')).toEqual({
    '{protocol="native",outcome="unknown"}': 2,
    '{protocol="native",outcome="not_taken"}': 103,
  })
  expect(await metric(collector, 'millrace_collector_requests_refused_total')).toEqual({
    '{code="unknown"}': 1,
    '{code="not_taken"}': 2,
    '{code="invalid_json"}': 1,
  })
  expect(await metric(collector, 'millrace_collector_in_flight_bytes')).toEqual({ '': 0 })
  const bytes = await metric(collector, 'millrace_collector_body_bytes_total')
  expect(bytes['{state="wire"}']).toBe(bytes['{state="decoded"}'])
  await collector.post(gzip('{"event":"a"}'), { headers: GZIP })
  const packed = await metric(collector, 'millrace_collector_body_bytes_total')
  expect(packed['{state="decoded"}']! - bytes['{state="decoded"}']!).toBe(13)
  expect(packed['{state="wire"}']! - bytes['{state="wire"}']!).toBe(gzip('{"event":"a"}').length)
  expect(await metric(collector, 'millrace_collector_request_seconds_count')).toEqual({ '': 8 })
})
