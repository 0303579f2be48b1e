import { expect, test } from 'vitest'
import {
  decodeCreatedCursor,
  encodeCreatedCursor,
} from '../../../../services/query-api/query/created-cursor.ts'
import { personName } from '../../../../services/query-api/query/person-name.ts'
import { type AskedQuestion, recordingEnvironment } from '../recording-environment.ts'

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

/** Persons of the records above, each with the distinct id of its key. */
const answeringBatches = ({ sql, parameters }: AskedQuestion) => {
  const names = Object.values(parameters).find(Array.isArray) as string[]
  const those = [record(1), record(2)]
  if (sql.includes('AND person_id IN'))
    return those
      .filter(({ person_id }) => names.includes(person_id))
      .map((one) => ({ asked: one.person_id, key: one.the_person }))
  if (sql.includes('AND distinct_id IN (') && sql.includes('AS asked'))
    return names.flatMap((asked) => (/^key-[12]$/.test(asked) ? [{ asked, key: asked }] : []))
  if (sql.includes('AS the_person')) return those.filter(({ the_person }) => names.includes(the_person))
  return []
}

test.each(['GET', 'POST'] as const)(
  '%s: many persons come by their distinct ids, or by their own',
  async (method) => {
    const { get, send, keys, asked } = recordingEnvironment(answeringBatches)
    const batch = async (name: string, names: readonly string[]) => {
      if (method === 'POST')
        return (await send('POST', `${PATH}/batch_by_${name}`, keys.shopRead, { [name]: names })).body
      return (
        await get(`${PATH}/batch_by_${name}?${name}=${encodeURIComponent(JSON.stringify(names))}`)
      ).json()
    }
    const byId = await batch('distinct_ids', ['key-2', 'nobody', 'key-1', 'key-2', '__proto__'])
    expect(Object.entries<{ uuid: string }>(byId.results).map(([id, { uuid }]) => [id, uuid])).toEqual([
      ['key-2', record(2).person_id],
      ['key-1', record(1).person_id],
    ])
    // Ids of persons are one in any case; the answer has them as they were sent.
    const upper = record(1).person_id.toUpperCase()
    const byUuid = await batch('uuids', [upper, 'no uuid', record(3).person_id])
    expect(Object.keys(byUuid.results)).toEqual([upper])
    expect(asked.every(({ sql }) => sql.includes('dataset_id = '))).toBe(true)
  },
)

test.each([
  ['distinct_ids', {}, 'distinct_ids'],
  ['distinct_ids', { distinct_ids: [] }, 'distinct_ids'],
  ['distinct_ids', { distinct_ids: 'ann' }, 'distinct_ids'],
  ['distinct_ids', { distinct_ids: ['a', 1] }, 'distinct_ids__1'],
  ['distinct_ids', { distinct_ids: ['a', ''] }, 'distinct_ids__1'],
  ['distinct_ids', { distinct_ids: ['a\0'] }, 'distinct_ids__0'],
  ['distinct_ids', { distinct_ids: ['a'.repeat(401)] }, 'distinct_ids__0'],
  ['distinct_ids', { distinct_ids: Array(201).fill('a') }, 'distinct_ids'],
  ['distinct_ids', { distinct_ids: ['a'], uuids: [] }, 'uuids'],
  ['uuids', { uuids: Array(201).fill('a') }, 'uuids'],
  ['uuids', { uuids: [null] }, 'uuids__0'],
] as const)('a batch by %s of %j is refused, naming the field', async (name, body, attr) => {
  const { send, keys, asked } = recordingEnvironment(answeringBatches)
  const answer = await send('POST', `${PATH}/batch_by_${name}`, keys.shopRead, body)
  expect([answer.status, answer.body.attr, asked]).toEqual([400, attr, []])
})

test('a batch needs the right to read persons of that dataset, by POST too, and has their limit', async () => {
  const { send, keys, personalKey, asked } = recordingEnvironment(answeringBatches)
  for (const [name, body] of [
    ['distinct_ids', { distinct_ids: ['key-1'] }],
    ['uuids', { uuids: [record(1).person_id] }],
  ] as const) {
    const path = `${PATH}/batch_by_${name}`
    expect((await send('POST', path, keys.blogRead, body)).status).toBe(404)
    expect((await send('POST', path, await personalKey(['insight:read']), body)).body.detail).toContain(
      'person:read',
    )
    expect((await send('DELETE', path, await personalKey(['person:write']))).status).toBe(405)
  }
  const asking = asked.length
  const body = { distinct_ids: ['nobody'] }
  let last = await send('POST', `${PATH}/batch_by_distinct_ids`, keys.shopRead, body)
  for (let n = 1; last.status === 200 && n <= 240; n++)
    last = await send('POST', `${PATH}/batch_by_distinct_ids`, keys.shopRead, body)
  expect([last.status, last.body.type, asked.length > asking]).toEqual([429, 'throttled_error', true])
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
  ['/batch_by_distinct_ids', 'distinct_ids'],
  ['/batch_by_distinct_ids?distinct_ids=ada', 'distinct_ids'],
  ['/batch_by_uuids?uuids=[]', 'uuids'],
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
