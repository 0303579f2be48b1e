import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Admission, createAdmission, type Quota } from '../../../services/collector/admission.ts'
import { fairLevel } from '../../../services/collector/fair-share.ts'

const UNBOUND: Quota = { eventsPerSecond: null, bytesPerSecond: null }

function world(eventsPerSecondMax: number | null, quotas: Readonly<Record<string, Quota>> = {}) {
  const state = { nowMs: 0, lagMs: 0 }
  const admission = createAdmission(
    { eventsPerSecondMax, quotaBurstMs: 2_000, loopLagMaxMs: 100 },
    (id) => quotas[id] ?? UNBOUND,
    () => state.lagMs,
    { monotonic: () => state.nowMs },
  )
  return { state, admission }
}

/** As a request fares: first by its key, then by what it holds. */
const ask = (admission: Admission, id: string, events: number, bytes = 0) =>
  admission.enter(id) ?? admission.charge(id, events, bytes)

test('the level gives everybody what he asks for, or as much as anyone, and gives all there is', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 1_000 })),
      fc.integer({ min: 1, max: 5_000 }),
      (demands, capacity) => {
        const level = fairLevel(demands, capacity)
        const sum = demands.reduce((total, demand) => total + Math.min(demand, level), 0)
        const asked = demands.reduce((total, demand) => total + demand, 0)
        expect(sum).toBeCloseTo(Math.min(asked, capacity), 3)
        expect(level === Number.POSITIVE_INFINITY).toBe(asked <= capacity)
      },
    ),
  )
})

test('without bounds everybody is let in', () => {
  const { admission } = world(null)
  for (let n = 0; n < 10_000; n++) expect(ask(admission, 'shop', 1_000, 1e9)).toBe(null)
})

test('a dataset gets exactly its burst at once, then 429 with the time after which it is let in again', () => {
  const { admission, state } = world(null, { shop: { eventsPerSecond: 50, bytesPerSecond: null } })
  for (let n = 0; n < 100; n++) expect(ask(admission, 'shop', 1)).toBe(null)
  const refused = ask(admission, 'shop', 1)
  expect(refused).toMatchObject({
    code: 'quota_exceeded',
    status: 429,
    headers: {
      'retry-after': '1',
      ratelimit: '"events";r=0;t=1',
      'ratelimit-policy': '"events";q=100;w=2',
    },
  })
  expect(ask(admission, 'blog', 1)).toBe(null)
  state.nowMs += 1_000
  for (let n = 0; n < 50; n++) expect(ask(admission, 'shop', 1)).toBe(null)
  expect(ask(admission, 'shop', 1)?.code).toBe('quota_exceeded')
})

test('a batch counts as its events, and its debt is waited for', () => {
  const { admission, state } = world(null, { shop: { eventsPerSecond: 50, bytesPerSecond: null } })
  expect(ask(admission, 'shop', 400)).toBe(null)
  expect(admission.enter('shop')).toMatchObject({ headers: { 'retry-after': '7' } })
  state.nowMs += 5_900
  expect(ask(admission, 'shop', 1)?.code).toBe('quota_exceeded')
  state.nowMs += 1_100
  expect(ask(admission, 'shop', 1)).toBe(null)
})

test('bytes have a quota of their own, and a new quota holds at once', () => {
  const quotas: Record<string, Quota> = { shop: { eventsPerSecond: null, bytesPerSecond: 1_000 } }
  const { admission } = world(null, quotas)
  expect(ask(admission, 'shop', 1, 2_500)).toBe(null)
  expect(ask(admission, 'shop', 1, 1)?.detail).toMatch(/1000 bytes a second/)
  quotas.shop = UNBOUND
  expect(ask(admission, 'shop', 1, 1e9)).toBe(null)
})

test('a lagging loop turns away who sends most, then everybody', () => {
  const { admission, state } = world(null)
  for (let n = 0; n < 90; n++) ask(admission, 'hog', 1)
  for (let n = 0; n < 10; n++) ask(admission, 'shop', 1)
  state.nowMs += 60
  state.lagMs = 101
  expect([ask(admission, 'hog', 1)?.code, ask(admission, 'shop', 1)]).toEqual(['not_taken', null])
  state.lagMs = 201
  expect(ask(admission, 'shop', 1)?.status).toBe(503)
  state.lagMs = 100
  expect([ask(admission, 'hog', 1), ask(admission, 'shop', 1)]).toEqual([null, null])
})

/** Sends at steady rates for ten seconds after a run-up of five; events that were let in, per second. */
function run(capacity: number, demands: readonly number[], eventsEach: readonly number[]): number[] {
  const { admission, state } = world(capacity)
  const got = demands.map(() => 0)
  const due = demands.map(() => 0)
  for (let step = 0; step < 3_000; step++) {
    state.nowMs = step * 5
    demands.forEach((demand, who) => {
      due[who]! += demand * 0.005
      while (due[who]! >= eventsEach[who]!) {
        due[who]! -= eventsEach[who]!
        if (ask(admission, `d${who}`, eventsEach[who]!) === null && step >= 1_000)
          got[who]! += eventsEach[who]!
      }
    })
  }
  return got.map((events) => events / 10)
}

test('under any demands the capacity is used, not exceeded, and shared fairly', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.integer({ min: 20, max: 3_000 }), fc.constantFrom(1, 1, 5, 20)), {
        minLength: 1,
        maxLength: 6,
      }),
      (list) => {
        const capacity = 1_000
        const demands = list.map(([demand]) => demand)
        const got = run(
          capacity,
          demands,
          list.map(([, each]) => each),
        )
        const level = fairLevel(demands, capacity)
        const sum = got.reduce((total, events) => total + events, 0)
        const asked = demands.reduce((total, demand) => total + demand, 0)
        expect(sum).toBeLessThanOrEqual(capacity * 1.06)
        expect(sum).toBeGreaterThanOrEqual(Math.min(asked, capacity) * 0.9)
        for (const [who, demand] of demands.entries())
          expect(got[who]).toBeGreaterThanOrEqual(Math.min(demand, level) * 0.75 - 10)
      },
    ),
    { numRuns: 40 },
  )
})

test('next to one that sends ten times the capacity, small ones are not refused at all', () => {
  const got = run(1_000, [10_000, 50, 50, 50], [1, 1, 1, 1])
  expect(got.slice(1).map(Math.round)).toEqual([50, 50, 50])
  expect(got[0]).toBeGreaterThan(800)
})
