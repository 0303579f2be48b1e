import { afterAll, beforeAll, expect, test } from 'vitest'
import { personIdOf } from '../../services/core/event/person-id.ts'
import { type ApiEngine, openApiEngine } from '../helpers/api-engine.ts'
import { idRow, personRow } from '../helpers/person-rows.ts'
import { NOW_MS } from '../services/query-api/recording-environment.ts'

let api: ApiEngine
const group = (index: number, key: string, properties: object, version = 1, dataset_id = 'shop') => ({
  dataset_id,
  group_type_index: index,
  group_key: key,
  created_at: '2026-11-01T00:00:00.000Z',
  properties: JSON.stringify(properties),
  is_deleted: false,
  version,
})
beforeAll(async () => {
  api = await openApiEngine()
  await api.insert('group_types', [
    { group_type: 'company', group_type_index: 0, version: 1 },
    { group_type: 'team', group_type_index: 1, version: 2 },
    { dataset_id: 'blog', group_type: 'paper', group_type_index: 0, version: 1 },
  ])
  await api.insert('groups', [
    group(0, 'acme', { name: 'Old', industry: 'toys' }),
    group(0, 'acme', { name: 'Acme', industry: 'retail' }, 5),
    group(0, 'bolt', { name: 'Bolt %', industry: 'retail' }),
    group(0, 'cord', {}),
    group(1, 'sales', { floor: 2 }),
    group(0, 'times', { name: 'Times' }, 1, 'blog'),
  ])
  await api.insert('persons', [
    personRow('ann', { properties: { email: 'ann@example.com' } }),
    personRow('bob'),
  ])
  await api.insert('person_distinct_ids', [idRow('ann', 'ann'), idRow('anon', 'ann', 3), idRow('bob', 'bob')])
  await api.insert('person_overrides', [{ distinct_id: 'anon', person_key: 'ann', version: 3 }])
  const event = (
    n: number,
    distinct_id: string,
    groups: object | null,
    daysAgo = 1,
    dataset_id = 'shop',
  ) => ({
    dataset_id,
    event_id: `e${n}`,
    event: 'x',
    distinct_id,
    event_time: new Date(NOW_MS - daysAgo * 86_400_000).toISOString(),
    collector_time: new Date(NOW_MS).toISOString(),
    src_offset: n,
    groups: groups === null ? null : JSON.stringify(groups),
    properties: '{}',
  })
  await api.insert('events', [
    event(1, 'anon', { company: 'acme', team: 'sales' }),
    event(2, 'ann', { company: 'acme' }),
    event(3, 'bob', { company: 'bolt' }),
    event(4, 'bob', { company: 'acme' }, 91),
    event(5, 'bob', null),
    event(6, 'zed', { company: 'acme', paper: 'acme' }, 1, 'blog'),
  ])
})
afterAll(() => api.close())

const read = async (path: string) => {
  const response = await api.get(`/api/datasets/shop/${path}`)
  expect([path, response.statusCode]).toEqual([path, 200])
  return response.json()
}
const keys = (rows: readonly { readonly group_key: string }[]) => rows.map(({ group_key }) => group_key)

test('groups are listed by kind as they are now, page by page, and searched by key and name', async () => {
  const first = await read('groups?group_type_index=0&limit=2')
  expect(keys(first.results)).toEqual(['acme', 'bolt'])
  expect(first.results[0].group_properties).toEqual({ name: 'Acme', industry: 'retail' })
  const second = await read(`groups${new URL(first.next).search}`)
  expect([keys(second.results), second.next]).toEqual([['cord'], null])
  for (const [search, found] of [
    ['ACM', ['acme']],
    ['t %', ['bolt']],
    ['old', []],
    ['b%t', []],
  ] as const)
    expect(
      keys((await read(`groups?group_type_index=0&search=${encodeURIComponent(search)}`)).results),
    ).toEqual(found)
})

test('one group is found by kind and key, and values and names of properties are counted', async () => {
  expect(await read('groups/find?group_type_index=1&group_key=sales')).toMatchObject({
    group_properties: { floor: 2 },
  })
  expect((await api.get('/api/datasets/shop/groups/find?group_type_index=1&group_key=acme')).statusCode).toBe(
    404,
  )
  expect(await read('groups/property_values?group_type_index=0&key=industry')).toEqual([
    { name: 'retail', count: 2 },
  ])
  expect(await read('groups/property_definitions')).toEqual({
    0: [
      { name: 'industry', count: 2 },
      { name: 'name', count: 2 },
    ],
    1: [{ name: 'floor', count: 1 }],
  })
  expect(await read('groups_types')).toEqual([
    { group_type: 'company', group_type_index: 0 },
    { group_type: 'team', group_type_index: 1 },
  ])
})

test('who and what goes with a group, or a person, follows from events of ninety days and from merges', async () => {
  expect(await read('groups/related?group_type_index=0&id=acme')).toMatchObject([
    { type: 'person', id: personIdOf('shop', 'ann'), distinct_ids: ['ann', 'anon'] },
    { type: 'group', group_type_index: 1, group_key: 'sales', properties: { floor: 2 } },
  ])
  expect(await read('groups/related?id=ann')).toMatchObject([
    { type: 'group', group_type_index: 0, group_key: 'acme' },
    { type: 'group', group_type_index: 1, group_key: 'sales' },
  ])
  expect(await read(`groups/related?id=${personIdOf('shop', 'bob')}`)).toMatchObject([{ group_key: 'bolt' }])
})
