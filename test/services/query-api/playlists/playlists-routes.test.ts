import { expect, test } from 'vitest'
import { newShortId } from '../../../../services/query-api/objects/short-id.ts'
import { PLAYLISTS_MAX } from '../../../../services/query-api/playlists/playlist-store.ts'
import { familyBehaviour } from '../objects/family-behaviour.ts'
import { type AskedQuestion, recordingEnvironment } from '../recording-environment.ts'
import { sessionRow } from '../recordings/session-row.ts'

const PATH = '/api/datasets/shop/session_recording_playlists'
const FILTERS = { events: [{ id: 'purchase' }], console_logs: ['error'], date_from: '-3d' }

familyBehaviour({
  tag: 'session_recording_playlists',
  object: 'session_recording_playlist',
  least: {},
  absent: { name: '', derived_name: null, description: '', pinned: false, filters: {} },
  whole: {
    name: 'Lost "carts" 🙂',
    derived_name: 'Unnamed',
    description: 'what',
    pinned: true,
    filters: FILTERS,
  },
  change: { name: 'Changed' },
  wrong: [
    [{ name: 5 }, 'name', 'invalid_input'],
    [{ name: 'x'.repeat(401) }, 'name', 'max_length'],
    [{ derived_name: 5 }, 'derived_name', 'invalid_input'],
    [{ pinned: 'yes' }, 'pinned', 'invalid_input'],
    [{ short_id: 'mine' }, 'short_id', 'invalid_input'],
    [{ filters: [] }, 'filters', 'invalid_input'],
    [{ filters: { console_logs: ['fatal'] } }, 'filters__console_logs', 'invalid_input'],
    [{ filters: { limit: 5 } }, 'filters__limit', 'invalid_input'],
    [{ filters: { where: '1' } }, 'filters__where', 'invalid_input'],
    [{ filters: { events: 'x'.repeat(33_000) } }, 'filters', 'invalid_input'],
  ],
})

const isOfSessions = ({ sql }: AskedQuestion) => sql.includes('started_ms')
const THERE = ['s/1', 's2', 's3']
const namedIn = ({ parameters }: AskedQuestion) =>
  THERE.filter((id) => Object.values(parameters).some((value) => Array.isArray(value) && value.includes(id)))

async function opened(
  scopes: readonly string[] = ['session_recording_playlist:write', 'session_recording:read'],
) {
  const system = recordingEnvironment((asked) =>
    isOfSessions(asked) ? namedIn(asked).map((id) => sessionRow(id)) : [],
  )
  const key = await system.personalKey(scopes)
  const call = (method: 'GET' | 'POST' | 'PATCH' | 'DELETE', path = '', body?: unknown) =>
    system.send(method, `${PATH}${path}`, key, body)
  const { short_id: id } = (await call('POST', '', { name: 'Lost', filters: FILTERS })).body
  const ids = async (query = '') =>
    (await call('GET', `/${id}/recordings${query}`)).body.results.map(({ id }: { id: string }) => id)
  return { ...system, call, id: `/${id}`, ids }
}

test('recordings are put on a playlist once, listed as recordings are, and taken off again', async () => {
  const { call, id, ids, clock } = await opened()
  expect(await ids()).toEqual([])
  for (const recording of ['s%2F1', 's2', 's2'])
    expect(await call('POST', `${id}/recordings/${recording}`)).toMatchObject({
      status: 201,
      body: { success: true },
    })
  expect(await ids()).toEqual(['s/1', 's2'])
  expect((await call('GET', `${id}/recordings?limit=1&version=2`)).body).toMatchObject({
    results: [{ id: 's/1', click_count: 3, viewed: false }],
    has_next: true,
    version: 2,
  })
  await clock.advance(1_000)
  expect((await call('DELETE', `${id}/recordings/s%2F1`)).status).toBe(204)
  expect((await call('DELETE', `${id}/recordings/s%2F1`)).status).toBe(404)
  expect(await ids()).toEqual(['s2'])
  const { body } = await call('GET', id)
  expect(body.last_modified_at).toBe('2026-11-22T12:00:01.000Z')
  const activity = await call('GET', `${id}/activity`)
  expect(activity.body).toMatchObject({
    count: 4,
    results: [
      {
        activity: 'updated',
        scope: 'session_recording_playlist',
        item_id: 1,
        detail: { name: 'Lost', changes: [{ field: 'recordings' }] },
      },
      {},
      {},
      { activity: 'created' },
    ],
  })
})

test('what its filters find is asked anew each time, with their dates as of then', async () => {
  const { call, id, asked } = await opened()
  await call('GET', `${id}/recordings?source=filters`)
  const found = asked.filter(isOfSessions)
  expect(found).toHaveLength(1)
  expect(found[0]?.sql).toContain('console_error_count > 0')
  expect(Object.values(found[0]!.parameters)).toContain('purchase')
  expect(Object.values(found[0]!.parameters)).toContain(Date.parse('2026-11-19T00:00:00+01:00'))
  await call('PATCH', id, { filters: { date_from: 'soon' } })
  expect(await call('GET', `${id}/recordings?source=filters`)).toMatchObject({
    status: 400,
    body: { attr: 'date_from' },
  })
})

