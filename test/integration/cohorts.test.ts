import { afterAll, beforeAll, expect, test } from 'vitest'
import { personIdOf } from '../../services/core/event/person-id.ts'
import { type InsightEngine, openInsightEngine } from '../helpers/insight-engine.ts'
import type { Happening, History } from '../reference/history.ts'
import { NOW_MS, recordingEnvironment } from '../services/query-api/recording-environment.ts'

const DAY_MS = 86_400_000
let offset = 0
const happened = (event: string, distinctId: string, daysAgo: number): Happening => ({
  event,
  distinctId,
  timeMs: NOW_MS - daysAgo * DAY_MS - 60_000,
  partition: 0,
  offset: offset++,
  session: null,
  groups: {},
  url: null,
  properties: {},
})
const person = (name: string, plan: string) => ({
  person: name,
  properties: { plan },
  createdMs: NOW_MS - 90 * DAY_MS,
  isDeleted: false,
  version: 1,
  validFromMs: 0,
})

const history: History = {
  dataset: 'free',
  zone: 'UTC',
  events: [
    happened('view', 'ann', 3),
    happened('view', 'bob', 3),
    happened('view', 'cat', 3),
    happened('buy', 'ann', 2),
    happened('buy', 'bob', 2),
    happened('buy', 'old', 60),
  ],
  overrides: [],
  persons: [person('ann', 'pro'), person('bob', 'free'), person('cat', 'pro')],
  groupTypes: [],
  groups: [],
}

let engine: InsightEngine
let system: ReturnType<typeof recordingEnvironment>
let key: string
const stopping = new AbortController()
let job: Promise<void>
beforeAll(async () => {
  engine = await openInsightEngine()
  await engine.store([history])
  const cost = {
    executionSecondsMax: 20,
    rowsReadMax: 1_000_000,
    memoryBytesMax: 1_000_000_000,
    resultBytesMax: 50_000_000,
    streamSecondsMax: 60,
  }
  system = recordingEnvironment(() => [], { clickhouse: engine.clickhouse, cost })
  key = await system.personalKey(['*'], ['free', 'blog'])
  job = system.pipeline.calculateCohorts(stopping.signal)
})
afterAll(async () => {
  stopping.abort()
  await job
  await engine.close()
})

const PATH = '/api/datasets/free'
const call = async (method: 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE', path: string, body?: unknown) => {
  const answer = await system.send(method, PATH + path, key, body)
  if (answer.status >= 400) throw new Error(`${path}: ${answer.status} ${JSON.stringify(answer.body)}`)
  return answer.body
}
const behaviour = (over: object = {}) => ({
  type: 'behavioral',
  value: 'performed_event',
  key: 'buy',
  time_value: 30,
  time_interval: 'day',
  ...over,
})
const of = (...values: object[]) => ({ properties: { type: 'AND', values } })

/** Waits until nothing is calculated any more. */
async function calculated(id: number) {
  await expect
    .poll(async () => (await call('GET', `/cohorts/${id}`)).is_calculating, { timeout: 60_000 })
    .toBe(false)
  return call('GET', `/cohorts/${id}`)
}
async function make(body: object): Promise<number> {
  const { id } = await call('POST', '/cohorts', body)
  await calculated(id)
  return id
}
async function members(id: number): Promise<string[]> {
  const { results } = await call('GET', `/cohorts/${id}/persons`)
  return results.map((one: { distinct_ids: string[] }) => one.distinct_ids[0]).sort()
}
const insight = (kind: string, query: object) =>
  call('POST', `/insights/${kind}`, { date_from: '-7d', refresh: true, ...query }).then(
    ({ result }) => result,
  )
const views = async (properties: object[]) =>
  (await insight('trend', { events: [{ id: 'view' }], properties }))[0].count

