import { expect, test } from 'vitest'
import { builtInTemplates } from '../../../../services/query-api/dashboards/built-in-templates.ts'
import { TILES_MAX } from '../../../../services/query-api/dashboards/tile-store.ts'
import { familyBehaviour } from '../objects/family-behaviour.ts'
import { recordingEnvironment } from '../recording-environment.ts'

const FILTERS = { insight: 'TRENDS', events: [{ id: 'purchase' }], date_from: '-2d' }

familyBehaviour({
  tag: 'dashboards',
  object: 'dashboard',
  least: {},
  absent: {
    name: '',
    description: '',
    pinned: false,
    tags: [],
    filters: {},
    restriction_level: 21,
    creation_mode: 'default',
    is_shared: false,
  },
  whole: {
    name: 'Sales "now" 🙂',
    description: 'All of it',
    pinned: true,
    tags: ['revenue'],
    filters: { date_from: '-30d', properties: [{ key: 'plan', value: 'pro' }] },
    restriction_level: 37,
  },
  change: { name: 'Changed' },
  computed: ['tiles'],
  wrong: [
    [{ name: 'x'.repeat(401) }, 'name', 'max_length'],
    [{ pinned: 'yes' }, 'pinned', 'invalid_input'],
    [{ tags: [''] }, 'tags__0', 'blank'],
    [{ filters: [] }, 'filters', 'invalid_input'],
    [{ filters: { interval: 'day' } }, 'filters__interval', 'invalid_input'],
    [{ filters: { properties: [{ key: 'a', operator: 'sql' }] } }, 'filters__properties', 'invalid_input'],
    [{ restriction_level: 5 }, 'restriction_level', 'invalid_input'],
    [{ is_shared: true }, 'is_shared', 'invalid_input'],
  ],
})

const PATH = '/api/datasets/shop/dashboards'
const INSIGHTS = '/api/datasets/shop/insights'

