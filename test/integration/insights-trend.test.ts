import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { trend } from '../../services/query-api/insights/trend.ts'
import { readTrendRequest } from '../../services/query-api/insights/trend-request.ts'
import { forEachHistory, type InsightEngine, openInsightEngine } from '../helpers/insight-engine.ts'
import {
  EVENT_NAMES,
  FIRST_DAY_MS,
  HISTORIES,
  HISTORIES_MS,
  randomExpression,
  randomFilters,
  randomHistory,
  SEED,
} from '../helpers/random-histories.ts'
import { addDays, midnight } from '../reference/calendar.ts'
import type { History } from '../reference/history.ts'
import { OTHER, type TrendAsked, type TrendSeriesAsked, trendOf } from '../reference/trend.ts'

let engine: InsightEngine
beforeAll(async () => {
  engine = await openInsightEngine()
})
afterAll(() => engine.close())

const AGGREGATES = ['sum', 'avg', 'min', 'max', 'median', 'p75', 'p90', 'p95', 'p99']
const PER_ACTOR = ['avg', 'min', 'max', 'median', 'p75', 'p90', 'p95', 'p99'].map(
  (name) => `${name}_count_per_actor`,
)

const math: fc.Arbitrary<Omit<TrendSeriesAsked, 'id' | 'properties'>> = fc.oneof(
  fc.record({
    math: fc.constantFrom(
      'total',
      'dau',
      'weekly_active',
      'monthly_active',
      'unique_session',
      'first_time_for_user',
      'first_matching_event_for_user',
      ...PER_ACTOR,
    ),
  }),
  fc.record({ math: fc.constant('unique_group'), math_group_type_index: fc.constantFrom(0, 1) }),
  fc.record({
    math: fc.constantFrom(...AGGREGATES),
    math_property: fc.constantFrom('amount', 'amount', '$session_duration'),
  }),
)

const asked = fc
  .record({
    history: randomHistory(25),
    fromDay: fc.integer({ min: 2, max: 12 }),
    days: fc.integer({ min: 1, max: 9 }),
    endsAt: fc.constantFrom('day', 'noon'),
    interval: fc.constantFrom('day', 'week', 'month', 'hour'),
    series: fc.array(
      fc
        .tuple(fc.constantFrom(...EVENT_NAMES, null), math, randomFilters)
        .map(([id, counts, properties]) => ({ id, ...counts, properties })),
      { minLength: 1, maxLength: 2 },
    ),
    properties: randomFilters,
    groupType: fc.constantFrom(null, null, null, 0),
    breakdown: fc.option(
      fc.record({
        key: fc.constant('plan'),
        type: fc.constant('event'),
        limit: fc.constantFrom(1, 2, 25),
      }),
    ),
    otherBreakdown: fc.oneof(
      {
        weight: 6,
        arbitrary: fc.constantFrom(
          null,
          null,
          { key: 'tier', type: 'person', as_of: 'now' },
          { key: 'tier', type: 'person', as_of: 'event' },
          { key: '$pageview_count', type: 'session' },
          { key: 'size', type: 'group' },
        ),
      },
      { weight: 1, arbitrary: fc.record({ key: randomExpression, type: fc.constant('hogql') }) },
    ),
    shape: fc.constantFrom('points', 'points', 'cumulative', 'aggregate'),
  })
  .filter(
    ({ interval, series }) => interval !== 'hour' || !series.some(({ math }) => math.endsWith('ly_active')),
  )

const NOT_ADDITIVE = /_active$|_per_actor$|^(avg|min|max|median|p\d+)$/

test(`of ${HISTORIES} random histories every trend is what a slow count makes of it`, {
  timeout: HISTORIES_MS,
}, async () => {
  const cases = fc.sample(asked, { numRuns: HISTORIES, seed: SEED }).map((one, index) => {
    const history: History = { dataset: `d${index}`, ...one.history }
    const { zone } = history
    const day = addDays(new Date(FIRST_DAY_MS).toISOString().slice(0, 10), one.fromDay)
    const days = one.interval === 'hour' ? Math.min(one.days, 2) : one.days
    const lastDay = addDays(day, days - 1)
    const endMs = midnight(addDays(day, days), zone)
    const toMs = one.endsAt === 'noon' ? endMs - 12 * 3_600_000 : endMs
    const isAdditive = !one.series.some(
      ({ math, math_property }) => NOT_ADDITIVE.test(math) || (math === 'sum' && math_property !== 'amount'),
    )
    const question: TrendAsked = {
      series: one.series,
      interval: one.interval as TrendAsked['interval'],
      fromMs: midnight(day, zone),
      toMs,
      properties: one.properties,
      groupType: one.groupType,
      breakdown:
        one.breakdown === null
          ? null
          : ({ ...one.breakdown, ...(one.otherBreakdown ?? {}) } as TrendAsked['breakdown']),
      shape: (one.shape === 'cumulative' && !isAdditive ? 'points' : one.shape) as TrendAsked['shape'],
    }
    return { history, question, day, lastDay, isNoon: one.endsAt === 'noon' }
  })
  await engine.store(cases.map(({ history }) => history))
  await forEachHistory(cases, async ({ history, question, day, lastDay, isNoon }) => {
    const query: Record<string, string> = {
      events: JSON.stringify(question.series),
      interval: question.interval,
      date_from: day,
      date_to: isNoon ? new Date(question.toMs).toISOString() : lastDay,
      properties: JSON.stringify(question.properties),
      display: {
        points: 'ActionsLineGraph',
        cumulative: 'ActionsLineGraphCumulative',
        aggregate: 'BoldNumber',
      }[question.shape],
    }
    if (question.groupType !== null) query.aggregation_group_type_index = String(question.groupType)
    if (question.breakdown !== null) {
      query.breakdown = question.breakdown.key
      query.breakdown_type = question.breakdown.type
      query.breakdown_limit = String(question.breakdown.limit)
      if (question.breakdown.type === 'group') query.breakdown_group_type_index = '0'
      if (question.breakdown.as_of !== undefined) query.breakdown_as_of = question.breakdown.as_of
    }
    const rows = await trend(engine.needs, engine.questionOf(history), readTrendRequest(query))
    const found = question.series.map((_, order) =>
      Object.fromEntries(
        rows
          .filter((row) => row.order === order)
          .map(({ line }) => [line.isOther ? OTHER : line.value, line.data.map(rounded)] as const),
      ),
    )
    const expected = trendOf(history, question).map((lines) =>
      Object.fromEntries(lines.map(({ value, data }) => [value, data.map(rounded)] as const)),
    )
    expect({ ...noEmptyOther({ found }), query }).toEqual({ ...noEmptyOther({ found: expected }), query })
  })
})

const rounded = (number: number) => Math.round(number * 1e6) / 1e6

/** A line of all other values that holds nothing may be there or not. */
function noEmptyOther({ found }: { found: Record<string, number[]>[] }) {
  return {
    found: found.map((lines) =>
      Object.fromEntries(
        Object.entries(lines).filter(([value, data]) => value !== OTHER || data.some(Boolean)),
      ),
    ),
  }
}