test('a cohort is calculated when it was made, changed and asked for; who came and went is remembered', async () => {
  const id = await make({ name: 'Buyers', filters: of(behaviour()) })
  expect(await call('GET', `/cohorts/${id}`)).toMatchObject({ count: 2, errors_calculating: 0 })
  expect(await members(id)).toEqual(['ann', 'bob'])
  await call('PATCH', `/cohorts/${id}`, {
    filters: of(behaviour({ time_value: 90 }), behaviour({ time_value: 1, negation: true })),
  })
  expect((await calculated(id)).count).toBe(3)
  await call('PATCH', `/cohorts/${id}`, {
    filters: of(behaviour(), { type: 'person', key: 'plan', value: 'pro' }),
  })
  expect((await calculated(id)).count).toBe(1)
  await call('POST', `/cohorts/${id}/calculate`)
  await calculated(id)
  const { results } = await call('GET', `/cohorts/${id}/calculations`)
  expect(
    results.map((one: Record<string, unknown>) => [one.calculation, one.count, one.entered, one.left]),
  ).toEqual([
    [4, 1, 0, 0],
    [3, 1, 0, 2],
    [2, 3, 1, 0],
    [1, 2, 2, 0],
  ])
  const changes = async (query = '') =>
    (await call('GET', `/cohorts/${id}/history${query}`)).results.map(
      (one: { calculation: number; change: string; person: { distinct_ids: string[] } }) =>
        `${one.calculation} ${one.change} ${one.person.distinct_ids[0]}`,
    )
  expect(await changes()).toEqual([
    '3 left bob',
    '3 left old',
    '2 entered old',
    '1 entered ann',
    '1 entered bob',
  ])
  expect(await changes('?distinct_id=bob')).toEqual(['3 left bob', '1 entered bob'])
})

test('a cohort filters and breaks down every insight, by all names of its type', async () => {
  const id = await make({ name: 'Buyers', filters: of(behaviour()) })
  const other = await make({
    name: 'Others',
    filters: of(behaviour({ key: 'view' }), { type: 'cohort', key: 'id', value: id, negation: true }),
  })
  for (const type of ['cohort', 'static-cohort', 'precalculated-cohort']) {
    expect(await views([{ type, key: 'id', value: id }])).toBe(2)
    expect(await views([{ type, key: 'id', value: id, negation: true }])).toBe(1)
  }
  expect(await views([{ type: 'cohort', key: 'id', value: other }])).toBe(1)
  const breakdown = { breakdown: [id, other, 'all'], breakdown_type: 'cohort' }
  const lines = await insight('trend', { events: [{ id: 'view' }], ...breakdown })
  expect(lines.map((line: Record<string, unknown>) => [line.breakdown_value, line.count])).toEqual([
    [id, 2],
    [other, 1],
    ['all', 3],
  ])
  const funnel = await insight('funnel', { events: [{ id: 'view' }, { id: 'buy' }], ...breakdown })
  const counts = funnel.map((steps: { breakdown_value: unknown; count: number }[]) => [
    String(steps[0]?.breakdown_value),
    ...steps.map(({ count }) => count),
  ])
  expect(counts.sort()).toEqual(
    [
      [String(id), 2, 2],
      [String(other), 1, 0],
      ['all', 3, 2],
    ].sort(),
  )
  const times = await insight('timing', { from_entity: 'view', to_entity: 'buy', ...breakdown })
  // Of those who did not buy there are no times.
  expect(times.map((row: { breakdown_value: unknown }) => row.breakdown_value).sort()).toEqual([id, 'all'])
  const filtered = { properties: [{ type: 'cohort', key: 'id', value: id }] }
  expect(
    (
      await insight('retention', {
        target_entity: 'view',
        returning_entity: 'buy',
        ...filtered,
        date_from: undefined,
      })
    )
      .map((row: { values: { count: number }[] }) => row.values[0]?.count ?? 0)
      .reduce((sum: number, count: number) => sum + count, 0),
  ).toBe(2)
  expect((await insight('stickiness', { events: [{ id: 'view' }], ...filtered }))[0].count).toBe(2)
  const lifecycle = await insight('lifecycle', { events: [{ id: 'view' }], ...filtered })
  expect(
    lifecycle.reduce((sum: number, line: { data: number[] }) => sum + Math.max(...line.data, 0), 0),
  ).toBe(2)
  expect(await insight('path', { include_event_types: ['custom_event'], ...filtered })).toEqual([])
  await call('PUT', '/settings', {
    test_account_filters: [{ type: 'cohort', key: 'id', value: id, negation: true }],
  })
  const real = await insight('trend', { events: [{ id: 'view' }], filter_test_accounts: true })
  expect(real[0].count).toBe(1)
})

