import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { CLICKHOUSE_SETTINGS } from '../../services/core/clickhouse/clickhouse-settings.ts'
import { openClickHouse } from '../../services/core/clickhouse/http-clickhouse.ts'
import { personIdOf } from '../../services/core/event/person-id.ts'
import { parseSettings } from '../../services/core/runtime/settings.ts'
import type { Correlation } from '../../services/query-api/insights/funnel-correlation.ts'
import { INSIGHTS } from '../../services/query-api/insights/insight-questions.ts'
import { textsOf } from '../../services/query-api/insights/posted-parameters.ts'
import { trend } from '../../services/query-api/insights/trend.ts'
import { readTrendRequest } from '../../services/query-api/insights/trend-request.ts'
import type { QueryResult } from '../../services/query-api/kinds/run-query.ts'
import { runQuery } from '../../services/query-api/kinds/run-query.ts'
import { createAskTable } from '../../services/query-api/query/ask-table.ts'
import { apiErrorOf } from '../../services/query-api/query/clickhouse-failure.ts'
import { datasetFilters } from '../../services/query-api/query/dataset-filters.ts'
import { questionOf } from '../../services/query-api/saved-insights/saved-question.ts'
import { savedResult, savedView } from '../../services/query-api/saved-insights/saved-result.ts'
import { SQL_ROWS } from '../../services/query-api/sql/sql-limits.ts'
import { STORED_TABLES } from '../../services/query-api/sql/views.ts'
import { type InsightEngine, NOW_MS, openInsightEngine, resultsOf } from '../helpers/insight-engine.ts'
import type { Happening, History } from '../reference/history.ts'

let engine: InsightEngine
const START_MS = NOW_MS - 6 * 86_400_000

function history(dataset: string, count: number): History {
  return {
    dataset,
    zone: 'Europe/Berlin',
    events: Array.from(
      { length: count },
      (_, n): Happening => ({
        event: ['$pageview', 'add', 'buy'][n % 3] as string,
        // Five events of one person within minutes, then hours of nothing.
        distinctId: `u${Math.floor(n / 5) % 7}`,
        timeMs: START_MS + Math.floor(n / 5) * 15_000_000 + (n % 5) * 60_000,
        partition: n % 2,
        offset: n,
        session: `s${n % 5}`,
        groups: {},
        url: `https://shop.example.com/${n % 4}`,
        properties: { plan: ['free', 'pro'][n % 2], amount: n, of: dataset },
      }),
    ),
    overrides: [{ id: 'u1', person: 'u0', version: 2 }],
    persons: ['u0', 'u2'].map((person, n) => ({
      person,
      properties: { weight: 10 * (n + 1) },
      createdMs: START_MS + n,
      isDeleted: false,
      version: 1,
      validFromMs: 0,
    })),
    groups: ['acme', 'bigco', 'corner'].map((key, n) => ({
      index: 0,
      key,
      properties: n === 0 ? { name: 'Acme & sons' } : {},
      version: 1,
    })),
    groupTypes: [],
  }
}
const SHOP = history('shop', 150)

beforeAll(async () => {
  engine = await openInsightEngine()
  await engine.store([SHOP, history('blog', 90)])
})
afterAll(() => engine.close())

function ask(query: object): Promise<QueryResult> {
  const question = engine.questionOf(SHOP)
  const url = new URL('http://api.example.com/api/datasets/shop/query')
  const call = {
    question,
    url,
    query: {},
    params: {},
    body: null,
    principal: null as never,
    gone: question.signal,
  }
  return runQuery({ ...engine.needs, askTable: engine.askTable }, call, query as never)
}

const SERIES = [
  { kind: 'EventsNode', event: '$pageview', name: 'Seen' },
  {
    kind: 'EventsNode',
    event: 'buy',
    math: 'dau',
    properties: [{ key: 'plan', value: 'pro', type: 'event' }],
  },
]
const PARAMETERS = {
  events: [
    { id: '$pageview', name: 'Seen', order: 0 },
    { id: 'buy', math: 'dau', properties: [{ key: 'plan', value: 'pro', type: 'event' }], order: 1 },
  ],
}
const dateRange = { date_from: '-5d' }

