import { expect, test } from 'vitest'
import { blockKey } from '../../../../services/core/recordings/block-names.ts'
import { recordingChunk, rrweb } from '../../../helpers/recording-chunks.ts'
import { recordingEnvironment } from '../recording-environment.ts'
import { sessionRow } from '../recordings/session-row.ts'

const PATH = '/api/datasets/shop/dashboards'
const SECRET = { key: 'email', value: 'boss@example.com' }
const FILTERS = {
  events: [{ id: 'purchase', properties: [SECRET] }],
  date_from: '-2d',
  display: 'ActionsBar',
}

/** The address of the same as JSON, without its host. */
const jsonOf = (link: string) => `${new URL(link).pathname}.json`

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
  expect(link).toMatch(/^http:\/\/localhost(:80)?\/shared\/[A-Za-z0-9_-]{32}$/)
  const response = await get(jsonOf(link), null)
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

test('the link itself is a page of the same, which runs and loads nothing', async () => {
  const { get, link } = await shared()
  const { statusCode, headers, body } = await get(new URL(link).pathname, null)
  expect([statusCode, headers['content-type']]).toEqual([200, 'text/html; charset=utf-8'])
  expect(headers).toMatchObject({
    'content-security-policy': expect.stringMatching(/^default-src 'none'; style-src 'unsafe-inline';/),
    'cache-control': 'no-store',
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
  })
  for (const told of ['<h1>Sales</h1>', '<h2>Buyers</h2>', '<td>5</td>', '<rect', 'Hello', 'Europe/Berlin'])
    expect(body).toContain(told)
  expect(body).toContain(`<a href="${new URL(link).pathname.slice('/shared/'.length)}.json">`)
  for (const kept of ['boss@example.com', 'personal_api_key', 'persons_urls', 'Hidden', 'Other', '<script'])
    expect(body).not.toContain(kept)
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
  expect((await get(`/shared/${token}`, null)).statusCode).toBe(404)
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
    for (const ending of ['', '.json', '/snapshots'])
      expect((await get(`/shared/${token}${ending}`, null)).statusCode).toBe(404)
  },
)

