import { expect, test } from 'vitest'
import { familyBehaviour } from '../objects/family-behaviour.ts'
import { recordingEnvironment } from '../recording-environment.ts'

const bought = {
  type: 'behavioral',
  value: 'performed_event',
  key: 'purchase',
  event_type: 'events',
  time_value: 30,
  time_interval: 'day',
}
const pro = { type: 'person', key: 'plan', operator: 'exact', value: ['pro'] }
const cohort = (value: number) => ({ type: 'cohort', key: 'id', value })
const of = (...values: object[]) => ({ properties: { type: 'AND', values } })
const any = (...values: object[]) => ({ properties: { type: 'OR', values } })
const wrong = (over: object, attr: string, code = 'invalid_input') =>
  [{ filters: of({ ...bought, ...over }) }, `filters__properties__values__0${attr}`, code] as const
const multiple = { value: 'performed_event_multiple' }
const regularly = { value: 'performed_event_regularly', min_periods: 3, total_periods: 4 }
const recent = { seq_time_value: 7, seq_time_interval: 'day' }

familyBehaviour({
  tag: 'cohorts',
  object: 'cohort',
  least: { name: 'Buyers', filters: of(bought) },
  absent: {
    description: '',
    groups: [],
    is_static: false,
    // Somebody has to calculate it first.
    is_calculating: true,
    last_calculation: null,
    errors_calculating: 0,
    count: null,
  },
  whole: { name: 'Buyers 🙂', description: 'All of them', filters: any(of(bought, pro).properties, pro) },
  change: { description: 'Changed' },
  wrong: [
    [{ name: undefined }, 'name', 'required'],
    [{ name: '' }, 'name', 'blank'],
    [{ name: 'x'.repeat(401) }, 'name', 'max_length'],
    [{ description: 5 }, 'description', 'invalid_input'],
    [{ is_static: 'yes' }, 'is_static', 'invalid_input'],
    [{ filters: undefined }, 'filters', 'required'],
    [{ filters: [] }, 'filters', 'invalid_input'],
    [{ filters: {} }, 'filters', 'required'],
    [{ filters: of() }, 'filters', 'required'],
    [{ filters: { properties: pro } }, 'filters', 'invalid_input'],
    [{ filters: { ...of(pro), more: 1 } }, 'filters__more', 'invalid_input'],
    [
      { filters: of({ type: 'event', key: 'a', value: 'b' }) },
      'filters__properties__values__0',
      'invalid_input',
    ],
    [
      { filters: of({ type: 'hogql', key: 'event', value: null }) },
      'filters__properties__values__0',
      'invalid_input',
    ],
    [
      { filters: of({ ...bought, event_filters: [{ type: 'hogql', key: 'count() > 1', value: null }] }) },
      'filters__properties__values__0__event_filters',
      'invalid_query',
    ],
    [{ filters: of({ ...pro, operator: 'sql' }) }, 'filters__properties__values__0', 'invalid_input'],
    [{ filters: of({ ...pro, as_of: 'event' }) }, 'filters__properties__values__0', 'invalid_input'],
    [{ filters: of(cohort(99)) }, 'filters', 'invalid_input'],
    [{ filters: of({ ...bought, event_type: 'actions', key: 99 }) }, 'filters', 'invalid_input'],
    [{ filters: of(...Array(51).fill(pro)) }, 'filters__properties__values__50', 'invalid_input'],
    wrong({ value: 'performed_events' }, '__value'),
    wrong({ more: 1 }, ''),
    wrong({ time_value: 0 }, '__time_value'),
    wrong({ time_value: 1.5 }, '__time_value'),
    wrong({ time_value: 21, time_interval: 'year' }, '__time_value'),
    wrong({ time_interval: 'days' }, '__time_interval'),
    wrong({ event_type: 'tables' }, '__key'),
    wrong({ event_filters: [5] }, '__event_filters'),
    wrong({ ...multiple, operator: 'ne' }, '__operator'),
    wrong({ ...multiple, operator_value: -1 }, '__operator_value'),
    wrong({ ...regularly, min_periods: 5 }, '__min_periods'),
    wrong({ ...regularly, total_periods: 61 }, '__total_periods'),
    wrong({ value: 'performed_event_sequence', seq_event: 'a' }, '__seq_time_value'),
    // Windows nest.
    wrong({ value: 'stopped_performing_event', ...recent, time_value: 7 }, '__seq_time_value'),
    wrong({ value: 'restarted_performing_event', ...recent, seq_time_value: 31 }, '__seq_time_value'),
    wrong(
      { value: 'performed_event_sequence', seq_event: 'a', ...recent, time_value: 7 },
      '__seq_time_value',
    ),
    wrong(
      { value: 'performed_event_sequence', seq_event: 'a', ...recent, seq_time_value: 31 },
      '__seq_time_value',
    ),
    // A negation stands in an AND, beside something that is not negated.
    [{ filters: of({ ...bought, negation: true }) }, 'filters__properties', 'invalid_input'],
    [{ filters: any(pro, { ...bought, negation: true }) }, 'filters__properties', 'invalid_input'],
    [
      { filters: of(pro, of({ ...bought, negation: true }).properties) },
      'filters__properties__values__1',
      'invalid_input',
    ],
  ],
})