test('a whole event tells the person that its distinct id belongs to now, as it is now', async () => {
  const { results } = await ask({ kind: 'EventsQuery', select: ['distinct_id', 'person'], limit: 150 })
  const told = new Map(results as [string, { id: string; properties: object; created_at: string | null }][])
  const person = (id: string) => ({
    id: personIdOf('shop', id === 'u1' ? 'u0' : id),
    properties: { u0: { weight: 10 }, u1: { weight: 10 }, u2: { weight: 20 } }[id] ?? {},
  })
  expect(told.size).toBe(7)
  for (const [id, found] of told) expect(found).toMatchObject(person(id))
})

test('a TrendsQuery is the trend of its parameters, with a breakdown, a formula and a comparison', async () => {
  const { results } = await ask({
    kind: 'TrendsQuery',
    series: SERIES,
    dateRange,
    interval: 'day',
    breakdownFilter: { breakdown: 'plan', breakdown_type: 'event' },
    compareFilter: { compare: true },
    trendsFilter: { display: 'ActionsLineGraph', smoothingIntervals: 2, showLegend: true },
  })
  const query = textsOf({
    ...PARAMETERS,
    date_from: '-5d',
    breakdown: 'plan',
    compare: true,
    smoothing_intervals: 2,
  })
  const lines = await trend(engine.needs, engine.questionOf(SHOP), readTrendRequest(query))
  const withoutLinks = (rows: unknown) =>
    (rows as Record<string, unknown>[]).map(({ persons_urls: _, ...row }) => row)
  expect(withoutLinks(results)).toEqual(withoutLinks(lines.map(({ row }) => row)))
  const [first] = results as { persons_urls: { url: string }[] }[]
  expect(first?.persons_urls[0]?.url).toContain('/api/datasets/shop/persons/trends?')
})

test('an expression counts as the maths that it is made of, in every line and interval', async () => {
  const lines = async (expression: string | null, own: object = {}, over: object = {}) => {
    const node = { kind: 'EventsNode', event: null, ...own }
    const series = expression === null ? node : { ...node, math: 'hogql', math_hogql: expression }
    const { results } = await ask({ kind: 'TrendsQuery', series: [series], dateRange, ...over })
    return (results as { breakdown_value?: string; data: number[] }[]).map((row) => [
      row.breakdown_value,
      row.data,
    ])
  }
  const amounts = { math_property: 'amount' }
  const broken = { breakdownFilter: { breakdown: 'weight', breakdown_type: 'person' } }
  const sum = await lines(null, { math: 'sum', ...amounts })
  expect(await lines('sum(properties.amount)')).toEqual(sum)
  expect(await lines('sum(properties.amount)', {}, broken)).toEqual(
    await lines(null, { math: 'sum', ...amounts }, broken),
  )
  expect((await lines('count()', {}, broken)).map(([value]) => value).toSorted()).toEqual(['', '10', '20'])
  expect(await lines('uniqExact(person_id)')).toEqual(await lines(null, { math: 'dau' }))
  const filtered = { properties: [{ key: 'plan', value: 'pro', type: 'event' }] }
  expect(await lines("countIf(properties.plan = 'pro')")).toEqual(await lines(null, filtered))
  const [[, counts], [, ratios]] = [
    (await lines(null))[0] as [unknown, number[]],
    (await lines('sum(properties.amount) / count()'))[0] as [unknown, number[]],
  ]
  const sums = sum[0]![1] as number[]
  expect(ratios).toEqual(sums.map((one, n) => (counts[n] === 0 ? 0 : one / counts[n]!)))
  // Of persons as they are now: of u0 and u1, who are one, and of u2.
  const weights = await lines('max(person.properties.weight)', {}, { interval: 'month' })
  expect(Math.max(...(weights[0]![1] as number[]))).toBe(20)
  expect(await lines('max(event)')).toEqual([[undefined, counts.map(() => 0)]])
  await expect(lines('count() + properties.amount')).rejects.toMatchObject({
    body: { code: 'invalid_query', attr: 'events__math_hogql' },
  })
  const people = await ask({
    kind: 'ActorsQuery',
    source: {
      kind: 'InsightActorsQuery',
      source: {
        kind: 'TrendsQuery',
        dateRange,
        series: [{ kind: 'EventsNode', event: 'buy', math: 'hogql', math_hogql: 'max(properties.amount)' }],
      },
    },
  })
  expect(people.count).toBeGreaterThan(0)
})

