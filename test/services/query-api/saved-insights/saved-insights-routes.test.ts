import { expect, test } from 'vitest'
import { settle } from '../../../helpers/manual-clock.ts'
import { familyBehaviour } from '../objects/family-behaviour.ts'
import { recordingEnvironment } from '../recording-environment.ts'

const FILTERS = { insight: 'TRENDS', events: [{ id: 'purchase', math: 'dau' }], date_from: '-2d' }
const RESULT_FIELDS = [
  'result',
  'columns',
  'types',
  'hasMore',
  'is_cached',
  'last_refresh',
  'next_allowed_client_refresh',
  'query_status',
] as const

familyBehaviour({
  tag: 'insights',
  object: 'insight',
  least: {},
  absent: {
    name: '',
    description: '',
    filters: {},
    tags: [],
    favorited: false,
    saved: false,
    dashboards: [],
    result: null,
    query: null,
    timezone: 'Europe/Berlin',
  },
  whole: {
    name: 'Buyers "now" 🙂',
    description: 'Who paid',
    filters: FILTERS,
    tags: ['revenue', 'shop'],
    favorited: true,
    saved: true,
  },
  change: { name: 'Changed' },
  computed: RESULT_FIELDS,
  wrong: [
    [{ name: 5 }, 'name', 'invalid_input'],
    [{ name: 'x'.repeat(401) }, 'name', 'max_length'],
    [{ name: 'a\0' }, 'name', 'null_characters_not_allowed'],
    [{ description: null }, 'description', 'null'],
    [{ filters: [] }, 'filters', 'invalid_input'],
    [{ filters: { insight: 'SQL' } }, 'filters__insight', 'invalid_input'],
    [{ filters: { events: 'purchase' } }, 'filters__events', 'invalid_input'],
    [{ filters: { insight: 'FUNNELS', events: [] } }, 'filters__events', 'invalid_input'],
    [{ filters: { insight: 'RETENTION', period: 'Year' } }, 'filters__period', 'invalid_input'],
    [{ filters: { insight: 'PATHS', step_limit: 1 } }, 'filters__step_limit', 'invalid_input'],
    [{ filters: { colour: 'red' } }, 'filters__colour', 'invalid_input'],
    [{ filters: { properties: [{ key: 'a', operator: 'sql' }] } }, 'filters__properties', 'invalid_input'],
    [{ filters: { properties: [{ type: 'hogql', key: 'evnt' }] } }, 'filters__properties', 'invalid_query'],
    [{ filters: { breakdown: 'a b', breakdown_type: 'hogql' } }, 'filters__breakdown', 'invalid_query'],
    [{ tags: Array(51).fill('a') }, 'tags', 'max_length'],
    [{ favorited: 1 }, 'favorited', 'invalid_input'],
    [{ dashboards: [0] }, 'dashboards__0', 'invalid_input'],
    [{ dashboards: [9] }, 'dashboards', 'does_not_exist'],
    [{ short_id: 'mine' }, 'short_id', 'invalid_input'],
    [{ result: [] }, 'result', 'invalid_input'],
    [{ filters: {}, query: [] }, 'query', 'invalid_input'],
    [{ filters: {}, query: {} }, 'query', 'invalid_input'],
    [{ filters: {}, query: { kind: 'TrendQuery' } }, 'query__kind', 'invalid_input'],
    [{ filters: {}, query: { kind: 'ActorsQuery' } }, 'query__kind', 'invalid_input'],
    [{ filters: {}, query: { kind: 'RecordingsQuery' } }, 'query__kind', 'invalid_input'],
    [{ filters: {}, query: { kind: 'InsightVizNode' } }, 'query__kind', 'invalid_input'],
    [{ filters: {}, query: { kind: 'TrendsQuery' } }, 'query__series', 'required'],
    [{ filters: {}, query: { kind: 'PathsQuery', colour: 1 } }, 'query__colour', 'invalid_input'],
    [
      { filters: {}, query: { kind: 'RetentionQuery', retentionFilter: { period: 'Year' } } },
      'query__period',
      'invalid_input',
    ],
  ],
})

const PATH = '/api/datasets/shop/insights'

