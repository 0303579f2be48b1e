import { expect, test } from 'vitest'
import { personIdOf } from '../../../../services/core/event/person-id.ts'
import { recordingEnvironment } from '../recording-environment.ts'

const expressed = (math_hogql: string) =>
  `events=${encodeURIComponent(JSON.stringify([{ id: 'a', math: 'hogql', math_hogql }]))}`

const STEPS = 'events=[{"id":"a"},{"id":"b"}]'

test.each([
  ['interval=second', 'interval'],
  ['interval=hour;', 'interval'],
  ['date_from=-5x', 'date_from'],
  ['date_from=2026-01-02&date_to=2026-01-01', 'date_to'],
  ['interval=hour&date_from=2020-01-01', 'interval'],
  ['events=[]', 'events'],
  ['events={"id":"a"}', 'events'],
  ['events=[{"id":"a","math":"p50"}]', 'events__math'],
  ['events=[{"id":"a","math":"sum"}]', 'events__math_property'],
  ['events=[{"id":"a","math":"unique_group"}]', 'events__math_group_type_index'],
  ['events=[{"id":"a","order":-1}]', 'events__order'],
  ['events=[{"id":"a","colour":"red"}]', 'events__colour'],
  ['actions=[{"id":"a"}]', 'actions__id'],
  ['actions=[{"id":7}]', 'actions__id'],
  ['event=a&math=sql', 'events__math_sql'],
  [expressed('sum(properties.a'), 'events__math_hogql'],
  [expressed('properties.a'), 'events__math_hogql'],
  [expressed('count() + evnt'), 'events__math_hogql'],
  [expressed('max((SELECT 1))'), 'events__math_hogql'],
  [expressed('sleep(count())'), 'events__math_hogql'],
  [expressed('count() FROM events'), 'events__math_hogql'],
  [`display=ActionsLineGraphCumulative&${expressed('count()')}`, 'display'],
  ['compare=perhaps', 'compare'],
  ['formula=A/B', 'formula'],
  ['formula=A/(A', 'formula'],
  ['formula=sqrt(A)', 'formula'],
  ['breakdown=a&breakdown_type=hogql', 'breakdown'],
  ['breakdown=["event","a"]&breakdown_type=sql', 'breakdown'],
  ['breakdown=count()&breakdown_type=hogql', 'breakdown'],
  ['breakdown=["event","event","event","event"]&breakdown_type=hogql', 'breakdown'],
  ['properties=[{"type":"hogql","key":"evnt = 5","value":null}]', 'properties'],
  ['properties=[{"type":"pypeql","value":"event"}]', 'properties'],
  ['properties=[{"type":"recording","key":"snapshots","value":5}]', 'properties'],
  ['events=[{"id":"a","properties":[{"type":"sql","key":"count() > 1"}]}]', 'events__properties'],
  ['breakdown=a&breakdown_type=cohort', 'breakdown'],
  ['breakdown=a&breakdown_type=session', 'breakdown'],
  ['breakdown=[5]&breakdown_type=cohort', 'properties'],
  ['breakdown=["a","b","c","d"]', 'breakdown'],
  ['smoothing_intervals=0', 'smoothing_intervals'],
  ['display=Pie', 'display'],
  ['display=ActionsLineGraphCumulative&math=weekly_active', 'display'],
  ['sampling_factor=0', 'sampling_factor'],
  ['sampling_factor=1.5', 'sampling_factor'],
  ['aggregation_group_type_index=5', 'aggregation_group_type_index'],
  ['properties=[{"key":"a","type":"element","value":"b"}]', 'properties'],
  ['properties=[{"key":"a","type":"session","value":"b"}]', 'properties'],
  ['properties=[{"key":"id","type":"cohort","value":"x"}]', 'properties'],
  ['properties=[{"key":"a","type":"group","value":"b"}]', 'properties'],
  ['events=[{"id":5}]', 'events__id'],
  ['breakdown=a&breakdown_limit=301', 'breakdown_limit'],
  ['format=xlsx', 'format'],
  ['constructor=1', 'constructor'],
  ['events=[{"id":"a"}]&event=b', 'event'],
])('trend: %s is a 400 that names its parameter', async (query, attr) => {
  const { get, asked } = recordingEnvironment()
  const response = await get(`/api/datasets/shop/insights/trend?${query}`)
  expect(response.statusCode).toBe(400)
  expect(response.json()).toMatchObject({ type: 'validation_error', attr })
  expect(asked).toEqual([])
})

