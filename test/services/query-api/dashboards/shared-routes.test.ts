import { expect, test } from 'vitest'
import { recordingEnvironment } from '../recording-environment.ts'

const PATH = '/api/datasets/shop/dashboards'
const SECRET = { key: 'email', value: 'boss@example.com' }
const FILTERS = {
  events: [{ id: 'purchase', properties: [SECRET] }],
  date_from: '-2d',
  display: 'ActionsBar',
}

async function shared() {
  const system = recordingEnvironment(() => [
    { start_ms: String(Date.parse('2026-11-20T23:00:00Z')), line: '', is_other: 0, amount: '5' },
  ])
  const key = await system.personalKey(['*'], ['shop', 'blog'])
  const call = (method: 'GET' | 'POST' | 'PATCH' | 'DELETE', url: string, body?: unknown) =>
    system.send(method, url, key, body)
  await call('POST', PATH, { name: 'Sales' })
  await call('POST', PATH, { name: 'Other' })
  await call('POST', '/api/datasets/shop/insights', { name: 'Buyers', filters: FILTERS, dashboards: [1] })
  await call('POST', '/api/datasets/shop/insights', { name: 'Hidden', dashboards: [2] })
  await call('PATCH', `${PATH}/1`, { tiles: [{ text: { body: 'Hello' } }] })
  const { body } = await call('PATCH', `${PATH}/1/sharing`, { enabled: true })
  const address = (token: string) => `/shared/${token}.json`
  return { ...system, call, token: body.access_token as string, link: body.share_url as string, address }
}

test('whoever has the link reads that dashboard without a key, and nothing else of the dataset', async () => {
  const { get, link } = await shared()
  expect(link).toMatch(/^http:\/\/localhost(:80)?\/shared\/[A-Za-z0-9_-]{32}\.json$/)
  const response = await get(new URL(link).pathname, null)
  expect(response.statusCode).toBe(200)
  expect(response.json()).toMatchObject({
    name: 'Sales',
    timezone: 'Europe/Berlin',
    tiles: [
      {
        text: null,
        insight: { name: 'Buyers', insight: 'TRENDS', display: 'ActionsBar', result: [{ data: [0, 5, 0] }] },
      },
      { text: { body: 'Hello' }, insight: null },
    ],
  })
  for (const kept of ['boss@example.com', 'personal_api_key', 'persons_urls', 'Hidden', 'Other'])
    expect(response.body).not.toContain(kept)
  expect(response.headers).toMatchObject({ 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' })
})

test('the token is told once, and only its hash is kept', async () => {
  const { call, env, token } = await shared()
  const again = (await call('PATCH', `${PATH}/1/sharing`, { enabled: true })).body
  expect(again).toMatchObject({ enabled: true, access_token: null, mask_value: `…${token.slice(-4)}` })
  expect((await call('GET', `${PATH}/1/sharing`)).body).toEqual(again)
  const rows = await env.metadata.db.selectFrom('dashboard_shares').selectAll().execute()
  expect(rows).toHaveLength(1)
  expect(JSON.stringify(rows)).not.toContain(token)
  expect((await call('GET', `${PATH}/1`)).body.is_shared).toBe(true)
  expect(
    (await call('GET', PATH)).body.results.map(({ is_shared: is }: { is_shared: boolean }) => is),
  ).toEqual([false, true])
})

test.each([
  ['it is revoked', 'PATCH', `${PATH}/1/sharing`, { enabled: false }],
  ['the dashboard is deleted', 'PATCH', `${PATH}/1`, { deleted: true }],
  ['the dashboard is removed', 'DELETE', `${PATH}/1`, undefined],
] as const)('a link leads nowhere once %s', async (_, method, url, body) => {
  const { call, get, token, address } = await shared()
  expect((await get(address(token), null)).statusCode).toBe(200)
  await call(method, url, body)
  const gone = await get(address(token), null)
  expect(gone.statusCode).toBe(404)
  expect(gone.body).toBe((await get(address('A'.repeat(32)), null)).body)
})

test('after a link was revoked, the next one is another', async () => {
  const { call, get, token, address } = await shared()
  await call('PATCH', `${PATH}/1/sharing`, { enabled: false })
  const { access_token: next } = (await call('PATCH', `${PATH}/1/sharing`, { enabled: true })).body
  expect(next).not.toBe(token)
  expect([(await get(address(token), null)).statusCode, (await get(address(next), null)).statusCode]).toEqual(
    [404, 200],
  )
})

test.each(['', 'x', 'A'.repeat(31), `${'A'.repeat(32)}A`, "' OR 1=1 --", '%00', '..%2f..'])(
  'what is no token is a 404: %s',
  async (token) => {
    const { get } = await shared()
    expect((await get(`/shared/${token}.json`, null)).statusCode).toBe(404)
  },
)

test('who may share is a right of its own, and other datasets’ dashboards are not there', async () => {
  const { send, personalKey, keys } = await shared()
  const url = `${PATH}/1/sharing`
  const writer = await personalKey(['dashboard:write'])
  expect((await send('PATCH', url, writer, { enabled: false })).status).toBe(403)
  expect((await send('GET', url, keys.shopRead)).status).toBe(200)
  expect((await send('PATCH', url, keys.shopRead, { enabled: false })).status).toBe(403)
  const stranger = await personalKey(['*'], ['blog'])
  expect((await send('PATCH', url, stranger, { enabled: false })).status).toBe(404)
  expect((await send('PATCH', url.replace('shop', 'blog'), stranger, { enabled: true })).status).toBe(404)
  expect((await send('PATCH', url, null, { enabled: true })).status).toBe(401)
})

test('strangers are limited by their address, and use up nothing of the dataset', async () => {
  const { get, call, token, address } = await shared()
  for (let i = 0; i < 240; i++) await get(address(token), null)
  const refused = await get(address(token), null)
  expect([refused.statusCode, refused.json().detail]).toEqual([429, expect.stringContaining('this address')])
  expect((await call('GET', `${PATH}/1`)).status).toBe(200)
})

test('a link asks ClickHouse once while a result is fresh, whatever host it is asked under', async () => {
  const { app, asked, token, address } = await shared()
  for (const host of ['a.example', 'b.example', 'c.example'])
    expect((await app.inject({ url: address(token), headers: { host } })).statusCode).toBe(200)
  const first = asked.length
  await app.inject({ url: address(token), headers: { host: 'd.example' } })
  expect(asked.length).toBe(first)
})
