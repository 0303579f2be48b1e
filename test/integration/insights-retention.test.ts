import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { retention } from '../../services/query-api/insights/retention.ts'
import { readRetentionRequest } from '../../services/query-api/insights/retention-request.ts'
import { forEachHistory, type InsightEngine, openInsightEngine } from '../helpers/insight-engine.ts'
import {
  FIRST_DAY_MS,
  HISTORIES,
  HISTORIES_MS,
  randomEntity,
  randomFilters,
  randomHistory,
  SEED,
} from '../helpers/random-histories.ts'
import { addBuckets, addDays, bucketOf, midnight } from '../reference/calendar.ts'
import type { History } from '../reference/history.ts'
import { type RetentionAsked, retentionOf } from '../reference/retention.ts'

let engine: InsightEngine
beforeAll(async () => {
  engine = await openInsightEngine()
})
afterAll(() => engine.close())

const asked = fc.record({
  history: randomHistory(30),
  target: randomEntity,
  returning: randomEntity,
  lastDay: fc.integer({ min: 3, max: 18 }),
  intervals: fc.integer({ min: 1, max: 12 }),
  period: fc.constantFrom('day', 'day', 'week', 'month'),
  firstTime: fc.boolean(),
  minimum: fc.constantFrom(1, 1, 2),
  cumulative: fc.constantFrom(false, false, true),
  mode: fc.constantFrom('calendar', 'calendar', '24_hours'),
  properties: randomFilters,
  groupType: fc.constantFrom(null, null, null, 0),
})

test(`of ${HISTORIES} random histories every retention is what looking at each actor makes of it`, {
  timeout: HISTORIES_MS,
}, async () => {
  const cases = fc.sample(asked, { numRuns: HISTORIES, seed: SEED }).map((one, index) => {
    const history: History = { dataset: `d${index}`, ...one.history }
    const { zone } = history
    const day = addDays(new Date(FIRST_DAY_MS).toISOString().slice(0, 10), one.lastDay)
    const period = one.period as RetentionAsked['period']
    const lastMs = midnight(addDays(day, 1), zone) - 1
    const last = bucketOf(lastMs, period, zone)
    const question: RetentionAsked = {
      ...one,
      period,
      mode: one.mode as RetentionAsked['mode'],
      lastMs,
      fromMs: midnight(addBuckets(last, 1 - one.intervals, period), zone),
      endMs: midnight(addBuckets(last, 1, period), zone),
    }
    const query: Record<string, string> = {
      target_entity: JSON.stringify(one.target),
      returning_entity: JSON.stringify(one.returning),
      period: period[0]!.toUpperCase() + period.slice(1),
      total_intervals: String(one.intervals),
      date_to: day,
      retention_type: one.firstTime ? 'retention_first_time' : 'retention_recurring',
      minimum_occurrences: String(one.minimum),
      cumulative: String(one.cumulative),
      time_window_mode: one.mode === 'calendar' ? 'strict_calendar_dates' : '24_hour_windows',
      properties: JSON.stringify(one.properties),
      ...(one.groupType === null ? {} : { aggregation_group_type_index: String(one.groupType) }),
    }
    return { history, question, query }
  })
  await engine.store(cases.map(({ history }) => history))
  await forEachHistory(cases, async ({ history, question, query }) => {
    const rows = await retention(engine.needs, engine.questionOf(history), readRetentionRequest(query))
    const expected = retentionOf(history, question)
    expect({ counts: rows.map(({ values }) => values.map(({ count }) => count)), query }).toEqual({
      counts: expected.map((row) => row.map((actors) => actors.length)),
      query,
    })
  })
})
