import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { funnelSteps, funnelTimes, funnelTrends } from '../../services/query-api/insights/funnel.ts'
import { readFunnelRequest } from '../../services/query-api/insights/funnel-request.ts'
import { OTHER_SLOT, OWN_SLOT } from '../../services/query-api/insights/funnel-sql.ts'
import { forEachHistory, type InsightEngine, openInsightEngine } from '../helpers/insight-engine.ts'
import {
  EVENT_NAMES,
  FIRST_DAY_MS,
  HISTORIES,
  HISTORIES_MS,
  randomExpression,
  randomFilters,
  randomHistory,
  rareExpression,
  SEED,
} from '../helpers/random-histories.ts'
import { addDays, midnight } from '../reference/calendar.ts'
import type { EntityAsked } from '../reference/entities.ts'
import {
  type FunnelAsked,
  isSameStep,
  funnelSteps as slowSteps,
  funnelTimes as slowTimes,
  funnelTrend as slowTrend,
} from '../reference/funnel.ts'
import type { History } from '../reference/history.ts'
import { OTHER } from '../reference/trend.ts'

let engine: InsightEngine
beforeAll(async () => {
  engine = await openInsightEngine()
})
afterAll(() => engine.close())

/** Mostly the same few steps: a funnel whose steps repeat is where rules differ. */
const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ id: fc.constantFrom('a', 'b', 'c') }) },
  {
    weight: 1,
    arbitrary: fc.record({ id: fc.constantFrom(...EVENT_NAMES, null), properties: randomFilters }),
  },
)

const asked = fc.record({
  history: randomHistory(25),
  fromDay: fc.integer({ min: 0, max: 8 }),
  days: fc.integer({ min: 2, max: 12 }),
  steps: fc.array(step, { minLength: 1, maxLength: 4 }),
  order: fc.constantFrom('ordered', 'ordered', 'unordered', 'strict'),
  window: fc.constantFrom(
    [10, 'minute'],
    [20, 'minute'],
    [1_800, 'second'],
    [1, 'hour'],
    [2, 'day'],
    [14, 'day'],
  ),
  exclusion: fc.option(fc.tuple(step, fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 3 }))),
  second: fc.boolean(),
  properties: randomFilters,
  groupType: fc.constantFrom(null, null, null, 0),
  actorExpression: rareExpression,
  breakdown: fc.oneof(
    {
      weight: 5,
      arbitrary: fc.constantFrom(
        null,
        null,
        { key: 'plan', type: 'event', limit: 2 },
        { key: 'plan', type: 'event', limit: 25 },
        { key: 'tier', type: 'person', limit: 25, as_of: 'now' },
      ),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        key: randomExpression,
        type: fc.constant('hogql'),
        limit: fc.constantFrom(2, 25),
      }),
    },
  ),
  attribution: fc.constantFrom('first_touch', 'last_touch', 'all_events', 'step'),
  attributionStep: fc.nat({ max: 3 }),
  view: fc.constantFrom('steps', 'steps', 'trends', 'time_to_convert'),
  between: fc.tuple(fc.nat({ max: 3 }), fc.nat({ max: 3 })),
  interval: fc.constantFrom('day', 'week', 'month'),
  binCount: fc.constantFrom(null, 1, 7),
})

const rounded = (number: number | null) => (number === null ? null : Math.round(number * 1e4) / 1e4)