test('what is refused as not supported is told with what is', async () => {
  const { get } = recordingEnvironment()
  const detail = async (query: string) =>
    (await get(`/api/datasets/shop/insights/trend?${query}`)).json().detail
  expect(await detail('colour=red')).toMatch(/^colour is not supported here\. What is: event, math, /)
  expect(await detail('shown_as=Pie')).toBe('shown_as is not supported here, except as Volume.')
  expect(await detail('insight=FUNNELS')).toBe('insight is not supported here, except as TRENDS.')
})

test('parameters that ask for what is done anyway are taken', async () => {
  const { get } = recordingEnvironment()
  const query =
    'insight=TRENDS&display=ActionsLineGraph&compare=false&breakdown_type=event&refresh=true&formula='
  expect((await get(`/api/datasets/shop/insights/trend?${query}`)).statusCode).toBe(200)
})

test.each([
  [`funnel?${STEPS}`, 'insight=FUNNELS&display=ActionsBar&breakdown_type=event&shown_as=Volume'],
  ['retention?period=Week', 'insight=RETENTION&display=ActionsTable&interval=week'],
  ['path?step_limit=3', 'insight=PATHS&display=PathsViz&interval=day'],
  [`stickiness?${STEPS}`, 'insight=STICKINESS&display=ActionsTable&shown_as=Stickiness'],
  ['lifecycle?event=a', 'insight=LIFECYCLE&display=ActionsBar&shown_as=Lifecycle'],
  ['timing?pairing=each', 'insight=TIMING&display=ActionsLineGraph'],
])('insights/%s takes what it is sent along that asks for nothing else: %s', async (address, along) => {
  const plain = recordingEnvironment()
  const full = recordingEnvironment()
  const { statusCode } = await plain.get(`/api/datasets/shop/insights/${address}`)
  const given = await full.get(
    `/api/datasets/shop/insights/${address}&${along}&compare=false&smoothing_intervals=1`,
  )
  expect([statusCode, given.statusCode, given.json().attr]).toEqual([200, 200, undefined])
  expect(full.asked.map(({ sql }) => sql)).toEqual(plain.asked.map(({ sql }) => sql))
})

test.each([
  ['shown_as=Stickiness&stickiness_criteria={"operator":"gte","value":2}', 'stickiness'],
  ['insight=STICKINESS&interval=week&display=ActionsBar', 'stickiness'],
  ['insight=TRENDS&shown_as=Lifecycle&smoothing_intervals=1', 'lifecycle'],
  ['insight=LIFECYCLE&toggledLifecycles=["new"]', 'lifecycle'],
])('a trend with %s is a %s, as its own route answers it', async (asked, path) => {
  const { get } = recordingEnvironment()
  const common = 'events=[{"id":"a","math":"total"}]&date_from=-3d'
  const given = await get(`/api/datasets/shop/insights/trend?${common}&${asked}`)
  const own = asked.replaceAll(/(insight|shown_as)=[A-Za-z]+&?/g, '')
  const expected = await get(`/api/datasets/shop/insights/${path}?${common}&${own}`)
  expect(given.statusCode).toBe(200)
  expect(given.json().result).toEqual(expected.json().result)
  expect(given.json().result[0].persons_urls[0].url).toContain(`/persons/${path}?`)
  const file = await get(`/api/datasets/shop/insights/trend.csv?${common}&${asked}`)
  expect(file.body).toBe((await get(`/api/datasets/shop/insights/${path}.csv?${common}&${own}`)).body)
})

