import { expect, test } from 'vitest'
import { decodeCreatedCursor } from '../../../../services/query-api/query/created-cursor.ts'
import { recordingEnvironment } from '../recording-environment.ts'

const PATH = '/api/datasets/shop/groups'
const record = (n: number) => ({ group_key: `g${n}`, created_ms: String(9 - n), properties: '{"n":1}' })

test('a page asks for one group more than it shows, and says where the next one begins', async () => {
  const { get } = recordingEnvironment(() => [record(1), record(2), record(3)])
  const page = (await get(`${PATH}?group_type_index=2&limit=2`)).json()
  expect(page.results).toEqual([
    {
      group_type_index: 2,
      group_key: 'g1',
      group_properties: { n: 1 },
      created_at: '1970-01-01T00:00:00.008Z',
    },
    {
      group_type_index: 2,
      group_key: 'g2',
      group_properties: { n: 1 },
      created_at: '1970-01-01T00:00:00.007Z',
    },
  ])
  expect(decodeCreatedCursor(new URL(page.next).searchParams.get('cursor') ?? '')).toEqual({
    createdMs: 7,
    key: 'g2',
  })
})

test.each([
  ['', 'group_type_index'],
  ['?group_type_index=5', 'group_type_index'],
  ['?group_type_index=x', 'group_type_index'],
  ['?group_type_index=0&cursor=x', 'cursor'],
  ['?group_type_index=0&limit=1001', 'limit'],
  ['?group_type_index=0&offset=3', 'offset'],
  ['/find?group_type_index=0', 'group_key'],
  ['/find?group_key=a', 'group_type_index'],
  ['/related?group_type_index=0', 'id'],
  ['/property_values?group_type_index=0', 'key'],
  ['/property_values?key=a', 'group_type_index'],
])('groups%s is refused, naming the parameter', async (address, attr) => {
  const { get, asked } = recordingEnvironment()
  const response = await get(`${PATH}${address}`)
  expect([response.statusCode, response.json().attr, asked]).toEqual([400, attr, []])
})

test('groups need their own scope, are those of the dataset, and have the limits of ClickHouse', async () => {
  const { get, keys, personalKey } = recordingEnvironment()
  expect((await get(`${PATH}?group_type_index=0`, keys.blogRead)).statusCode).toBe(404)
  const other = await personalKey(['person:read'])
  expect((await get('/api/datasets/shop/groups_types', other)).json().detail).toContain('group:read')
  expect((await get(`${PATH}/find?group_type_index=0&group_key=nobody`)).statusCode).toBe(404)
  const own = await personalKey(['group:read'])
  for (let n = 0; n < 239; n++)
    expect((await get('/api/datasets/shop/groups_types', own)).statusCode).toBe(200)
  expect((await get('/api/datasets/shop/groups_types', own)).statusCode).toBe(429)
})
