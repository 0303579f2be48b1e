import { afterAll, beforeAll, expect, test } from 'vitest'
import { personIdOf } from '../../services/core/event/person-id.ts'
import { type ApiEngine, openApiEngine } from '../helpers/api-engine.ts'
import { idRow, personRow } from '../helpers/person-rows.ts'

let api: ApiEngine
beforeAll(async () => {
  api = await openApiEngine()
  await api.insert('persons', [
    personRow('ada', { created: '2026-11-03T00:00:00.000Z', properties: { email: 'old@example.com' } }),
    // The newest state of hers, and a person who went.
    personRow('ada', {
      created: '2026-11-02T00:00:00.000Z',
      properties: { email: 'ada@example.com', plan: 'pro', n: 3 },
      identified: true,
      version: 9,
    }),
    personRow('gone', { properties: { email: 'gone@example.com', plan: 'pro' } }),
    personRow('gone', { deleted: true, version: 4 }),
    personRow('bob', { created: '2026-11-04T00:00:00.000Z', properties: { Name: 'Bob %_', plan: 'free' } }),
    personRow('ada', { dataset: 'blog', properties: { email: 'ada@example.com' } }),
    ...Array.from({ length: 7 }, (_, n) => personRow(`same-${n}`, { properties: { plan: 'free', n } })),
    // Keys that need quoting, or are no key of a distinct id.
    personRow(`o'neil"\\{x:String}`, { created: '2026-10-01T00:00:00.000Z' }),
    personRow('off\u00015', { created: '2026-10-02T00:00:00.000Z' }),
  ])
  await api.insert('person_distinct_ids', [
    idRow('ada', 'ada'),
    idRow('anon-1', 'anon-1'),
    idRow('anon-1', 'ada', 5),
    idRow('018f2b4c-0000-7000-8000-00000000ad4a', 'ada', 6),
    idRow('gone', 'gone'),
    idRow('gone', '', 4, 'shop', true),
    idRow('bob', 'bob'),
    idRow('ada', 'ada', 1, 'blog'),
    idRow('only-blog', 'ada', 2, 'blog'),
    idRow(`o'neil"\\{x:String}`, `o'neil"\\{x:String}`),
    idRow('off', 'off\u00015', 5),
    ...Array.from({ length: 7 }, (_, n) => idRow(`same-${n}`, `same-${n}`)),
  ])
})
afterAll(() => api.close())

const list = async (query: Readonly<Record<string, string>> = {}) => {
  const response = await api.get(`/api/datasets/shop/persons?${new URLSearchParams(query)}`)
  expect([response.statusCode, response.body.slice(0, 300)]).toEqual([200, expect.anything()])
  return response.json()
}
const names = (page: { readonly results: readonly { readonly distinct_ids: readonly string[] }[] }) =>
  page.results.flatMap(({ distinct_ids }) => distinct_ids.slice(0, 1))
const id = (key: string) => personIdOf('shop', key)

test('a person is shown as it is now, with all of its distinct ids', async () => {
  const { results, next, previous } = await list({ distinct_id: 'anon-1' })
  expect({ next, previous }).toEqual({ next: null, previous: null })
  expect(results).toEqual([
    {
      type: 'person',
      id: id('ada'),
      uuid: id('ada'),
      name: 'ada@example.com',
      distinct_ids: ['018f2b4c-0000-7000-8000-00000000ad4a', 'ada', 'anon-1'],
      distinct_id_count: 3,
      properties: { email: 'ada@example.com', plan: 'pro', n: 3 },
      properties_as_of: 'now',
      created_at: '2026-11-02T00:00:00.000Z',
      is_identified: true,
    },
  ])
  // Not of another dataset, not who went, and not what a person was before.
  expect(await list({ distinct_id: 'only-blog' })).toMatchObject({ results: [] })
  expect(await list({ distinct_id: 'gone' })).toMatchObject({ results: [] })
  expect(await list({ email: 'old@example.com' })).toMatchObject({ results: [] })
})

test('a batch has each person under every name that was asked for, and nobody of another dataset', async () => {
  const batch = async (name: string, names: readonly string[]) => {
    const query = new URLSearchParams({ [name]: JSON.stringify(names) })
    const response = await api.get(`/api/datasets/shop/persons/batch_by_${name}?${query}`)
    expect(response.statusCode).toBe(200)
    return response.json().results
  }
  const odd = `o'neil"\\{x:String}`
  const found = await batch('distinct_ids', ['ada', 'anon-1', 'gone', 'only-blog', 'off', odd])
  expect(Object.keys(found)).toEqual(['ada', 'anon-1', 'off', odd])
  expect(found.ada).toEqual((await list({ distinct_id: 'ada' })).results[0])
  expect([found['anon-1'], found[odd].uuid]).toEqual([found.ada, id(odd)])
  const byUuid = await batch('uuids', [id('ada'), id('gone'), personIdOf('blog', 'ada')])
  expect(byUuid).toEqual({ [id('ada')]: found.ada })
})

