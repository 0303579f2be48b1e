import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { lifecycle, readLifecycleRequest } from '../../services/query-api/insights/lifecycle.ts'
import { readStickinessRequest, stickiness } from '../../services/query-api/insights/stickiness.ts'
import { forEachHistory, type InsightEngine, openInsightEngine } from '../helpers/insight-engine.ts'
import {
  EVENT_NAMES,
  FIRST_DAY_MS,
  HISTORIES,
  HISTORIES_MS,
  randomFilters,
  randomHistory,
  SEED,
} from '../helpers/random-histories.ts'
import { addBuckets, addDays, bucketOf, midnight } from '../reference/calendar.ts'
import type { History } from '../reference/history.ts'
import { type LifecycleAsked, lifecycleOf } from '../reference/lifecycle.ts'
import { type StickinessAsked, stickinessOf } from '../reference/stickiness.ts'

let engine: InsightEngine
beforeAll(async () => {
  engine = await openInsightEngine()
})
afterAll(() => engine.close())

const asked = fc.record({
  history: randomHistory(25),
  fromDay: fc.integer({ min: 0, max: 10 }),
  days: fc.integer({ min: 1, max: 10 }),
  interval: fc.constantFrom('day', 'day', 'week', 'month'),
  series: fc.array(fc.record({ id: fc.constantFrom(...EVENT_NAMES, null), properties: randomFilters }), {
    minLength: 1,
    maxLength: 2,
  }),
  properties: randomFilters,
  groupType: fc.constantFrom(null, null, null, 0),
  cumulative: fc.boolean(),
  countedGroups: fc.constantFrom(null, null, 1),
  compare: fc.boolean(),
  criteria: fc.record({
    operator: fc.constantFrom('gte', 'lte', 'exact'),
    value: fc.constantFrom(1, 1, 2, 3),
  }),
})

function casesOf(prefix: string) {
  return fc.sample(asked, { numRuns: HISTORIES, seed: SEED }).map((one, index) => {
    const history: History = { dataset: `${prefix}${index}`, ...one.history }
    const { zone } = history
    const day = addDays(new Date(FIRST_DAY_MS).toISOString().slice(0, 10), one.fromDay)
    const query: Record<string, string> = {
      events: JSON.stringify(one.series),
      interval: one.interval,
      date_from: day,
      date_to: addDays(day, one.days - 1),
      properties: JSON.stringify(one.properties),
    }
    const fromMs = midnight(day, zone)
    return { one, history, query, fromMs, toMs: midnight(addDays(day, one.days), zone) }
  })
}

test(`of ${HISTORIES} random histories every stickiness is what counting active intervals makes of it`, {
  timeout: HISTORIES_MS,
}, async () => {
  const cases = casesOf('s')
  await engine.store(cases.map(({ history }) => history))
  await forEachHistory(cases, async ({ one, history, query: common, fromMs, toMs }) => {
    const series = one.series.map((entity, order) =>
      order > 0 || one.countedGroups === null
        ? { ...entity, math: 'total' }
        : { ...entity, math: 'unique_group', math_group_type_index: one.countedGroups },
    )
    const query = {
      ...common,
      events: JSON.stringify(series),
      compare: String(one.compare),
      computed_as: one.cumulative ? 'cumulative' : 'non_cumulative',
      stickiness_criteria: JSON.stringify(one.criteria),
      ...(one.groupType === null ? {} : { aggregation_group_type_index: String(one.groupType) }),
    }
    const rows = await stickiness(engine.needs, engine.questionOf(history), readStickinessRequest(query))
    const ofRange = (fromMs: number, toMs: number) =>
      stickinessOf(history, {
        ...one,
        series,
        interval: one.interval as StickinessAsked['interval'],
        criteria: one.criteria as StickinessAsked['criteria'],
        fromMs,
        toMs,
      })
    const current = ofRange(fromMs, toMs)
    const length = current[0]!.length
    // A month earlier may have no such day; of these only the asked period is compared.
    const days = { day: length, week: 7 * length, month: null }[one.interval as 'day']
    const back = (day: string) => midnight(addDays(day, -(days ?? 0)), history.zone)
    const previous =
      one.compare && days !== null
        ? ofRange(back(common.date_from as string), back(addDays(common.date_to as string, 1)))
        : []
    const shown = days === null ? rows.slice(0, current.length) : rows
    expect({ data: shown.map(({ data }) => data), query }).toEqual({
      data: [...current, ...previous],
      query,
    })
  })
})

test(`of ${HISTORIES} random histories every lifecycle is what looking at two intervals at a time makes of it`, {
  timeout: HISTORIES_MS,
}, async () => {
  const cases = casesOf('l')
  await engine.store(cases.map(({ history }) => history))
  await forEachHistory(cases, async ({ one, history, query: common, fromMs, toMs }) => {
    const query = { ...common, events: JSON.stringify(one.series.slice(0, 1)) }
    const { rows } = await lifecycle(engine.needs, engine.questionOf(history), readLifecycleRequest(query))
    const interval = one.interval as LifecycleAsked['interval']
    const first = bucketOf(fromMs, interval, history.zone, 'monday')
    const expected = lifecycleOf(history, {
      entity: one.series[0]!,
      interval,
      fromMs,
      toMs,
      properties: one.properties,
      beforeMs: midnight(addBuckets(first, -1, interval), history.zone),
    })
    expect({ data: Object.fromEntries(rows.map(({ status, data }) => [status, data])), query }).toEqual({
      data: expected,
      query,
    })
  })
})
