import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { ACCESS_KEY_PATTERN, accessKeyHash } from '../../../../services/core/control/access-key.ts'
import { parseCidrs } from '../../../../services/core/runtime/client-address.ts'
import { createLogger } from '../../../../services/core/runtime/logger.ts'
import { createMetrics } from '../../../../services/core/runtime/metrics.ts'
import { KEY_BELIEVED_MS } from '../../../../services/query-api/keys/key-lookup.ts'
import { KEYS_MAX } from '../../../../services/query-api/keys/manage-keys.ts'
import { createServer } from '../../../../services/query-api/server.ts'
import { recordingEnvironment, testKey } from '../recording-environment.ts'

const KEYS = '/api/personal_api_keys'
const EVENTS = '/api/datasets/shop/events'
const asked = (over: object = {}) => ({
  label: 'reports',
  scopes: ['query:read'],
  datasets: ['shop'],
  ...over,
})

test('a key is shown once, works for what it is for, and lies here as a hash', async () => {
  const { send, get, keys, env, lines } = recordingEnvironment()
  const made = await send('POST', KEYS, keys.admin, asked())
  expect(made.status).toBe(201)
  const { value, ...view } = made.body
  expect(value).toMatch(ACCESS_KEY_PATTERN)
  expect(view).toEqual({
    id: expect.stringMatching(/^[0-9a-f]{24}$/),
    label: 'reports',
    mask_value: `mr_p_…${value.slice(-4)}`,
    scopes: ['query:read'],
    datasets: ['shop'],
    created_at: '2026-11-22T12:00:00.000Z',
    created_by: 'administrator',
    last_rolled_at: null,
    previous_value_until: null,
    expires_at: null,
    last_used_at: null,
  })
  expect((await get(EVENTS, value)).statusCode).toBe(200)
  const used = { ...view, last_used_at: '2026-11-22T12:00:00.000Z' }
  expect((await send('GET', `${KEYS}/${view.id}`, keys.admin)).body).toEqual(used)
  expect((await send('GET', KEYS, keys.admin)).body).toEqual({
    count: 1,
    next: null,
    previous: null,
    results: [used],
  })
  const { rows } = await sql`SELECT * FROM personal_api_keys`.execute(env.metadata.db)
  expect(JSON.stringify(rows)).toContain(accessKeyHash(value))
  expect(JSON.stringify(rows) + lines.join('')).not.toContain(value.slice(0, -4))
})

test('a scope opens its own routes, in its own datasets, and nothing else', async () => {
  const { get, personalKey } = recordingEnvironment()
  const key = await personalKey(['insight:read'])
  expect((await get('/api/datasets/shop/insights/trend', key)).statusCode).toBe(200)
  const events = await get(EVENTS, key)
  expect([events.statusCode, events.json().detail]).toEqual([
    403,
    'This key may not do that. It needs the scope query:read.',
  ])
  const theirs = await get('/api/datasets/blog/insights/trend', key)
  const none = await get('/api/datasets/nothing/insights/trend', key)
  expect([theirs.statusCode, theirs.body]).toEqual([404, none.body])
  expect((await get('/api/datasets/blog/events', await personalKey(['*'], ['*']))).statusCode).toBe(200)
})

test('the administrator makes keys and reads nothing; read and write keys see no keys', async () => {
  const { get, keys } = recordingEnvironment()
  expect((await get(EVENTS, keys.admin)).statusCode).toBe(403)
  expect((await get(KEYS, keys.shopRead)).statusCode).toBe(403)
  expect((await get(KEYS, keys.shopWrite)).statusCode).toBe(403)
  expect((await get(KEYS, null)).statusCode).toBe(401)
  expect((await get(KEYS, testKey('admin'))).statusCode).toBe(401)
})

