import { expect, test } from 'vitest'
import { recordingEnvironment } from '../recording-environment.ts'

const URL = '/api/datasets/shop/query'
const asking = (query: unknown, over: object = {}) => ({ query, ...over })

const FUNNEL = { kind: 'FunnelsQuery', series: ['a', 'b'].map((event) => ({ kind: 'EventsNode', event })) }
const behind = (kind: string, over: object = {}) => ({
  kind: 'InsightActorsQuery',
  source: { kind },
  ...over,
})

async function post(body: unknown) {
  const { send, keys, asked } = recordingEnvironment()
  return { ...(await send('POST', URL, keys.shopRead, body)), asked }
}

test.each([
  [{}, 'query'],
  [asking(5), 'query'],
  [asking({}), 'query__kind'],
  [asking({ kind: 'TrendQuery' }), 'query__kind'],
  [asking({ kind: '__proto__' }), 'query__kind'],
  [asking({ kind: 'SQLQuery' }), 'query__query'],
  [asking({ kind: 'SQLQuery', query: 'SELECT 1', sql: '' }), 'query__sql'],
  [asking({ kind: 'SQLQuery', query: 'SELECT {x}' }), 'query__query'],
  [asking({ kind: 'SQLQuery', query: 'SELECT 1', values: { x: {} } }), 'query__values__x'],
  [asking({ kind: 'EventsQuery' }), 'query__select'],
  [asking({ kind: 'EventsQuery', select: ['evnt'] }), 'select'],
  [asking({ kind: 'EventsQuery', select: ['event'], limit: 0 }), 'query__limit'],
  [asking({ kind: 'EventsQuery', select: ['event'], limit: 50_001 }), 'query__limit'],
  [asking({ kind: 'EventsQuery', select: ['event'], actionId: 5 }), 'query__actionId'],
  [asking({ kind: 'TrendsQuery' }), 'query__series'],
  [asking({ kind: 'TrendsQuery', series: [{ kind: 'Node' }] }), 'query__series__0__kind'],
  [
    asking({
      kind: 'TrendsQuery',
      series: [{ kind: 'EventsNode', event: 'a', math: 'hogql', math_hogql: '1' }],
    }),
    'events__math_hogql',
  ],
  [asking({ kind: 'TrendsQuery', series: [], trend: 1 }), 'query__trend'],
  [
    asking({
      kind: 'FunnelsQuery',
      series: [{ kind: 'EventsNode', event: 'a' }],
      funnelsFilter: { funnelWindow: 3 },
    }),
    'funnel_window',
  ],
  [asking({ kind: 'ActorsQuery', source: {} }), 'query__source__kind'],
  [asking({ kind: 'ActorsQuery', source: behind('PathsQuery'), search: 'a' }), 'query__search'],
  [asking({ kind: 'ActorsQuery', orderBy: ['name'] }), 'query__orderBy'],
  [asking({ kind: 'ActorsQuery', orderBy: ['created_at; DROP'] }), 'query__orderBy'],
  [asking({ kind: 'ActorsQuery', orderBy: ['id', 'created_at'] }), 'query__orderBy'],
  [asking({ kind: 'ActorsQuery', limit: 1_001 }), 'query__limit'],
  [asking({ kind: 'ActorsQuery', select: ['event_count'] }), 'query__select'],
  [asking({ kind: 'ActorsQuery', properties: [{ type: 'event', key: 'a', value: 1 }] }), 'properties'],
  [asking({ kind: 'ActorsQuery', personId: 'a' }), 'query__personId'],
  [asking({ kind: 'InsightActorsQuery' }), 'query__source'],
  [asking({ kind: 'FunnelsActorsQuery', source: FUNNEL, step: 1 }), 'query__step'],
  [asking({ kind: 'FunnelsActorsQuery', source: FUNNEL, funnelStep: 1, limit: 0 }), 'query__limit'],
  [
    asking({ kind: 'ActorsQuery', source: behind('RetentionQuery'), select: ['apperances'] }),
    'query__select',
  ],
  [asking({ kind: 'ActorsQuery', source: behind('PathsQuery'), select: ['appearances'] }), 'query__select'],
  [asking({ kind: 'ActorsQuery', source: behind('RetentionQuery', { interval: 11 }) }), 'selected_interval'],
  [asking({ kind: 'GroupsQuery' }), 'query__group_type_index'],
  [asking({ kind: 'GroupsQuery', group_type_index: 5 }), 'query__group_type_index'],
  [asking({ kind: 'GroupsQuery', group_type_index: 0, select: ['person'] }), 'query__select'],
  [asking({ kind: 'GroupsQuery', group_type_index: 0, limit: 1_001 }), 'query__limit'],
  [asking({ kind: 'GroupsQuery', group_type_index: 0, cursor: {} }), 'cursor'],
  [asking({ kind: 'GroupsQuery', group_type_index: 0, properties: [] }), 'query__properties'],
  [asking({ kind: 'FunnelCorrelationQuery' }), 'query__source'],
  [asking({ kind: 'FunnelCorrelationQuery', source: { kind: 'TrendsQuery' } }), 'query__kind'],
  [
    asking({ kind: 'FunnelCorrelationQuery', source: FUNNEL, funnelCorrelationType: 'luck' }),
    'funnel_correlation_type',
  ],
  [
    asking({
      kind: 'FunnelCorrelationQuery',
      source: { kind: 'FunnelsActorsQuery', source: FUNNEL, day: 1 },
    }),
    'query__source__day',
  ],
  [asking({ kind: 'RecordingsQuery', order: 'start_time' }), 'query__order'],
  [asking({ kind: 'RecordingsQuery', person_uuid: 'me' }), 'person_uuid'],
  [asking({ kind: 'RecordingsQuery' }, { refresh: 'async' }), 'refresh'],
  [
    asking({ kind: 'ActorsQuery', source: { kind: 'InsightActorsQuery', source: { kind: 'constructor' } } }),
    'query__kind',
  ],
  [asking({ kind: 'PathsQuery', pathsFilter: { constructor: 1 } }), 'constructor'],
  [asking({ kind: 'ActorsQuery', source: { kind: 'HogQLQuery' } }), 'query__source__kind'],
  [asking({ kind: 'SQLQuery', query: 'SELECT 1' }, { refresh: 'soon' }), 'refresh'],
  [asking({ kind: 'SQLQuery', query: 'SELECT 1' }, { variables_override: { a: 1 } }), 'variables_override'],
  [asking({ kind: 'SQLQuery', query: 'SELECT 1' }, { variables_override: 'a' }), 'variables_override'],
  [
    asking({ kind: 'SQLQuery', query: 'SELECT 1' }, { filters_override: { date_from: '-7d' } }),
    'filters_override',
  ],
  [asking(FUNNEL, { filters_override: [] }), 'filters_override'],
  [asking(FUNNEL, { filters_override: { interval: 'day' } }), 'filters_override__interval'],
  [
    asking(FUNNEL, { filters_override: { properties: [{ key: 'a', operator: 'sql' }] } }),
    'filters_override__properties',
  ],
  [asking({ ...FUNNEL, properties: '[' }, { filters_override: { date_from: '-7d' } }), 'query__properties'],
  [asking(FUNNEL, { async: 'yes' }), 'async'],
  [asking(FUNNEL, { name: 5 }), 'name'],
  [asking({ kind: 'SQLQuery', query: 'SELECT 1' }, { hello: 1 }), 'body__hello'],
])('%j is a 400 that names its member', async (body, attr) => {
  const { status, body: answer, asked } = await post(body)
  expect([status, answer.attr]).toEqual([400, attr])
  expect(asked).toEqual([])
})

