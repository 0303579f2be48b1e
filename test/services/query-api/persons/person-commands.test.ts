import { expect, test } from 'vitest'
import { decodeIdentityRecord } from '../../../../services/core/event/identity-record.ts'
import { personIdOf } from '../../../../services/core/event/person-id.ts'
import { partitionOf } from '../../../../services/core/kafka/partition.ts'
import { kafkaNames } from '../../../../services/core/kafka/topics.ts'
import { DependencyError } from '../../../../services/core/runtime/errors.ts'
import { createCommandLog } from '../../../../services/query-api/persons/command-log.ts'
import { createManualClock } from '../../../helpers/manual-clock.ts'
import { createMemoryLog, valuesOf } from '../../../helpers/memory-log.ts'
import { NOW_MS, recordingEnvironment } from '../recording-environment.ts'

const PATH = '/api/datasets/shop/persons'
const id = (key: string) => personIdOf('shop', key)
/** Persons that are there, by key; each has the distinct id of its key, and ann another one. */
const THERE = ['ann', 'bob', 'cid']

/** The API over a ClickHouse that knows these persons. */
async function world(overrides: Parameters<typeof recordingEnvironment>[1] = {}) {
  const api = recordingEnvironment(({ sql, parameters }) => {
    const names = Object.values(parameters).find(Array.isArray) as string[]
    if (sql.includes('AND person_id IN'))
      return THERE.filter((key) => names.includes(id(key))).map((key) => ({ asked: id(key), key }))
    return names.flatMap((asked) =>
      asked === 'anon' ? [{ asked, key: 'ann' }] : THERE.includes(asked) ? [{ asked, key: asked }] : [],
    )
  }, overrides)
  const key = await api.personalKey(['person:write'])
  const call = (method: 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, body?: unknown) =>
    api.send(method, `${PATH}${path}`, key, body)
  return { ...api, key, call }
}

test.each([
  ['PATCH', '/ann', { properties: { plan: 'pro' } }, { name: 'set', properties: { plan: 'pro' } }],
  ['PUT', '/anon', { properties: {} }, { name: 'replace', properties: {} }],
  ['POST', '/ann/update_property', { key: 'n', value: null }, { name: 'set', properties: { n: null } }],
  ['POST', '/ann/delete_property', { $unset: 'n' }, { name: 'unset', keys: ['n'] }],
  ['POST', '/ann/delete_property', { $unset: ['n', 'm'] }, { name: 'unset', keys: ['n', 'm'] }],
  ['POST', '/ann/split', undefined, { name: 'split', main_distinct_id: null }],
  ['POST', '/ann/split', { main_distinct_id: 'anon' }, { name: 'split', main_distinct_id: 'anon' }],
  ['DELETE', '/ann', undefined, { name: 'delete' }],
  ['DELETE', '/ann?delete_events=true', undefined, { name: 'delete', delete_events: true }],
] as const)('%s %s with %j is one command in the log', async (method, path, body, command) => {
  const { call, sent, key } = await world()
  const { status, body: answer } = await call(method, path, body)
  expect([status, sent]).toEqual([
    202,
    [
      {
        v: 1,
        kind: 'command',
        dataset_id: 'shop',
        event_id: answer.commands[0].command_id,
        collector_time: NOW_MS,
        actor: expect.stringMatching(/^personal_api_key:/),
        command: { person_key: 'ann', ...command },
      },
    ],
  ])
  expect(answer).toMatchObject({ success: true, commands: [{ command: command.name, person_id: id('ann') }] })
  expect(JSON.stringify(sent)).not.toContain(key)
})

test('a merge is a command for each other person, in the order in which they were named', async () => {
  const { call, sent } = await world()
  const { status, body } = await call('POST', `/${id('ann')}/merge`, {
    ids: ['cid', id('bob'), 'anon', 'cid'],
  })
  expect([status, sent.map(({ command }) => command)]).toEqual([
    202,
    ['cid', 'bob'].map((other_person_key) => ({ name: 'merge', person_key: 'ann', other_person_key })),
  ])
  expect(new Set(body.commands.map(({ command_id }: { command_id: string }) => command_id)).size).toBe(2)
})

