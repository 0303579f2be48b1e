import { afterAll, beforeAll, expect, test } from 'vitest'
import { funnelSteps, funnelTimes, funnelTrends } from '../../services/query-api/insights/funnel.ts'
import {
  funnelCorrelation,
  readCorrelationRequest,
} from '../../services/query-api/insights/funnel-correlation.ts'
import { readFunnelRequest } from '../../services/query-api/insights/funnel-request.ts'
import { lifecycle, readLifecycleRequest } from '../../services/query-api/insights/lifecycle.ts'
import { readPathRequest } from '../../services/query-api/insights/path-request.ts'
import { paths } from '../../services/query-api/insights/paths.ts'
import { retention } from '../../services/query-api/insights/retention.ts'
import { readRetentionRequest } from '../../services/query-api/insights/retention-request.ts'
import { readStickinessRequest, stickiness } from '../../services/query-api/insights/stickiness.ts'
import { timing } from '../../services/query-api/insights/timing.ts'
import { readTimingRequest } from '../../services/query-api/insights/timing-request.ts'
import { trend } from '../../services/query-api/insights/trend.ts'
import { readTrendRequest } from '../../services/query-api/insights/trend-request.ts'
import { type InsightEngine, openInsightEngine } from '../helpers/insight-engine.ts'
import { EVENTS_ALONE, type History } from '../reference/history.ts'

const PEOPLE = 300
const MINUTE_MS = 60_000
const DAY_MS = 24 * 60 * MINUTE_MS

/** Everybody looks, asks, buys two minutes later, and looks again the next day. */
const history: History = {
  dataset: 'sampled',
  zone: 'UTC',
  events: Array.from({ length: PEOPLE }, (_, person) =>
    (
      [
        ['look', 0],
        ['ask', MINUTE_MS],
        ['buy', 2 * MINUTE_MS],
        ['look', DAY_MS],
      ] as const
    ).map(([event, laterMs], index) => ({
      event,
      distinctId: `u${person}`,
      timeMs: Date.parse('2026-11-02T10:00:00Z') + laterMs,
      partition: 0,
      offset: 4 * person + index,
      session: `s${person}`,
      groups: {},
      url: null,
      properties: { amount: 5 },
    })),
  ).flat(),
  ...EVENTS_ALONE,
}

/** No count of the sample is what it stands for. */
const FACTOR = 0.25
const SAMPLED = { date_from: '2026-11-02', date_to: '2026-11-03', sampling_factor: String(FACTOR) }
const STEPS = { ...SAMPLED, events: '[{"id":"look"},{"id":"buy"}]' }

let engine: InsightEngine
let question: ReturnType<InsightEngine['questionOf']>
/** What the people of the sample stand for. */
let all: number
beforeAll(async () => {
  engine = await openInsightEngine()
  await engine.store([history])
  question = engine.questionOf(history)
  all = await number('dau')
})
afterAll(() => engine.close())

async function number(math: string, property = 'amount'): Promise<number> {
  const events = JSON.stringify([{ id: 'buy', math, math_property: property }])
  const request = readTrendRequest({ ...SAMPLED, events, display: 'BoldNumber' })
  const [row] = await trend(engine.needs, question, request)
  return row?.row.aggregated_value ?? 0
}

test('a sample is about as large as it was asked for, and trends scale counts and sums', async () => {
  expect(all * FACTOR).toSatisfy(Number.isInteger)
  expect(Math.abs(all - PEOPLE)).toBeLessThan(PEOPLE / 3)
  expect(await number('total')).toBe(all)
  expect(await number('unique_session')).toBe(all)
  expect(await number('sum')).toBe(5 * all)
  expect(await number('sum', '$session_duration')).toBe((DAY_MS / 1_000) * all)
  expect([await number('avg'), await number('p90_count_per_actor')]).toEqual([5, 1])
})

test('a funnel scales people at steps, points and bins, and neither rates nor times', async () => {
  const [steps] = await funnelSteps(engine.needs, question, readFunnelRequest(STEPS))
  expect(steps?.steps).toMatchObject([
    { count: all },
    { count: all, average_conversion_time: 120, median_conversion_time: 120 },
  ])
  const [points] = await funnelTrends(engine.needs, question, readFunnelRequest(STEPS))
  expect(points?.row).toMatchObject({
    data: [100, 0],
    reached_from_step: [all, all],
    reached_to_step: [all, 0],
  })
  const [times] = await funnelTimes(engine.needs, question, readFunnelRequest({ ...STEPS, bin_count: '1' }))
  expect(times?.row).toEqual({
    bins: [
      [120, all],
      [180, 0],
    ],
    average_conversion_time: 120,
  })
})

test('a correlation scales people on both sides, and not the ratio', async () => {
  const { events } = await funnelCorrelation(engine.needs, question, readCorrelationRequest(STEPS))
  const ratio = Math.round((all * FACTOR + 1) * 1e4) / 1e4
  expect(events).toMatchObject([{ event: 'ask', success_count: all, failure_count: 0, odds_ratio: ratio }])
})

test('retention scales people, and not percentages', async () => {
  const request = readRetentionRequest({
    ...SAMPLED,
    total_intervals: '2',
    target_entity: 'buy',
    returning_entity: 'look',
  })
  const [first] = await retention(engine.needs, question, request)
  expect(first?.values).toEqual([
    { count: all, percentage: 100 },
    { count: all, percentage: 100 },
  ])
})

test('stickiness and lifecycle scale people', async () => {
  const series = { ...SAMPLED, events: '[{"id":"look"}]' }
  const [row] = await stickiness(engine.needs, question, readStickinessRequest(series))
  expect(row).toMatchObject({ count: all, data: [0, all] })
  const { rows } = await lifecycle(engine.needs, question, readLifecycleRequest(series))
  expect(Object.fromEntries(rows.map(({ status, data }) => [status, data]))).toEqual({
    new: [all, 0],
    returning: [0, all],
    resurrecting: [0, 0],
    dormant: [0, 0],
  })
})

test('paths scale edges, whose bounds are of what is answered', async () => {
  const edges = (bounds: Record<string, string>) =>
    paths(engine.needs, question, readPathRequest({ ...SAMPLED, ...bounds }))
  const expected = [
    { source: '1_look', target: '2_ask', value: all, average_conversion_time: MINUTE_MS },
    { source: '2_ask', target: '3_buy', value: all, average_conversion_time: MINUTE_MS },
  ]
  expect(await edges({})).toEqual(expected)
  expect(await edges({ min_edge_weight: String(all), max_edge_weight: String(all) })).toEqual(expected)
  expect(await edges({ min_edge_weight: String(all + 1) })).toEqual([])
  expect(await edges({ max_edge_weight: String(all - 1) })).toEqual([])
})

test('timing scales pairs, and no times', async () => {
  const request = readTimingRequest({ ...SAMPLED, from_entity: 'ask', to_entity: 'buy', bin_count: '1' })
  const [found] = await timing(engine.needs, question, request)
  expect(found?.row).toMatchObject({
    count: all,
    average: 60,
    p90: 60,
    counts: [all, 0],
    medians: [60, null],
    bins: [
      [60, all],
      [120, 0],
    ],
  })
})