test.each([
  ['SELECT evnt FROM events', 'There is no column "evnt" here; did you mean "event"?', 1, 8],
  ['SELECT\n  1 FROM evnts', 'There is no table "evnts"; did you mean "events"?', 2, 10],
  ['SELECT cuont() FROM events', 'There is no function "cuont" here; did you mean "count"?', 1, 8],
  ['SELECT 1; DROP TABLE events', '";" means nothing here.', 1, 9],
  ["SELECT file('/etc/passwd')", 'There is no function "file" here', 1, 8],
  ["SELECT * FROM url('http://x')", '"(" stands', 1, 18],
  ['SELECT * FROM system.tables', '"." stands', 1, 21],
  ['INSERT INTO events VALUES (1)', 'where SELECT is expected', 1, 1],
  ['SELECT 1 SETTINGS readonly = 0', 'where the end is expected', 1, 10],
  ['SELECT 1 FORMAT Null', 'where the end is expected', 1, 10],
  ['SELECT count( FROM events', 'an expression is expected', 1, 15],
  ["SELECT 'abc", 'This quote does not end.', 1, 8],
  ['SELECT 1 LIMIT 60000', 'at most 50000 rows', 1, 16],
  ['SELECT constructor(3)', 'There is no function "constructor"', 1, 8],
  ['SELECT __proto__(3)', 'There is no function "__proto__"', 1, 8],
  ['SELECT toString FROM events', 'There is no column "toString"', 1, 8],
  ['SELECT sleep(3)', 'There is no function "sleep"', 1, 8],
  ['SELECT {p0:String}', '":" means nothing here.', 1, 11],
  ['SELECT a.b FROM events a JOIN events b ON a.id = b.id', 'There is no column "a.b"', 1, 8],
  ['SELECT id FROM events JOIN events ON 1 = 1', 'Two tables are called "events"', 1, 28],
  ['SELECT 1 UNION ALL SELECT 1, 2', 'as many columns', 1, 20],
  ['SELECT row_number() FROM events', 'stands before OVER', 1, 8],
  ['SELECT lower(1, 2)', 'lower takes 1 argument, not 2', 1, 8],
])('%s is a 400 with what is wrong and where', async (query, message, line, column) => {
  const { status, body, asked } = await post(asking({ kind: 'HogQLQuery', query }))
  expect([status, body.code, body.attr]).toEqual([400, 'invalid_query', 'query__query'])
  expect(body.detail).toContain(message)
  expect(body.detail).toContain(`(line ${line}, column ${column})`)
  expect(asked).toEqual([])
})

