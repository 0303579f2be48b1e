import { afterAll, beforeAll, expect, test } from 'vitest'
import { correlationPeople } from '../../services/query-api/insights/correlation-people.ts'
import type { Definitions } from '../../services/query-api/insights/definitions.ts'
import type { InsightNeeds } from '../../services/query-api/insights/frame.ts'
import { funnelSteps } from '../../services/query-api/insights/funnel.ts'
import {
  funnelCorrelation,
  readCorrelationRequest,
} from '../../services/query-api/insights/funnel-correlation.ts'
import { readFunnelRequest } from '../../services/query-api/insights/funnel-request.ts'
import { peopleOf } from '../../services/query-api/insights/people.ts'
import { timing } from '../../services/query-api/insights/timing.ts'
import { readTimingRequest } from '../../services/query-api/insights/timing-request.ts'
import { trend } from '../../services/query-api/insights/trend.ts'
import { readTrendRequest } from '../../services/query-api/insights/trend-request.ts'
import { listedMembers } from '../../services/query-api/query/filter-sql.ts'
import { NO_FILTERS, readFilterTree } from '../../services/query-api/query/property-filters.ts'
import { type InsightEngine, openInsightEngine } from '../helpers/insight-engine.ts'
import { EVENTS_ALONE, type Happening, type History } from '../reference/history.ts'

const DAY_MS = 86_400_000
const START_MS = Date.parse('2026-11-01T10:00:00Z')

let offset = 0
const happened = (
  event: string,
  distinctId: string,
  day: number,
  over: Partial<Happening> = {},
): Happening => ({
  event,
  distinctId,
  timeMs: START_MS + day * DAY_MS,
  partition: 0,
  offset: offset++,
  session: null,
  groups: {},
  url: null,
  properties: {},
  ...over,
})

const history: History = {
  dataset: 'shop',
  zone: 'UTC',
  events: [
    happened('view', 'ann', 0, { properties: { page: 'a', size: 1 } }),
    happened('view', 'bob', 0, { properties: { page: 'b', size: 2 } }),
    happened('view', 'cat', 1, { properties: { page: 'a', size: 30 } }),
    happened('help', 'ann', 1),
    happened('help', 'dan', 1),
    happened('buy', 'ann', 2, { properties: { amount: 10 } }),
    happened('buy', 'bob', 3, { properties: { amount: 20 } }),
    happened('view', 'dan', 1, { properties: { page: 'b', size: 4, staff: true } }),
  ],
  ...EVENTS_ALONE,
}

const PERSON = { createdMs: START_MS, isDeleted: false, version: 1, validFromMs: START_MS }

const definitions: Definitions = {
  action: async (_dataset, id) =>
    id === 7
      ? {
          id,
          name: 'Interest',
          steps: [
            { event: 'buy', filters: NO_FILTERS },
            { event: 'view', filters: readFilterTree([{ key: 'page', value: 'a' }], 'properties') },
          ],
        }
      : null,
  cohort: async (_dataset, id) =>
    id === 1 || id === 2
      ? { id, name: `Cohort ${id}`, members: listedMembers(id === 1 ? ['ann', 'bob'] : ['cat']) }
      : null,
  testAccountFilters: async () =>
    readFilterTree([{ key: 'staff', operator: 'is_not', value: 'true' }], 'properties'),
}

let engine: InsightEngine
let needs: InsightNeeds
beforeAll(async () => {
  engine = await openInsightEngine()
  needs = { ...engine.needs, definitions }
  await engine.store([history])
})
afterAll(() => engine.close())

const ask = async (query: Record<string, string>) =>
  (
    await trend(
      needs,
      engine.questionOf(history),
      readTrendRequest({ date_from: '2026-11-01', date_to: '2026-11-04', ...query }),
    )
  ).map(({ row }) => row)

test('an action is the events of any of its steps, and one that is not there is refused', async () => {
  const [row] = await ask({ actions: '[{"id":7,"name":"Interest"}]' })
  expect([row?.data, row?.action]).toEqual([
    [1, 1, 1, 1],
    { id: 7, type: 'actions', order: 0, name: 'Interest', custom_name: null, math: 'total' },
  ])
  await expect(ask({ actions: '[{"id":8}]' })).rejects.toThrow('There is no action 8.')
})

