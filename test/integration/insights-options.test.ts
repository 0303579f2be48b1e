import { afterAll, beforeAll, expect, test } from 'vitest'
import { funnelPeople } from '../../services/query-api/insights/funnel-people.ts'
import { INSIGHTS } from '../../services/query-api/insights/insight-questions.ts'
import { textsOf } from '../../services/query-api/insights/posted-parameters.ts'
import { type InsightEngine, openInsightEngine } from '../helpers/insight-engine.ts'
import { EVENTS_ALONE, type Happening, type History } from '../reference/history.ts'

const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000
const START_MS = Date.parse('2026-11-02T10:00:00Z')

let offset = 0
const happened = (
  event: string,
  distinctId: string,
  afterMs: number,
  over: Partial<Happening> = {},
): Happening => ({
  event,
  distinctId,
  timeMs: START_MS + afterMs,
  partition: 0,
  offset: offset++,
  session: null,
  groups: {},
  url: null,
  properties: {},
  ...over,
})

const UTM = ['utm_source', 'utm_medium', 'utm_campaign', 'utm_term', 'utm_content']
const LATER = Object.fromEntries([...UTM, 'referrer_category'].map((column) => [column, 'later']))

/** Steps of a funnel, each person's so many days apart. */
const WAITS = { quick: 1, weekly: 10, slow: 40 }
const history: History = {
  dataset: 'options',
  zone: 'UTC',
  events: [
    ...Object.entries(WAITS).flatMap(([who, days]) => [
      happened('begin', who, -50 * DAY_MS, { properties: { plan: who } }),
      happened('end', who, (days - 50) * DAY_MS),
    ]),
    ...[0, 1, 2].map((hour) => happened('visit', 'ann', hour * HOUR_MS)),
    happened('visit', 'bob', 0),
    happened('visit', 'bob', 2 * HOUR_MS),
    happened('visit', 'cat', 0),
    ...['/a/', '/a?', '/a'].map((path, n) => happened('open', `o${n}`, n, { properties: { path } })),
    ...Array.from({ length: 40 }, (_, n) => happened('travel', 't', n, { properties: { country: `c${n}` } })),
    happened('click', 'sam', 0, {
      session: 's1',
      columns: {
        utm_source: 'news',
        utm_medium: 'mail',
        utm_campaign: 'june',
        utm_term: 'shoes',
        utm_content: 'top',
        referrer_category: 'social',
      },
    }),
    happened('$autocapture', 'sam', 60_000, { session: 's1' }),
    happened('$autocapture', 'sam', 120_500, { session: 's1', columns: LATER }),
  ],
  ...EVENTS_ALONE,
}

let engine: InsightEngine
beforeAll(async () => {
  engine = await openInsightEngine()
  await engine.store([history])
})
afterAll(() => engine.close())

/** The result of an insight, as its route answers it. */
async function ask<R>(path: string, parameters: Record<string, unknown>): Promise<R> {
  const insight = INSIGHTS.find((one) => one.path === path)
  if (insight === undefined) throw new Error(`There is no insight ${path}.`)
  return (await insight.result(engine.needs, engine.questionOf(history), textsOf(parameters), () => '')) as R
}

const FUNNEL = { events: [{ id: 'begin' }, { id: 'end' }], date_from: '2026-09-01', date_to: '2026-11-09' }

test.each([
  [{ funnel_window_days: 9 }, 1],
  [{ funnel_window_days: 10 }, 2],
  [{ funnel_window_days: 1, funnel_window_interval: 6, funnel_window_interval_unit: 'week' }, 3],
  [{ funnel_window_interval: 1, funnel_window_interval_unit: 'week' }, 1],
  [{ funnel_window_interval: 2, funnel_window_interval_unit: 'week' }, 2],
  [{ funnel_window_interval: 1, funnel_window_interval_unit: 'month' }, 2],
  [{ funnel_window_interval: 2, funnel_window_interval_unit: 'month' }, 3],
])('of a funnel with %j as many get to its end: %i', async (window, count) => {
  const steps = await ask<{ count: number }[]>('funnel', { ...FUNNEL, ...window })
  expect(steps.map((step) => step.count)).toEqual([3, count])
})

test('steps in any order are called by how many were completed', async () => {
  const steps = await ask<object[]>('funnel', { ...FUNNEL, funnel_order_type: 'unordered' })
  expect(steps).toMatchObject([
    { name: 'Completed 1 step', action_id: null, custom_name: null, order: 0 },
    { name: 'Completed 2 steps', action_id: null, custom_name: null, order: 1 },
  ])
})