/** An expression that is written out twice at every level. */
const doubling = (levels: number) => `${'('.repeat(levels)}event${' BETWEEN 1 AND 2)'.repeat(levels)}`

test('what is nested too deeply, too long or too wide is refused before anything is asked', async () => {
  const long = [
    `SELECT ${'('.repeat(500)}1${')'.repeat(500)}`,
    `SELECT ${'-'.repeat(500).split('').join(' ')} 1`,
    `SELECT ${'not '.repeat(500)} 1`,
    `SELECT ${Array(300).fill('1').join(' + ')}`,
    `SELECT ${Array(201).fill('1').join()}`,
    `SELECT 1 FROM ${'(SELECT 1 FROM '.repeat(100)}events${')'.repeat(100)}`,
    `WITH a0 AS (SELECT 1 AS x FROM events), ${Array.from({ length: 12 }, (_, n) => `a${n + 1} AS (SELECT x.x FROM a${n} x CROSS JOIN a${n} y)`).join()} SELECT * FROM a12`,
    `SELECT ${Array(9_000).fill('1').join()}`,
    `SELECT '${'x'.repeat(33_000)}'`,
    `SELECT [${'['.repeat(4_000)}`,
    `SELECT ${'a.'.repeat(3_000)}a FROM events`,
    `SELECT ${'CASE WHEN 1 THEN '.repeat(600)}`,
    `SELECT ${'x -> '.repeat(2_000)}1`,
    // Written out, each of these is larger than the memory of the process.
    `SELECT ${doubling(50)} FROM events`,
    `SELECT (${doubling(11)} = ${doubling(10)}) IN (${Array(3_800).fill('1').join()}) FROM events`,
  ]
  for (const query of long) {
    const { status, body, asked } = await post(asking({ kind: 'SQLQuery', query }))
    expect([query.slice(0, 40), status, body.code]).toEqual([query.slice(0, 40), 400, 'invalid_query'])
    expect(asked).toEqual([])
  }
})