test('a cohort filters, is negated, breaks down, and must be there', async () => {
  const filtered = (filter: object) => ask({ event: 'view', properties: JSON.stringify([filter]) })
  expect((await filtered({ type: 'cohort', key: 'id', value: 1 }))[0]?.data).toEqual([2, 0, 0, 0])
  expect((await filtered({ type: 'cohort', key: 'id', value: 1, negation: true }))[0]?.data).toEqual([
    0, 2, 0, 0,
  ])
  const lines = await ask({ event: 'view', breakdown: '["all",1,2]', breakdown_type: 'cohort' })
  expect(lines.map(({ breakdown_value, label, count }) => [breakdown_value, label, count])).toEqual([
    ['all', 'view - all', 4],
    [1, 'view - Cohort 1', 2],
    [2, 'view - Cohort 2', 1],
  ])
  await expect(filtered({ type: 'cohort', key: 'id', value: 3 })).rejects.toThrow('There is no cohort 3.')
})

test('test accounts are left out when that is asked for', async () => {
  expect((await ask({ event: 'view', filter_test_accounts: 'true' }))[0]?.count).toBe(3)
  expect((await ask({ event: 'view' }))[0]?.count).toBe(4)
})

test('a comparison has the same points so many intervals earlier', async () => {
  const range = { event: 'view', date_from: '2026-11-02', date_to: '2026-11-03', compare: 'true' }
  const rows = await ask(range)
  expect(
    rows.map(({ compare_label, data, labels, days }) => ({ compare_label, data, labels, days })),
  ).toEqual([
    {
      compare_label: 'current',
      data: [2, 0],
      labels: ['day 0', 'day 1'],
      days: ['2026-11-02', '2026-11-03'],
    },
    {
      compare_label: 'previous',
      data: [0, 2],
      labels: ['day 0', 'day 1'],
      days: ['2026-10-31', '2026-11-01'],
    },
  ])
})

test('a formula joins series by the value of the breakdown', async () => {
  const rows = await ask({
    events: '[{"id":"view"},{"id":"view","math":"dau"}]',
    formula: 'A * 100 / (A + B)',
    breakdown: 'page',
    display: 'ActionsTable',
  })
  expect(rows.map(({ label, action, aggregated_value }) => [label, action, aggregated_value])).toEqual([
    ['Formula (A * 100 / (A + B)) - a', null, 50],
    ['Formula (A * 100 / (A + B)) - b', null, 50],
  ])
})

test('the others are left out where that is asked for, of a trend, a funnel and of times', async () => {
  const range = { date_from: '2026-11-01', date_to: '2026-11-04' }
  const question = engine.questionOf(history)
  const lines = async (hides: string) => {
    const by = { ...range, breakdown: 'page', breakdown_limit: '1', breakdown_hide_other_aggregation: hides }
    const rows = await ask({ ...by, event: 'view' })
    const funnel = await funnelSteps(
      needs,
      question,
      readFunnelRequest({ ...by, events: '[{"id":"view"},{"id":"buy"}]' }),
    )
    const times = await timing(
      needs,
      question,
      readTimingRequest({ ...by, from_entity: 'view', to_entity: 'buy' }),
    )
    return [
      rows.map(({ breakdown_value }) => breakdown_value),
      funnel.map(({ steps }) => steps[0]?.breakdown_value),
      times.map(({ row }) => row.breakdown_value),
    ]
  }
  const all = await lines('false')
  expect(all.map((values) => values.at(-1))).toEqual(['Other', 'Other', 'Other'])
  expect(await lines('true')).toEqual(all.map((values) => values.slice(0, -1)))
})

test('several properties are one value, and numbers fall into bins', async () => {
  const pairs = await ask({ event: 'view', breakdown: '["page","staff"]' })
  expect(pairs.map(({ label, breakdown_value, count }) => [label, breakdown_value, count])).toEqual([
    ['view - a::', ['a', ''], 2],
    ['view - b::', ['b', ''], 1],
    ['view - b::true', ['b', 'true'], 1],
  ])
  const bins = await ask({ event: 'view', breakdown: 'size', breakdown_histogram_bin_count: '2' })
  expect(bins.map(({ breakdown_value, count }) => [breakdown_value, count])).toEqual([
    ['[1,3]', 2],
    ['[3,30]', 2],
  ])
})