async function opened(answer?: Parameters<typeof recordingEnvironment>[0]) {
  const system = recordingEnvironment(answer)
  const key = await system.personalKey(['*'], ['shop', 'blog'])
  const call = (method: 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE', url: string, body?: unknown) =>
    system.send(method, url, key, body)
  const insight = async (fields: object = {}) =>
    (await call('POST', INSIGHTS, { name: 'Buyers', filters: FILTERS, ...fields })).body.id as number
  return { ...system, key, call, insight }
}

const rows = (amount: number) => [
  { start_ms: String(Date.parse('2026-11-20T23:00:00Z')), line: '', is_other: 0, amount: String(amount) },
]

test('the list is filtered by what dashboards are called, are pinned and are tagged with', async () => {
  const { call, send, personalKey } = await opened()
  await call('POST', PATH, { name: 'Sales', pinned: true, tags: ['revenue', 'shop'] })
  await call('POST', PATH, { name: 'Visits', description: '100% of SALES pages', tags: ['shop "a"'] })
  await call('POST', PATH, { name: 'Other', pinned: true })
  const found = async (query: string) => {
    const { count, results } = (await call('GET', `${PATH}?${query}`)).body
    expect(count).toBe(results.length)
    return results.map(({ id }: { id: number }) => id)
  }
  expect(await found('')).toEqual([3, 1, 2])
  expect(await found('search=sales')).toEqual([1, 2])
  expect(await found('search=0%25 of')).toEqual([2])
  expect(await found('search=_ales')).toEqual([])
  expect(await found('pinned=true')).toEqual([3, 1])
  expect(await found('tags=revenue')).toEqual([1])
  // A tag as a whole, and none of its characters means anything.
  expect(await found('tags=shop')).toEqual([1])
  expect(await found('tags=rev')).toEqual([])
  expect(await found(`tags=${encodeURIComponent('shop "a"')}`)).toEqual([2])
  expect(await found('pinned=true&search=sales&tags=shop')).toEqual([1])
  expect(await call('GET', `${PATH}?pinned=perhaps`)).toMatchObject({ status: 400, body: { attr: 'pinned' } })
  const stranger = await personalKey(['*'], ['blog'])
  expect((await send('GET', `${PATH}?search=sales`, stranger)).status).toBe(404)
  expect((await send('GET', `${PATH.replace('shop', 'blog')}?search=sales`, stranger)).body.count).toBe(0)
})

test('tiles are put on, placed, coloured, changed and taken away', async () => {
  const { call, insight } = await opened(() => rows(5))
  await insight()
  await call('POST', PATH, { name: 'Sales' })
  const layouts = { sm: { x: 0, y: 0, w: 12, h: 5, minW: 3 }, xs: { x: 0, y: 0, w: 1, h: 5 } }
  const put = await call('PATCH', `${PATH}/1`, {
    tiles: [{ insight: 1, layouts, color: 'blue' }, { text: { body: 'Look here' } }],
  })
  expect(put.body.tiles).toMatchObject([
    { id: 1, layouts, color: 'blue', text: null, insight: { id: 1, name: 'Buyers', result: null } },
    { id: 2, color: null, text: { body: 'Look here' }, insight: null },
  ])
  expect((await call('GET', `${INSIGHTS}/1`)).body.dashboards).toEqual([1])
  const changed = await call('PATCH', `${PATH}/1`, {
    tiles: [
      { id: 1, color: null },
      { id: 2, text: { body: 'Now here' } },
    ],
  })
  expect(changed.body.tiles).toMatchObject([
    { id: 1, layouts, color: null },
    { id: 2, text: { body: 'Now here' } },
  ])
  const found = (await call('GET', `${PATH}/1`)).body
  expect(found.tiles[0]).toMatchObject({ is_cached: true, insight: { result: [{ count: 5 }] } })
  await call('PATCH', `${PATH}/1`, { tiles: [{ id: 1, deleted: true }] })
  expect((await call('GET', `${PATH}/1`)).body.tiles.map(({ id }: { id: number }) => id)).toEqual([2])
  expect((await call('GET', `${INSIGHTS}/1`)).body.dashboards).toEqual([])
})

test('an insight is put on dashboards and taken off from its own side too', async () => {
  const { call, insight } = await opened()
  for (const name of ['a', 'b']) await call('POST', PATH, { name })
  await insight({ dashboards: [1] })
  await call('PATCH', `${INSIGHTS}/1`, { dashboards: [2, 1] })
  expect((await call('GET', `${INSIGHTS}?dashboards=2`)).body.count).toBe(1)
  expect((await call('GET', `${PATH}/2`)).body.tiles).toMatchObject([{ insight: { dashboards: [1, 2] } }])
  await call('PATCH', `${INSIGHTS}/1`, { dashboards: [2] })
  expect((await call('GET', `${PATH}/1`)).body.tiles).toEqual([])
  await call('PATCH', `${INSIGHTS}/1`, { deleted: true })
  expect((await call('GET', `${PATH}/2`)).body.tiles).toEqual([])
  await call('PATCH', `${INSIGHTS}/1`, { deleted: false })
  expect((await call('GET', `${PATH}/2`)).body.tiles).toHaveLength(1)
  await call('DELETE', `${INSIGHTS}/1`)
  expect((await call('GET', `${PATH}/2`)).body.tiles).toEqual([])
})

test.each([
  [{ id: 9, color: 'red' }, 'tiles__1__id', 'does_not_exist'],
  [{ insight: 9 }, 'tiles__1__insight', 'does_not_exist'],
  [{ insight: 1 }, 'tiles__1__insight', 'unique'],
  [{ insight: 1, text: { body: 'a' } }, 'tiles__1', 'invalid_input'],
  [{}, 'tiles__1', 'invalid_input'],
  [{ id: 1, insight: 1 }, 'tiles__1__insight', 'invalid_input'],
  [{ id: 1, text: { body: 'a' } }, 'tiles__1__text', 'invalid_input'],
  [{ text: { body: '' } }, 'tiles__1__text__body', 'blank'],
  [
    { text: { body: 'a' }, layouts: { sm: { x: -1, y: 0, w: 1, h: 1 } } },
    'tiles__1__layouts__sm__x',
    'invalid_input',
  ],
  [{ text: { body: 'a' }, layouts: { lg: {} } }, 'tiles__1__layouts__lg', 'invalid_input'],
])('a change of tiles with %j is refused whole', async (wrong, attr, code) => {
  const { call, insight } = await opened()
  await call('POST', PATH, { name: 'a' })
  await insight({ dashboards: [1] })
  const before = (await call('GET', `${PATH}/1`)).body
  const refused = await call('PATCH', `${PATH}/1`, { name: 'b', tiles: [{ text: { body: 'new' } }, wrong] })
  expect([refused.status, refused.body.attr, refused.body.code]).toEqual([400, attr, code])
  const after = (await call('GET', `${PATH}/1`)).body
  expect({ ...after, tiles: after.tiles.length }).toEqual({ ...before, tiles: 1 })
})

test('a dashboard has its bound of tiles', async () => {
  const { call } = await opened()
  await call('POST', PATH, {})
  const tiles = Array(TILES_MAX).fill({ text: { body: 'a' } })
  expect((await call('PATCH', `${PATH}/1`, { tiles })).status).toBe(200)
  const refused = await call('PATCH', `${PATH}/1`, { tiles: tiles.slice(0, 1) })
  expect([refused.status, refused.body.code]).toEqual([400, 'limit_reached'])
})

test('one call has the results of all tiles, under the filters of the dashboard, and each its own fault', async () => {
  const { call, insight, asked } = await opened(({ sql, parameters }) => {
    if (Object.values(parameters).includes('broken'))
      throw new Error('Code: 158. DB::Exception: too many rows')
    return sql.includes('start_ms') ? rows(5) : []
  })
  await call('POST', PATH, { filters: { date_from: '-3d', properties: [{ key: 'plan', value: 'pro' }] } })
  await insight({ dashboards: [1] })
  await insight({ dashboards: [1], filters: { ...FILTERS, actions: [{ id: 7 }] } })
  const { tiles } = (await call('GET', `${PATH}/1`)).body
  expect(tiles[0].insight.result[0].data).toEqual([0, 0, 5, 0])
  expect(tiles[0].insight.filters).toEqual(FILTERS)
  expect(tiles[1]).toMatchObject({
    insight: { result: null },
    error: { type: 'validation_error', attr: 'actions__id' },
  })
  expect(asked.some(({ parameters }) => Object.values(parameters).includes('plan'))).toBe(true)
  const before = asked.length
  const kept = (await call('GET', `${PATH}/1`)).body.tiles[0]
  expect([kept.is_cached, kept.last_refresh, asked.length]).toEqual([
    true,
    '2026-11-22T12:00:00.000Z',
    before,
  ])
  const again = (await call('GET', `${PATH}/1?refresh=force_blocking`)).body.tiles[0]
  expect([again.is_cached, asked.length > before]).toEqual([false, true])
  const own = (await call('GET', `${INSIGHTS}/1?from_dashboard=1`)).body
  expect([own.is_cached, own.result]).toEqual([true, again.insight.result])
  expect((await call('GET', `${INSIGHTS}/1?from_dashboard=9`)).body.attr).toBe('from_dashboard')
})

test('filters of one call stand where those of the dashboard do, in an insight and in a file too', async () => {
  const { call, get, key, insight } = await opened(tableOrRows)
  await call('POST', PATH, { filters: { properties: [{ key: 'plan', value: 'pro' }] } })
  await insight({ dashboards: [1] })
  await insight({ filters: {}, query: SQL_QUERY, dashboards: [1] })
  const over = `filters_override=${encodeURIComponent(JSON.stringify({ date_from: '-3d' }))}`
  const board = (await call('GET', `${PATH}/1?${over}`)).body
  expect(board.filters).toEqual({ properties: [{ key: 'plan', value: 'pro' }] })
  expect(board.tiles).toMatchObject([
    { insight: { result: [{ data: [0, 0, 5, 0] }] } },
    { insight: { result: [['page_view', 310]] } },
  ])
  for (const query of [over, `${over}&from_dashboard=1`])
    expect((await call('GET', `${INSIGHTS}/1?${query}`)).body).toMatchObject({
      is_cached: true,
      result: board.tiles[0].insight.result,
    })
  expect((await get(`${PATH}/1/export.csv?${over}`, key)).body).toContain('2026-11-19,0')
  expect((await get(`${INSIGHTS}/1.csv?${over}`, key)).body).toContain('19-Nov-2026')
  for (const path of [`${PATH}/1`, `${PATH}/1/export.csv`, `${INSIGHTS}/1`])
    for (const [wrong, attr] of [
      ['{', 'filters_override'],
      ['[]', 'filters_override'],
      ['{"interval":"day"}', 'filters_override__interval'],
    ] as const) {
      const refused = await get(`${path}?filters_override=${encodeURIComponent(wrong)}`, key)
      expect(refused.json()).toMatchObject({ attr })
    }
  expect((await call('GET', `${INSIGHTS}/2?${over}`)).body).toMatchObject({ attr: 'filters_override' })
})

test('a tile moves to another dashboard, and keeps what it is', async () => {
  const { call, insight } = await opened()
  for (const name of ['a', 'b', 'c']) await call('POST', PATH, { name })
  await insight({ dashboards: [1, 3] })
  await call('PATCH', `${PATH}/1`, { tiles: [{ id: 1, color: 'green' }, { text: { body: 'x' } }] })
  const move = (id: number, toDashboard: number, from = 1) =>
    call('PATCH', `${PATH}/${from}/move_tile`, { tile: { id }, toDashboard })
  const moved = await move(1, 2)
  expect([moved.status, moved.body.id, moved.body.tiles.length]).toEqual([200, 1, 1])
  expect((await call('GET', `${PATH}/2`)).body.tiles).toMatchObject([
    { id: 1, color: 'green', insight: { id: 1 } },
  ])
  expect((await move(1, 2)).status).toBe(404)
  expect(await move(1, 3, 2)).toMatchObject({ status: 400, body: { attr: 'toDashboard', code: 'unique' } })
  expect(await move(1, 9, 2)).toMatchObject({
    status: 400,
    body: { attr: 'toDashboard', code: 'does_not_exist' },
  })
  expect((await call('GET', `${PATH}/2`)).body.tiles).toHaveLength(1)
  expect(
    (await call('PATCH', '/api/datasets/blog/dashboards/1/move_tile', { tile: { id: 1 }, toDashboard: 2 }))
      .status,
  ).toBe(404)
})

test.each([...builtInTemplates().keys()])(
  'the template %s makes a dashboard whose tiles all answer',
  async (name) => {
    const { call } = await opened()
    const made = await call('POST', PATH, { name: 'Mine', use_template: name })
    expect([made.status, made.body.name, made.body.creation_mode]).toEqual([201, 'Mine', 'template'])
    const { tiles } = builtInTemplates().get(name)!
    expect(made.body.tiles).toHaveLength(tiles.length)
    const found = (await call('GET', `${PATH}/1`)).body.tiles
    for (const tile of found) expect(tile).not.toHaveProperty('error')
    expect(
      found.filter(({ insight }: { insight: object | null }) => insight !== null).length,
    ).toBeGreaterThan(2)
  },
)

const TEMPLATES = '/api/datasets/shop/dashboard_templates'
const TEMPLATE = {
  template_name: 'Sales',
  dashboard_description: 'Who buys?',
  dashboard_filters: { date_from: '-30d' },
  tags: ['shop'],
  tiles: [
    { type: 'TEXT', body: 'x' },
    { type: 'INSIGHT', name: 'Buyers', filters: FILTERS },
  ],
}

test('templates of a dataset stand before those of the product, and make dashboards as they do', async () => {
  const { call, send, personalKey } = await opened()
  const made = await call('POST', TEMPLATES, TEMPLATE)
  expect(made).toMatchObject({ status: 201, body: { id: 1, is_built_in: false, ...TEMPLATE } })
  await call('POST', TEMPLATES, { ...TEMPLATE, template_name: 'Again' })
  const ids = async (query: string) => {
    const { results, count } = (await call('GET', TEMPLATES + query)).body
    return [count, ...results.map(({ id }: { id: unknown }) => id)]
  }
  expect(await ids('')).toEqual([7, 2, 1, 'activation', 'content', 'e-commerce', 'retention', 'traffic'])
  expect(await ids('?limit=2&offset=1')).toEqual([7, 1, 'activation'])
  expect(await ids('?limit=2&offset=5')).toEqual([7, 'retention', 'traffic'])
  expect(await ids('?search=SAL')).toEqual([1, 1])
  expect((await call('GET', `${TEMPLATES}/traffic`)).body).toMatchObject({ id: 'traffic', is_built_in: true })
  const board = (await call('POST', PATH, { name: 'Mine', use_template: 1 })).body
  expect(board).toMatchObject({
    creation_mode: 'template',
    tiles: [{ text: { body: 'x' } }, { insight: { name: 'Buyers', filters: FILTERS } }],
  })
  expect((await call('PATCH', `${TEMPLATES}/1`, { tags: [] })).body).toMatchObject({ ...TEMPLATE, tags: [] })
  const { template_name, tiles } = TEMPLATE
  expect((await call('PUT', `${TEMPLATES}/1`, { template_name, tiles })).body).toMatchObject({
    dashboard_filters: {},
    tiles,
  })
  await call('PATCH', `${TEMPLATES}/2`, { deleted: true })
  expect((await call('POST', PATH, { use_template: 2 })).body).toMatchObject({ attr: 'use_template' })
  expect((await call('DELETE', `${TEMPLATES}/1`)).status).toBe(204)
  expect(await ids('')).toHaveLength(6)
  const reader = await personalKey(['dashboard:read'])
  expect((await send('POST', TEMPLATES, reader, TEMPLATE)).status).toBe(403)
  const stranger = await personalKey(['*'], ['blog'])
  expect((await send('PATCH', `${TEMPLATES}/2`, stranger, { deleted: false })).status).toBe(404)
  expect((await send('POST', '/api/datasets/blog/dashboards', stranger, { use_template: 2 })).status).toBe(
    400,
  )
})

const SQL_QUERY = { kind: 'SQLQuery', query: 'SELECT event, count() AS n FROM events GROUP BY event' }
const TRENDS_QUERY = {
  kind: 'TrendsQuery',
  series: [{ kind: 'EventsNode', event: 'purchase' }],
  dateRange: { date_from: '-2d' },
}
/** Rows of SQL, and points of a trend. */
const tableOrRows: Parameters<typeof recordingEnvironment>[0] = ({ sql }) =>
  sql.includes('FORMAT')
    ? [
        ['event', 'n'],
        ['String', 'UInt64'],
        ['page_view', 310],
      ]
    : rows(5)

test('insights that are saved as queries are tiles: answered, kept, put into files and copied', async () => {
  const { call, get, key, insight } = await opened(tableOrRows)
  await call('POST', PATH, { name: 'Sales', filters: { date_from: '-3d' } })
  await insight({ name: 'Rows', filters: {}, query: SQL_QUERY, dashboards: [1] })
  await insight({ name: 'Line', filters: {}, query: TRENDS_QUERY, dashboards: [1] })
  const tiles = async (query = '') => (await call('GET', `${PATH}/1${query}`)).body.tiles
  const first = await tiles()
  expect(first).toMatchObject([
    { is_cached: false, insight: { columns: ['event', 'n'], result: [['page_view', 310]], hasMore: false } },
    // Under the dates of the dashboard.
    { is_cached: false, insight: { columns: null, result: [{ data: [0, 0, 5, 0] }], query: TRENDS_QUERY } },
  ])
  const cached = async (query: string) =>
    (await tiles(query)).map(({ is_cached: is }: { is_cached: boolean }) => is)
  expect(await cached('')).toEqual([true, true])
  expect(await cached('?refresh=force_blocking')).toEqual([false, false])
  const lines = (await get(`${PATH}/1/export.csv`, key)).body.split('\r\n')
  expect(lines).toContain('1,Rows,page_view,n,310')
  expect(lines).toContain('2,Line,purchase,2026-11-21,5')
  const template = (await get(`${PATH}/1/export.json`, key)).json()
  expect(template.tiles).toMatchObject([{ query: SQL_QUERY }, { query: TRENDS_QUERY }])
  for (const tile of template.tiles) expect(tile).not.toHaveProperty('filters')
  await call('POST', `${PATH}/create_from_template_json`, { template })
  await call('POST', PATH, { use_dashboard: 1, duplicate_tiles: true })
  await call('POST', TEMPLATES, template)
  await call('POST', PATH, { use_template: 1 })
  for (const id of [2, 3, 4])
    expect((await call('GET', `${PATH}/${id}`)).body.tiles).toMatchObject([
      { insight: { query: SQL_QUERY, filters: {}, result: [['page_view', 310]] } },
      { insight: { query: TRENDS_QUERY, filters: {} } },
    ])
  expect((await call('GET', `${INSIGHTS}?insight=SQL`)).body.count).toBe(4)
})

test('a template has rows asked only by who may ask for them, and asks each tile one thing', async () => {
  const { call, send, personalKey } = await opened()
  const tile = { type: 'INSIGHT', name: 'a' }
  const template = { ...TEMPLATE, tiles: [{ ...tile, query: SQL_QUERY }] }
  await call('POST', TEMPLATES, TEMPLATE)
  const maker = await personalKey(['dashboard:write', 'insight:write'])
  for (const [method, url, body] of [
    ['POST', TEMPLATES, template],
    ['PUT', `${TEMPLATES}/1`, template],
    ['PATCH', `${TEMPLATES}/1`, { tiles: template.tiles }],
    ['POST', `${PATH}/create_from_template_json`, { template }],
  ] as const)
    expect(await send(method, url, maker, body)).toMatchObject({
      status: 403,
      body: { detail: expect.stringContaining('query:read') },
    })
  for (const [over, attr] of [
    [{}, 'tiles'],
    [{ query: null }, 'tiles'],
    [{ query: SQL_QUERY, filters: FILTERS }, 'query'],
    [{ query: { kind: 'SQLQuery', query: 'SELECT evnt FROM events' } }, 'query__query'],
  ] as const)
    expect(await call('POST', TEMPLATES, { ...TEMPLATE, tiles: [{ ...tile, ...over }] })).toMatchObject({
      status: 400,
      body: { attr },
    })
})

test('what a template cannot be is refused, and those of the product stay as they are', async () => {
  const { call } = await opened()
  for (const [change, attr] of [
    [{ template_name: '' }, 'template_name'],
    [{ tiles: [{ type: 'INSIGHT', name: 'a', filters: { insight: 'SQL' } }] }, 'filters__insight'],
    [{ tiles: [{ type: 'TEXT' }] }, 'tiles__0'],
    [{ dashboard_filters: { interval: 'day' } }, 'dashboard_filters__interval'],
    [{ id: 5 }, 'id'],
  ] as const) {
    const refused = await call('POST', TEMPLATES, { ...TEMPLATE, ...change })
    expect([change, refused.status, refused.body.attr]).toEqual([change, 400, attr])
  }
  for (const [method, body] of [
    ['PUT', TEMPLATE],
    ['PATCH', { tags: [] }],
    ['DELETE', undefined],
  ] as const)
    expect(await call(method, `${TEMPLATES}/traffic`, body)).toMatchObject({ status: 403 })
  const list = await call('GET', TEMPLATES)
  expect([list.body.count, list.headers['ratelimit-policy']]).toEqual([5, '480;w=60;comment="burst"'])
})

test('there is a template for each of what people begin with', async () => {
  const { call } = await opened()
  const list = (await call('GET', '/api/datasets/shop/dashboard_templates')).body
  expect(list.results.map(({ id }: { id: string }) => id)).toEqual([
    'activation',
    'content',
    'e-commerce',
    'retention',
    'traffic',
  ])
  const schema = (await call('GET', '/api/datasets/shop/dashboard_templates/json_schema')).body
  expect(schema).toMatchObject({ type: 'object', required: ['template_name', 'tiles'] })
})

test.each([
  [{ use_template: 'none' }, 'use_template', 'does_not_exist'],
  [{ use_template: '../package' }, 'use_template', 'does_not_exist'],
  [{ use_template: 1 }, 'use_template', 'does_not_exist'],
  [{ use_template: 'traffic', use_dashboard: 1 }, 'use_dashboard', 'invalid_input'],
  [{ duplicate_tiles: true }, 'duplicate_tiles', 'invalid_input'],
  [{ use_dashboard: 9 }, 'use_dashboard', 'does_not_exist'],
])('a dashboard cannot be made with %j', async (body, attr, code) => {
  const { call } = await opened()
  const refused = await call('POST', PATH, body)
  expect([refused.status, refused.body.attr, refused.body.code]).toEqual([400, attr, code])
  expect((await call('GET', PATH)).body.count).toBe(0)
  expect((await call('GET', INSIGHTS)).body.count).toBe(0)
})

test('a dashboard is made from another one, with the same insights or with copies', async () => {
  const { call, insight } = await opened()
  await call('POST', PATH, { name: 'a' })
  await insight({ dashboards: [1] })
  await call('PATCH', `${PATH}/1`, { tiles: [{ id: 1, color: 'red' }, { text: { body: 'x' } }] })
  const same = (await call('POST', PATH, { name: 'b', use_dashboard: 1 })).body
  expect(same).toMatchObject({
    creation_mode: 'duplicate',
    tiles: [{ color: 'red', insight: { id: 1 } }, { text: { body: 'x' } }],
  })
  const copy = (await call('POST', PATH, { name: 'c', use_dashboard: 1, duplicate_tiles: true })).body
  expect(copy.tiles).toMatchObject([
    { color: 'red', insight: { id: 2, name: 'Buyers (copy)', filters: FILTERS } },
    { text: { body: 'x' } },
  ])
  expect((await call('GET', `${INSIGHTS}/1`)).body.dashboards).toEqual([1, 2])
  await call('PATCH', `${INSIGHTS}/2`, { name: 'Own' })
  expect((await call('GET', `${INSIGHTS}/1`)).body.name).toBe('Buyers')
  expect((await call('POST', '/api/datasets/blog/dashboards', { use_dashboard: 1 })).status).toBe(400)
})

test('a document makes the dashboard that it was exported from', async () => {
  const { call, insight } = await opened()
  await call('POST', PATH, { name: 'a', description: 'd', tags: ['t'], filters: { date_from: '-30d' } })
  await insight({ dashboards: [1], description: 'who' })
  await call('PATCH', `${PATH}/1`, { tiles: [{ id: 1, color: 'red' }, { text: { body: 'x' } }] })
  const template = (await call('GET', `${PATH}/1/export.json`)).body
  const made = await call('POST', '/api/datasets/blog/dashboards/create_from_template_json', { template })
  expect(made.status).toBe(201)
  expect((await call('GET', '/api/datasets/blog/dashboards/1/export.json')).body).toEqual(template)
  const wrong = { ...template, tiles: [{ type: 'INSIGHT', name: 'a', filters: { insight: 'SQL' } }] }
  const refused = await call('POST', `${PATH}/create_from_template_json`, { template: wrong })
  expect([refused.status, refused.body.attr]).toEqual([400, 'filters__insight'])
  expect((await call('POST', `${PATH}/create_from_template_json`, {})).status).toBe(400)
})

test('the numbers of a dashboard come as a table, and not by half', async () => {
  const { call, insight, get, key } = await opened(() => rows(5))
  await call('POST', PATH, {})
  await insight({ dashboards: [1], name: '=x' })
  expect((await get(`${PATH}/1/export.csv?refresh=force_cache`, key)).json().code).toBe('not_ready')
  const csv = await get(`${PATH}/1/export.csv`, key)
  expect(csv.headers['content-disposition']).toBe('attachment; filename="dashboard-1.csv"')
  expect(csv.body).toBe(
    `tile,insight,series,point,value\r\n1,'=x,purchase,2026-11-20,0\r\n1,'=x,purchase,2026-11-21,5\r\n1,'=x,purchase,2026-11-22,0\r\n`,
  )
  expect(csv.headers['last-modified']).toBe('Sun, 22 Nov 2026 12:00:00 GMT')
  expect((await get(`${PATH}/1?format=csv`, key)).body).toBe(csv.body)
  expect((await get(`${PATH}/1/export.csv?csv_mode=raw`, key)).body).toContain('1,=x,')
  await insight({ dashboards: [1], filters: { actions: [{ id: 7 }] } })
  expect((await get(`${PATH}/1/export.csv`, key)).statusCode).toBe(400)
})

test('insights go with a dashboard where that is asked for, but not those of another one', async () => {
  const { call, insight } = await opened()
  for (const name of ['a', 'b']) await call('POST', PATH, { name })
  await insight({ dashboards: [1] })
  await insight({ dashboards: [1, 2] })
  await call('PATCH', `${PATH}/1`, { delete_insights: true })
  expect((await call('GET', INSIGHTS)).body.count).toBe(2)
  await call('PATCH', `${PATH}/1`, { deleted: true, delete_insights: true })
  expect((await call('GET', INSIGHTS)).body.results.map(({ id }: { id: number }) => id)).toEqual([2])
  expect((await call('PATCH', `${INSIGHTS}/1`, { deleted: false })).status).toBe(200)
})

test('who makes or deletes insights by way of a dashboard needs the right to do so', async () => {
  const { call, send, personalKey } = await opened()
  await call('POST', PATH, {})
  const key = await personalKey(['dashboard:write'])
  const template = { template_name: 'a', tiles: [] }
  for (const [method, url, body] of [
    ['POST', PATH, { use_template: 'traffic' }],
    ['POST', PATH, { use_dashboard: 1, duplicate_tiles: true }],
    ['POST', `${PATH}/create_from_template_json`, { template }],
    ['PATCH', `${PATH}/1`, { deleted: true, delete_insights: true }],
  ] as const) {
    const refused = await send(method, url, key, body)
    expect([refused.status, refused.body.detail]).toEqual([403, expect.stringContaining('insight:write')])
  }
  expect((await send('POST', PATH, key, { use_dashboard: 1 })).status).toBe(201)
})

test('what was done to a dashboard is written down', async () => {
  const { call } = await opened()
  await call('POST', PATH, { name: 'a' })
  await call('PATCH', `${PATH}/1/sharing`, { enabled: true })
  await call('PATCH', `${PATH}/1/sharing`, { enabled: false })
  const { results } = (await call('GET', `${PATH}/1/activity`)).body
  expect(results.map(({ activity }: { activity: string }) => activity)).toEqual([
    'unshared',
    'shared',
    'created',
  ])
})