test('static cohorts hold a file, the people of an insight, or those of another cohort at that moment', async () => {
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'text/csv' }
  const url = `${PATH}/cohorts?name=Listed`
  const file = await system.app.inject({
    method: 'POST',
    url,
    headers,
    payload: 'distinct_id\r\nann\r\nnobody yet\r\n',
  })
  const listed = file.json().id
  expect([file.statusCode, file.json().count, await members(listed)]).toEqual([201, 2, ['ann', 'nobody yet']])
  await call('POST', `/cohorts/${listed}/persons`, { distinct_ids: ['cat', 'ann'] })
  expect(await members(listed)).toEqual(['ann', 'cat', 'nobody yet'])
  const funnel = { events: [{ id: 'view' }, { id: 'buy' }], date_from: '-7d', funnel_step: -2 }
  const dropped = await make({ name: 'Dropped', query: { people: 'funnel', parameters: funnel } })
  expect(await members(dropped)).toEqual(['cat'])
  const began = await make({
    name: 'Began',
    query: {
      people: 'retention',
      parameters: { target_entity: 'view', total_intervals: 5, selected_interval: 1 },
    },
  })
  expect(await members(began)).toEqual(['ann', 'bob', 'cat'])
  const buyers = await make({ name: 'Buyers', filters: of(behaviour()) })
  const copy = await call('POST', `/cohorts/${buyers}/duplicate_as_static_cohort`, {})
  expect([copy.is_static, copy.count, await members(copy.id)]).toEqual([true, 2, ['ann', 'bob']])
  const mine = await call('GET', '/persons/cohorts?distinct_id=cat')
  expect(mine.results.map((one: { name: string }) => one.name)).toEqual(
    expect.arrayContaining(['Listed', 'Dropped', 'Began']),
  )
  expect(mine.results.map((one: { id: number }) => one.id)).not.toContain(copy.id)
  const byId = (key: string) => call('GET', `/persons/cohorts?person_id=${personIdOf('free', key)}`)
  expect(await byId('cat')).toEqual(mine)
  const others = (await byId('ann')).results.map((one: { id: number }) => one.id)
  expect([others.includes(copy.id), others.includes(began)]).toEqual([true, true])
})

test('the people of a cohort come as a file, guarded', async () => {
  const id = await make({ name: 'x', is_static: true })
  await call('POST', `/cohorts/${id}/persons`, { distinct_ids: ['=1+1', 'ann'] })
  const headers = { authorization: `Bearer ${key}` }
  for (const path of ['persons.csv', 'persons?format=csv']) {
    const { body, headers: sent } = await system.app.inject({ url: `${PATH}/cohorts/${id}/${path}`, headers })
    expect(sent['content-type']).toContain('text/csv')
    expect(body.split('\r\n').map((line) => line.split(',').slice(1, 3))).toEqual([
      ['name', 'distinct_ids'],
      ["'=1+1", '"[""=1+1""]"'],
      ['ann', '"[""ann""]"'],
      [],
    ])
  }
})

test('members stay members when they are merged, without a calculation', async () => {
  const id = await make({ name: 'Buyers', filters: of(behaviour()) })
  const only = await make({ name: 'Ann', is_static: true })
  await call('POST', `/cohorts/${only}/persons`, { distinct_ids: ['ann'] })
  await engine.store([
    { ...history, events: [], persons: [], overrides: [{ id: 'ann', person: 'cat', version: 2 }] },
  ])
  expect(await members(only)).toEqual(['cat'])
  expect(await members(id)).toEqual(['bob', 'cat'])
  // What ann and cat had seen is cat's now.
  expect(await views([{ type: 'cohort', key: 'id', value: only }])).toBe(2)
  const mine = await call('GET', '/persons/cohorts?distinct_id=ann')
  expect(mine.results.map((one: { id: number }) => one.id)).toContain(only)
  expect(await call('GET', `/persons/cohorts?person_id=${personIdOf('free', 'cat')}`)).toEqual(mine)
})

test('a cohort of another dataset is not there, and a removed one leaves no members', async () => {
  const id = await make({ name: 'Buyers', filters: of(behaviour()) })
  expect((await system.send('GET', `/api/datasets/blog/cohorts/${id}/persons`, key)).status).toBe(404)
  await call('DELETE', `/cohorts/${id}`)
  const refused = await system.send('POST', `${PATH}/insights/trend`, key, {
    events: [{ id: 'view' }],
    properties: [{ type: 'cohort', key: 'id', value: id }],
  })
  expect([refused.status, refused.body.detail]).toEqual([400, `There is no cohort ${id}.`])
  const left = () =>
    engine.clickhouse.query<{ left: number }>(
      'SELECT toUInt32(count()) AS left FROM cohort_members WHERE cohort_id = {id:UInt64}',
      { id },
    )
  await expect.poll(async () => (await left())[0]?.left, { timeout: 60_000 }).toBe(0)
})
