import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { TrafficOptions, TrafficRequest } from '../../../../services/cli/generate/traffic.ts'
import { trafficRequests } from '../../../../services/cli/generate/traffic.ts'

const base: TrafficOptions = {
  seed: 1,
  run: 1,
  untilMs: Date.parse('2026-11-22T12:00:00Z'),
  spanMs: 7 * 86_400_000,
  users: 200,
  events: 4_000,
  batchEvents: 100,
  datasets: [
    { id: 'shop', profile: 'shop' },
    { id: 'blog', profile: 'blog' },
  ],
  brokenShare: 0.02,
  botShare: 0.05,
  skewedShare: 0.1,
  repeatedShare: 0.05,
}

interface Sent {
  event_id?: string
  event?: unknown
  distinct_id?: string
  timestamp?: string
  properties?: unknown
  context?: { userAgent: string; campaign?: unknown; page: { referrer?: string } }
}
const eventsOf = (request: TrafficRequest): Sent[] => JSON.parse(request.body).batch
const all = (options: TrafficOptions) => [...trafficRequests(options)]
const idsOf = (requests: readonly TrafficRequest[]) =>
  requests.flatMap(eventsOf).flatMap((event) => (event.event_id === undefined ? [] : [event.event_id]))

test('the same options give the same requests, byte for byte', () => {
  expect(all(base)).toEqual(all(base))
})

test('another seed, run or end gives other ids throughout', () => {
  const first = new Set(idsOf(all(base)))
  for (const other of [{ seed: 2 }, { run: 2 }, { untilMs: base.untilMs + 1 }]) {
    expect(idsOf(all({ ...base, ...other })).filter((id) => first.has(id))).toEqual([])
  }
})

test('another run has the same people, who thereby return', () => {
  const people = (options: TrafficOptions) =>
    new Set(all(options).flatMap((request) => eventsOf(request).map((event) => event.distinct_id)))
  const first = people(base)
  const returning = [...people({ ...base, run: 2 })].filter((id) => first.has(id))
  expect(returning.length).toBeGreaterThan(100)
})

test('exactly as many events are made as were asked for, whatever the batch size', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 700 }),
      fc.integer({ min: 1, max: 120 }),
      fc.integer(),
      (events, batchEvents, seed) => {
        const requests = all({ ...base, events, batchEvents, seed })
        expect(requests.reduce((sum, request) => sum + request.events, 0)).toBe(events)
        for (const request of requests) {
          expect(eventsOf(request).length).toBe(request.events)
          expect(request.events).toBeLessThanOrEqual(batchEvents)
        }
      },
    ),
    { numRuns: 40 },
  )
})

test('what the pipeline must refuse is told per request and code, and ids are counted once', () => {
  const requests = all(base)
  const expected: Record<string, number> = {}
  for (const request of requests)
    for (const [code, n] of Object.entries(request.expectedRejected))
      expected[code] = (expected[code] ?? 0) + n
  expect(Object.keys(expected).sort()).toEqual([
    'id_conflict',
    'invalid_type',
    'missing_field',
    'text_too_long',
    'too_deep',
  ])
  const ids = idsOf(requests)
  expect(new Set(ids).size).toBe(requests.reduce((sum, request) => sum + request.ids, 0))
  expect(ids.length - new Set(ids).size).toBe(expected.id_conflict)
  const nameless = requests
    .flatMap(eventsOf)
    .filter((event) => typeof event === 'object' && event.event === undefined)
  expect(nameless.length).toBe(expected.missing_field)
})

test('without broken events none is to be refused', () => {
  const requests = all({ ...base, brokenShare: 0 })
  expect(requests.every((request) => Object.keys(request.expectedRejected).length === 0)).toBe(true)
  expect(requests.flatMap(eventsOf).every((event) => typeof event.event === 'string')).toBe(true)
})

test('clients whose clock is wrong say so in sent_at, so that the error can be removed', () => {
  const errors = new Set<number>()
  for (const request of all(base)) {
    const { sent_at } = JSON.parse(request.body) as { sent_at?: string }
    const errorMs = sent_at === undefined ? 0 : Date.parse(sent_at) - base.untilMs
    errors.add(errorMs)
    for (const { timestamp } of eventsOf(request)) {
      if (timestamp === undefined || Number.isNaN(Date.parse(timestamp))) continue
      const trueMs = Date.parse(timestamp) - errorMs
      expect(trueMs).toBeLessThanOrEqual(base.untilMs)
      expect(trueMs).toBeGreaterThanOrEqual(base.untilMs - base.spanMs)
    }
  }
  expect(errors.size).toBeGreaterThan(3)
})

test("one person's events of one visit keep their order", () => {
  const last = new Map<string, number>()
  const requests = all({ ...base, skewedShare: 0, brokenShare: 0, botShare: 0 })
  for (const event of requests.flatMap(eventsOf) as (Sent & { session_id: string })[]) {
    const atMs = Date.parse(event.timestamp ?? '')
    if (Number.isNaN(atMs)) continue
    expect(atMs).toBeGreaterThanOrEqual(last.get(event.session_id) ?? 0)
    last.set(event.session_id, atMs)
  }
})

test('the shop has a funnel that narrows, referrers, campaigns and bots', () => {
  const events = all({ ...base, events: 20_000, brokenShare: 0 }).flatMap(eventsOf)
  const count = (name: string) => events.filter((event) => event.event === name).length
  const funnel = ['product_view', 'add_to_cart', 'checkout', 'purchase'].map(count)
  expect(funnel).toEqual([...funnel].sort((a, b) => b - a))
  expect(count('purchase')).toBeGreaterThan(0)
  expect(count('subscribe')).toBeGreaterThan(0)
  expect(events.some((event) => event.context?.campaign)).toBe(true)
  expect(events.some((event) => event.context?.page.referrer?.includes('google'))).toBe(true)
  expect(events.some((event) => event.context?.userAgent.includes('Googlebot'))).toBe(true)
})