test('no key comes to more rights than it has: not by making, changing or rolling one', async () => {
  const { send, personalKey, keys } = recordingEnvironment()
  const mine = await personalKey(['personal_api_key:write', 'annotation:read'])
  const strong = (await send('POST', KEYS, keys.admin, asked({ scopes: ['*'] }))).body
  for (const more of [
    { scopes: ['*'] },
    { scopes: ['annotation:write'] },
    { scopes: ['annotation:read', 'dashboard:read'] },
    { datasets: ['shop', 'blog'] },
    { datasets: ['*'] },
  ]) {
    const body = asked({ scopes: ['annotation:read'], ...more })
    expect((await send('POST', KEYS, mine, body)).status).toBe(403)
  }
  for (const [method, path, body] of [
    ['PATCH', '', { label: 'mine now' }],
    ['PUT', '', asked({ scopes: ['annotation:read'] })],
    ['POST', '/roll', {}],
    ['DELETE', '', undefined],
  ] as const)
    expect((await send(method, `${KEYS}/${strong.id}${path}`, mine, body)).status).toBe(403)
  const weaker = await send('POST', KEYS, mine, asked({ scopes: ['annotation:read'] }))
  expect(weaker.status).toBe(201)
  expect(weaker.body.created_by).toMatch(/^personal_api_key:[0-9a-f]{24}$/)
  const raised = await send('PATCH', `${KEYS}/${weaker.body.id}`, mine, { scopes: ['annotation:write'] })
  expect(raised.status).toBe(403)
})

test('keys of other datasets are answered like keys that do not exist', async () => {
  const { send, personalKey, keys } = recordingEnvironment()
  const mine = await personalKey(['personal_api_key:write'])
  const theirs = (await send('POST', KEYS, keys.admin, asked({ datasets: ['blog'] }))).body
  const both = (await send('POST', KEYS, keys.admin, asked({ datasets: ['shop', 'blog'] }))).body
  const { body } = await send('GET', KEYS, mine)
  expect(body.count).toBe(1)
  const none = await send('GET', `${KEYS}/0123456789abcdef01234567`, mine)
  for (const { id } of [theirs, both])
    for (const method of ['GET', 'DELETE'] as const)
      expect(await send(method, `${KEYS}/${id}`, mine)).toMatchObject({ status: 404, body: none.body })
})

test('PUT removes what it leaves out, PATCH changes what it names', async () => {
  const { send, keys } = recordingEnvironment()
  const expires_at = '2027-01-31T12:00:00+01:00'
  const { id } = (await send('POST', KEYS, keys.admin, asked({ expires_at }))).body
  const patched = await send('PATCH', `${KEYS}/${id}`, keys.admin, { label: 'renamed' })
  expect(patched.body).toMatchObject({
    label: 'renamed',
    scopes: ['query:read'],
    expires_at: '2027-01-31T11:00:00.000Z',
  })
  const put = await send('PUT', `${KEYS}/${id}`, keys.admin, asked({ label: 'put' }))
  expect(put.body).toMatchObject({ label: 'put', expires_at: null })
})

test('a rolled key ends at once, or works beside the new one until the overlap is over', async () => {
  const { send, get, keys, clock } = recordingEnvironment()
  const status = async (key: string) => (await get(EVENTS, key)).statusCode
  const first = (await send('POST', KEYS, keys.admin, asked())).body
  expect(await status(first.value)).toBe(200)
  const second = (await send('POST', `${KEYS}/${first.id}/roll`, keys.admin)).body
  expect([await status(first.value), await status(second.value)]).toEqual([401, 200])
  const third = (await send('POST', `${KEYS}/${first.id}/roll`, keys.admin, { overlap: '1h' })).body
  expect(third.previous_value_until).toBe('2026-11-22T13:00:00.000Z')
  expect([await status(first.value), await status(second.value), await status(third.value)]).toEqual([
    401, 200, 200,
  ])
  await clock.advance(3_600_000)
  expect([await status(second.value), await status(third.value)]).toEqual([401, 200])
  expect((await send('GET', `${KEYS}/${first.id}`, keys.admin)).body.previous_value_until).toBe(null)
})