test('an answer is kept for a minute, by its question alone, and computed anew or later for who asks so', async () => {
  const { get, asked, clock, keys } = recordingEnvironment()
  const path = '/api/datasets/shop/insights/lifecycle'
  const ask = async (query: string, key = keys.shopRead) => (await get(`${path}${query}`, key)).json()
  const first = await ask('?event=a&date_from=-1d')
  expect(first).toMatchObject({
    is_cached: false,
    last_refresh: '2026-11-22T12:00:00.000Z',
    next_allowed_client_refresh: '2026-11-22T12:01:00.000Z',
    query_status: null,
    timezone: 'Europe/Berlin',
  })
  const statements = asked.length
  await clock.advance(59_999)
  const again = { ...first, is_cached: true }
  expect(await ask('?date_from=-1d&event=a')).toEqual(again)
  expect(await ask(`?date_from=-1d&event=a&personal_api_key=${keys.shopRead}`)).toEqual(again)
  const file = await get(`${path}.csv?event=a&date_from=-1d`)
  expect(file.headers['last-modified']).toBe('Sun, 22 Nov 2026 12:00:00 GMT')
  expect(asked.length).toBe(statements)
  expect(await ask('?event=a&date_from=-1d&refresh=force_blocking')).toMatchObject({ is_cached: false })
  expect(await ask('?event=b&date_from=-1d&refresh=force_cache')).toMatchObject({ result: null })
  expect((await get(`${path}.csv?event=b&refresh=force_cache`)).json()).toMatchObject({ code: 'not_ready' })
  const begun = await get(`${path}?event=b&refresh=async&client_query_id=mine`)
  expect([begun.statusCode, begun.json()]).toMatchObject([202, { query_status: { id: 'mine' } }])
  expect(await ask('?event=a&refresh=soon')).toMatchObject({ attr: 'refresh' })
})

test('a funnel of groups takes steps that say so', async () => {
  const { get } = recordingEnvironment()
  const events = '[{"id":"a","math":"unique_group","math_group_type_index":1},{"id":"b","math":"dau"}]'
  const address = `/api/datasets/shop/insights/funnel?events=${events}&aggregation_group_type_index=1`
  expect((await get(address)).statusCode).toBe(200)
})

test('rules of paths do not count where path_replacements is false', async () => {
  const rules = '[{"regex":"secret","alias":"x"}]'
  const bound = async (over: string) => {
    const { get, asked } = recordingEnvironment()
    await get(`/api/datasets/shop/insights/path?local_path_cleaning_filters=${rules}${over}`)
    return asked.some(({ sql }) => sql.includes('replaceRegexpAll'))
  }
  expect([await bound(''), await bound('&path_replacements=true')]).toEqual([true, true])
  expect(await bound('&path_replacements=false')).toBe(false)
})

test('a trend as CSV has a line per series and value, and a column per interval', async () => {
  const { get } = recordingEnvironment(({ sql }) =>
    sql.includes('start_ms')
      ? [{ start_ms: String(Date.parse('2026-11-20T23:00:00Z')), line: '1,2', is_other: 0, amount: '5' }]
      : [{ value: '1,2' }],
  )
  const query = 'date_from=-2d&events=[{"id":"a","name":"=x"}]&breakdown=p'
  const text = `series,20-Nov-2026,21-Nov-2026,22-Nov-2026\r\n"'=x - 1,2",0,5,0\r\n`
  const suffix = await get(`/api/datasets/shop/insights/trend.csv?${query}`)
  expect(suffix.body).toBe(text)
  expect(suffix.headers['content-disposition']).toBe('attachment; filename="shop-trend.csv"')
  const parameter = await get(`/api/datasets/shop/insights/trend?${query}&format=csv&csv_mode=raw`)
  expect(parameter.headers['content-type']).toContain('text/csv')
  expect(parameter.body).toBe(text.replace("'", ''))
})