test.each([
  [
    'FunnelsQuery',
    'funnel',
    {
      series: SERIES.map(({ math: _, ...each }) => each),
      funnelsFilter: { funnelWindowInterval: 3, funnelOrderType: 'ordered' },
    },
    { events: PARAMETERS.events.map(({ math: _, ...each }) => each), funnel_window_interval: 3 },
  ],
  [
    'FunnelsQuery',
    'funnel',
    {
      series: SERIES,
      funnelsFilter: {
        exclusions: [{ kind: 'EventsNode', event: 'add', funnelFromStep: 0, funnelToStep: 1 }],
      },
    },
    { events: PARAMETERS.events, exclusions: [{ id: 'add', funnel_from_step: 0, funnel_to_step: 1 }] },
  ],
  [
    'RetentionQuery',
    'retention',
    {
      retentionFilter: {
        period: 'Day',
        totalIntervals: 4,
        targetEntity: { id: 'buy', type: 'events' },
        returningEntity: { id: 'add', type: 'events' },
      },
    },
    { period: 'Day', total_intervals: 4, target_entity: { id: 'buy' }, returning_entity: { id: 'add' } },
  ],
  [
    'PathsQuery',
    'path',
    { pathsFilter: { includeEventTypes: ['$pageview', 'custom_event'], stepLimit: 3, edgeLimit: 10 } },
    { include_event_types: ['$pageview', 'custom_event'], step_limit: 3, edge_limit: 10 },
  ],
  [
    'StickinessQuery',
    'stickiness',
    {
      series: [{ kind: 'EventsNode', event: 'buy' }],
      stickinessFilter: { stickinessCriteria: { operator: 'gte', value: 2 } },
    },
    { events: [{ id: 'buy' }], stickiness_criteria: { operator: 'gte', value: 2 } },
  ],
  [
    'LifecycleQuery',
    'lifecycle',
    {
      series: [{ kind: 'EventsNode', event: 'buy' }],
      lifecycleFilter: { toggledLifecycles: ['new', 'dormant'] },
    },
    { events: [{ id: 'buy' }], toggledLifecycles: ['new', 'dormant'] },
  ],
  [
    'TimingQuery',
    'timing',
    { timingFilter: { fromEntity: 'add', toEntity: 'buy' } },
    { from_entity: 'add', to_entity: 'buy' },
  ],
] as const)('a %s is the %s of its parameters', async (kind, path, own, parameters) => {
  const { results } = await ask({ kind, dateRange, ...own })
  const insight = INSIGHTS.find((each) => each.path === path)!
  const query = textsOf({ date_from: '-5d', ...parameters })
  const expected = await insight.result(engine.needs, engine.questionOf(SHOP), query, () => '')
  const plain = (value: unknown) =>
    JSON.stringify(value, (name, each) => (/url/.test(name) ? undefined : each))
  expect(plain(results)).toBe(plain(expected))
  expect(plain(results).length).toBeGreaterThan(20)
})

