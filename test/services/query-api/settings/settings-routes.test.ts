import { expect, test } from 'vitest'
import { recordingEnvironment } from '../recording-environment.ts'

const PATH = '/api/datasets/shop/settings'
const FILTERS = [
  { key: 'email', type: 'person', operator: 'not_icontains', value: '@acme.example' },
  { key: "distinct_id not like 'test-%'", type: 'hogql', value: null },
]

async function opened(scopes: readonly string[] = ['project:write']) {
  const system = recordingEnvironment()
  const key = await system.personalKey(scopes)
  return {
    ...system,
    call: (method: 'GET' | 'PUT' | 'PATCH' | 'DELETE', body?: unknown) =>
      system.send(method, PATH, key, body),
  }
}

test('a dataset has settings before anybody made any, and reading makes none', async () => {
  const { call } = await opened()
  const none = { status: 200, body: { test_account_filters: [], updated_at: null, updated_by: null } }
  expect(await call('GET')).toMatchObject(none)
  expect(await call('GET')).toMatchObject(none)
})

test('PUT replaces all of it, PATCH what it names', async () => {
  const { call, clock } = await opened()
  expect(await call('PUT', { test_account_filters: FILTERS })).toMatchObject({
    status: 200,
    body: { test_account_filters: FILTERS, updated_at: '2026-11-22T12:00:00.000Z' },
  })
  await clock.advance(1_000)
  expect((await call('PATCH', {})).body.test_account_filters).toEqual(FILTERS)
  expect((await call('GET')).body).toMatchObject({
    test_account_filters: FILTERS,
    updated_at: '2026-11-22T12:00:01.000Z',
    updated_by: expect.stringMatching(/^personal_api_key:/),
  })
  expect((await call('PUT', {})).body.test_account_filters).toEqual([])
})

test.each([
  [{ test_account_filters: {} }, 'test_account_filters', 'invalid_input'],
  [{ test_account_filters: [{ key: 'a', operator: 'sql' }] }, 'test_account_filters', 'invalid_input'],
  [
    { test_account_filters: [{ key: 'a', value: 'b', type: 'table' }] },
    'test_account_filters',
    'invalid_input',
  ],
  [{ test_account_filters: [{ type: 'hogql', key: 'evnt' }] }, 'test_account_filters', 'invalid_query'],
  [{ test_account_filters: Array(51).fill(FILTERS[0]) }, 'test_account_filters', 'max_length'],
  [{ timezone: 'UTC' }, 'timezone', 'invalid_input'],
])('%j is a 400 about %s', async (body, attr, code) => {
  const { call } = await opened()
  for (const method of ['PUT', 'PATCH'] as const)
    expect(await call(method, body)).toMatchObject({ status: 400, body: { attr, code } })
  expect((await call('GET')).body.updated_at).toBe(null)
})

test('keys without the scope, and of other datasets, set and see nothing; limits are counted', async () => {
  const { send, personalKey, call } = await opened()
  const stranger = await personalKey(['*'], ['blog'])
  const reader = await personalKey(['project:read'])
  const other = await personalKey(['action:write'])
  const statuses = async (key: string | null) => [
    (await send('GET', PATH, key)).status,
    (await send('PUT', PATH, key, {})).status,
    (await send('PATCH', PATH, key, {})).status,
  ]
  expect(await statuses(stranger)).toEqual([404, 404, 404])
  expect(await statuses(other)).toEqual([403, 403, 403])
  expect(await statuses(reader)).toEqual([200, 403, 403])
  expect(await statuses(null)).toEqual([401, 401, 401])
  const { headers } = await call('GET')
  expect(headers['ratelimit-policy']).toBe('480;w=60;comment="burst"')
})
