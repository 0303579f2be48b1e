import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { OTHER_SLOT, OWN_SLOT } from '../../services/query-api/insights/funnel-sql.ts'
import { timing } from '../../services/query-api/insights/timing.ts'
import { readTimingRequest } from '../../services/query-api/insights/timing-request.ts'
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
import { addDays, midnight } from '../reference/calendar.ts'
import type { History } from '../reference/history.ts'
import { type TimingAsked, timingOf } from '../reference/timing.ts'
import { OTHER } from '../reference/trend.ts'

let engine: InsightEngine
beforeAll(async () => {
  engine = await openInsightEngine()
})
afterAll(() => engine.close())

const asked = fc.record({
  history: randomHistory(25),
  fromDay: fc.integer({ min: 0, max: 8 }),
  days: fc.integer({ min: 2, max: 12 }),
  from: randomEntity,
  to: randomEntity,
  window: fc.constantFrom([1, 'hour'], [1_200, 'second'], [2, 'day'], [14, 'day']),
  pairing: fc.constantFrom('each' as const, 'nearest' as const),
  interval: fc.constantFrom('day' as const, 'week' as const),
  properties: randomFilters,
  groupType: fc.constantFrom(null, null, null, 0),
  breakdown: fc.constantFrom(
    null,
    null,
    { key: 'plan', type: 'event' as const, limit: 2 },
    { key: "concat(event, ' ', properties.plan)", type: 'hogql' as const, limit: 2 },
  ),
})

const UNIT_MS: Readonly<Record<string, number>> = { second: 1_000, hour: 3_600_000, day: 86_400_000 }
const rounded = (number: number | null) => (number === null ? null : Math.round(number * 1e4) / 1e4)

test(`of ${HISTORIES} random histories the times between two events are what pairing them one by one gives`, {
  timeout: HISTORIES_MS,
}, async () => {
  const cases = fc.sample(asked, { numRuns: HISTORIES, seed: SEED }).map((one, index) => {
    const history: History = { dataset: `d${index}`, ...one.history }
    const day = addDays(new Date(FIRST_DAY_MS).toISOString().slice(0, 10), one.fromDay)
    const [count, unit] = one.window as [number, string]
    const about = ({ id, properties }: typeof one.from & { properties?: unknown }) =>
      JSON.stringify([id, properties ?? { type: 'AND', values: [] }])
    const question: TimingAsked = {
      ...one,
      isSame: about(one.from) === about(one.to),
      windowMs: count * (UNIT_MS[unit] as number),
      fromMs: midnight(day, history.zone),
      toMs: midnight(addDays(day, one.days), history.zone),
    }
    const query: Record<string, string> = {
      from_entity: JSON.stringify(one.from),
      to_entity: JSON.stringify(one.to),
      window_interval: String(count),
      window_interval_unit: unit,
      pairing: one.pairing,
      interval: one.interval,
      date_from: day,
      date_to: addDays(day, one.days - 1),
      properties: JSON.stringify(one.properties),
      ...(one.groupType === null ? {} : { aggregation_group_type_index: String(one.groupType) }),
      ...(one.breakdown === null
        ? {}
        : { breakdown: one.breakdown.key, breakdown_type: one.breakdown.type, breakdown_limit: '2' }),
    }
    return { history, question, query }
  })
  await engine.store(cases.map(({ history }) => history))
  await forEachHistory(cases, async ({ history, question, query }) => {
    const rows = await timing(engine.needs, engine.questionOf(history), readTimingRequest(query))
    const found = rows
      .filter(({ row }) => row.count > 0)
      .map(({ slot, row }) => {
        expect(row.bins.reduce((sum, [, pairs]) => sum + pairs, 0)).toBe(row.count)
        expect(row.counts.reduce((sum, pairs) => sum + pairs, 0)).toBe(row.count)
        const { count, average, median, p90, medians } = row
        const value = slot === OTHER_SLOT ? OTHER : slot.slice(OWN_SLOT.length)
        return [
          value,
          {
            count,
            average: rounded(average),
            median: rounded(median),
            p90: rounded(p90),
            points: medians.map(rounded),
          },
        ]
      })
    const expected = [...timingOf(history, question)].map(([value, row]) => [
      value,
      {
        ...row,
        average: rounded(row.average),
        median: rounded(row.median),
        p90: rounded(row.p90),
        points: row.points.map(rounded),
      },
    ])
    expect({ rows: Object.fromEntries(found), query }).toEqual({
      rows: Object.fromEntries(expected),
      query,
    })
  })
})