test('many are deleted at once; who is named twice goes once, and who is not there is told', async () => {
  const { call, sent } = await world()
  const { status, body } = await call('POST', '/bulk_delete', {
    ids: [id('bob').toUpperCase(), id('dan'), 'no uuid'],
    distinct_ids: ['ann', 'anon', 'nobody'],
    delete_events: true,
  })
  expect([status, body.persons_found, body.not_found]).toEqual([202, 2, [id('dan'), 'no uuid', 'nobody']])
  expect(sent.map(({ command }) => command)).toEqual(
    ['bob', 'ann'].map((person_key) => ({ name: 'delete', person_key, delete_events: true })),
  )
  const none = await call('POST', '/bulk_delete', { distinct_ids: ['nobody'] })
  expect(none).toMatchObject({ status: 202, body: { persons_found: 0, commands: [] } })
  await call('POST', '/bulk_delete', { distinct_ids: ['bob'], delete_events: true, keep_person: true })
  expect(sent.at(-1)?.command).toEqual({ name: 'delete_events', person_key: 'bob' })
})

/** The same with recordings of ann's, and every effect noted in its order. */
async function recordedWorld(recordings: readonly string[]) {
  const effects: string[] = []
  const api = recordingEnvironment(
    ({ sql, parameters }) => {
      const names = Object.values(parameters).find(Array.isArray) as string[]
      if (sql.includes('FROM recording_chunks')) {
        expect(Object.values(parameters)).toContain('shop')
        return names.includes('ann') ? recordings.map((session) => ({ id: session })) : []
      }
      return names.flatMap((asked) => (THERE.includes(asked) ? [{ asked, key: asked }] : []))
    },
    {
      commandLog: {
        send: async (commands) =>
          void effects.push(...commands.map(({ command }) => `${command.name} ${command.person_key}`)),
      },
    },
  )
  Object.assign(api.env.clickhouse, {
    insert: async (table: string, _format: string, body: Buffer) => {
      for (const line of body.toString().split('\n')) {
        const { dataset_id, session_id, deleted_by } = JSON.parse(line)
        expect(deleted_by).toMatch(/^personal_api_key:/)
        effects.push(`${table} ${dataset_id} ${session_id}`)
      }
    },
  })
  return { ...api, effects }
}

test('recordings go before the persons whose they are, so that a call can be made again', async () => {
  const { effects, send, personalKey } = await recordedWorld(['s1', 's2'])
  const key = await personalKey(['person:write', 'session_recording:write'])
  const both = ['recording_deletions shop s1', 'recording_deletions shop s2']
  const one = await send('DELETE', `${PATH}/ann?delete_recordings=true`, key)
  expect([one.status, one.body.recordings_deleted]).toEqual([202, 2])
  expect(effects.splice(0)).toEqual([...both, 'delete ann'])
  const body = { distinct_ids: ['bob', 'ann'], delete_recordings: true }
  const many = await send('POST', `${PATH}/bulk_delete`, key, body)
  expect([many.status, many.body.recordings_deleted]).toEqual([202, 2])
  expect(effects.splice(0)).toEqual([...both, 'delete bob', 'delete ann'])
  const alone = await send('POST', `${PATH}/bulk_delete`, key, { ...body, keep_person: true })
  expect(alone.body).toMatchObject({ persons_found: 2, recordings_deleted: 2, commands: [] })
  expect(effects.splice(0)).toEqual(both)
  const kept = await send('POST', `${PATH}/bulk_delete`, key, { distinct_ids: ['ann'] })
  expect([kept.body.recordings_deleted, effects.splice(0)]).toEqual([undefined, ['delete ann']])
})

