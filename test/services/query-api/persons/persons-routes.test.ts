import { expect, test } from 'vitest'
import {
  decodeCreatedCursor,
  encodeCreatedCursor,
} from '../../../../services/query-api/query/created-cursor.ts'
import { personName } from '../../../../services/query-api/query/person-name.ts'
import { recordingEnvironment } from '../recording-environment.ts'

const PATH = '/api/datasets/shop/persons'
const record = (n: number) => ({
  the_person: `key-${n}`,
  person_id: `0b0d6c0e-5d0f-5a63-9a4e-00000000000${n}`,
  created_ms: String(1_000 - n),
  is_identified: false,
  properties: '{"n":1}',
})

test('a page asks for one person more than it shows, and says where the next one begins', async () => {
  const { get, asked } = recordingEnvironment(({ sql }) =>
    sql.includes('ORDER BY created_at') ? [record(1), record(2), record(3)] : [],
  )
  const page = (await get(`${PATH}?limit=2&search=x&personal_api_key=`)).json()
  expect(page.results.map(({ name }: { name: string }) => name)).toEqual(['key-1', 'key-2'])
  expect(page.previous).toBe(null)
  const next = new URL(page.next)
  expect(decodeCreatedCursor(next.searchParams.get('cursor') ?? '')).toEqual({ createdMs: 998, key: 'key-2' })
  expect([next.searchParams.get('search'), next.searchParams.has('personal_api_key')]).toEqual(['x', false])
  expect(Object.values(asked[0]?.parameters ?? {})).toContain(3)
  expect(page).not.toHaveProperty('count')
})

test('many keys with long names are asked for in several statements', async () => {
  const long = (n: number) => ({ ...record(0), the_person: `${'k'.repeat(400)}${n}` })
  const { get, asked } = recordingEnvironment(({ sql }) =>
    sql.includes('ORDER BY created_at') ? Array.from({ length: 1_001 }, (_, n) => long(n)) : [],
  )
  const response = await get(`${PATH}?limit=1000`)
  expect(response.json().results).toHaveLength(1_000)
  expect(asked).toHaveLength(1 + 5)
})

test.each([
  ['?limit=0', 'limit'],
  ['?limit=1001', 'limit'],
  ['?offset=-1', 'offset'],
  ['?cursor=abc', 'cursor'],
  [`?offset=1&cursor=${encodeCreatedCursor({ createdMs: 1, key: 'k' })}`, 'offset'],
  [`?cursor=${Buffer.from('[1,2]').toString('base64url')}`, 'cursor'],
  ['?include_total=maybe', 'include_total'],
  ['?format=xml', 'format'],
  ['?email=a&email=b', 'email'],
  ['?unknown=1', 'unknown'],
  ['?cohort=3', 'properties'],
  ['?properties=[{"key":"a","value":1,"type":"event"}]', 'properties'],
  ['?properties=[{"key":"a","value":1,"type":"person","as_of":"event"}]', 'properties'],
  ['?properties=[{"key":"event","value":null,"type":"hogql"}]', 'properties'],
  ['?properties={', 'properties'],
  ['/values', 'key'],
  ['/values?key=a&limit=101', 'limit'],
  ['/ada?expand=1', 'expand'],
])('%s is refused, naming the parameter', async (address, attr) => {
  const { get, asked } = recordingEnvironment()
  const response = await get(`${PATH}${address}`)
  expect([response.statusCode, response.json().attr]).toEqual([400, attr])
  expect(asked).toEqual([])
})

test('a key for another dataset, without the scope or without any right finds nothing', async () => {
  const { get, keys, personalKey, asked } = recordingEnvironment()
  expect((await get(PATH, keys.blogRead)).statusCode).toBe(404)
  expect((await get(PATH, keys.shopWrite)).statusCode).toBe(403)
  expect((await get(PATH, null)).statusCode).toBe(401)
  const other = await personalKey(['insight:read'])
  expect((await get(PATH, other)).json().detail).toContain('person:read')
  expect(asked).toEqual([])
  const own = await personalKey(['person:read'])
  expect((await get(PATH, own)).statusCode).toBe(200)
  expect((await get(`${PATH}/nobody`, own)).statusCode).toBe(404)
})

test('persons have the burst of ClickHouse and an hour of their own', async () => {
  const { get } = recordingEnvironment()
  for (let n = 0; n < 240; n++) expect((await get(`${PATH}/values?key=a`)).statusCode).toBe(200)
  const refused = await get(PATH)
  expect([refused.statusCode, refused.json().type]).toEqual([429, 'throttled_error'])
  expect((await get('/api/datasets/shop/events')).statusCode).toBe(429)
})

test('a person is called by what names it best', () => {
  expect(personName({ Username: 'u', NAME: 'n', EMail: 'e' }, ['id'])).toBe('e')
  expect(personName({ email: '', name: 3, username: 'u' }, ['id'])).toBe('u')
  const drawn = '018f2b4c-0000-7000-8000-00000000ad4a'
  expect(personName({}, [drawn, 'ann'])).toBe('ann')
  expect(personName({}, [drawn])).toBe(drawn)
})