test.each([
  ['source=mine', 'source'],
  ['session_ids=[]', 'session_ids'],
  ['limit=0', 'limit'],
  ['version=9', 'version'],
])('recordings of a playlist with %s are refused by name', async (query, attr) => {
  const { call, id } = await opened()
  expect(await call('GET', `${id}/recordings?${query}`)).toMatchObject({ status: 400, body: { attr } })
})

test('what is not there is a 404: playlist, recording, and one of the two in another dataset', async () => {
  const { call, id, send, personalKey } = await opened()
  for (const [method, path] of [
    ['POST', `${id}/recordings/none`],
    ['POST', '/abcdefgh/recordings/s2'],
    ['DELETE', '/abcdefgh/recordings/s2'],
    ['GET', '/abcdefgh/recordings'],
    ['GET', '/abcdefgh/activity'],
    ['GET', '/abcdefg%27'],
  ] as const)
    expect([path, (await call(method, path)).status]).toEqual([path, 404])
  const stranger = await personalKey(['*'], ['blog'])
  for (const [method, path] of [
    ['GET', `${id}/recordings`],
    ['POST', `${id}/recordings/s2`],
    ['DELETE', `${id}/recordings/s2`],
  ] as const)
    for (const dataset of ['shop', 'blog'])
      expect((await send(method, `${PATH.replace('shop', dataset)}${path}`, stranger)).status).toBe(404)
  await call('POST', `${id}/recordings/s2`)
  await call('PATCH', id, { deleted: true })
  expect((await call('GET', `${id}/recordings`)).status).toBe(404)
})

test('who sees recordings on a playlist, or names them, needs the right to read recordings, too', async () => {
  const { send, personalKey, id, keys } = await opened()
  const calls = [
    ['GET', ''],
    ['POST', '/s2'],
    ['DELETE', '/s2'],
  ] as const
  const statuses = async (key: string | null) => {
    const found: number[] = []
    for (const [method, path] of calls)
      found.push((await send(method, `${PATH}${id}/recordings${path}`, key)).status)
    return found
  }
  const of = (...scopes: string[]) => personalKey(scopes)
  expect(await statuses(await of('session_recording_playlist:write'))).toEqual([403, 403, 404])
  expect(await statuses(await of('session_recording:write'))).toEqual([403, 403, 403])
  expect(await statuses(keys.shopRead)).toEqual([200, 403, 403])
  expect(await statuses(null)).toEqual([401, 401, 401])
})

test('playlists are found by what they are, and listed in the order that is asked for', async () => {
  const { call, clock } = await opened()
  for (const [name, pinned] of [
    ['b', true],
    ['A', false],
  ]) {
    await clock.advance(1_000)
    await call('POST', '', { name, pinned })
  }
  await clock.advance(1_000)
  await call('PATCH', '/1', { description: 'of carts' })
  const names = async (query: string) =>
    (await call('GET', `?${query}`)).body.results.map(({ name }: { name: string }) => name)
  expect(await names('')).toEqual(['Lost', 'A', 'b'])
  expect(await names('ordering=name')).toEqual(['A', 'b', 'Lost'])
  expect(await names('ordering=-created_at')).toEqual(['A', 'b', 'Lost'])
  expect(await names('pinned=true')).toEqual(['b'])
  expect(await names('search=CARTS')).toEqual(['Lost'])
  expect(await names('user=true&created_by=you')).toEqual([])
  for (const [query, attr] of [
    ['ordering=constructor', 'ordering'],
    ['pinned=maybe', 'pinned'],
  ])
    expect(await call('GET', `?${query}`)).toMatchObject({ status: 400, body: { attr } })
})

test('a removed recording is on no playlist any more', async () => {
  const system = recordingEnvironment((asked) =>
    asked.sql.includes('AS found')
      ? [{ found: 1 }]
      : isOfSessions(asked)
        ? namedIn(asked).map((id) => sessionRow(id))
        : [],
  )
  const key = await system.personalKey(['*'])
  await system.send('POST', PATH, key, {})
  await system.send('POST', `${PATH}/1/recordings/s2`, key)
  await system.send('DELETE', '/api/datasets/shop/session_recordings/s2', key)
  expect((await system.send('GET', `${PATH}/1/recordings`, key)).body.results).toEqual([])
})

test('a dataset has only so many playlists', async () => {
  const { call, env } = await opened()
  const { db } = env.metadata
  const row = await db.selectFrom('recording_playlists').selectAll().executeTakeFirstOrThrow()
  for (let n = 2; n <= PLAYLISTS_MAX; n++)
    await db
      .insertInto('recording_playlists')
      .values({ ...row, id: n, short_id: `short${n}` })
      .execute()
  expect(await call('POST', '', {})).toMatchObject({ status: 400, body: { code: 'limit_reached' } })
})

test('a short id is never a number', () => {
  const digits = Buffer.from('12345678', 'base64url')
  const drawn = [digits, digits, Buffer.from('k3JdQz7P', 'base64url')]
  expect(newShortId(() => drawn.shift()!)).toBe('k3JdQz7P')
})
