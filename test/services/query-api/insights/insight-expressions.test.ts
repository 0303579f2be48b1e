import { expect, test } from 'vitest'
import { DependencyError } from '../../../../services/core/runtime/errors.ts'
import { recordingEnvironment } from '../recording-environment.ts'

const STEPS = 'events=[{"id":"a"},{"id":"b"}]'
const EXPRESSED = 'properties=[{"type":"hogql","key":"match(event, properties.a)","value":null}]'

test.each([
  ['insights/trend', 'event=a'],
  ['insights/trend', 'event=a&breakdown=event&breakdown_type=hogql'],
  ['insights/retention', ''],
  ['persons/trends', 'event=a'],
])(
  'what the engine refuses in an expression of %s?%s is a 400, and nobody’s fault is told without one',
  async (path, query) => {
    const refused = new DependencyError(
      'clickhouse',
      'rejected',
      'Code: 44. In function match: must be constant',
    )
    const { get, asked } = recordingEnvironment(() => {
      throw refused
    })
    const response = await get(`/api/datasets/shop/${path}?${EXPRESSED}&${query}`)
    expect([response.statusCode, response.json()]).toMatchObject([
      400,
      { code: 'invalid_query', detail: expect.stringMatching(/constant.* It is about match\.$/), attr: null },
    ])
    expect(asked[0]?.options.settings?.additional_table_filters).toContain(
      String.raw`'events':'dataset_id = \'shop\''`,
    )
    const plain = await get(`/api/datasets/shop/insights/trend?event=a`)
    expect(plain.statusCode).toBe(500)
    expect(asked.at(-1)?.options.settings).not.toHaveProperty('additional_table_filters')
  },
)

test('expressions that are too long together are refused before they are asked', async () => {
  const { app, keys, asked } = recordingEnvironment()
  const key = Array(40).fill("properties.a != 'x'").join(' and ')
  const properties = Array(20).fill({ type: 'hogql', key, value: null })
  const response = await app.inject({
    method: 'POST',
    url: '/api/datasets/shop/insights/trend',
    headers: { authorization: `Bearer ${keys.shopRead}` },
    payload: { event: 'a', properties },
  })
  expect([response.statusCode, response.json()]).toMatchObject([
    400,
    { code: 'invalid_query', detail: expect.stringContaining('too long together') },
  ])
  expect(asked).toEqual([])
})

test('behind the texts of a funnel nobody is listed, behind its persons they are', async () => {
  const { get } = recordingEnvironment(() => [{ slot: '', counts: [2, 1], averages: [5], medians: [5] }])
  const steps = async (expression: string) => {
    const query = `funnel_aggregate_by_hogql=${encodeURIComponent(expression)}`
    const { result } = (await get(`/api/datasets/shop/insights/funnel?${STEPS}&${query}`)).json()
    return (result as { count: number; converted_people_url?: string }[]).map(
      ({ count, converted_people_url: url }) => [count, url !== undefined],
    )
  }
  expect(await steps('properties.$session_id')).toEqual([
    [2, false],
    [1, false],
  ])
  expect(await steps('person_id')).toEqual([
    [2, true],
    [1, true],
  ])
})