test('a long chain of conditions is not deep', async () => {
  const where = Array.from({ length: 400 }, (_, n) => `event = 'e${n}'`).join(' OR ')
  const query = `SELECT count() FROM events WHERE ${where}`
  const { status, body } = await post(asking({ kind: 'SQLMetadata', query }))
  expect([status, body.isValid]).toEqual([200, true])
})

test('metadata says what is wrong with a text by places in it, and asks nothing', async () => {
  const { body, asked } = await post(
    asking({ kind: 'HogQLMetadata', language: 'hogQL', query: 'SELECT evnt FROM events' }),
  )
  expect(body).toMatchObject({ isValid: false, errors: [{ start: 7, end: 11, line: 1, column: 8 }] })
  expect(
    (await post(asking({ kind: 'HogQLMetadata', language: 'hogQLExpr', query: 'properties.a > 5' }))).body
      .isValid,
  ).toBe(true)
  expect((await post(asking({ kind: 'HogQLMetadata', expr: 'count(' }))).body.isValid).toBe(false)
  expect(asked).toEqual([])
})

test.each([
  [
    {
      kind: 'TrendsQuery',
      series: [
        {
          kind: 'EventsNode',
          event: 'a',
          properties: [{ type: 'hogql', key: 'properties.a > 1', value: null }],
        },
      ],
      properties: [{ type: 'hogql', key: "event != 'x'" }],
      breakdownFilter: { breakdown_type: 'hogql', breakdown: 'properties.plan' },
    },
    'trend',
    {
      events: [{ id: 'a', properties: [{ type: 'hogql', key: 'properties.a > 1' }] }],
      properties: [{ type: 'hogql', key: "event != 'x'" }],
      breakdown: 'properties.plan',
      breakdown_type: 'hogql',
    },
  ],
  [
    { ...FUNNEL, breakdownFilter: { breakdowns: [{ type: 'hogql', property: 'lower(event)' }] } },
    'funnel',
    { events: [{ id: 'a' }, { id: 'b' }], breakdown: ['lower(event)'], breakdown_type: 'hogql' },
  ],
  [
    { ...FUNNEL, funnelsFilter: { funnelAggregateByHogQL: 'properties.$session_id' } },
    'funnel',
    { events: [{ id: 'a' }, { id: 'b' }], funnel_aggregate_by_hogql: 'properties.$session_id' },
  ],
  [
    {
      kind: 'PathsQuery',
      pathsFilter: { includeEventTypes: ['hogql'], pathsHogQLExpression: 'properties.screen' },
    },
    'path',
    { include_event_types: ['hogql'], paths_hogql_expression: 'properties.screen' },
  ],
])('expressions of %j are those of its insight', async (query, insight, parameters) => {
  const asked = async (path: string, body: unknown) => {
    const system = recordingEnvironment()
    const { status } = await system.send('POST', `/api/datasets/shop/${path}`, system.keys.shopRead, body)
    return { status, asked: system.asked.map(({ sql, parameters }) => ({ sql, parameters })) }
  }
  const found = await asked('query', asking(query))
  expect(found).toEqual(await asked(`insights/${insight}`, parameters))
  expect(found.status).toBe(200)
  expect(found.asked.length).toBeGreaterThan(0)
})