const PATH = '/api/datasets/shop/cohorts'

async function opened() {
  const system = recordingEnvironment(({ sql }) =>
    sql.includes('AS members') ? [{ members: 2, entered: 2, gone: 0 }] : [],
  )
  const key = await system.personalKey(['*'], ['shop', 'blog'])
  const call = (method: 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE', path = '', body?: unknown) =>
    system.send(method, `${PATH}${path}`, key, body)
  /** Sends a file. */
  async function upload(path: string, type: string, payload: string) {
    const headers = { authorization: `Bearer ${key}`, 'content-type': type }
    const response = await system.app.inject({ method: 'POST', url: `${PATH}${path}`, headers, payload })
    return { status: response.statusCode, body: response.json() }
  }
  return { ...system, key, call, upload }
}

test('a list is searched by names, in any case, where no character means another', async () => {
  const { call } = await opened()
  for (const name of ['Buyers', 'Buyers 100%', 'Guests'])
    await call('POST', '', { name, description: 'buyers', filters: of(pro) })
  const found = async (search: string) =>
    (await call('GET', `?search=${encodeURIComponent(search)}`)).body.results
      .map(({ id }: { id: number }) => id)
      .toSorted()
  expect(await found('')).toEqual([1, 2, 3])
  expect(await found('bUYER')).toEqual([1, 2])
  expect(await found('0%')).toEqual([2])
  expect(await found('B_yers')).toEqual([])
})

test('a cohort is never made of itself, whatever lies between', async () => {
  const { call } = await opened()
  await call('POST', '', { name: 'one', filters: of(pro) })
  await call('POST', '', { name: 'two', filters: of(cohort(1)) })
  await call('POST', '', {
    name: 'three',
    filters: of({ ...bought, event_filters: [cohort(2)] }),
  })
  for (const filters of [of(cohort(1)), of(pro, cohort(2)), of(any(pro, cohort(3)).properties)])
    expect(await call('PATCH', '/1', { filters })).toMatchObject({
      status: 400,
      body: { attr: 'filters', detail: expect.stringContaining('made of itself') },
    })
  expect((await call('PATCH', '/2', { filters: of(pro) })).status).toBe(200)
  expect((await call('PATCH', '/1', { filters: of(cohort(2)) })).status).toBe(200)
})

test('only a change of the criteria asks for a calculation, and forgets errors', async () => {
  const { call, env } = await opened()
  await call('POST', '', { name: 'one', filters: of(pro) })
  await env.metadata.db.updateTable('cohorts').set({ is_due: 0, errors: 20 }).execute()
  expect((await call('PATCH', '/1', { name: 'other', filters: of(pro) })).body).toMatchObject({
    is_calculating: false,
    errors_calculating: 20,
  })
  expect((await call('PATCH', '/1', { filters: of(bought) })).body).toMatchObject({
    is_calculating: true,
    errors_calculating: 0,
  })
})

test('a static cohort takes no criteria, stays static, and is not calculated', async () => {
  const { call } = await opened()
  expect(await call('POST', '', { name: 'a', is_static: true, filters: of(pro) })).toMatchObject({
    status: 400,
    body: { attr: 'filters' },
  })
  expect((await call('POST', '', { name: 'a', is_static: true })).body).toMatchObject({
    is_static: true,
    is_calculating: false,
    count: 2,
    last_calculation: '2026-11-22T12:00:00.000Z',
  })
  for (const [method, body] of [
    ['PATCH', { is_static: false }],
    ['PUT', { name: 'a' }],
  ] as const)
    expect((await call(method, '/1', body)).body).toMatchObject({ attr: 'is_static' })
  expect((await call('POST', '/1/calculate')).status).toBe(400)
  expect((await call('POST', '', { name: 'b', filters: of(pro) })).status).toBe(201)
  expect((await call('POST', '/2/persons', { distinct_ids: ['a'] })).status).toBe(400)
})

test('a file of distinct ids makes a static cohort: as a form, or plain', async () => {
  const { upload, env } = await opened()
  const inserted: string[] = []
  env.clickhouse.insert = async (table, _format, body) => {
    inserted.push(`${table} ${String(body)}`)
  }
  const form = (...parts: string[]) => `${parts.map((part) => `--x\r\n${part}\r\n`).join('')}--x--\r\n`
  const field = (name: string, value: string) =>
    `Content-Disposition: form-data; name="${name}"\r\n\r\n${value}`
  const file =
    'Content-Disposition: form-data; name="csv"; filename="a.csv"\r\nContent-Type: text/csv\r\n\r\nname,distinct_id\r\nAnn,u1\r\n"B, B",u2'
  const MULTIPART = 'multipart/form-data; boundary=x'
  const made = await upload('', MULTIPART, form(field('name', 'Listed'), field('is_static', 'true'), file))
  expect(made).toMatchObject({ status: 201, body: { name: 'Listed', is_static: true, count: 2 } })
  const plain = await upload('?name=Plain', 'text/csv', '\ufeffu3\n\nu4\nu3\n')
  expect(plain).toMatchObject({ status: 201, body: { id: 2, name: 'Plain' } })
  expect((await upload('/2/persons', 'text/csv', 'u5')).status).toBe(200)
  const rows = (id: number, calculation: number, ...ids: string[]) =>
    `cohort_members ${ids
      .map((distinct_id) => JSON.stringify({ dataset_id: 'shop', cohort_id: id, calculation, distinct_id }))
      .join('\n')}`
  expect(inserted).toEqual([rows(1, 1, 'u1', 'u2'), rows(2, 1, 'u3', 'u4'), rows(2, 2, 'u5')])
  for (const [type, payload, attr, code] of [
    [MULTIPART, 'no form', 'body', 'parse_error'],
    [MULTIPART, form(field('name', 'a')), 'csv', 'required'],
    [MULTIPART, form(file), 'name', 'required'],
    [MULTIPART, form(field('name', 'a'), field('is_static', 'false'), file), 'is_static', 'invalid_input'],
    [MULTIPART, form(field('name', 'a'), field('tenant', 'b'), file), 'tenant', 'invalid_input'],
    ['text/csv', 'a\n"b', 'csv', 'parse_error'],
    ['text/csv', 'a'.repeat(401), 'csv', 'max_length'],
  ] as const)
    expect([payload, await upload(type === 'text/csv' ? '?name=c' : '', type, payload)]).toEqual([
      payload,
      expect.objectContaining({ status: 400, body: expect.objectContaining({ attr, code }) }),
    ])
  expect((await upload('?name=c', 'text/csv', 'a\n'.repeat(101_000))).status).toBe(413)
  expect((await upload('/1/duplicate', 'text/csv', 'a')).status).toBe(415)
})

test('a cohort whose members could not be written is not made', async () => {
  const { call, env, upload } = await opened()
  env.clickhouse.insert = async () => {
    throw new Error('gone')
  }
  expect((await upload('?name=a', 'text/csv', 'u1')).status).toBe(500)
  expect((await call('GET')).body.count).toBe(0)
})

test('the people behind a number make a static cohort, groups do not', async () => {
  const { call, env } = await opened()
  const told: string[] = []
  env.clickhouse.command = async (sql) => {
    told.push(sql)
  }
  const query = { people: 'trends', parameters: { events: [{ id: 'purchase' }] } }
  expect(await call('POST', '', { name: 'a', query })).toMatchObject({
    status: 201,
    body: { is_static: true, count: 2 },
  })
  expect(told[0]).toMatch(/^INSERT INTO cohort_members .* FROM \(SELECT actor AS person FROM \(/)
  for (const [over, attr] of [
    [{ query: { ...query, people: 'surveys' } }, 'query__people'],
    [{ query: { people: 'funnel', parameters: {} } }, 'events'],
    [{ query: { ...query, parameters: { ...query.parameters, aggregation_group_type_index: 0 } } }, 'query'],
    [{ query, is_static: false }, 'is_static'],
  ] as const)
    expect([attr, (await call('POST', '', { name: 'a', ...over })).body]).toEqual([
      attr,
      expect.objectContaining({ attr }),
    ])
})

test('a query of actors makes a static cohort of all of them, as its parameters do', async () => {
  const filled = async (query: object) => {
    const { call, env } = await opened()
    const told: unknown[] = []
    env.clickhouse.command = async (...given) => {
      told.push(given.slice(0, 2))
    }
    const { status, body } = await call('POST', '', { name: 'a', query })
    expect([status, body.is_static, body.count]).toEqual([201, true, 2])
    return told[0]
  }
  const series = [{ kind: 'EventsNode', event: 'purchase' }]
  const source = { kind: 'InsightActorsQuery', source: { kind: 'TrendsQuery', series }, series: 0 }
  const events = [{ id: 'purchase', type: 'events', order: 0 }]
  const expected = await filled({ people: 'trends', parameters: { events, actions: [], entity_order: 0 } })
  expect(expected).toBeDefined()
  expect(await filled(source)).toEqual(expected)
  expect(await filled({ kind: 'ActorsQuery', source, select: ['id'] })).toEqual(expected)
  const retention = { kind: 'RetentionQuery', retentionFilter: { totalIntervals: 5 } }
  expect(
    await filled({
      kind: 'ActorsQuery',
      source: { ...source, source: retention, series: null, interval: 2 },
    }),
  ).toEqual(await filled({ people: 'retention', parameters: { total_intervals: 5, selected_interval: 2 } }))
  const { call } = await opened()
  for (const [query, attr] of [
    [{ kind: 'TrendsQuery', series }, 'query__kind'],
    [{ kind: 'ActorsQuery' }, 'query__source'],
    [{ kind: 'ActorsQuery', source: { kind: 'HogQLQuery' } }, 'query__source__kind'],
    [{ kind: 'ActorsQuery', source, limit: 100 }, 'query__limit'],
    [{ ...source, offset: 100 }, 'query__offset'],
    [{ ...source, colour: 'red' }, 'query__colour'],
    [{ ...source, source: { ...source.source, aggregation_group_type_index: 0 } }, 'query'],
  ] as const)
    expect([attr, (await call('POST', '', { name: 'a', query })).body]).toEqual([
      attr,
      expect.objectContaining({ attr }),
    ])
})

test('a copy has the criteria, or the members; neither without a calculation', async () => {
  const { call, env } = await opened()
  await call('POST', '', { name: 'one', description: 'd', filters: of(pro) })
  expect((await call('POST', '/1/duplicate')).body).toMatchObject({
    id: 2,
    name: 'one (copy)',
    description: 'd',
    filters: of(pro),
    is_static: false,
  })
  const early = await call('POST', '/1/duplicate_as_static_cohort', {})
  expect([early.status, early.body.code]).toEqual([400, 'not_calculated'])
  await env.metadata.db.updateTable('cohorts').set({ calculation: 1 }).execute()
  expect((await call('POST', '/1/duplicate_as_static_cohort', {})).body).toMatchObject({
    name: 'one (static copy)',
    is_static: true,
    filters: {},
  })
  expect((await call('POST', '/3/duplicate', { name: 'Mine' })).body).toMatchObject({
    name: 'Mine',
    is_static: true,
  })
  expect((await call('GET', '/1/duplicate_as_static_cohort')).status).toBe(405)
})

test('who is in it is a matter of persons, and of a finished calculation', async () => {
  const { call, send, personalKey } = await opened()
  await call('POST', '', { name: 'one', filters: of(pro) })
  const reader = await personalKey(['cohort:write'])
  for (const path of ['persons', 'persons.csv', 'history'])
    expect((await send('GET', `${PATH}/1/${path}`, reader)).status).toBe(403)
  expect((await send('GET', `${PATH}/1/calculations`, reader)).status).toBe(200)
  for (const path of ['persons', 'persons.csv'])
    expect((await call('GET', `/1/${path}`)).body.code).toBe('not_calculated')
  for (const path of ['persons', 'persons.csv', 'history', 'calculations'])
    expect((await call('GET', `/9/${path}`)).status).toBe(404)
  expect((await call('GET', '/1/persons?search=a')).body.attr).toBe('search')
  expect((await call('GET', '/1/persons?limit=1001')).body.attr).toBe('limit')
  const stranger = await personalKey(['*'], ['blog'])
  expect((await send('GET', `${PATH}/1/persons`, stranger)).status).toBe(404)
  const { headers } = await call('GET', '/1/persons')
  expect(headers['ratelimit-policy']).toMatch(/clickhouse_burst|persons/)
})
