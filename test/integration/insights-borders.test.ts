import { afterAll, beforeAll, expect, test } from 'vitest'
import { funnelSteps } from '../../services/query-api/insights/funnel.ts'
import { readFunnelRequest } from '../../services/query-api/insights/funnel-request.ts'
import { readPathRequest } from '../../services/query-api/insights/path-request.ts'
import { TIES_MAX } from '../../services/query-api/insights/path-sql.ts'
import { paths } from '../../services/query-api/insights/paths.ts'
import { trend } from '../../services/query-api/insights/trend.ts'
import { readTrendRequest } from '../../services/query-api/insights/trend-request.ts'
import { type InsightEngine, openInsightEngine } from '../helpers/insight-engine.ts'
import { EVENTS_ALONE, type Happening, type History } from '../reference/history.ts'

/** Limits are met to the millisecond here, which random histories seldom do where it matters. */
let engine: InsightEngine
beforeAll(async () => {
  engine = await openInsightEngine()
})
afterAll(() => engine.close())

const NOON_MS = Date.parse('2026-11-01T12:00:00Z')
const MINUTE_MS = 60_000

let number = 0
/** Stores one person's events, given as names and minutes (with thousandths for milliseconds) after noon. */
function told(...events: readonly (readonly [string, number])[]): Promise<History> {
  return toldOf(events.map(([event, minutes]) => ['ann', event, minutes]))
}

async function toldOf(events: readonly (readonly [string, string, number])[]): Promise<History> {
  const history: History = {
    dataset: `h${number++}`,
    zone: 'UTC',
    events: events.map(
      ([distinctId, event, minutes], offset): Happening => ({
        event,
        distinctId,
        timeMs: NOON_MS + Math.round(minutes * MINUTE_MS),
        partition: 0,
        offset,
        session: null,
        groups: {},
        url: null,
        properties: {},
      }),
    ),
    ...EVENTS_ALONE,
  }
  await engine.store([history])
  return history
}

const MS = 1 / MINUTE_MS
const range = { date_from: '2026-11-01', date_to: '2026-11-02' }
const named = (...names: string[]) => JSON.stringify(names.map((id) => ({ id })))

async function counts(history: History, steps: string[], more: Record<string, string> = {}) {
  const request = readFunnelRequest({
    ...range,
    events: named(...steps),
    funnel_window_interval: '10',
    funnel_window_interval_unit: 'minute',
    ...more,
  })
  const [found] = await funnelSteps(engine.needs, engine.questionOf(history), request)
  return found?.steps.map(({ count }) => count)
}

test.each(['ordered', 'unordered', 'strict'])(
  'a step at the very end of the window counts, one after it does not: %s',
  async (order) => {
    const more = { funnel_order_type: order }
    expect(await counts(await told(['a', 0], ['b', 10]), ['a', 'b'], more)).toEqual([1, 1])
    expect(await counts(await told(['a', 0], ['b', 10 + MS]), ['a', 'b'], more)).toEqual([1, 0])
  },
)

test('at one time the order of receipt decides, and one event is two steps only when they are about different events', async () => {
  expect(await counts(await told(['a', 0], ['b', 0]), ['a', 'b'])).toEqual([1, 1])
  expect(await counts(await told(['b', 0], ['a', 0]), ['a', 'b'])).toEqual([1, 0])
  expect(await counts(await told(['a', 0], ['a', 0]), ['a', 'a'])).toEqual([1, 1])
  expect(await counts(await told(['a', 0]), ['a', 'a'])).toEqual([1, 0])
  const history = await told(['a', 0])
  const both = JSON.stringify([{ id: 'a' }, { id: null }])
  expect(await counts(history, [], { events: both })).toEqual([1, 1])
})

test('an exclusion counts between its steps, or within the window where the later one is not reached', async () => {
  const without = { exclusions: '[{"id":"x","funnel_from_step":0,"funnel_to_step":1}]' }
  expect(await counts(await told(['a', 0], ['x', 1], ['b', 2]), ['a', 'b'], without)).toEqual([0, 0])
  expect(await counts(await told(['x', 0], ['a', 0], ['b', 2], ['x', 2]), ['a', 'b'], without)).toEqual([
    1, 1,
  ])
  expect(await counts(await told(['a', 0], ['x', 10 - MS]), ['a', 'b'], without)).toEqual([0, 0])
  expect(await counts(await told(['a', 0], ['x', 10]), ['a', 'b'], without)).toEqual([1, 0])
})

test('weekly active people are those of (d − 6 days, d + 1 day]', async () => {
  const midnight = -12 * 60
  const of = async (minutes: number) => {
    const request = readTrendRequest({
      event: 'a',
      math: 'weekly_active',
      date_from: '2026-11-05',
      date_to: '2026-11-05',
    })
    const [line] = await trend(engine.needs, engine.questionOf(await told(['a', minutes])), request)
    return line?.row.data
  }
  const day = 24 * 60
  expect(await of(midnight - 2 * day)).toEqual([0])
  expect(await of(midnight - 2 * day + MS)).toEqual([1])
  expect(await of(midnight + 5 * day - MS)).toEqual([1])
})

test('a path goes on after thirty minutes and ends after a millisecond more', async () => {
  const of = async (minutes: number) =>
    (
      await paths(
        engine.needs,
        engine.questionOf(await told(['a', 0], ['b', minutes])),
        readPathRequest(range),
      )
    ).length
  expect([await of(30), await of(30 + MS)]).toEqual([1, 0])
})

test('of edges that are equally heavy those come first that do by name, however many there are', async () => {
  const people = Array.from({ length: 2 * TIES_MAX }, (_, index) => `p${index}`)
  const events = people.flatMap(
    (person) =>
      [
        [person, 'home', 0],
        [person, `to ${person}`, 1],
      ] as const,
  )
  const history = await toldOf([...events, ['q', 'home', 0], ['q', 'to p9', 2]])
  const of = async (limit: number) => {
    const request = readPathRequest({ ...range, edge_limit: String(limit) })
    return (await paths(engine.needs, engine.questionOf(history), request)).map(
      ({ target, value, average_conversion_time: ms }) => [target, value, ms],
    )
  }
  const first = ['2_to p9', 2, 1.5 * MINUTE_MS]
  expect(await of(1)).toEqual([first])
  const next = ['p0', 'p1', 'p10'].map((person) => [`2_to ${person}`, 1, MINUTE_MS])
  expect(await of(4)).toEqual([first, ...next])
})
