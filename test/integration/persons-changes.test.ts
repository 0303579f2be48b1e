import { afterAll, beforeAll, expect, test } from 'vitest'
import { type IdentityApi, openIdentityApi } from '../helpers/identity-api.ts'

let api: IdentityApi
let key: string
beforeAll(async () => {
  api = await openIdentityApi()
  key = await api.personalKey(['person:write', 'insight:read', 'query:read', 'group:read'])
  for (const distinct_id of ['ann', 'phone', 'ann', 'bob', 'dan', 'dan', 'eve'])
    await api.happen({ distinct_id, event: 'buy', set: { [`of_${distinct_id}`]: 1 } })
  await until('', ({ results }) => results.length === 5)
})
afterAll(() => api.close())

const PATH = '/api/datasets/shop'
const read = async (path: string) => (await api.get(`${PATH}${path}`, key)).json()
// biome-ignore lint/suspicious/noExplicitAny: answers of many routes
const until = (path: string, isSo: (body: any) => boolean) =>
  // biome-ignore lint/suspicious/noExplicitAny: answers of many routes
  api.eventually<any>(() => read(`/persons${path}`), isSo)
const change = async (method: 'POST' | 'PATCH' | 'PUT' | 'DELETE', path: string, body?: unknown) => {
  const answer = await api.send(method, `${PATH}/persons${path}`, key, body)
  expect([path, answer.status]).toEqual([path, 202])
  return answer.body
}
/** People who bought, as a trend counts them. */
const buyers = async () => {
  const { result } = await read('/insights/trend?event=buy&math=dau&date_from=-1d&refresh=true')
  return result[0].data.reduce((sum: number, one: number) => Math.max(sum, one), 0)
}
const eventRows = async () =>
  api.clickhouse.query('SELECT event_id, distinct_id, _part AS part FROM events ORDER BY event_id')

test('a merge through the API changes past results at once, and no row of an event is written again', async () => {
  expect(await buyers()).toBe(5)
  const before = await eventRows()
  await change('POST', '/ann/merge?idempotency_key=once', { ids: ['phone'] })
  // Tables are told one after the other.
  const merged = await until(
    '/ann',
    ({ distinct_ids, properties }) => distinct_ids.length === 2 && properties.of_phone === 1,
  )
  expect(merged).toMatchObject({ properties: { of_ann: 1, of_phone: 1 }, is_identified: true })
  expect(await buyers()).toBe(4)
  expect(await eventRows()).toEqual(before)
  expect(await read('/persons/phone')).toMatchObject({ uuid: merged.uuid })

  await change('POST', '/ann/split', { main_distinct_id: 'ann' })
  await until('/ann', ({ distinct_ids }) => distinct_ids.length === 1)
  expect(await buyers()).toBe(5)
  // The same call with the same key, made again after the split: it has happened already.
  await change('POST', '/ann/merge?idempotency_key=once', { ids: ['phone'] })
  await change('PATCH', '/ann', { properties: { last: true } })
  await until('/ann', ({ properties }) => properties.last === true)
  expect(await buyers()).toBe(5)
  expect(await eventRows()).toEqual(before)
})

test('properties are set, replaced and removed', async () => {
  await change('PATCH', '/bob', { properties: { email: 'bob@example.com', n: 1 } })
  await change('POST', '/bob/delete_property', { $unset: 'n' })
  await change('POST', '/bob/update_property', { key: 'plan', value: ['a'] })
  expect(await until('/bob', ({ properties }) => 'plan' in properties)).toMatchObject({
    properties: { of_bob: 1, email: 'bob@example.com', plan: ['a'] },
  })
  await change('PUT', '/bob', { properties: { email: 'b@example.com' } })
  const replaced = await until('/bob', ({ properties }) => !('plan' in properties))
  expect(replaced.properties).toEqual({ email: 'b@example.com' })
})

test('a person that is deleted with its events leaves neither, and what comes late goes too', async () => {
  const before = new Date().toISOString()
  const counted = async (id: string) => (await read(`/events?distinct_id=${id}`)).results.length
  expect(await counted('dan')).toBe(2)
  await change('POST', '/bulk_delete', { distinct_ids: ['dan', 'eve'], delete_events: true })
  await api.eventually(
    async () => (await counted('dan')) + (await counted('eve')),
    (rows) => rows === 0,
  )
  expect((await api.get(`${PATH}/persons/dan`, key)).statusCode).toBe(404)
  expect(await counted('bob')).toBe(1)
  expect(await buyers()).toBe(3)

  // The deletion has let go of the id: there is nothing to be reset.
  const reset = (distinct_id: string) => change('POST', '/reset_person_distinct_id', { distinct_id })
  expect(await reset('dan')).toMatchObject({ state: 'released', person_id: null, commands: [] })
  expect(await reset('nobody')).toMatchObject({ state: 'never_used' })

  // It had arrived before, and was on its way; another one arrives now.
  await api.happen({ distinct_id: 'dan', event: 'buy', collector_time: before, late: true })
  await api.happen({ distinct_id: 'dan', event: 'buy', set: { again: 1 } })
  await change('POST', '/bulk_delete', { distinct_ids: ['bob'], delete_events: true, keep_person: true })
  await api.eventually(
    async () => (await counted('dan')) + (await counted('bob')),
    (rows) => rows === 1,
  )
  expect(await read('/persons/bob')).toMatchObject({ properties: { email: 'b@example.com' } })
  const again = await until('/dan', ({ uuid }) => uuid !== undefined)
  expect(again.properties).toEqual({ again: 1 })
  expect(await reset('dan')).toMatchObject({ state: 'in_use', person_id: again.uuid })

  // From the disk, as the worker does once a day.
  await api.clickhouse.command(
    'ALTER TABLE events APPLY DELETED MASK',
    {},
    { settings: { mutations_sync: 2 } },
  )
  const [stored] = await api.clickhouse.query<{ rows: string }>(
    "SELECT sum(rows) AS rows FROM system.parts WHERE database = currentDatabase() AND table = 'events' AND active",
  )
  expect(Number(stored?.rows)).toBe(4)
  // What its projections count is what is there.
  const [sources] = await api.clickhouse.query<{ n: string }>(
    'SELECT count() AS n FROM events WHERE src_partition = 0 AND src_offset >= 0',
  )
  expect(Number(sources?.n)).toBe(4)
})