test('expressions are values alone, in a list and in bins', async () => {
  const by = async (breakdown: string, more: Record<string, string> = {}) =>
    (await ask({ event: 'view', breakdown_type: 'hogql', breakdown, ...more }))
      .map(({ breakdown_value, count }) => [breakdown_value, count])
      .sort()
  expect(await by('upper(properties.page)')).toEqual([
    ['A', 2],
    ['B', 2],
  ])
  // A part of a character is found again as what the answer writes for it.
  expect(await by("left(concat('ü', event), 1)")).toEqual([['\uFFFD', 4]])
  expect(await by('["upper(properties.page)","properties.size > 3"]')).toEqual([
    [['A', '0'], 1],
    [['A', '1'], 1],
    [['B', '0'], 1],
    [['B', '1'], 1],
  ])
  expect(await by('properties.size * 10', { breakdown_histogram_bin_count: '2' })).toEqual([
    ['[10,30]', 2],
    ['[30,300]', 2],
  ])
})

test('an expression holds where it is not zero, and what the engine cannot compute is refused', async () => {
  const count = async (key: string) =>
    (await ask({ event: 'view', properties: JSON.stringify([{ type: 'hogql', key }]) }))[0]?.count
  expect(await count('length(properties.page)')).toBe(4)
  expect(await count('length(properties.page) - 1')).toBe(0)
  expect(await count('properties.size / 2')).toBe(4)
  expect(await count('true')).toBe(4)
  expect(await count('null')).toBe(0)
  await expect(count('properties.page')).rejects.toMatchObject({
    status: 400,
    body: { code: 'invalid_query', attr: null },
  })
})

test('a sample holds the same people whatever is asked, and stands for all of them', async () => {
  const sampled = async (factor: string, event: string) =>
    (await ask({ event, math: 'dau', sampling_factor: factor, display: 'BoldNumber' }))[0]
      ?.aggregated_value ?? 0
  expect(await sampled('1', 'view')).toBe(4)
  const views = (await sampled('0.5', 'view')) * 0.5
  const buys = (await sampled('0.5', 'buy')) * 0.5
  expect(Number.isInteger(views)).toBe(true)
  expect(buys).toBeLessThanOrEqual(views)
})

test('a correlation of groups is of their properties, and has them behind its numbers', async () => {
  const buys: History = {
    dataset: 'companies',
    zone: 'UTC',
    events: [1, 2, 3].flatMap((company) => [
      happened('view', 'ann', 0, { groups: { company: `c${company}` } }),
      ...(company === 3 ? [] : [happened('buy', 'ann', 1, { groups: { company: `c${company}` } })]),
    ]),
    ...EVENTS_ALONE,
    groupTypes: [{ name: 'company', index: 0 }],
    // A person of the same name is somebody else.
    persons: [{ ...PERSON, person: 'c1', properties: { size: 'person' } }],
    groups: [1, 2, 3].map((company) => ({
      index: 0,
      key: `c${company}`,
      properties: { size: company === 3 ? 'small' : 'big' },
      version: 1,
    })),
  }
  await engine.store([buys])
  const asked = {
    events: '[{"id":"view"},{"id":"buy"}]',
    date_from: '2026-11-01',
    date_to: '2026-11-04',
    aggregation_group_type_index: '0',
    funnel_correlation_type: 'properties',
    funnel_correlation_names: '["size"]',
  }
  const question = engine.questionOf(buys)
  const { events } = await funnelCorrelation(needs, question, readCorrelationRequest(asked))
  expect(events).toMatchObject([
    { event: 'size::big', success_count: 2, failure_count: 0 },
    { event: 'size::small', success_count: 0, failure_count: 1 },
  ])
  const behind = await correlationPeople(needs, question, {
    ...asked,
    funnel_correlation_event: 'size::big',
    funnel_correlation_person_converted: 'true',
  })
  const page = { limit: 5, offset: 0 }
  const { people } = await peopleOf(needs.ask, question, behind.sql, page, behind.groupTypeIndex)
  expect(people).toMatchObject([
    { type: 'group', group_key: 'c1' },
    { type: 'group', group_key: 'c2' },
  ])
})

test('a correlation says what those who reach the end have more often', async () => {
  const { events, skewed } = await funnelCorrelation(
    needs,
    engine.questionOf(history),
    readCorrelationRequest({
      events: '[{"id":"view"},{"id":"buy"}]',
      date_from: '2026-11-01',
      date_to: '2026-11-04',
    }),
  )
  // Ann asked for help on her way and bought, and Dan asked before he viewed, at the same moment.
  expect(events).toEqual([
    { event: 'help', success_count: 1, failure_count: 0, odds_ratio: 3, correlation_type: 'success' },
  ])
  expect(skewed).toBe(false)
})