test('an ActorsQuery lists the people behind a number of its source', async () => {
  const source = {
    kind: 'FunnelsQuery',
    dateRange,
    series: [
      { kind: 'EventsNode', event: '$pageview' },
      { kind: 'EventsNode', event: 'buy' },
    ],
  }
  const { results: steps } = (await ask(source)) as { results: { count: number }[] }
  const found = await ask({
    kind: 'ActorsQuery',
    select: ['id', 'distinct_ids', 'event_count'],
    source: { kind: 'FunnelsActorsQuery', source, funnelStep: 2 },
  })
  expect(found).toMatchObject({
    count: steps[1]?.count,
    hasMore: false,
    columns: ['id', 'distinct_ids', 'event_count'],
  })
  expect((found.results as unknown[]).length).toBe(steps[1]?.count)
  const trends = { kind: 'TrendsQuery', dateRange, series: [{ kind: 'EventsNode', event: 'buy' }] }
  const actors = await ask({
    kind: 'ActorsQuery',
    source: { kind: 'InsightActorsQuery', source: trends, series: 0 },
  })
  expect(actors.count).toBeGreaterThan(0)
})

test('an ActorsQuery without a source lists the persons of its dataset, filtered, in either order, page by page', async () => {
  const weights = async (over: object) => {
    const { results, hasMore } = await ask({ kind: 'ActorsQuery', select: ['properties'], ...over })
    return [(results as [{ weight: number }][]).map(([{ weight }]) => weight), hasMore]
  }
  expect(await weights({})).toEqual([[20, 10], false])
  expect(await weights({ orderBy: ['created_at ASC'] })).toEqual([[10, 20], false])
  expect(await weights({ orderBy: ['id DESC'] })).toEqual([
    expect.toSatisfy((all) => all.length === 2),
    false,
  ])
  expect(await weights({ limit: 1 })).toEqual([[20], true])
  expect(await weights({ limit: 1, offset: 1, orderBy: ['created_at'] })).toEqual([[20], false])
  const filter = { key: 'weight', value: '15', operator: 'gt', type: 'person' }
  expect(await weights({ properties: [filter] })).toEqual([[20], false])
  expect(await weights({ search: 'nobody' })).toEqual([[], false])
})

test('a query of actors alone is the ActorsQuery around it', async () => {
  const source = {
    kind: 'FunnelsActorsQuery',
    source: { kind: 'FunnelsQuery', dateRange, series: SERIES.map(({ math: _, ...each }) => each) },
    funnelStep: 1,
  }
  const page = { select: ['id', 'value'], limit: 2, offset: 1 }
  const found = await ask({ ...source, ...page })
  expect(found).toEqual(await ask({ kind: 'ActorsQuery', source, ...page }))
  expect(found.results).toHaveLength(2)
})

test('an ActorsQuery is over stickiness, lifecycle, paths and exact steps, and their numbers are its count', async () => {
  const series = { dateRange, series: [{ kind: 'EventsNode', event: '$pageview' }] }
  const actors = (over: object, source: object, kind = 'InsightActorsQuery') =>
    ask({ kind: 'ActorsQuery', source: { kind, source, ...over } })
  const sticky = { kind: 'StickinessQuery', ...series }
  const { data } = ((await ask(sticky)) as { results: { data: number[] }[] }).results[0]!
  const most = data.indexOf(Math.max(...data))
  for (const [over, kind] of [
    [{ day: most + 1 }, 'InsightActorsQuery'],
    [{ stickinessDays: most + 1, series: 0 }, 'StickinessActorsQuery'],
  ] as const)
    expect(await actors(over, sticky, kind)).toMatchObject({ count: data[most] })
  const living = { kind: 'LifecycleQuery', ...series }
  const rows = ((await ask(living)) as { results: { status: string; data: number[]; days: string[] }[] })
    .results
  for (const { status, data, days } of rows)
    expect(await actors({ status, day: days[2] }, living)).toMatchObject({ count: Math.abs(data[2]!) })
  const going = { kind: 'PathsQuery', dateRange }
  const edges = ((await ask(going)) as { results: { source: string; target: string; value: number }[] })
    .results
  const { source, target, value } = edges[0]!
  const went = await actors({ pathStartKey: source, pathEndKey: target }, going)
  const paths = (went.results as [unknown, unknown, number][]).map(([, , amount]) => amount)
  expect(paths.reduce((sum, amount) => sum + amount, 0)).toBe(value)
  const funnel = {
    kind: 'FunnelsQuery',
    dateRange,
    series: ['$pageview', 'buy'].map((event) => ({ kind: 'EventsNode', event })),
  }
  const [first, second] = ((await ask(funnel)) as { results: { count: number }[] }).results
  expect(await actors({ funnelCustomSteps: [1] }, funnel, 'FunnelsActorsQuery')).toMatchObject({
    count: first!.count - second!.count,
  })
})

