import { expect, test } from 'vitest'
import { definitionId } from '../../../../services/query-api/definitions/definition-lists.ts'
import { type AskedQuestion, NOW_MS, recordingEnvironment } from '../recording-environment.ts'

const BASE = '/api/datasets/shop'
const DAY_MS = 86_400_000
const seen = (name: string, daysAgo: number, volume: number) => ({
  name,
  first_ms: NOW_MS - 40 * DAY_MS,
  last_ms: NOW_MS - daysAgo * DAY_MS,
  volume,
})

/** A dataset with three events and three properties, one of which is a number. */
function shop() {
  let daysAgo = 0
  const answer = ({ sql, parameters }: AskedQuestion) => {
    if (sql.includes('topK'))
      return [
        { name: 'amount', type: 'Numeric' },
        { name: 'plan', type: 'String' },
      ]
    if (sql.includes('SELECT DISTINCT event')) return [{ event: 'purchase' }]
    if (sql.includes('newest_properties'))
      return sql.includes('FROM groups') ? [] : [{ name: 'email', volume: 3 }]
    const isFiltered = Object.values(parameters).some((value) => Array.isArray(value))
    if (sql.includes('arrayJoin(names)'))
      return [
        seen('amount', daysAgo, 9),
        ...(isFiltered ? [] : [seen('plan', 2, 30), seen('$feature/x', 1, 5)]),
      ]
    return [seen('purchase', daysAgo, 9), seen('page_view', 1, 90), seen('$pageview', 3, 40)]
  }
  const world = recordingEnvironment(answer)
  return { ...world, seenAgain: () => (daysAgo = -1) }
}
const names = (body: { results: { name: string }[] }) => body.results.map(({ name }) => name)

test.each([
  ['', ['$pageview', 'page_view', 'purchase']],
  ['?ordering=-volume', ['page_view', '$pageview', 'purchase']],
  ['?ordering=last_seen_at', ['$pageview', 'page_view', 'purchase']],
  ['?search=PAGE', ['$pageview', 'page_view']],
  ['?search=page view', ['$pageview', 'page_view']],
  ['?event_type=event_custom', ['page_view', 'purchase']],
  ['?event_type=event_posthog', ['$pageview']],
  ['?verified=true', []],
  ['?limit=1&offset=1', ['page_view']],
])('event_definitions%s lists %j', async (query, expected) => {
  const { get, asked } = shop()
  const { statusCode, body } = await get(`${BASE}/event_definitions${query}`)
  expect([statusCode, names(JSON.parse(body))]).toEqual([200, expected])
  expect(asked.every(({ parameters }) => Object.values(parameters).includes('shop'))).toBe(true)
})

test.each([
  ['', ['$feature/x', 'amount', 'plan']],
  ['?ordering=-volume', ['plan', 'amount', '$feature/x']],
  ['?is_numerical=true', ['amount']],
  ['?is_feature_flag=true', ['$feature/x']],
  ['?is_feature_flag=false', ['amount', 'plan']],
  ['?properties=plan,email', ['plan']],
  ['?excluded_properties=["plan"]', ['$feature/x', 'amount']],
  ['?event_names=["purchase"]&filter_by_event_names=true', ['amount']],
  ['?type=person', ['email']],
  ['?type=group&group_type_index=0', []],
])('property_definitions%s lists %j', async (query, expected) => {
  const { get } = shop()
  const { statusCode, body } = await get(`${BASE}/property_definitions${query}`)
  expect([statusCode, names(JSON.parse(body))]).toEqual([200, expected])
})

test('a list says which properties were seen on the events in question, and what values look like', async () => {
  const { get } = shop()
  const { results } = (await get(`${BASE}/property_definitions?event_names=["purchase"]`)).json()
  const told = results.map((row: Record<string, unknown>) => [
    row.name,
    row.is_seen_on_filtered_events,
    row.property_type,
  ])
  expect(told).toEqual([
    ['$feature/x', false, null],
    ['amount', true, 'Numeric'],
    ['plan', false, 'String'],
  ])
  const together = await get(
    `${BASE}/property_definitions/seen_together?event_names=["purchase","view"]&property_name=amount`,
  )
  expect(together.json()).toEqual({ purchase: true, view: false })
})