test('the schema has every table with its columns', async () => {
  const { body } = await post(asking({ kind: 'DatabaseSchemaQuery' }))
  expect(Object.keys(body.tables)).toEqual(['events', 'persons', 'person_distinct_ids', 'groups', 'sessions'])
  expect(body.tables.events.fields.timestamp).toMatchObject({ type: 'datetime' })
  expect(body.functions).toContain('uniqExact')
})

test('a query may be asked by GET, needs the right to read queries, and is of one dataset', async () => {
  const { get, send, keys, personalKey } = recordingEnvironment()
  const url = `${URL}?query=${encodeURIComponent(JSON.stringify({ kind: 'DatabaseSchemaQuery' }))}`
  expect((await get(url)).statusCode).toBe(200)
  expect((await get(`${URL}?query=x`)).json()).toMatchObject({ attr: 'query' })
  expect((await get(url, null)).statusCode).toBe(401)
  expect((await get(url, keys.blogRead)).statusCode).toBe(404)
  const other = await personalKey(['insight:read'])
  const body = asking({ kind: 'DatabaseSchemaQuery' })
  expect((await send('POST', URL, other, body)).status).toBe(403)
})

test('recordings are asked with the right to them, and are kept for nobody', async () => {
  const session = { id: 's1', started_ms: '1000', ended_ms: '5000', the_person: '', distinct_id: 'u1' }
  const { send, personalKey } = recordingEnvironment(({ sql }) => (sql.includes('started') ? [session] : []))
  const key = await personalKey(['query:read', 'session_recording:write'])
  const query = { kind: 'DataTableNode', source: { kind: 'RecordingsQuery', limit: 1 } }
  const ask = async (by: string) => (await send('POST', URL, by, asking(query))).body
  expect(await ask(key)).toMatchObject({
    results: [{ id: 's1', viewed: false, recording_duration: 4 }],
    has_next: false,
    limit: 1,
    is_cached: false,
  })
  await send('PATCH', '/api/datasets/shop/session_recordings/s1', key, { viewed: true })
  expect((await ask(key)).results).toMatchObject([{ viewed: true }])
  expect((await ask(await personalKey(['*']))).results).toMatchObject([{ viewed: false }])
  expect((await ask(await personalKey(['query:read']))).code).toBe('permission_denied')
})

test('queries are limited by an hour of their own', async () => {
  const { send, keys } = recordingEnvironment()
  const { headers } = await send('POST', URL, keys.shopRead, asking({ kind: 'DatabaseSchemaQuery' }))
  expect(headers['ratelimit-policy']).toContain('clickhouse_burst')
})

test('answers have a key of their query, whatever the order of its members, and of no other dataset', async () => {
  const { send, keys } = recordingEnvironment()
  const ask = async (query: object, dataset = 'shop', key = keys.shopRead) =>
    (await send('POST', `/api/datasets/${dataset}/query`, key, { query })).body.cache_key as string
  const first = await ask({ kind: 'SQLMetadata', query: 'SELECT 1' })
  expect(await ask({ query: 'SELECT 1', kind: 'SQLMetadata' })).toBe(first)
  expect(await ask({ kind: 'SQLMetadata', query: 'SELECT 2' })).not.toBe(first)
  expect(await ask({ kind: 'SQLMetadata', query: 'SELECT 1' }, 'blog', keys.blogRead)).not.toBe(first)
})

test('from the cache alone nothing is computed, and what was computed a moment ago does', async () => {
  const { send, keys, asked } = recordingEnvironment()
  const ask = async (refresh: unknown) =>
    (await send('POST', URL, keys.shopRead, asking(query, { refresh }))).body
  const query = { kind: 'EventsQuery', select: ['event'] }
  expect(await ask('force_cache')).toMatchObject({ results: null, is_cached: false })
  expect(asked).toEqual([])
  expect(await ask('blocking')).toMatchObject({ results: [], is_cached: false })
  const statements = asked.length
  expect(await ask('blocking')).toMatchObject({ results: [], is_cached: true })
  expect(asked.length).toBe(statements)
  expect(await ask(true)).toMatchObject({ is_cached: false })
})

