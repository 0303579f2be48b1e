import { expect, test } from 'vitest'
import { recordingEnvironment } from '../recording-environment.ts'

test.each([
  ['interval=minute', 'interval'],
  ['interval=hour;', 'interval'],
  ['date_from=-5x', 'date_from'],
  ['date_from=2026-01-02&date_to=2026-01-01', 'date_to'],
  ['interval=hour&date_from=2020-01-01', 'interval'],
  ['math=sum', 'math'],
  ['events=[]', 'events'],
  ['events=[{"id":5}]', 'events__id'],
  ['events=[{"id":"a","math":"p99"}]', 'events__math'],
  ['breakdown=a&breakdown_limit=301', 'breakdown_limit'],
  ['format=xlsx', 'format'],
  ['compare=true', 'compare'],
  ['formula=A/B', 'formula'],
  ['breakdown=a&breakdown_type=cohort', 'breakdown_type'],
  ['smoothing_intervals=7', 'smoothing_intervals'],
  ['display=ActionsPie', 'display'],
  ['constructor=1', 'constructor'],
  ['events=[{"id":"a","math_property":"b"}]', 'events__math_property'],
  ['events=[{"id":"a","order":1}]', 'events__order'],
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
  expect(await detail('formula=A/B')).toMatch(/^formula is not supported here\. What is: event, math, /)
  expect(await detail('compare=true')).toBe('compare is not supported here, except as false.')
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
      ? [{ start_ms: String(Date.parse('2026-11-20T23:00:00Z')), value: '1,2', is_other: 0, amount: '5' }]
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
    { start_ms: String(Date.parse('2026-11-20T23:00:00Z')), value: '', is_other: 0, amount: '5' },
  ])
  const body = (await get('/api/datasets/shop/insights/trend?date_from=-2d&event=page_view')).json()
  expect(body).toMatchObject({ is_cached: false, timezone: 'Europe/Berlin', next: null })
  expect(body.result).toEqual([
    {
      action: { id: 'page_view', type: 'events', order: 0, name: 'page_view', math: 'total' },
      label: 'page_view',
      count: 5,
      data: [0, 5, 0],
      labels: ['20-Nov-2026', '21-Nov-2026', '22-Nov-2026'],
      days: ['2026-11-20', '2026-11-21', '2026-11-22'],
    },
  ])
})
