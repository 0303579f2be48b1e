import { expect, test } from 'vitest'
import { recordingEnvironment } from '../recording-environment.ts'

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
  ['compare=perhaps', 'compare'],
  ['formula=A/B', 'formula'],
  ['formula=A/(A', 'formula'],
  ['formula=sqrt(A)', 'formula'],
  ['breakdown=a&breakdown_type=hogql', 'breakdown_type'],
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
  expect(await detail('shown_as=Lifecycle')).toBe('shown_as is not supported here, except as Volume.')
})

test('parameters that ask for what is done anyway are taken', async () => {
  const { get } = recordingEnvironment()
  const query =
    'insight=TRENDS&display=ActionsLineGraph&compare=false&breakdown_type=event&refresh=true&formula='
  expect((await get(`/api/datasets/shop/insights/trend?${query}`)).statusCode).toBe(200)
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
    },
  ])
})