test('who may not delete recordings, or has too many of them, deletes nobody', async () => {
  const { effects, send, personalKey } = await recordedWorld(
    Array.from({ length: 10_001 }, (_, n) => `s${n}`),
  )
  const calls = async (key: string, distinct_id = 'ann') => [
    await send('DELETE', `${PATH}/${distinct_id}?delete_recordings=true`, key),
    await send('POST', `${PATH}/bulk_delete`, key, { distinct_ids: [distinct_id], delete_recordings: true }),
  ]
  for (const { status, body } of await calls(await personalKey(['person:write'])))
    expect([status, body.detail]).toEqual([403, expect.stringContaining('session_recording:write')])
  const allowed = await personalKey(['person:write', 'session_recording:write'])
  for (const { status, body } of await calls(allowed))
    expect([status, body.attr, body.code]).toEqual([400, 'delete_recordings', 'max_length'])
  expect(effects).toEqual([])
  for (const { status, body } of await calls(allowed, 'bob'))
    expect([status, body.recordings_deleted]).toEqual([202, 0])
})

test('a reset of a distinct id says what became of it, and sends nothing: a deletion has let go of it', async () => {
  const rows = new Map([
    ['anon', [{ key: 'ann', is_deleted: false }]],
    ['dan', [{ key: '', is_deleted: true }]],
  ])
  const api = recordingEnvironment(({ parameters }) => {
    expect(Object.values(parameters)).toContain('shop')
    return Object.values(parameters).flatMap((value) => rows.get(String(value)) ?? [])
  })
  const key = await api.personalKey(['person:write'])
  const reset = (body: unknown, by = key) => api.send('POST', `${PATH}/reset_person_distinct_id`, by, body)
  const said = async (distinct_id: string) => {
    const { status, body } = await reset({ distinct_id })
    expect([status, body.success, body.distinct_id, body.commands]).toEqual([202, true, distinct_id, []])
    return [body.state, body.person_id]
  }
  expect(await said('anon')).toEqual(['in_use', id('ann')])
  expect(await said('dan')).toEqual(['released', null])
  expect(await said('nobody')).toEqual(['never_used', null])
  for (const body of [{}, { distinct_id: '' }, { distinct_id: 7 }, { distinct_id: 'a'.repeat(401) }])
    expect(await reset(body)).toMatchObject({ status: 400, body: { attr: 'distinct_id' } })
  expect(await reset({ distinct_id: 'dan', id: 3 })).toMatchObject({ status: 400, body: { attr: 'id' } })
  expect((await reset({ distinct_id: 'dan' }, api.keys.shopRead)).status).toBe(403)
  const other = await api.personalKey(['person:write'], ['blog'])
  expect((await reset({ distinct_id: 'dan' }, other)).status).toBe(404)
  expect(api.sent).toEqual([])
})

test('the same call with the same key has the same ids; any other call, or caller, has others', async () => {
  const { call, sent, personalKey, send } = await world()
  const body = { properties: { n: 1 } }
  const path = '/ann?idempotency_key=k'
  await call('PATCH', path, body)
  await call('PATCH', path, body)
  expect(sent[1]?.event_id).toBe(sent[0]?.event_id)
  await call('PATCH', path, { properties: { n: 2 } })
  await call('PUT', path, body)
  await call('PATCH', '/bob?idempotency_key=k', body)
  await call('PATCH', '/ann?idempotency_key=j', body)
  await send('PATCH', `${PATH}${path}`, await personalKey(['person:write']), body)
  await call('PATCH', '/ann', body)
  await call('PATCH', '/ann', body)
  expect(new Set(sent.map(({ event_id }) => event_id)).size).toBe(sent.length - 1)
})