test('an ActorsQuery lists who began in a period of a retention, and when they came back', async () => {
  const entity = (id: string) => ({ id, type: 'events' })
  const retentionFilter = {
    period: 'Day',
    totalIntervals: 4,
    targetEntity: entity('$pageview'),
    returningEntity: entity('buy'),
  }
  const source = { kind: 'RetentionQuery', retentionFilter }
  const { results: rows } = (await ask(source)) as { results: { values: { count: number }[] }[] }
  for (const interval of [0, 2]) {
    const found = await ask({
      kind: 'ActorsQuery',
      source: { kind: 'InsightActorsQuery', source, interval },
      select: ['appearances', 'event_count'],
    })
    expect(found).toMatchObject({ columns: ['appearances', 'event_count'], hasMore: false, offset: 0 })
    const actors = found.results as [number[], number][]
    const counts = rows[interval]!.values.map((_, n) => actors.reduce((sum, [came]) => sum + came[n]!, 0))
    expect(counts).toEqual(rows[interval]!.values.map(({ count }) => count))
    expect(actors.length).toBeGreaterThan(0)
    for (const [came, value] of actors) expect(value).toBe(came.filter((one) => one === 1).length)
  }
})

test('a FunnelCorrelationQuery is the correlation of its funnel, however it is wrapped', async () => {
  const source = {
    kind: 'FunnelsQuery',
    dateRange,
    series: [
      { kind: 'EventsNode', event: '$pageview' },
      { kind: 'EventsNode', event: 'buy' },
    ],
  }
  const query = { kind: 'FunnelCorrelationQuery', source, funnelCorrelationExcludeEventNames: ['other'] }
  const { results } = await ask(query)
  const { source: _, ...others } = query
  expect(await ask({ ...others, source: { kind: 'FunnelsActorsQuery', source } })).toEqual({ results })
  const insight = INSIGHTS.find(({ path }) => path === 'funnel/correlation')!
  const asked = textsOf({ date_from: '-5d', events: [{ id: '$pageview' }, { id: 'buy' }] })
  const { events } = results as { events: Correlation[] }
  const addresses = { success_people_url: '', failure_people_url: '' }
  expect({ ...(results as object), events: events.map((row) => ({ ...row, ...addresses })) }).toEqual(
    await insight.result(engine.needs, engine.questionOf(SHOP), asked, () => ''),
  )
  expect(events).toMatchObject([{ event: 'add' }])
  expect(events[0]?.success_people_url).toContain('/persons/funnel/correlation?')
  for (const [converted, count] of [
    [true, events[0]?.success_count],
    [false, events[0]?.failure_count],
  ])
    expect(
      await ask({
        kind: 'ActorsQuery',
        source: {
          kind: 'FunnelCorrelationActorsQuery',
          source: query,
          funnelCorrelationEvent: 'add',
          funnelCorrelationPersonConverted: converted,
        },
      }),
    ).toMatchObject({ count })
})

test('a GroupsQuery pages through groups by cursor and by offset', async () => {
  const query = { kind: 'GroupsQuery', group_type_index: 0, limit: 2 }
  const first = await ask(query)
  expect(first).toMatchObject({
    results: [
      ['Acme & sons', 'acme'],
      ['bigco', 'bigco'],
    ],
    columns: ['group_name', 'key'],
    hasMore: true,
  })
  const last = [['corner', 'corner']]
  expect(await ask({ ...query, cursor: first.nextCursor })).toMatchObject({ results: last, hasMore: false })
  expect(await ask({ ...query, offset: 2 })).toMatchObject({ results: last, nextCursor: null })
  expect((await ask({ ...query, search: 'SONS', select: ['properties'] })).results).toEqual([
    [{ name: 'Acme & sons' }],
  ])
  expect((await ask({ ...query, group_type_index: 1 })).results).toEqual([])
})