test(`of ${HISTORIES} random histories every funnel is what looking at each run makes of it`, {
  timeout: HISTORIES_MS,
}, async () => {
  const cases = fc.sample(asked, { numRuns: HISTORIES, seed: SEED }).map((one, index) => {
    const history: History = { dataset: `d${index}`, ...one.history }
    const { zone } = history
    const day = addDays(new Date(FIRST_DAY_MS).toISOString().slice(0, 10), one.fromDay)
    const lastDay = addDays(day, one.days - 1)
    const last = one.steps.length - 1
    const [count, unit] = one.window as [number, string]
    const unitMs = { second: 1_000, minute: 60_000, hour: 3_600_000, day: 86_400_000 }[unit] as number
    const exclusions = [] as { id: string | null; from: number; to: number }[]
    if (one.exclusion !== null) {
      const [entity, a, b] = one.exclusion
      const from = one.order === 'unordered' ? 0 : Math.min(a, b, last)
      const to = one.order === 'unordered' ? last : Math.min(Math.max(a, b), last)
      if (from < to) exclusions.push({ ...entity, from, to })
      if (from < to && one.second && one.order !== 'unordered') exclusions.push({ id: 'c', from, to: last })
    }
    const attributionStep = Math.min(one.attributionStep, last)
    const own = one.steps[attributionStep] as EntityAsked
    // In any order a step that stands there twice is refused.
    const isAmbiguous =
      one.order === 'unordered' && one.steps.filter((step) => isSameStep(step, own)).length > 1
    const attribution =
      one.attribution === 'step' && isAmbiguous
        ? 'first_touch'
        : (one.attribution as FunnelAsked['attribution'])
    const question: FunnelAsked = {
      steps: one.steps,
      order: one.order as FunnelAsked['order'],
      windowMs: count * unitMs,
      exclusions,
      fromMs: midnight(day, zone),
      toMs: midnight(addDays(day, one.days), zone),
      properties: one.properties,
      groupType: one.groupType,
      actorExpression: one.groupType === null ? one.actorExpression : null,
      breakdown: one.breakdown as FunnelAsked['breakdown'],
      attribution,
      attributionStep,
    }
    const from = Math.min(...one.between, last)
    const to = Math.min(Math.max(...one.between), last)
    const isBetween = from < to
    return {
      history,
      question,
      from: isBetween ? from : 0,
      to: isBetween ? to : last,
      one,
      query: {
        events: JSON.stringify(one.steps),
        funnel_order_type: one.order,
        funnel_window_interval: String(count),
        funnel_window_interval_unit: unit,
        funnel_viz_type: one.view,
        exclusions: JSON.stringify(
          exclusions.map(({ from, to, ...entity }) => ({
            ...entity,
            funnel_from_step: from,
            funnel_to_step: to,
          })),
        ),
        date_from: day,
        date_to: lastDay,
        properties: JSON.stringify(one.properties),
        breakdown_attribution_type: attribution,
        ...(attribution === 'step' ? { breakdown_attribution_value: String(question.attributionStep) } : {}),
        ...(isBetween ? { funnel_from_step: String(from), funnel_to_step: String(to) } : {}),
        interval: one.interval,
        ...(one.binCount === null ? {} : { bin_count: String(one.binCount) }),
        ...(one.groupType === null ? {} : { aggregation_group_type_index: String(one.groupType) }),
        ...(question.actorExpression === null ? {} : { funnel_aggregate_by_hogql: question.actorExpression }),
        ...(one.breakdown === null
          ? {}
          : {
              breakdown: one.breakdown.key,
              breakdown_type: one.breakdown.type,
              breakdown_limit: String(one.breakdown.limit),
            }),
      } as Record<string, string>,
    }
  })
  await engine.store(cases.map(({ history }) => history))
  const nameOf = (slot: string) =>
    slot === OTHER_SLOT ? OTHER : slot.slice(slot === '' ? 0 : OWN_SLOT.length)
  await forEachHistory(cases, async ({ history, question, query, one, from, to }) => {
    const ask = engine.questionOf(history)
    const request = readFunnelRequest(query)
    if (one.view === 'steps') {
      const found = await funnelSteps(engine.needs, ask, request)
      const expected = slowSteps(history, question)
      const empty = question.steps.map(() => [0, null, null])
      expect({
        steps: Object.fromEntries(
          found.map(({ slot, steps }) => [
            nameOf(slot),
            steps.map((row) => [
              row.count,
              rounded(row.average_conversion_time),
              rounded(row.median_conversion_time),
            ]),
          ]),
        ),
        query,
      }).toEqual({
        steps: {
          ...(question.breakdown === null ? { '': empty } : {}),
          ...Object.fromEntries(
            [...expected].map(([value, steps]) => [
              value,
              steps.map(({ count, average, median }) => [count, rounded(average), rounded(median)]),
            ]),
          ),
        },
        query,
      })
    } else if (one.view === 'trends') {
      const found = await funnelTrends(engine.needs, ask, request)
      const expected = Object.fromEntries(slowTrend(history, question, request.interval, from, to))
      const lines = Object.fromEntries(found.map(({ slot, row }) => [nameOf(slot), row.data]))
      const zeros = (found[0]?.row.days ?? []).map(() => 0)
      expect({ lines, query }).toEqual({
        lines: question.breakdown === null ? { '': zeros, ...expected } : expected,
        query,
      })
    } else if (question.breakdown === null) {
      const [found] = await funnelTimes(engine.needs, ask, request)
      const expected = slowTimes(history, question, from, to, one.binCount)
      const { bins, average_conversion_time: average = null } = found?.row ?? {}
      expect({ bins, average: rounded(average), query }).toEqual({
        bins: expected.bins,
        average: rounded(expected.average),
        query,
      })
    }
  })
})