test('a trend is zero-filled in the time zone of the dataset', async () => {
  const { get } = recordingEnvironment(() => [
    { start_ms: String(Date.parse('2026-11-20T23:00:00Z')), line: '', is_other: 0, amount: '5' },
  ])
  const body = (await get('/api/datasets/shop/insights/trend?date_from=-2d&event=page_view')).json()
  expect(body).toMatchObject({ is_cached: false, timezone: 'Europe/Berlin', next: null })
  expect(body.result).toEqual([
    {
      action: {
        id: 'page_view',
        type: 'events',
        order: 0,
        name: 'page_view',
        custom_name: null,
        math: 'total',
      },
      label: 'page_view',
      count: 5,
      data: [0, 5, 0],
      labels: ['20-Nov-2026', '21-Nov-2026', '22-Nov-2026'],
      days: ['2026-11-20', '2026-11-21', '2026-11-22'],
      persons_urls: ['2026-11-19', '2026-11-20', '2026-11-21'].map((day) => ({
        url: expect.stringContaining(
          `/api/datasets/shop/persons/trends?date_from=-2d&event=page_view&entity_order=0&point=${day}T23%3A00%3A00.000Z`,
        ),
      })),
    },
  ])
})

test('a question may be posted as JSON, lists as lists, and is the same question', async () => {
  const got = recordingEnvironment()
  const posted = recordingEnvironment()
  const events = [{ id: 'a', math: 'dau', properties: [{ key: 'k', value: ['x', 'y'] }] }]
  const query = new URLSearchParams({ events: JSON.stringify(events), interval: 'week', compare: 'true' })
  await got.get(`/api/datasets/shop/insights/trend?${query}`)
  const response = await posted.app.inject({
    method: 'POST',
    url: '/api/datasets/shop/insights/trend?interval=day',
    headers: { authorization: `Bearer ${posted.keys.shopRead}` },
    payload: { events, interval: 'week', compare: true },
  })
  expect(response.statusCode).toBe(200)
  const asked = ({ sql, parameters }: { sql: string; parameters: unknown }) => ({ sql, parameters })
  expect(posted.asked.map(asked)).toEqual(got.asked.map(asked))
})