test('an EventsQuery pages by cursor and by offset, and masks', async () => {
  const query = { kind: 'EventsQuery', select: ['id', 'properties.plan'], limit: 40, after: '-30d' }
  const ids: unknown[] = []
  let cursor: unknown = null
  do {
    const page = await ask({ ...query, cursor })
    ids.push(...(page.results as unknown[][]).map(([id]) => id))
    cursor = page.nextCursor
  } while (cursor !== null)
  expect([ids.length, new Set(ids).size]).toEqual([150, 150])
  const second = await ask({ ...query, offset: 40 })
  expect((second.results as unknown[][]).map(([id]) => id)).toEqual(ids.slice(40, 80))
  const grouped = await ask({
    kind: 'EventsQuery',
    select: ['event', 'count()'],
    orderBy: ['count() DESC', 'event'],
    where: ['properties.amount >= 3'],
    properties: [{ type: 'hogql', key: "event != 'add'" }],
  })
  expect(grouped).toMatchObject({
    columns: ['event', 'count()'],
    results: [
      ['$pageview', 49],
      ['buy', 49],
    ],
    hasMore: false,
    nextCursor: null,
  })
})

test('an answer of SQL says its columns and types, and whether there are more rows', async () => {
  const query = {
    kind: 'HogQLQuery',
    query:
      'SELECT event AS name, count() FROM events WHERE properties.plan = {plan} AND event IN {names} GROUP BY name ORDER BY name',
    values: { plan: 'pro', names: ['buy', 'add', "x'; --"] },
  }
  expect(await ask(query)).toMatchObject({
    results: [
      ['add', 25],
      ['buy', 25],
    ],
    columns: ['name', 'count'],
    types: ['String', 'UInt64'],
    hasMore: false,
    limit: 100,
    offset: 0,
  })
  const cut = await ask({
    kind: 'SQLQuery',
    query: 'SELECT id FROM events ORDER BY timestamp LIMIT 2 OFFSET 1',
  })
  expect(cut).toMatchObject({ results: [['shop 1'], ['shop 2']], hasMore: true, limit: 2, offset: 1 })
  expect((await ask({ kind: 'SQLQuery', query: 'SELECT id FROM events' })).results).toHaveLength(100)
  expect((await ask({ kind: 'SQLQuery', query: 'SELECT id FROM events LIMIT 0' })).results).toHaveLength(0)
})

test('the engine is told the dataset once more: even a statement without a condition sees no other', async () => {
  const question = engine.questionOf(SHOP)
  const { rows } = await engine.askTable(
    question,
    () => 'SELECT count(), uniqExact(dataset_id) FROM (SELECT dataset_id FROM events)',
  )
  expect(rows).toEqual([[150, 1]])
  for (const table of STORED_TABLES) {
    const { rows: own } = await engine.askTable(
      question,
      () => `SELECT countIf(dataset_id != 'shop') FROM ${table}`,
    )
    expect([table, own]).toEqual([table, [[0]]])
  }
  expect(datasetFilters(['events'], "a'\\b")).toBe(String.raw`{'events':'dataset_id = \'a\\\'\\\\b\''}`)
})

const HEAVY =
  'SELECT count() FROM events a CROSS JOIN events b CROSS JOIN events c CROSS JOIN events d CROSS JOIN events e'
const cost = {
  executionSecondsMax: 20,
  rowsReadMax: 100_000_000,
  memoryBytesMax: 1_500_000_000,
  resultBytesMax: 50_000_000,
}