async function opened(answer?: Parameters<typeof recordingEnvironment>[0]) {
  const system = recordingEnvironment(answer)
  const key = await system.personalKey(['*'], ['shop', 'blog'])
  const call = (method: 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE', url: string, body?: unknown) =>
    system.send(method, url, key, body)
  return { ...system, key, call }
}

const rows = (amount: number) => [
  { start_ms: String(Date.parse('2026-11-20T23:00:00Z')), line: '', is_other: 0, amount: String(amount) },
]

test('a saved insight answers as the same question would, from then on out of what is kept', async () => {
  let amount = 5
  const { call, asked, clock } = await opened(() => rows(amount))
  await call('POST', PATH, { name: 'Buyers', filters: FILTERS })
  const { body: direct } = await call('POST', `${PATH}/trend`, { events: FILTERS.events, date_from: '-2d' })
  const first = (await call('GET', `${PATH}/1`)).body
  expect(first).toMatchObject({
    is_cached: false,
    last_refresh: '2026-11-22T12:00:00.000Z',
    next_allowed_client_refresh: '2026-11-22T12:15:00.000Z',
    timezone: 'Europe/Berlin',
    query_status: null,
  })
  const withoutLinks = (lines: object[]) => lines.map((line) => ({ ...line, persons_urls: null }))
  expect(withoutLinks(first.result)).toEqual(withoutLinks(direct.result))
  expect(first.result[0].persons_urls[0].url).toContain('/api/datasets/shop/persons/trends?')
  expect(first.result[0].data).toEqual([0, 5, 0])
  amount = 7
  const before = asked.length
  expect((await call('GET', `${PATH}/1`)).body).toEqual({ ...first, is_cached: true })
  expect(asked.length).toBe(before)
  await call('PATCH', `${PATH}/1`, { filters: { ...FILTERS, date_from: '-3d' } })
  expect((await call('GET', `${PATH}/1`)).body.is_cached).toBe(false)
  await call('PATCH', `${PATH}/1`, { filters: FILTERS })
  expect((await call('GET', `${PATH}/1`)).body).toMatchObject({ is_cached: true, result: first.result })
  await clock.advance(15 * 60_000)
  const later = (await call('GET', `${PATH}/1`)).body
  expect([later.is_cached, later.result[0].data]).toEqual([false, [0, 7, 0]])
})

const TRENDS_QUERY = {
  kind: 'InsightVizNode',
  source: {
    kind: 'TrendsQuery',
    series: [{ kind: 'EventsNode', event: 'purchase', name: 'purchase', math: 'dau' }],
    dateRange: { date_from: '-2d' },
  },
}
const SQL_QUERY = {
  kind: 'DataVisualizationNode',
  source: { kind: 'SQLQuery', query: 'SELECT event, count() AS n FROM events GROUP BY event LIMIT 2' },
}
/** Rows of an SQLQuery as ClickHouse writes them, with names and types before them. */
const TABLE = [
  ['event', 'n'],
  ['String', 'UInt64'],
  ['page_view', 310],
  ['purchase', 12],
  ['=1', 3],
]

test('an insight that is saved as the query of an insight answers and is kept as its filters are', async () => {
  const { call, asked } = await opened(() => rows(5))
  const made = await call('POST', PATH, { name: 'Buyers', query: TRENDS_QUERY })
  expect(made).toMatchObject({ status: 201, body: { filters: {}, query: TRENDS_QUERY, result: null } })
  await call('POST', PATH, { filters: FILTERS })
  const found = (await call('GET', `${PATH}/1`)).body
  expect(found).toMatchObject({ query: TRENDS_QUERY, is_cached: false, columns: null, hasMore: null })
  const statements = asked.splice(0).map(({ sql, parameters }) => ({ sql, parameters }))
  const byFilters = (await call('GET', `${PATH}/2`)).body
  expect(asked.map(({ sql, parameters }) => ({ sql, parameters }))).toEqual(statements)
  const bare = (lines: object[]) => lines.map((line) => ({ ...line, persons_urls: null }))
  expect(bare(found.result)).toEqual(bare(byFilters.result))
  expect(found.result[0].persons_urls[0].url).toContain('/persons/trends?')
  expect((await call('GET', `${PATH}/1`)).body).toEqual({ ...found, is_cached: true })
  const names = async (query: string) =>
    (await call('GET', `${PATH}?${query}`)).body.results.map(({ id }: { id: number }) => id).toSorted()
  expect(await names('insight=TRENDS')).toEqual([1, 2])
})

test('an insight that is saved as SQL has rows, kept, refreshed, as a file and under no dashboard', async () => {
  let table: unknown[] = TABLE
  const { call, get, key, asked, clock } = await opened(() => table)
  const made = await call('POST', PATH, { name: 'Events', query: SQL_QUERY })
  expect(made).toMatchObject({ status: 201, body: { query: SQL_QUERY, filters: {}, columns: null } })
  const first = (await call('GET', `${PATH}/1`)).body
  expect(first).toMatchObject({
    query: SQL_QUERY,
    columns: ['event', 'n'],
    types: ['String', 'UInt64'],
    result: [
      ['page_view', 310],
      ['purchase', 12],
    ],
    hasMore: true,
    is_cached: false,
    next_allowed_client_refresh: '2026-11-22T12:15:00.000Z',
  })
  expect(asked.at(-1)?.options.settings).toMatchObject({
    additional_table_filters: expect.stringContaining("'events':'dataset_id = \\'shop\\''"),
  })
  const before = asked.length
  await call('POST', '/api/datasets/shop/dashboards', { filters: { date_from: '-30d' } })
  expect((await call('GET', `${PATH}/1?from_dashboard=1`)).body).toEqual({ ...first, is_cached: true })
  expect(asked.length).toBe(before)
  expect((await get(`${PATH}/1.csv`, key)).body).toBe('event,n\r\npage_view,310\r\npurchase,12\r\n')
  table = [...TABLE.slice(0, 2), ['signup', 7]]
  expect((await call('GET', `${PATH}/1?refresh=true`)).body).toMatchObject({
    result: [['signup', 7]],
    hasMore: false,
  })
  await clock.advance(15 * 60_000)
  expect((await call('GET', `${PATH}/1`)).body.is_cached).toBe(false)
  expect((await call('GET', `${PATH}?insight=SQL`)).body.count).toBe(1)
  const events = { kind: 'EventsQuery', select: ['event'], after: '-7d' }
  expect((await call('PATCH', `${PATH}/1`, { query: events })).body.query).toEqual(events)
  expect((await call('GET', `${PATH}?insight=EVENTS`)).body.count).toBe(1)
})

test('a change from a query to filters, or the other way, leaves one of them', async () => {
  const { call } = await opened()
  await call('POST', PATH, { query: SQL_QUERY, filters: {} })
  const changed = async (body: object, method: 'PATCH' | 'PUT' = 'PATCH') => {
    const { filters, query } = (await call(method, `${PATH}/1`, body)).body
    return { filters, query }
  }
  expect(await changed({ name: 'x' })).toEqual({ filters: {}, query: SQL_QUERY })
  expect(await changed({ filters: FILTERS })).toEqual({ filters: FILTERS, query: null })
  expect(await changed({ query: TRENDS_QUERY })).toEqual({ filters: {}, query: TRENDS_QUERY })
  expect(await changed({ query: null })).toEqual({ filters: {}, query: null })
  expect(await changed({ query: SQL_QUERY }, 'PUT')).toEqual({ filters: {}, query: SQL_QUERY })
  expect(await changed({ name: 'x' }, 'PUT')).toEqual({ filters: {}, query: null })
  for (const [method, url] of [
    ['POST', PATH],
    ['PUT', `${PATH}/1`],
    ['PATCH', `${PATH}/1`],
  ] as const)
    expect(await call(method, url, { filters: FILTERS, query: TRENDS_QUERY })).toMatchObject({
      status: 400,
      body: { attr: 'query', code: 'invalid_input' },
    })
})

test('what is wrong in a text is told when it is saved', async () => {
  const { call, asked } = await opened()
  for (const [query, attr, code] of [
    [{ kind: 'SQLQuery', query: 'SELECT evnt FROM events' }, 'query__query', 'invalid_query'],
    [{ kind: 'HogQLQuery', query: 'SELECT * FROM system.tables' }, 'query__query', 'invalid_query'],
    [{ kind: 'SQLQuery' }, 'query__query', 'required'],
    [{ kind: 'EventsQuery', select: ['evnt'] }, 'query__select', 'invalid_query'],
    [{ kind: 'EventsQuery', select: ['event'], limit: 0 }, 'query__limit', 'invalid_input'],
    [{ kind: 'SQLQuery', query: 'SELECT 1', values: { x: 'y'.repeat(33_000) } }, 'query', 'invalid_input'],
  ] as const)
    expect((await call('POST', PATH, { query })).body).toMatchObject({ attr, code })
  expect(asked).toEqual([])
})

test('who saves rows has the right to ask for them, and whoever reads the insight sees them', async () => {
  const { call, send, personalKey } = await opened(() => TABLE)
  const writer = await personalKey(['insight:write'])
  await call('POST', PATH, { name: 'mine' })
  for (const [method, url] of [
    ['POST', PATH],
    ['PUT', `${PATH}/1`],
    ['PATCH', `${PATH}/1`],
  ] as const) {
    const refused = await send(method, url, writer, { query: SQL_QUERY })
    expect(refused).toMatchObject({ status: 403, body: { detail: expect.stringContaining('query:read') } })
    expect((await send(method, url, writer, { query: TRENDS_QUERY })).status).toBeLessThan(300)
  }
  await call('PATCH', `${PATH}/1`, { query: SQL_QUERY })
  expect((await send('GET', `${PATH}/1`, writer)).body.result).toHaveLength(2)
  const stranger = await personalKey(['*'], ['blog'])
  expect((await send('GET', `${PATH}/1`, stranger)).status).toBe(404)
})

test('a saved insight with expressions is kept, and answered as the same question would be', async () => {
  const { call, asked } = await opened(({ sql }) => (sql.includes('start_ms') ? rows(5) : [{ value: '' }]))
  const expressed = {
    ...FILTERS,
    properties: [{ type: 'hogql', key: "properties.amount > 5 and event != 'x'", value: null }],
    breakdown: 'properties.plan',
    breakdown_type: 'hogql',
  }
  const { status, body } = await call('POST', PATH, { filters: expressed })
  expect([status, body.filters]).toEqual([201, expressed])
  const { insight: _, ...parameters } = expressed
  await call('POST', `${PATH}/trend`, parameters)
  const direct = asked.splice(0).map(({ sql, parameters }) => ({ sql, parameters }))
  expect((await call('GET', `${PATH}/1`)).body.result[0].data).toEqual([0, 5, 0])
  expect(asked.map(({ sql, parameters }) => ({ sql, parameters }))).toEqual(direct)
  expect(direct.length).toBeGreaterThan(0)
})

test('a saved insight comes as a file, by its suffix and by its format, which tells its age', async () => {
  const { call, get, key } = await opened(() => rows(5))
  await call('POST', PATH, { filters: FILTERS })
  const refused = (await get(`${PATH}/1.csv?refresh=force_cache`, key)).json()
  expect(refused).toMatchObject({ code: 'not_ready', attr: 'refresh' })
  const file = await get(`${PATH}/1.csv`, key)
  expect(file.body).toBe('series,20-Nov-2026,21-Nov-2026,22-Nov-2026\r\npurchase,0,5,0\r\n')
  expect(file.headers).toMatchObject({
    'content-disposition': 'attachment; filename="insight-1.csv"',
    'last-modified': 'Sun, 22 Nov 2026 12:00:00 GMT',
  })
  expect((await get(`${PATH}/1?format=csv&refresh=force_cache`, key)).body).toBe(file.body)
  expect((await get(`${PATH}/1?format=xml`, key)).json()).toMatchObject({ attr: 'format' })
  for (const path of [`${PATH}/2.csv`, '/api/datasets/blog/insights/1.csv', `${PATH}/x.csv`])
    expect((await get(path, key)).statusCode).toBe(404)
})

test('who wants it now gets it now, by either word', async () => {
  let amount = 1
  const { call } = await opened(() => rows(amount++))
  await call('POST', PATH, { filters: FILTERS })
  const count = async (query: string) => (await call('GET', `${PATH}/1${query}`)).body.result[0].count
  const [first, kept] = [await count(''), await count('?refresh=false')]
  expect(kept).toBe(first)
  const forced = await count('?refresh=force_blocking')
  expect(forced).toBeGreaterThan(first)
  expect(await count('?refresh=true')).toBeGreaterThan(forced)
})

test('an asynchronous one is begun, asked after and found', async () => {
  const { promise, resolve } = Promise.withResolvers<object[]>()
  const { call } = await opened(({ sql }) =>
    sql.includes('system.processes') ? [{ rows_read: 3 }] : promise,
  )
  await call('POST', PATH, { filters: FILTERS })
  expect((await call('GET', `${PATH}/1?refresh=force_cache`)).body).toMatchObject({
    result: null,
    query_status: null,
  })
  const begun = await call('GET', `${PATH}/1?refresh=async&client_query_id=mine`)
  expect([begun.status, begun.body.result, begun.body.query_status.id]).toEqual([202, null, 'mine'])
  await settle()
  const status = '/api/datasets/shop/query/mine'
  expect((await call('GET', status)).body).toMatchObject({
    complete: false,
    query_progress: { rows_read: 3 },
  })
  resolve(rows(5))
  await settle()
  const complete = (await call('GET', status)).body
  expect(complete).toMatchObject({ complete: true, error: false })
  const found = await call('GET', `${PATH}/1?refresh=async`)
  expect([found.status, found.body.is_cached, found.body.result]).toEqual([200, true, complete.results])
  for (const url of [status.replace('shop', 'blog'), status.replace('mine', 'other')])
    expect((await call('GET', url)).status).toBe(404)
})

test('a question is cancelled by the name that its client gave it, and only in its own dataset', async () => {
  const { call, asked } = await opened(
    ({ options }) =>
      new Promise((_, reject) =>
        options.signal?.addEventListener('abort', () => reject(options.signal?.reason)),
      ),
  )
  await call('POST', PATH, { filters: FILTERS })
  const waiting = call('GET', `${PATH}/1?client_query_id=slow`)
  await settle()
  const cancel = async (dataset: string) =>
    (await call('POST', `/api/datasets/${dataset}/insights/cancel`, { client_query_id: 'slow' })).body
  expect(await cancel('blog')).toEqual({ cancelled: false })
  expect(await cancel('shop')).toEqual({ cancelled: true })
  expect(await waiting).toMatchObject({ status: 400, body: { code: 'query_cancelled' } })
  expect(asked.at(-1)?.options.signal?.aborted).toBe(true)
  expect(await cancel('shop')).toEqual({ cancelled: false })
  await call('GET', `${PATH}/1?refresh=async&client_query_id=later`)
  expect((await call('DELETE', '/api/datasets/shop/query/later')).status).toBe(204)
  expect((await call('DELETE', '/api/datasets/shop/query/later')).status).toBe(404)
})

test('filters that are longer than any question may be are refused', async () => {
  const { call } = await opened()
  const properties = Array(50).fill({ key: 'a', value: 'x'.repeat(700) })
  const refused = await call('POST', PATH, { filters: { properties } })
  expect([refused.status, refused.body.attr]).toEqual([400, 'filters'])
})

test('the list is filtered by what insights are, and has no results', async () => {
  const { call, clock, personalKey, send } = await opened()
  await call('POST', PATH, { name: 'Buyers', filters: FILTERS, saved: true, tags: ['money'] })
  await call('POST', PATH, {
    name: 'Steps',
    filters: { insight: 'FUNNELS', events: [{ id: 'a' }] },
    favorited: true,
  })
  await clock.advance(3 * 86_400_000)
  const other = await personalKey(['insight:write'])
  const { short_id: shortId, created_by: maker } = (
    await send('POST', PATH, other, { description: '100% of visits' })
  ).body
  const found = async (query: string) =>
    (await call('GET', `${PATH}?${query}`)).body.results.map(({ id }: { id: number }) => id)
  expect(await found('')).toEqual([3, 2, 1])
  expect(await found('saved=true')).toEqual([1])
  expect(await found('favorited=true')).toEqual([2])
  expect(await found('user=true')).toEqual([2, 1])
  expect(await found(`created_by=${maker}`)).toEqual([3])
  expect(await found('search=BUY')).toEqual([1])
  expect(await found('search=money')).toEqual([1])
  expect(await found('search=0%25 of')).toEqual([3])
  expect(await found('insight=FUNNELS')).toEqual([2])
  expect(await found(`short_id=${shortId}`)).toEqual([3])
  expect(await found('date_from=-1d')).toEqual([3])
  expect(await found('date_to=2026-11-22')).toEqual([2, 1])
  expect(await found('saved=true&favorited=true')).toEqual([])
  for (const wrong of ['saved=perhaps', 'date_from=soon', 'dashboards=a', 'dashboards=1;2', 'colour=red'])
    expect([wrong, (await call('GET', `${PATH}?${wrong}`)).status]).toEqual([wrong, 400])
})

test('who looked at what is remembered for him', async () => {
  const { call, send, keys, clock } = await opened()
  for (const name of ['a', 'b', 'c']) await call('POST', PATH, { name })
  for (const id of [1, 3, 2, 3]) {
    await clock.advance(1_000)
    expect((await call('POST', `${PATH}/${id}/viewed`)).status).toBe(201)
  }
  const seen = async () =>
    (await call('GET', `${PATH}/my_last_viewed`)).body.map(({ name }: { name: string }) => name)
  expect(await seen()).toEqual(['c', 'b', 'a'])
  expect((await send('GET', `${PATH}/my_last_viewed`, keys.shopRead)).body).toEqual([])
  await call('PATCH', `${PATH}/3`, { deleted: true })
  expect(await seen()).toEqual(['b', 'a'])
  await call('DELETE', `${PATH}/2`)
  expect(await seen()).toEqual(['a'])
  for (const id of ['2', '3', '9', 'x']) expect((await call('POST', `${PATH}/${id}/viewed`)).status).toBe(404)
  expect((await call('POST', '/api/datasets/blog/insights/1/viewed')).status).toBe(404)
})

test('what was done is written down, and stays when the insight is gone', async () => {
  const { call, send, keys } = await opened()
  await call('POST', PATH, { name: 'a' })
  await call('POST', PATH, { name: 'other' })
  await call('PATCH', `${PATH}/1`, { name: 'b', tags: ['x'] })
  await call('PATCH', `${PATH}/1`, { deleted: true })
  await call('PATCH', `${PATH}/1`, { deleted: false })
  await call('DELETE', `${PATH}/1`)
  const { body } = await call('GET', `${PATH}/1/activity`)
  expect(body.results.map(({ activity }: { activity: string }) => activity)).toEqual([
    'removed',
    'restored',
    'deleted',
    'updated',
    'created',
  ])
  expect(body.results[3]).toMatchObject({
    user: expect.stringMatching(/^personal_api_key:/),
    scope: 'insight',
    item_id: 1,
    detail: { name: 'b', changes: [{ field: 'name' }, { field: 'tags' }] },
    created_at: '2026-11-22T12:00:00.000Z',
  })
  expect((await call('GET', `${PATH}/activity?limit=2`)).body).toMatchObject({
    count: 6,
    next: expect.stringContaining('offset=2'),
  })
  expect((await call('GET', '/api/datasets/blog/insights/activity')).body.count).toBe(0)
  expect((await send('GET', `${PATH}/activity`, keys.blogRead)).status).toBe(404)
})

test('a change that is refused is not written down', async () => {
  const { call } = await opened()
  await call('POST', PATH, { name: 'a' })
  await call('PATCH', `${PATH}/1`, { name: 'b', dashboards: [7] })
  expect((await call('GET', `${PATH}/1`)).body.name).toBe('a')
  expect((await call('GET', `${PATH}/activity`)).body.count).toBe(1)
})

test('looking at one reaches ClickHouse, and is limited like all that does', async () => {
  const { call } = await opened()
  await call('POST', PATH, {})
  for (let i = 0; i < 240; i++) await call('GET', `${PATH}/1`)
  const refused = await call('GET', `${PATH}/1`)
  expect([refused.status, refused.headers['ratelimit-limit']]).toEqual([429, '240'])
})