test('a query that nobody waits for is asked after by its name', async () => {
  const { send, get, keys } = recordingEnvironment()
  const query = { kind: 'DatabaseSchemaQuery' }
  const { body } = await send(
    'POST',
    URL,
    keys.shopRead,
    asking(query, { async: true, client_query_id: 'mine' }),
  )
  expect(body).toMatchObject({ results: null, query_status: { id: 'mine', complete: false } })
  await expect
    .poll(async () => (await get(`${URL}/mine`)).json())
    .toMatchObject({ complete: true, error: false, results: { tables: { events: {} } } })
})

const TRENDS = {
  kind: 'TrendsQuery',
  series: [{ kind: 'EventsNode', event: 'a' }],
  properties: [{ key: 'plan', value: 'pro' }],
  dateRange: { date_from: '-1d' },
}

test('an answer tells the range that it is about, its text in SQL, and how long its parts took', async () => {
  const { clock, send, keys, asked } = recordingEnvironment(async () => {
    await clock.advance(30)
    return []
  })
  const ask = async (query: object, over: object = {}) =>
    (await send('POST', URL, keys.shopRead, asking(query, over))).body
  const nothing = { columns: null, types: null, hasMore: null, limit: null, offset: null, hogql: null }
  const trends = await ask(TRENDS)
  expect(trends).toMatchObject({
    ...nothing,
    resolved_date_range: { date_from: '2026-11-20T23:00:00.000Z', date_to: '2026-11-22T12:00:00.000Z' },
    timings: [
      { k: '.', t: 0.03 * asked.length },
      { k: './clickhouse', t: 0.03 * asked.length },
    ],
  })
  expect(await ask(TRENDS)).toMatchObject({ is_cached: true, timings: trends.timings })
  asked.length = 0
  const { timings } = await ask({ ...TRENDS, breakdownFilter: { breakdown: 'plan' } })
  expect(asked.length).toBeGreaterThan(1)
  expect(timings[1].t).toBeCloseTo(0.03 * asked.length)
  const sql = { kind: 'HogQLQuery', query: 'SELECT 1' }
  expect(await ask(sql)).toMatchObject({
    hogql: 'SELECT 1',
    resolved_date_range: null,
    hasMore: false,
    offset: 0,
  })
  const events = { kind: 'EventsQuery', select: ['event'], after: '2026-11-20' }
  expect(await ask(events)).toMatchObject({
    hogql: null,
    resolved_date_range: { date_from: '2026-11-19T23:00:00.000Z', date_to: null },
  })
  expect(await ask({ kind: 'DatabaseSchemaQuery' })).toMatchObject({ ...nothing, resolved_date_range: null })
  expect(await ask(TRENDS, { refresh: 'force_cache', filters_override: { date_to: '-1h' } })).toMatchObject({
    ...nothing,
    results: null,
    timings: null,
  })
})

test('the range of recordings is that of their list, whatever is asked of their events', async () => {
  const { send, personalKey } = recordingEnvironment()
  const key = await personalKey(['query:read', 'session_recording:read'])
  const query = {
    kind: 'RecordingsQuery',
    events: [{ id: 'a' }],
    date_from: '2026-11-01',
    date_to: '2026-11-02',
  }
  expect((await send('POST', URL, key, asking(query))).body).toMatchObject({
    hasMore: false,
    resolved_date_range: { date_from: '2026-10-31T23:00:00.000Z', date_to: '2026-11-02T23:00:00.000Z' },
    timings: [{ k: '.' }, { k: './clickhouse' }],
  })
})