test('a revoked key is refused at once, by other processes within five seconds', async () => {
  const { send, get, keys, env, clock } = recordingEnvironment()
  const other = createServer(env, {
    logger: createLogger('other', 'error'),
    metrics: createMetrics(),
    publicUrl: null,
    bodyBytesMax: 1_000,
    uploadBytesMax: 1_000,
    streamStallMs: 60_000,
    trustedProxies: parseCidrs(''),
  })
  const { id, value } = (await send('POST', KEYS, keys.admin, asked())).body
  const there = async () =>
    (await other.inject({ url: EVENTS, headers: { authorization: `Bearer ${value}` } })).statusCode
  expect([(await get(EVENTS, value)).statusCode, await there()]).toEqual([200, 200])
  expect(await send('DELETE', `${KEYS}/${id}`, keys.admin)).toMatchObject({ status: 204, body: null })
  expect((await get(EVENTS, value)).statusCode).toBe(401)
  expect(KEY_BELIEVED_MS).toBeLessThanOrEqual(5_000)
  await clock.advance(KEY_BELIEVED_MS)
  expect(await there()).toBe(401)
  expect((await send('DELETE', `${KEYS}/${id}`, keys.admin)).status).toBe(404)
})

test('a key ends when it expires', async () => {
  const { send, get, keys, clock } = recordingEnvironment()
  const { value } = (await send('POST', KEYS, keys.admin, asked({ expires_at: '2026-11-22T12:00:01Z' }))).body
  expect((await get(EVENTS, value)).statusCode).toBe(200)
  await clock.advance(1_000)
  expect((await get(EVENTS, value)).statusCode).toBe(401)
})

test('use is noted by the hour', async () => {
  const { send, get, keys, clock } = recordingEnvironment()
  const { id, value } = (await send('POST', KEYS, keys.admin, asked())).body
  const lastUsed = async () => (await send('GET', `${KEYS}/${id}`, keys.admin)).body.last_used_at
  await clock.advance(59 * 60_000)
  await get(EVENTS, value)
  expect(await lastUsed()).toBe('2026-11-22T12:00:00.000Z')
  await clock.advance(60_000)
  await get(EVENTS, value)
  expect(await lastUsed()).toBe('2026-11-22T13:00:00.000Z')
})

test('a key may come in the header, then the body, then the address', async () => {
  const { app, keys, personalKey } = recordingEnvironment()
  const key = await personalKey(['personal_api_key:write'])
  const status = async (header: string | null, body: string | null, address: string | null) => {
    const { statusCode } = await app.inject({
      method: 'POST',
      url: KEYS + (address === null ? '' : `?personal_api_key=${address}`),
      headers: header === null ? {} : { authorization: `Bearer ${header}` },
      payload: {
        ...asked({ scopes: ['personal_api_key:read'] }),
        ...(body === null ? {} : { personal_api_key: body }),
      },
    })
    return statusCode
  }
  expect(await status(key, keys.unknown, keys.unknown)).toBe(201)
  expect(await status(null, key, keys.unknown)).toBe(201)
  expect(await status(null, null, key)).toBe(201)
  expect(await status(keys.unknown, key, key)).toBe(401)
  expect(await status(null, keys.unknown, key)).toBe(401)
  expect(await status(null, null, null)).toBe(401)
})