test.each([
  ['PATCH', '/ann', {}, 'properties'],
  ['PATCH', '/ann', { properties: {} }, 'properties'],
  ['PATCH', '/ann', { properties: [] }, 'properties'],
  ['PATCH', '/ann', { properties: { a: 'x\0' } }, 'properties__a'],
  ['PATCH', '/ann', { properties: { a: 1 }, id: 3 }, 'id'],
  ['PUT', '/ann', undefined, 'properties'],
  ['PATCH', `/ann?idempotency_key=${'k'.repeat(201)}`, { properties: { a: 1 } }, 'idempotency_key'],
  ['POST', '/ann/update_property', { key: '', value: 1 }, 'key'],
  ['POST', '/ann/update_property', { key: 'a' }, 'value'],
  ['POST', '/ann/delete_property', { $unset: [] }, '$unset'],
  ['POST', '/ann/split', { main_distinct_id: 'bob' }, 'main_distinct_id'],
  ['POST', '/ann/merge', { ids: [] }, 'ids'],
  ['POST', '/ann/merge', { ids: ['bob', 'nobody'] }, 'ids__1'],
  ['POST', '/ann/merge', { ids: ['anon'] }, 'ids'],
  ['POST', '/ann/merge', { ids: Array.from({ length: 101 }, (_, n) => `${n}`) }, 'ids'],
  ['DELETE', '/ann?delete_events=perhaps', undefined, 'delete_events'],
  ['DELETE', '/ann?keep=1', undefined, 'keep'],
  ['POST', '/bulk_delete', {}, 'ids'],
  ['POST', '/bulk_delete', { distinct_ids: ['bob'], keep_person: true }, 'keep_person'],
  ['POST', '/bulk_delete', { distinct_ids: ['bob'], delete_recordings: 'yes' }, 'delete_recordings'],
  ['DELETE', '/ann?delete_recordings=perhaps', undefined, 'delete_recordings'],
  ['POST', '/bulk_delete', { ids: Array(600).fill('a'), distinct_ids: Array(401).fill('a') }, 'ids'],
] as const)('%s %s with %j is refused, and nothing is sent', async (method, path, body, attr) => {
  const { call, sent } = await world()
  const { status, body: answer } = await call(method, path, body)
  expect([status, answer.attr, sent]).toEqual([400, attr, []])
})

test('nobody changes a person without the scope, of another dataset, or one that is not there', async () => {
  const { send, keys, personalKey, sent, call } = await world()
  const body = { properties: { a: 1 } }
  const reading = await personalKey(['person:read'])
  expect((await send('PATCH', `${PATH}/ann`, reading, body)).body.detail).toContain('person:write')
  expect((await send('DELETE', `${PATH}/ann`, keys.shopRead)).status).toBe(403)
  const other = await personalKey(['person:write'], ['blog'])
  for (const path of ['/ann', '/ann/merge', '/bulk_delete'])
    expect((await send('POST', `${PATH}${path}`, other, {})).status).toBe(path === '/ann' ? 405 : 404)
  expect((await send('DELETE', `${PATH}/ann`, other)).status).toBe(404)
  expect((await call('DELETE', '/nobody')).status).toBe(404)
  expect(await call('POST', '', {})).toMatchObject({ status: 405 })
  expect(sent).toEqual([])
})

test.each([
  ['outcome_unknown', 503, 'outcome_unknown'],
  ['timeout', 503, 'outcome_unknown'],
  ['not_found', 503, 'unavailable'],
  ['unavailable', 503, 'unavailable'],
  ['rejected', 413, 'request_too_large'],
] as const)(
  'a log that answers %s makes a %i that says whether it may have happened',
  async (code, status, told) => {
    const commandLog = {
      send: async () => {
        throw new DependencyError('kafka', code, 'No.')
      },
    }
    const { call } = await world({ commandLog })
    expect(await call('DELETE', '/ann')).toMatchObject({ status, body: { code: told } })
  },
)

test('commands lie in the partition of their dataset, as the identity stage reads them; without its topic nothing is taken', async () => {
  const names = kafkaNames('')
  const log = createMemoryLog({ clock: createManualClock() })
  const commandLog = createCommandLog(log, names)
  const { call } = await world({ commandLog })
  expect(await call('DELETE', '/ann')).toMatchObject({ status: 503, body: { code: 'unavailable' } })
  await log.admin.createTopics([{ topic: names.identity, partitions: 5, replicationFactor: 1, config: {} }])
  expect(await call('POST', '/ann/merge', { ids: ['bob', 'cid'] })).toMatchObject({ status: 202 })
  const partition = partitionOf(Buffer.from('shop'), 5)
  const found = valuesOf(log.controls.records(names.identity, partition)).map((value) =>
    decodeIdentityRecord(Buffer.from(value)),
  )
  expect(found).toMatchObject(
    ['bob', 'cid'].map((other_person_key) => ({ ok: true, record: { command: { other_person_key } } })),
  )
})