test.each([
  ['funnel?events=[]', 'events'],
  [`funnel?${STEPS}&funnel_order_type=random`, 'funnel_order_type'],
  [`funnel?${STEPS}&funnel_window_interval=0`, 'funnel_window_interval'],
  [`funnel?${STEPS}&funnel_window_interval_unit=year`, 'funnel_window_interval_unit'],
  [`funnel?${STEPS}&funnel_from_step=1&funnel_to_step=0`, 'funnel_from_step'],
  [`funnel?${STEPS}&funnel_to_step=2`, 'funnel_to_step'],
  [`funnel?${STEPS}&exclusions=[{"id":"x","funnel_from_step":1,"funnel_to_step":1}]`, 'exclusions'],
  [`funnel?${STEPS}&exclusions=[{"id":"x","funnel_from_step":0,"funnel_to_step":2}]`, 'exclusions'],
  [`funnel?${STEPS}&bin_count=91`, 'bin_count'],
  [
    `funnel?${STEPS}&breakdown_attribution_type=step&breakdown_attribution_value=2`,
    'breakdown_attribution_value',
  ],
  [
    'funnel?events=[{"id":"a"},{"id":"a"}]&funnel_order_type=unordered&breakdown=plan&breakdown_attribution_type=step',
    'breakdown_attribution_value',
  ],
  [`funnel?${STEPS}&funnel_aggregate_by_hogql=x`, 'funnel_aggregate_by_hogql'],
  [
    `funnel?${STEPS}&funnel_aggregate_by_hogql=event&aggregation_group_type_index=0`,
    'funnel_aggregate_by_hogql',
  ],
  [`funnel/correlation?${STEPS}&funnel_aggregate_by_hogql=event`, 'funnel_aggregate_by_hogql'],
  ['funnel/correlation?events=[{"id":"a"}]', 'events'],
  [`funnel/correlation?${STEPS}&funnel_correlation_type=properties`, 'funnel_correlation_names'],
  ['funnel?events=[{"id":"a","math":"sum","math_property":"b"}]', 'events__math'],
  ['funnel?events=[{"id":"a","math":"unique_group","math_group_type_index":1}]', 'events__math'],
  [`funnel?${STEPS}&exclusions=[{"id":"x","math":"first_time_for_user"}]`, 'exclusions__math'],
  [`funnel?${STEPS}&compare=true`, 'compare'],
  [`funnel?${STEPS}&display=ActionsLineGraphCumulative`, 'display'],
  ['stickiness?events=[{"id":"a","math":"weekly_active"}]', 'events__math'],
  ['stickiness?events=[{"id":"a","math":"unique_group"}]', 'events__math_group_type_index'],
  [`stickiness?${STEPS}&smoothing_intervals=2`, 'smoothing_intervals'],
  ['lifecycle?events=[{"id":"a","math":"unique_session"}]', 'events__math'],
  ['retention?period=Week&interval=day', 'interval'],
  ['retention?compare=true', 'compare'],
  ['path?interval=fortnight', 'interval'],
  ['path?path_replacements=perhaps', 'path_replacements'],
  ['trend?shown_as=Stickiness&event=a', 'event'],
  ['trend?shown_as=Lifecycle&event=a&formula=A', 'formula'],
  ['retention?period=Year', 'period'],
  ['retention?total_intervals=61', 'total_intervals'],
  ['retention?retention_type=often', 'retention_type'],
  ['retention?target_entity={"id":"a","type":"cohorts"}', 'target_entity__type'],
  ['stickiness', 'events'],
  [`stickiness?${STEPS}&stickiness_criteria={"operator":"gt","value":1}`, 'stickiness_criteria'],
  [`lifecycle?${STEPS}`, 'events'],
  ['lifecycle?event=a&toggledLifecycles=["gone"]', 'toggledLifecycles'],
  ['path?step_limit=1', 'step_limit'],
  ['path?step_limit=2&start_point=/a&end_point=/b', 'step_limit'],
  ['path?edge_limit=1001', 'edge_limit'],
  ['path?include_event_types=["hogql"]', 'paths_hogql_expression'],
  ['path?include_event_types=["hogql"]&paths_hogql_expression=evnt', 'paths_hogql_expression'],
  ['path?paths_hogql_expression=event', 'include_event_types'],
  ['path?include_event_types=["sql"]', 'include_event_types'],
  [
    'path?funnel_paths=funnel_path_after_step&funnel_filter={"events":[{"id":"a"}],"funnel_aggregate_by_hogql":"event"}',
    'funnel_aggregate_by_hogql',
  ],
  ['path?local_path_cleaning_filters=[{"alias":"x"}]', 'local_path_cleaning_filters'],
  ['path?local_path_cleaning_filters=[{"regex":"(a)","alias":"\\\\1"}]', 'local_path_cleaning_filters'],
  ['path?funnel_paths=funnel_path_after_step', 'funnel_filter'],
  [
    'path?funnel_paths=funnel_path_between_steps&funnel_filter={"events":[{"id":"a"},{"id":"b"}],"funnel_step":-2}',
    'funnel_filter',
  ],
  ['timing?pairing=all', 'pairing'],
  ['timing?window_interval_unit=year', 'window_interval_unit'],
])('%s is a 400 that names its parameter', async (address, attr) => {
  const { get, asked } = recordingEnvironment()
  const response = await get(`/api/datasets/shop/insights/${address}`)
  expect(response.json()).toMatchObject({ type: 'validation_error', attr })
  expect(response.statusCode).toBe(400)
  expect(asked).toEqual([])
})