test('what is said of an event stays, is replaced by PUT, and is forgotten with its deletion', async () => {
  const { send, personalKey, get, seenAgain } = shop()
  const key = await personalKey(['event_definition:write'])
  const url = `${BASE}/event_definitions/${definitionId('shop', 'event', 'purchase')}`
  const said = { description: 'Paid.', tags: ['revenue'], verified: true }
  expect((await send('PATCH', url, key, said)).body).toMatchObject({
    name: 'purchase',
    ...said,
    updated_by: expect.stringContaining('personal_api_key'),
  })
  expect((await send('PATCH', url, key, { verified: false })).body).toMatchObject({
    ...said,
    verified: false,
  })
  expect((await get(url)).json()).toMatchObject({ ...said, verified: false, volume: 9 })
  expect(names((await get(`${BASE}/event_definitions?search=paid`)).json())).toEqual(['purchase'])
  expect((await send('PUT', url, key, { tags: ['a'] })).body).toMatchObject({
    description: '',
    tags: ['a'],
    verified: false,
  })
  expect((await send('DELETE', url, key)).status).toBe(204)
  expect((await get(url)).statusCode).toBe(404)
  expect((await send('DELETE', url, key)).status).toBe(404)
  expect(names((await get(`${BASE}/event_definitions`)).json())).toEqual(['$pageview', 'page_view'])
  seenAgain()
  expect((await get(url)).json()).toMatchObject({
    name: 'purchase',
    description: '',
    tags: [],
    verified: false,
    updated_at: null,
  })
  expect((await send('PATCH', url, key, { verified: true })).body).toMatchObject({
    description: '',
    verified: true,
  })
})

test('the type of a property is what somebody says it is, else what its values look like', async () => {
  const { send, personalKey, get } = shop()
  const key = await personalKey(['property_definition:write'])
  const url = `${BASE}/property_definitions/${definitionId('shop', 'property:event', 'plan')}`
  expect((await send('PATCH', url, key, { property_type: 'Numeric' })).body).toMatchObject({
    property_type: 'Numeric',
    is_numerical: true,
  })
  expect(names((await get(`${BASE}/property_definitions?is_numerical=true`)).json())).toEqual([
    'amount',
    'plan',
  ])
  expect((await send('PATCH', url, key, { property_type: null })).body.property_type).toBe('String')
  const person = `${BASE}/property_definitions/${definitionId('shop', 'property:person', 'email')}`
  expect((await send('PATCH', person, key, { description: 'Of the account.' })).body).toMatchObject({
    type: 'person',
    description: 'Of the account.',
  })
  expect((await send('DELETE', url, key)).status).toBe(204)
  expect(names((await get(`${BASE}/property_definitions`)).json())).toEqual(['$feature/x', 'amount'])
})

test.each([
  ['PATCH', { verified: 'yes' }, 'verified'],
  ['PATCH', { name: 'x' }, 'name'],
  ['PATCH', { property_type: 'Money' }, 'property_type'],
  ['PUT', { tags: 'a' }, 'tags'],
  ['PATCH', { description: 'x'.repeat(401) }, 'description'],
  ['PATCH', { description: 'a\0' }, 'description'],
] as const)('%s %j is a 400 that names its field', async (method, body, attr) => {
  const { send, personalKey } = shop()
  const key = await personalKey(['*'])
  const url = `${BASE}/property_definitions/${definitionId('shop', 'property:event', 'plan')}`
  expect(await send(method, url, key, body)).toMatchObject({ status: 400, body: { attr } })
})

test('definitions are of one dataset, and need their own rights', async () => {
  const { send, get, keys, personalKey } = shop()
  for (const tag of ['event_definitions', 'property_definitions']) {
    expect((await get(`${BASE}/${tag}`, keys.blogRead)).statusCode).toBe(404)
    expect((await get(`${BASE}/${tag}`, null)).statusCode).toBe(401)
    expect((await get(`${BASE}/${tag}/none`)).statusCode).toBe(404)
    expect((await get(`${BASE}/${tag}?order=name`)).statusCode).toBe(400)
    const reader = await personalKey(['event_definition:read', 'property_definition:read'])
    expect((await send('PATCH', `${BASE}/${tag}/none`, reader, {})).status).toBe(403)
    expect((await send('POST', `${BASE}/${tag}`, reader, {})).status).toBe(405)
    // An id of another dataset's name is none here.
    const foreign = definitionId('blog', 'event', 'purchase')
    expect((await get(`${BASE}/${tag}/${foreign}`)).statusCode).toBe(404)
  }
})