test('the newest come first, each once, and no page is shorter than its limit while another follows', async () => {
  for (const begun of [{}, { offset: '0' }]) {
    const found: string[] = []
    let page = await list({ limit: '2', include_total: 'true', ...begun })
    for (;;) {
      expect(page.count).toBe(11)
      found.push(...names(page))
      if (page.next === null) break
      expect(page.results).toHaveLength(2)
      expect(page.next).toContain('offset' in begun ? 'offset=' : 'cursor=')
      const response = await api.get(page.next.replace(/^http:\/\/[^/]+/, ''))
      page = response.json()
      if ('offset' in begun) expect(page.previous).toContain('offset=')
    }
    expect(found).toEqual([
      'bob',
      '018f2b4c-0000-7000-8000-00000000ad4a',
      ...Array.from({ length: 7 }, (_, n) => `same-${n}`),
      'off',
      `o'neil"\\{x:String}`,
    ])
  }
})

test.each([
  [{ email: 'ada@example.com' }, ['ada@example.com']],
  [{ search: 'ADA@ex' }, ['ada@example.com']],
  [{ search: 'bob %_' }, ['Bob %_']],
  [{ search: 'b%b' }, []],
  [{ search: 'anon-' }, ['ada@example.com']],
  [{ search: id('bob').toUpperCase() }, ['Bob %_']],
  [{ search: 'o\'neil"\\{' }, [`o'neil"\\{x:String}`]],
  [{ properties: '[{"key":"plan","value":"pro"}]' }, ['ada@example.com']],
  [{ properties: '[{"key":"n","value":"4","operator":"gt","type":"person"}]' }, ['same-6', 'same-5']],
  [{ properties: '[{"key":"plan","operator":"is_not_set"}]' }, ['off', `o'neil"\\{x:String}`]],
  [
    {
      properties:
        '{"type":"OR","values":[{"key":"email","operator":"regex","value":"^ada@"},{"key":"Name","value":"Bob %_"}]}',
    },
    ['Bob %_', 'ada@example.com'],
  ],
  [{ properties: '[{"key":"plan","operator":"regex","value":"("}]' }, []],
])('persons are found by %j', async (query, expected) => {
  const { results } = await list(query as Record<string, string>)
  const found = results.map(({ name }: { name: string }) => name)
  expect(found.sort()).toEqual([...expected].sort())
})

test('one person is found by its id in any case, and by each of its distinct ids', async () => {
  for (const one of [id('ada'), id('ada').toUpperCase(), 'anon-1', '018f2b4c-0000-7000-8000-00000000ad4a']) {
    const response = await api.get(`/api/datasets/shop/persons/${encodeURIComponent(one)}`)
    expect([one, response.statusCode, response.json().uuid]).toEqual([one, 200, id('ada')])
  }
  const split = await api.get(`/api/datasets/shop/persons/${id('off\u00015')}`)
  expect(split.json()).toMatchObject({ name: 'off', distinct_ids: ['off'] })
  for (const one of ['gone', id('gone'), 'only-blog', personIdOf('blog', 'ada'), 'off\u00015'])
    expect((await api.get(`/api/datasets/shop/persons/${encodeURIComponent(one)}`)).statusCode).toBe(404)
})

test('values of a property are counted over persons as they are', async () => {
  const values = async (query: string) => (await api.get(`/api/datasets/shop/persons/values?${query}`)).json()
  expect(await values('key=plan')).toEqual([
    { name: 'free', count: 8 },
    { name: 'pro', count: 1 },
  ])
  expect(await values('key=email')).toEqual([{ name: 'ada@example.com', count: 1 }])
  expect(await values('key=n&value=3&limit=5')).toEqual([{ name: '3', count: 2 }])
})

test('a file has a line per person and says where it goes on', async () => {
  const response = await api.get('/api/datasets/shop/persons.csv?limit=2')
  const lines = response.body.split('\r\n')
  expect(lines[0]).toBe('id,name,created_at,is_identified,distinct_ids,properties')
  expect(lines).toHaveLength(4)
  expect(response.headers.link).toMatch(/cursor=[^>]+>; rel="next"$/)
})

test('a client who sends SQL gets what he asked for, and nothing else', async () => {
  for (const evil of [`' OR 1=1 --`, `x') OR 1=1 UNION ALL SELECT name FROM system.tables --`, '{p0:String}'])
    for (const parameter of ['distinct_id', 'email', 'search'])
      expect((await list({ [parameter]: evil })).results).toEqual([])
})