test('filters over those of an insight are as if they stood in it, and are part of what is kept', async () => {
  const asked = async (body: object) => {
    const system = recordingEnvironment()
    const { status, body: answer } = await system.send('POST', URL, system.keys.shopRead, body)
    const statements = system.asked.map(({ sql, parameters }) => ({ sql, parameters }))
    return { status, statements, range: answer.resolved_date_range }
  }
  const further = [{ key: 'country', value: 'AT' }]
  const over = { date_from: '-30d', date_to: null, properties: further }
  const within = {
    ...TRENDS,
    dateRange: { date_from: '-30d' },
    properties: {
      type: 'AND',
      values: [
        { type: 'AND', values: TRENDS.properties },
        { type: 'AND', values: further },
      ],
    },
  }
  const found = await asked(asking({ kind: 'InsightVizNode', source: TRENDS }, { filters_override: over }))
  expect(found).toEqual(await asked(asking(within)))
  expect(found.status).toBe(200)
  expect(JSON.stringify(found.statements)).toContain('country')
  const { send, keys } = recordingEnvironment()
  const ask = async (more: object) => (await send('POST', URL, keys.shopRead, asking(TRENDS, more))).body
  const plain = await ask({})
  expect((await ask({ filters_override: over })).cache_key).not.toBe(plain.cache_key)
  expect(await ask({ filters_override: {}, variables_override: {}, name: 'x' })).toMatchObject({
    cache_key: plain.cache_key,
    is_cached: true,
  })
})

test('an address says what a body says', async () => {
  const { get, send, keys } = recordingEnvironment()
  const query = JSON.stringify(TRENDS)
  const by = (over: Record<string, string>) => get(`${URL}?${new URLSearchParams({ query, ...over })}`)
  const over = { date_from: '-3d' }
  const posted = await send('POST', URL, keys.shopRead, asking(TRENDS, { filters_override: over }))
  const found = (
    await by({ filters_override: JSON.stringify(over), variables_override: '{}', name: 'x' })
  ).json()
  expect([found.cache_key, found.is_cached]).toEqual([posted.body.cache_key, true])
  expect((await by({ async: 'true', client_query_id: 'mine' })).json()).toMatchObject({
    results: null,
    query_status: { id: 'mine' },
  })
  for (const [name, value] of [
    ['async', 'perhaps'],
    ['filters_override', '{'],
    ['variables_override', '{"a":1}'],
    ['colour', 'red'],
  ] as const)
    expect((await by({ [name]: value })).json()).toMatchObject({ attr: name })
})

const STATEMENT = ({ sql, parameters }: { sql: string; parameters: unknown }) => ({ sql, parameters })

test.each([
  ['FunnelsActorsQuery', { source: FUNNEL, funnelStep: 2 }],
  ['InsightActorsQuery', { source: TRENDS, day: '2026-11-21' }],
  ['StickinessActorsQuery', { source: { ...TRENDS, kind: 'StickinessQuery' }, day: 1 }],
])('%s alone is the ActorsQuery around it', async (kind, members) => {
  const asked = async (query: object) => {
    const system = recordingEnvironment()
    const { status, body } = await system.send('POST', URL, system.keys.shopRead, asking(query))
    const { columns, limit, offset } = body
    return { status, columns, limit, offset, asked: system.asked.map(STATEMENT) }
  }
  const page = { select: ['id', 'name'], limit: 7, offset: 14 }
  const found = await asked({ kind, ...members, ...page })
  expect(found).toEqual(await asked({ kind: 'ActorsQuery', source: { kind, ...members }, ...page }))
  expect(found).toMatchObject({ status: 200, columns: ['id', 'name'], limit: 7, offset: 14 })
  expect(found.asked.length).toBeGreaterThan(0)
  expect(await asked({ kind, ...members })).toMatchObject({ limit: 100, offset: 0 })
})

