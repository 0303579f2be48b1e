import { expect, test } from 'vitest'
import { recordingEnvironment } from '../recording-environment.ts'

const PATH = '/api/datasets/shop/persons/ann/properties_timeline'
/** Ann is there, and nothing happened. */
const opened = () =>
  recordingEnvironment(({ sql }) => (sql.includes('AS asked') ? [{ asked: 'ann', key: 'ann' }] : []))

test.each([
  ['date_from=yesterday', 'date_from'],
  ['events={}', 'events'],
  ['events=[]', 'events'],
  ['events=[{"id":"a","colour":1}]', 'events__colour'],
  [`events=${JSON.stringify(Array(11).fill({ id: 'a' }))}`, 'events'],
  ['events=[{"id":"a"}]&event=b', 'event'],
  ['event=a&math=all', 'events__math'],
  ['actions=[{"id":"a"}]', 'actions__id'],
  ['actions=[{"id":7}]', 'actions__id'],
  ['properties=[{"key":"a","value":{}}]', 'properties'],
  ['properties=[{"type":"cohort","key":"id","value":7}]', 'properties'],
  ['filter_test_accounts=perhaps', 'filter_test_accounts'],
  ['breakdown=["a","b","c","d"]', 'breakdown'],
  ['breakdown_type=event', 'breakdown_type'],
  ['interval=year', 'interval'],
  ['display=Pie', 'display'],
  ['compare=true', 'compare'],
  ['sampling_factor=0.5', 'sampling_factor'],
])('%s is refused, naming the parameter', async (query, attr) => {
  const response = await opened().get(`${PATH}?${query}`)
  expect([response.statusCode, response.json().attr]).toEqual([400, attr])
})

test('a timeline is taken with what links to people send along, and is for whoever may read persons there', async () => {
  const { get, personalKey, keys } = opened()
  const sent =
    'insight=TRENDS&shown_as=Volume&entity_type=events&interval=hour&display=ActionsLineGraphCumulative'
  const response = await get(`${PATH}?date_from=2026-11-20&date_to=2026-11-21&math=monthly_active&${sent}`)
  expect([response.statusCode, response.json()]).toEqual([
    200,
    {
      points: [],
      crucial_property_keys: [],
      // 29 days before midnight in the zone of the dataset, summer time not over then.
      effective_date_from: '2026-10-21T22:00:00.000Z',
      effective_date_to: '2026-11-21T23:00:00.000Z',
      points_as_of: 'event',
      properties_now: {},
    },
  ])
  expect((await get(PATH, keys.blogRead)).statusCode).toBe(404)
  expect((await get(PATH, await personalKey(['insight:read']))).json().detail).toContain('person:read')
  const nobody = recordingEnvironment()
  expect((await nobody.get(PATH)).statusCode).toBe(404)
})

test('timelines have the burst of ClickHouse', async () => {
  const { get } = opened()
  let last = await get(PATH)
  for (let n = 0; n < 240 && last.statusCode === 200; n++) last = await get(PATH)
  expect([last.statusCode, last.json().type]).toEqual([429, 'throttled_error'])
})