test('funnel_step_breakdown is the value whose people are asked for', async () => {
  const { sql } = await funnelPeople(engine.needs, engine.questionOf(history), {
    ...textsOf({ ...FUNNEL, funnel_window_interval: 60 }),
    breakdown: 'plan',
    funnel_step_breakdown: 'weekly',
    funnel_step: '2',
  })
  const people = await engine.needs.ask<{ actor: string }>(engine.questionOf(history), sql)
  expect(people.map(({ actor }) => actor)).toEqual(['weekly'])
})

test('percentages of a retention are of the first value, or of the one before; periods may be hours', async () => {
  const values = async (over: object) => {
    const [first] = await ask<
      { label: string; date: string; values: { count: number; percentage: number }[] }[]
    >('retention', {
      target_entity: 'visit',
      returning_entity: 'visit',
      period: 'Hour',
      total_intervals: 3,
      date_to: '2026-11-02T12:30:00Z',
      ...over,
    })
    expect(first).toMatchObject({ label: 'Hour 0', date: '2026-11-02T10:00:00.000Z' })
    return first?.values.map(({ count, percentage }) => [count, percentage])
  }
  expect(await values({})).toEqual([
    [3, 100],
    [1, 33.33],
    [2, 66.67],
  ])
  expect(await values({ retention_reference: 'previous' })).toEqual([
    [3, 100],
    [1, 33.33],
    [2, 200],
  ])
})

test('stickiness knows the newer name of how it is computed', async () => {
  const asked = {
    events: [{ id: 'visit' }],
    interval: 'hour',
    date_from: '2026-11-02T10:00:00Z',
    date_to: '2026-11-02T12:59:00Z',
  }
  const data = async (over: object) =>
    (await ask<{ data: number[] }[]>('stickiness', { ...asked, ...over }))[0]?.data
  expect(await data({})).toEqual([1, 1, 1])
  expect(await data({ computedAs: 'cumulative' })).toEqual([3, 2, 1])
  expect(await data({ computed_as: 'cumulative' })).toEqual([3, 2, 1])
})

const DAY = { date_from: '2026-11-02', date_to: '2026-11-02' }

test('a map has a line for more countries than another breakdown has values', async () => {
  const asked = { ...DAY, event: 'travel', breakdown: 'country' }
  const values = async (over: object) =>
    (await ask<{ breakdown_value: string }[]>('trend', { ...asked, ...over })).map(
      (row) => row.breakdown_value,
    )
  expect((await values({ display: 'WorldMap' })).length).toBe(40)
  const lines = await values({ display: 'ActionsTable' })
  expect([lines.length, lines.at(-1)]).toEqual([26, 'Other'])
})

test('addresses that differ at their end alone are one value where that is asked for', async () => {
  const lines = async (over: object) =>
    (
      await ask<{ breakdown_value: string; count: number }[]>('trend', {
        ...DAY,
        event: 'open',
        breakdown: 'path',
        ...over,
      })
    ).map((row) => [row.breakdown_value, row.count])
  expect((await lines({})).length).toBe(3)
  expect(await lines({ breakdown_normalize_url: true })).toEqual([['/a', 3]])
})

test('by the minute is by the hour', async () => {
  const asked = { ...DAY, event: 'visit' }
  const byHour = await ask<{ data: number[] }[]>('trend', { ...asked, interval: 'hour' })
  expect(byHour[0]?.data.slice(9, 14)).toEqual([0, 3, 1, 2, 0])
  expect(await ask('trend', { ...asked, interval: 'minute' })).toEqual(byHour)
})

test.each([
  ['$entry_utm_source', 'news'],
  ['$entry_utm_medium', 'mail'],
  ['$entry_utm_campaign', 'june'],
  ['$entry_utm_term', 'shoes'],
  ['$entry_utm_content', 'top'],
  ['$channel_type', 'social'],
  ['$autocapture_count', '2'],
  ['$start_timestamp', '2026-11-02T10:00:00.000Z'],
  ['$end_timestamp', '2026-11-02T10:02:00.500Z'],
])('a session has %s, of its first or last event or of all of them: %s', async (breakdown, value) => {
  const lines = await ask<{ breakdown_value: string; count: number }[]>('trend', {
    ...DAY,
    event: 'click',
    breakdown,
    breakdown_type: 'session',
  })
  expect(lines.map((row) => [row.breakdown_value, row.count])).toEqual([[value, 1]])
  const filtered = await ask<{ count: number }[]>('trend', {
    ...DAY,
    properties: [{ type: 'session', key: breakdown, value }],
  })
  expect(filtered[0]?.count).toBe(3)
})