test('an ActorsQuery without a source lists persons, by what they have and in an order', async () => {
  const person = (n: number) => ({
    the_person: `u${n}`,
    person_id: `00000000-0000-5000-8000-00000000000${n}`,
    created_ms: String(1_000 * n),
    is_identified: true,
    properties: JSON.stringify({ email: `u${n}@example.com` }),
  })
  const { send, keys, asked } = recordingEnvironment(({ sql }) =>
    sql.startsWith('SELECT person_key AS the_person') ? [person(1), person(2), person(3)] : [],
  )
  const ask = async (over: object) =>
    (await send('POST', URL, keys.shopRead, asking({ kind: 'ActorsQuery', ...over }))).body
  expect(await ask({ select: ['id', 'name'], search: 'exa', limit: 2 })).toMatchObject({
    columns: ['id', 'name'],
    types: ['String', 'String'],
    results: [
      [person(1).person_id, 'u1@example.com'],
      [person(2).person_id, 'u2@example.com'],
    ],
    hasMore: true,
    limit: 2,
    offset: 0,
  })
  expect(Object.values(asked[0]?.parameters ?? {})).toEqual(expect.arrayContaining(['shop', 'exa', 3]))
  const orderOf = async (orderBy: string[]) => {
    asked.length = 0
    await ask({ orderBy, properties: [{ key: 'plan', value: 'pro', type: 'person' }], limit: 50, offset: 4 })
    const found = asked.find(({ sql }) => sql.startsWith('SELECT person_key AS the_person'))
    expect(Object.values(found?.parameters ?? {})).toEqual(expect.arrayContaining(['plan', 51, 4]))
    return / ORDER BY (.*?) LIMIT/.exec(found?.sql ?? '')?.[1]
  }
  expect(await orderOf([])).toBe('created_at DESC, person_key ASC')
  expect(await orderOf(['-created_at'])).toBe('created_at DESC, person_key ASC')
  expect(await orderOf(['created_at asc'])).toBe('created_at ASC, person_key ASC')
  expect(await orderOf(['id DESC'])).toBe('person_id DESC, person_key ASC')
})

test('a RetentionQuery that does not say how many periods has eight, the parameters of its insight eleven', async () => {
  const { send, keys } = recordingEnvironment()
  const periods = async (path: string, body: object) => {
    const { results, result } = (await send('POST', `/api/datasets/shop/${path}`, keys.shopRead, body)).body
    return (results ?? result).length
  }
  expect(await periods('query', asking({ kind: 'RetentionQuery' }))).toBe(8)
  expect(
    await periods('query', asking({ kind: 'RetentionQuery', retentionFilter: { totalIntervals: null } })),
  ).toBe(8)
  expect(
    await periods('query', asking({ kind: 'RetentionQuery', retentionFilter: { totalIntervals: 5 } })),
  ).toBe(5)
  expect(await periods('insights/retention', {})).toBe(11)
})

test.each([
  ['POST', URL, asking({ kind: 'DatabaseSchemaQuery' }), 200],
  ['GET', `${URL}/none`, undefined, 404],
] as const)(
  'the 241st %s %s of a minute is too many, whatever reaches ClickHouse',
  async (method, url, body, status) => {
    const { send, keys, clock, personalKey } = recordingEnvironment()
    const call = () => send(method, url, keys.shopRead, body)
    for (let i = 0; i < 240; i++) expect((await call()).status).toBe(status)
    expect(await call()).toMatchObject({
      status: 429,
      headers: { 'ratelimit-limit': '240', 'retry-after': '60' },
      body: { type: 'throttled_error', code: 'throttled', attr: null },
    })
    // Another key of the dataset shares it, another dataset does not.
    expect((await send('GET', `${URL}/none`, await personalKey(['query:read']))).status).toBe(429)
    expect((await send(method, url.replace('shop', 'blog'), keys.blogRead, body)).status).toBe(status)
    await clock.advance(60_000)
    expect((await call()).status).toBe(status)
  },
)