test('who may share is a right of its own beside that to read, and other datasets’ dashboards are not there', async () => {
  const { send, personalKey, keys } = await shared()
  const url = `${PATH}/1/sharing`
  for (const scopes of [['dashboard:write'], ['sharing_configuration:write']])
    expect((await send('PATCH', url, await personalKey(scopes), { enabled: false })).status).toBe(403)
  const sharer = await personalKey(['sharing_configuration:write', 'dashboard:read'])
  expect((await send('PATCH', url, sharer, { enabled: true })).status).toBe(200)
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

const INSIGHT = '/api/datasets/shop/insights/1'

test('an insight is shared alone, without what it filters by', async () => {
  const { call, get } = await shared()
  const { share_url: link } = (await call('PATCH', `${INSIGHT}/sharing`, { enabled: true })).body
  const response = await get(jsonOf(link), null)
  expect(response.json()).toMatchObject({
    name: 'Buyers',
    insight: 'TRENDS',
    display: 'ActionsBar',
    timezone: 'Europe/Berlin',
    result: [{ data: [0, 5, 0] }],
  })
  for (const kept of ['boss@example.com', 'personal_api_key', 'persons_urls', 'Sales'])
    expect(response.body).not.toContain(kept)
  expect((await get(`${new URL(link).pathname}/snapshots`, null)).statusCode).toBe(404)
  expect((await call('GET', '/api/datasets/shop/insights/1/activity')).body.results[0].activity).toBe(
    'shared',
  )
  await call('PATCH', INSIGHT, { deleted: true })
  expect((await get(jsonOf(link), null)).statusCode).toBe(404)
})

const SESSION = "s/'1"
const RECORDING = `/api/datasets/shop/session_recordings/${encodeURIComponent(SESSION)}`

async function sharedRecording() {
  const row = sessionRow(SESSION, { distinct_id: 'ann@example.com', start_url: 'https://x/' })
  const { chunk, compressed } = await recordingChunk({ id: 'e1', events: [rrweb.page(1_000, 'https://x/')] })
  const key = blockKey('shop', SESSION, 0, { topicId: 't', start: 0, end: 9 })
  const place = {
    window_id: 'w1',
    bytes: chunk.bytes,
    object_key: key,
    object_from: 0,
    object_bytes: compressed.length,
  }
  const there = { isThere: true }
  const system = recordingEnvironment(({ sql, parameters }) => {
    if (!there.isThere || !JSON.stringify(parameters).includes(JSON.stringify(SESSION))) return []
    if (sql.includes('started_ms')) return [row]
    return sql.includes('object_from') ? [place] : []
  })
  system.store.buckets.get('millrace')?.set(key, { bytes: compressed, metadata: {} })
  const sharer = await system.personalKey(['sharing_configuration:write', 'session_recording:read'])
  const share = (enabled: boolean) => system.send('PATCH', `${RECORDING}/sharing`, sharer, { enabled })
  return { ...system, sharer, share, there }
}

test('rows that somebody chose are asked for nobody who has a link', async () => {
  const { call, get, asked } = await shared()
  const query = { kind: 'SQLQuery', query: 'SELECT distinct_id FROM events' }
  const { id } = (await call('POST', '/api/datasets/shop/insights', { name: 'Ids', query, dashboards: [1] }))
    .body
  const { access_token: own } = (
    await call('PATCH', `/api/datasets/shop/insights/${id}/sharing`, { enabled: true })
  ).body
  asked.length = 0
  const alone = await get(`/shared/${own}.json`, null)
  expect(alone.json()).toMatchObject({ name: 'Ids', insight: 'SQL', result: null, last_refresh: null })
  expect(alone.body).not.toContain('distinct_id')
  expect(asked).toEqual([])
  const { access_token: next } = (await call('PATCH', `${PATH}/2/sharing`, { enabled: true })).body
  await call('PATCH', `/api/datasets/shop/insights/${id}`, { dashboards: [2] })
  const { tiles } = (await get(`/shared/${next}.json`, null)).json()
  expect(tiles.map(({ insight }: { insight: { name: string } }) => insight.name)).toEqual(['Hidden'])
  expect(asked.filter(({ sql }) => sql.includes('FORMAT'))).toEqual([])
})

test('a recording is shared to be played, without telling whose it is', async () => {
  const { share, get, keys, send } = await sharedRecording()
  const { status, body } = await share(true)
  expect(status).toBe(200)
  const page = await get(new URL(body.share_url).pathname, null)
  expect(page.body).toContain(`<code>${body.share_url}/snapshots</code>`)
  expect(page.body).not.toMatch(/ann@example\.com|s\/(&#39;|')1/)
  const told = await get(jsonOf(body.share_url), null)
  expect(told.json()).toEqual({
    recording_duration: 2.5,
    active_seconds: 2,
    start_time: '2026-11-22T11:59:55.000Z',
    end_time: '2026-11-22T11:59:57.500Z',
    click_count: 3,
    keypress_count: 4,
    console_log_count: 0,
    console_warn_count: 0,
    console_error_count: 1,
    start_url: 'https://x/',
    snapshots_url: `${body.share_url}/snapshots`,
  })
  const played = await get(new URL(told.json().snapshots_url).pathname, null)
  expect(played.json().snapshot_data_by_window_id).toEqual({ w1: [rrweb.page(1_000, 'https://x/')] })
  for (const { headers } of [told, played])
    expect(headers).toMatchObject({ 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' })
  const wrong = await get(`${new URL(told.json().snapshots_url).pathname}?limit=0`, null)
  expect([wrong.statusCode, wrong.json().attr]).toEqual([400, 'limit'])
  const { results } = (await send('GET', '/api/datasets/shop/session_recordings/activity', keys.shopRead))
    .body
  expect(results).toMatchObject([{ activity: 'shared', item_id: null, detail: { name: SESSION } }])
})

test('a link to a recording only reads, and ends with its revocation, and with the recording', async () => {
  const { share, get, app, there, sharer, send } = await sharedRecording()
  const path = async () => jsonOf((await share(true)).body.share_url)
  const first = await path()
  for (const method of ['PATCH', 'DELETE', 'POST'] as const)
    for (const url of [first, first.replace('.json', '/snapshots')])
      expect((await app.inject({ method, url })).statusCode).toBe(405)
  await share(false)
  const second = await path()
  for (const ending of ['.json', '/snapshots'])
    expect([
      (await get(first.replace('.json', ending), null)).statusCode,
      (await get(second.replace('.json', ending), null)).statusCode,
    ]).toEqual([404, 200])
  there.isThere = false
  for (const ending of ['.json', '/snapshots'])
    expect((await get(second.replace('.json', ending), null)).statusCode).toBe(404)
  expect((await send('GET', `${RECORDING}/sharing`, sharer)).status).toBe(404)
})

test('who shares a recording must be able to see it', async () => {
  const { personalKey, send, keys } = await sharedRecording()
  const patch = async (scopes: readonly string[], datasets = ['shop'], url = RECORDING) =>
    (await send('PATCH', `${url}/sharing`, await personalKey(scopes, datasets), { enabled: true })).status
  expect(await patch(['sharing_configuration:write'])).toBe(403)
  expect(await patch(['session_recording:write'])).toBe(403)
  expect(await patch(['*'], ['blog'])).toBe(404)
  expect((await send('PATCH', `${RECORDING}/sharing`, null, { enabled: true })).status).toBe(401)
  expect((await send('PATCH', `${RECORDING}/sharing`, keys.shopRead, { enabled: true })).status).toBe(403)
  const { status, body } = await send('PATCH', `${RECORDING}/sharing`, await personalKey(['*']), {
    enabled: 1,
  })
  expect([status, body.attr]).toEqual([400, 'enabled'])
})