test.each([
  [{ label: undefined }, 'label', 'required'],
  [{ label: '' }, 'label', 'blank'],
  [{ label: 'x'.repeat(41) }, 'label', 'max_length'],
  [{ label: 5 }, 'label', 'invalid_input'],
  [{ label: null }, 'label', 'null'],
  [{ label: 'a\0b' }, 'label', 'null_characters_not_allowed'],
  [{ scopes: [] }, 'scopes', 'min_length'],
  [{ scopes: 'query:read' }, 'scopes', 'invalid_input'],
  [{ scopes: ['query:admin'] }, 'scopes__0', 'invalid_input'],
  [{ scopes: ['query:read', null] }, 'scopes__1', 'null'],
  [{ datasets: ['shop', 'nothing'] }, 'datasets__1', 'invalid_input'],
  [{ datasets: undefined }, 'datasets', 'required'],
  [{ expires_at: 'tomorrow' }, 'expires_at', 'invalid_input'],
  [{ expires_at: '2027-01-31' }, 'expires_at', 'invalid_input'],
  [{ expires_at: '2027-13-31T12:00:00Z' }, 'expires_at', 'invalid_input'],
  [{ role: 'admin' }, 'role', 'invalid_input'],
  [{ tenant_id: 'blog' }, 'tenant_id', 'invalid_input'],
  [{ sha256: 'a' }, 'sha256', 'invalid_input'],
  [JSON.parse('{"__proto__":{"admin":true}}'), '__proto__', 'invalid_input'],
])('%j in a key is a 400 about %s: %s', async (over, attr, code) => {
  const { send, keys, env } = recordingEnvironment()
  const { status, body } = await send('POST', KEYS, keys.admin, { ...asked(), ...over })
  if (Object.hasOwn(over, '__proto__')) {
    // A spread drops it; what is sent must hold it.
    const raw = await send('POST', KEYS, keys.admin, over)
    expect(raw.status).toBe(400)
    expect(({} as Record<string, unknown>).admin).toBe(undefined)
    return
  }
  expect([status, body.type, body.attr, body.code]).toEqual([400, 'validation_error', attr, code])
  expect((await sql`SELECT id FROM personal_api_keys`.execute(env.metadata.db)).rows).toEqual([])
})

test.each(['8d', '7', '-1h', '1h30m', ''])('an overlap of %j is a 400', async (overlap) => {
  const { send, keys } = recordingEnvironment()
  const { id } = (await send('POST', KEYS, keys.admin, asked())).body
  const { status, body } = await send('POST', `${KEYS}/${id}/roll`, keys.admin, { overlap })
  expect([status, body.attr]).toEqual([400, 'overlap'])
})

test('a dataset that is gone does not keep its key from being renamed', async () => {
  const { send, keys, control } = recordingEnvironment()
  const { id } = (await send('POST', KEYS, keys.admin, asked())).body
  control.update({ datasets: [] })
  expect((await send('PATCH', `${KEYS}/${id}`, keys.admin, { label: 'old' })).status).toBe(200)
  expect((await send('PATCH', `${KEYS}/${id}`, keys.admin, { datasets: ['blog'] })).status).toBe(400)
})

test('lists come in pages whose addresses are absolute and without a key', async () => {
  const { send, keys } = recordingEnvironment()
  for (const label of ['a', 'b', 'c']) await send('POST', KEYS, keys.admin, asked({ label }))
  const page = (await send('GET', `${KEYS}?limit=1&offset=1&personal_api_key=${keys.admin}`, keys.admin)).body
  expect(page).toMatchObject({
    count: 3,
    next: 'http://localhost/api/personal_api_keys?limit=1&offset=2',
    previous: 'http://localhost/api/personal_api_keys?limit=1',
  })
  expect(page.results).toHaveLength(1)
  for (const wrong of ['limit=0', 'limit=1001', 'offset=-1', 'offset=1e3', 'order=label'])
    expect((await send('GET', `${KEYS}?${wrong}`, keys.admin)).status).toBe(400)
})

test('there are so many keys and no more, until one is removed', async () => {
  const { send, keys, env } = recordingEnvironment()
  const { id } = (await send('POST', KEYS, keys.admin, asked())).body
  const { db } = env.metadata
  const first = await db.selectFrom('personal_api_keys').selectAll().executeTakeFirstOrThrow()
  const others = Array.from({ length: KEYS_MAX - 2 }, (_, at) => ({
    ...first,
    id: at.toString(16).padStart(24, '0'),
    sha256: at.toString(16).padStart(64, '0'),
  }))
  await db.insertInto('personal_api_keys').values(others).execute()
  expect((await send('POST', KEYS, keys.admin, asked())).status).toBe(201)
  const refused = await send('POST', KEYS, keys.admin, asked())
  expect(refused).toMatchObject({ status: 400, body: { attr: 'label', code: 'limit_reached' } })
  expect((await send('DELETE', `${KEYS}/${id}`, keys.admin)).status).toBe(204)
  expect((await send('POST', KEYS, keys.admin, asked())).status).toBe(201)
})