test.each([
  ['rows', { rowsReadMax: 20 }, 'SELECT count(DISTINCT id) FROM events', /reads more rows/],
  ['time', { executionSecondsMax: 1 }, HEAVY, /takes longer|would take longer/],
  [
    'memory',
    { memoryBytesMax: 6_000_000 },
    'SELECT arraySum(groupArray(x)) FROM (SELECT arrayJoin(range(20000000)) AS x)',
    /more memory/,
  ],
  [
    'result bytes',
    { resultBytesMax: 200 },
    'SELECT id, properties FROM events',
    /result of more rows or bytes/,
  ],
] as const)('a query past its limit of %s is a 400 that says which limit', async (_, over, sql, reason) => {
  const askTable = createAskTable(engine.clickhouse, { ...cost, ...over }, STORED_TABLES, SQL_ROWS.max + 1)
  const question = engine.questionOf(SHOP)
  const url = new URL('http://api.example.com/api/datasets/shop/query')
  const call = {
    question,
    url,
    query: {},
    params: {},
    body: null,
    principal: null as never,
    gone: question.signal,
  }
  const error = await runQuery({ ...engine.needs, askTable }, call, { kind: 'SQLQuery', query: sql }).catch(
    (fault) => fault,
  )
  expect(apiErrorOf(error)?.body).toMatchObject({
    code: 'query_too_expensive',
    detail: expect.stringMatching(reason),
  })
})

test('a query whose client goes away is ended in the engine', async () => {
  const settings = parseSettings(CLICKHOUSE_SETTINGS, { MILLRACE_CLICKHOUSE_URL: inject('clickhouseUrl') })
  const watcher = openClickHouse(settings, null)
  // Ids tell its statements from those of other files on the same engine.
  const statements: string[] = []
  const running = async () =>
    (
      await watcher.query<{ n: number }>(
        `SELECT count() AS n FROM system.processes WHERE Settings['log_comment'] IN {ids:Array(String)}`,
        { ids: statements },
      )
    )[0]?.n
  const gone = new AbortController()
  const question = {
    ...engine.questionOf(SHOP),
    signal: gone.signal,
    onStatement: (id: string) => void statements.push(id),
  }
  const url = new URL('http://api.example.com/api/datasets/shop/query')
  const call = {
    question,
    url,
    query: {},
    params: {},
    body: null,
    principal: null as never,
    gone: question.signal,
  }
  const asked = runQuery({ ...engine.needs, askTable: engine.askTable }, call, {
    kind: 'SQLQuery',
    query: HEAVY,
  }).then(
    () => 'answered',
    () => 'ended',
  )
  await expect.poll(running, { timeout: 15_000, interval: 50 }).toBe(1)
  gone.abort(new Error('The client went away.'))
  expect(await asked).toBe('ended')
  await expect.poll(running, { timeout: 15_000, interval: 50 }).toBe(0)
  await watcher.close()
})

test('a saved query answers the rows of its own dataset, and what its insight answers from parameters', async () => {
  const results = resultsOf(engine)
  const saved = async (query: object, history = SHOP) => {
    const row = { filters: '{}', query: JSON.stringify(query) }
    const refresh = { refresh: 'blocking', clientQueryId: null } as const
    const asked = questionOf(row)
    return savedView(asked, await savedResult(results, engine.questionOf(history), asked, refresh, null))
  }
  const sql = {
    kind: 'SQLQuery',
    query: 'SELECT properties.of AS of, count() AS n FROM events GROUP BY of ORDER BY n',
  }
  const rows = await saved({ kind: 'DataVisualizationNode', source: sql })
  expect([rows.columns, rows.result, rows.hasMore]).toEqual([['of', 'n'], [['shop', 150]], false])
  expect(rows.result).toEqual((await ask(sql)).results)
  expect((await saved(sql, history('blog', 90))).result).toEqual([['blog', 90]])
  expect(await saved(sql)).toMatchObject({ is_cached: true })
  const events = { kind: 'EventsQuery', select: ['event', 'count()'], after: '-30d' }
  expect((await saved(events)).result).toEqual((await ask(events)).results)
  const trends = { kind: 'TrendsQuery', series: SERIES, dateRange }
  const { results: direct } = await ask(trends)
  const bare = (lines: unknown) =>
    (lines as Record<string, unknown>[]).map(({ persons_urls: _, ...line }) => line)
  expect(bare((await saved(trends)).result)).toEqual(bare(direct))
})