test.each([
  ['trends?event=a&entity_order=1', 'entity_order'],
  ['trends?event=a&limit=1001', 'limit'],
  ['trends?event=a&breakdown=p', 'breakdown_value'],
  ['trends?event=a&point=soon', 'point'],
  [`funnel?${STEPS}&funnel_step=-1`, 'funnel_step'],
  [`funnel?${STEPS}&funnel_step=3`, 'funnel_step'],
  [`funnel?${STEPS}&funnel_aggregate_by_hogql=event`, 'funnel_aggregate_by_hogql'],
  [`funnel?${STEPS}&funnel_custom_steps=[]`, 'funnel_custom_steps'],
  [`funnel?${STEPS}&funnel_custom_steps=[1,3]`, 'funnel_custom_steps'],
  [`funnel?${STEPS}&funnel_step=1&funnel_custom_steps=[1]`, 'funnel_custom_steps'],
  [`funnel?${STEPS}&bin_start=soon`, 'bin_start'],
  [`funnel?${STEPS}&bin_start=60&entrance_period_start=2026-11-22`, 'bin_start'],
  [`funnel/correlation?${STEPS}`, 'funnel_correlation_event'],
  ['timing?bin_start=1', 'bin_start'],
  [`stickiness?${STEPS}`, 'stickiness_days'],
  ['lifecycle?event=a', 'target_date'],
  ['path?path_start_key=home', 'path_start_key'],
  ['path?path_start_key=1_a&path_end_key=3_b', 'path_end_key'],
  ['retention?selected_interval=11', 'selected_interval'],
])('persons/%s is a 400 that names its parameter', async (address, attr) => {
  const { get } = recordingEnvironment()
  const response = await get(`/api/datasets/shop/persons/${address}`)
  expect(response.json()).toMatchObject({ type: 'validation_error', attr })
  expect(response.statusCode).toBe(400)
})

test('JSON in an address that is nested thousands of levels deep is a 400, not a stack that overflows', async () => {
  const { get } = recordingEnvironment()
  const deep = '['.repeat(4_000) + ']'.repeat(4_000)
  const address = `path?funnel_paths=funnel_path_after_step&funnel_filter={"events":${deep}}`
  const response = await get(`/api/datasets/shop/insights/${address}`)
  expect(response.json()).toMatchObject({ type: 'validation_error', attr: 'funnel_filter' })
  expect(response.statusCode).toBe(400)
})

test.each([
  ['stickiness', 'date_from=-6d&events=[{"id":"a"}]&stickiness_days=2'],
  ['lifecycle', 'date_from=-6d&event=a&lifecycle_type=returning&target_date=2026-11-22'],
])('a page of the people behind %s says who, how many, and where the others are', async (kind, asked) => {
  const { get, keys } = recordingEnvironment(({ sql }) => {
    if (sql.includes('AS actors')) return [{ actors: '3', value: '5', missing: '1' }]
    if (sql.startsWith('SELECT actor, amount'))
      return [
        { actor: 'ann', amount: '3' },
        { actor: 'bob', amount: 1 },
      ]
    return sql.includes('AS key, argMax')
      ? [{ key: 'ann', properties: '{"plan":"pro"}', created_ms: '0' }]
      : []
  })
  const path = `/api/datasets/shop/persons/${kind}?${asked}`
  const { results, next, initial, ...others } = (await get(`${path}&limit=2`)).json()
  expect(results).toEqual([
    {
      people: [
        {
          type: 'person',
          id: personIdOf('shop', 'ann'),
          uuid: personIdOf('shop', 'ann'),
          name: 'ann',
          distinct_ids: ['ann'],
          properties: { plan: 'pro' },
          properties_as_of: 'now',
          created_at: '1970-01-01T00:00:00.000Z',
          value_at_data_point: 3,
        },
        expect.objectContaining({ name: 'bob', properties: {}, created_at: null, value_at_data_point: 1 }),
      ],
      count: 3,
      value: 5,
    },
  ])
  expect(others).toEqual({ missing_persons: 1, is_cached: false, last_refresh: '2026-11-22T12:00:00.000Z' })
  const offsets = [next, initial].map((address) => new URL(address).searchParams.get('offset'))
  expect([offsets, new URL(next).pathname]).toEqual([['2', '0'], `/api/datasets/shop/persons/${kind}`])
  expect((await get(`${path}&limit=2&offset=2`)).json().next).toBe(null)
  expect((await get(path, keys.blogRead)).statusCode).toBe(404)
  expect((await get(`${path}&limit=0`)).json()).toMatchObject({ attr: 'limit' })
})
