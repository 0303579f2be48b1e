import { expect, test } from 'vitest'
import { DependencyError } from '../../../../services/core/runtime/errors.ts'
import { CALCULATION_LIMITS } from '../../../../services/query-api/cohorts/calculation-store.ts'
import { DELETED_EVERY } from '../../../../services/query-api/cohorts/old-sets.ts'
import { settle } from '../../../helpers/manual-clock.ts'
import { recordingEnvironment } from '../recording-environment.ts'

const PATH = '/api/datasets/shop/cohorts'
const pro = { type: 'person', key: 'plan', value: 'pro' }
const of = (...values: object[]) => ({ properties: { type: 'AND', values } })
const cohort = (value: number) => ({ type: 'cohort', key: 'id', value })

/** The job over a ClickHouse that notes what it is told to write; `fail` is what it then says, once or ever. */
async function running() {
  const system = recordingEnvironment(({ sql }) =>
    sql.includes('AS members') ? [{ members: 3, entered: 2, gone: 1 }] : [],
  )
  const key = await system.personalKey(['*'])
  const told: string[] = []
  const answer: { failWith: Error | null; meanwhile: () => Promise<void> } = {
    failWith: null,
    meanwhile: async () => {},
  }
  system.env.clickhouse.command = async (sql, parameters = {}) => {
    told.push(`${sql.replace(/ ?\(.*$/, '')} ${Object.values(parameters).slice(1, 3).join('/')}`)
    await answer.meanwhile()
    if (answer.failWith !== null) throw answer.failWith
  }
  const stopping = new AbortController()
  const job = system.pipeline.calculateCohorts(stopping.signal)
  const call = async (method: 'GET' | 'POST' | 'PATCH', path = '', body?: unknown) => {
    const { body: answered } = await system.send(method, `${PATH}${path}`, key, body)
    await settle()
    return answered
  }
  const stop = async () => {
    stopping.abort()
    await job
  }
  return { ...system, call, told, answer, stop }
}

test('a new cohort is calculated at once, then every quarter of an hour', async () => {
  const { call, told, clock, stop } = await running()
  await call('POST', '', { name: 'a', filters: of(pro) })
  expect(told).toEqual(['INSERT INTO cohort_members 1/1', 'INSERT INTO cohort_changes 1/1'])
  expect(await call('GET', '/1')).toMatchObject({
    is_calculating: false,
    count: 3,
    last_calculation: '2026-11-22T12:00:00.000Z',
  })
  await clock.advance(CALCULATION_LIMITS.everyMs - 1)
  expect(told).toHaveLength(2)
  await clock.advance(10_001)
  expect(told.slice(2)).toEqual(['INSERT INTO cohort_members 1/2', 'INSERT INTO cohort_changes 1/2'])
  await stop()
})

test('a failing cohort keeps its members and is left alone after its errors, until somebody asks', async () => {
  const { call, answer, told, clock, stop } = await running()
  await call('POST', '', { name: 'a', filters: of(pro) })
  answer.failWith = new DependencyError('clickhouse', 'rejected', 'Code: 158. DB::Exception: too many rows')
  for (let n = 0; n < CALCULATION_LIMITS.errors + 3; n++)
    await clock.advance(CALCULATION_LIMITS.everyMs + 10_000)
  expect(await call('GET', '/1')).toMatchObject({ count: 3, errors_calculating: CALCULATION_LIMITS.errors })
  const { results } = await call('GET', '/1/calculations')
  expect(results[0]).toMatchObject({ count: null, error: expect.stringContaining('reads more rows') })
  expect(results.at(-1)).toMatchObject({ calculation: 1, error: null })
  answer.failWith = null
  const before = told.length
  await call('POST', '/1/calculate')
  expect(told.length).toBe(before + 2)
  expect(await call('GET', '/1')).toMatchObject({ errors_calculating: 0, is_calculating: false })
  await stop()
})

test('an engine that is away uses up no errors', async () => {
  const { call, answer, clock, stop } = await running()
  answer.failWith = new DependencyError('clickhouse', 'unavailable', 'gone')
  await call('POST', '', { name: 'a', filters: of(pro) })
  await clock.advance(CALCULATION_LIMITS.everyMs + 10_000)
  expect(await call('GET', '/1')).toMatchObject({ errors_calculating: 0, count: null, is_calculating: false })
  answer.failWith = null
  await clock.advance(CALCULATION_LIMITS.everyMs + 10_000)
  expect(await call('GET', '/1')).toMatchObject({ count: 3 })
  await stop()
})

test('a calculation by criteria that were changed meanwhile never holds', async () => {
  const { call, answer, send, personalKey, told, stop } = await running()
  const key = await personalKey(['*'])
  answer.meanwhile = async () => {
    answer.meanwhile = async () => {}
    await send('PATCH', `${PATH}/1`, key, { filters: of({ ...pro, value: 'free' }) })
  }
  await call('POST', '', { name: 'a', filters: of(pro) })
  await settle()
  expect(await call('GET', '/1')).toMatchObject({ is_calculating: false, count: 3 })
  expect(told.filter((sql) => sql.includes('members'))).toEqual([
    'INSERT INTO cohort_members 1/1',
    'INSERT INTO cohort_members 1/2',
  ])
  expect(
    (await call('GET', '/1/calculations')).results.map((one: { calculation: number }) => one.calculation),
  ).toEqual([2])
  await stop()
})

test('what a cohort is made of is calculated first, and one that is gone is an error', async () => {
  const { call, told, answer, env, clock, stop } = await running()
  answer.failWith = new DependencyError('clickhouse', 'unavailable', 'gone')
  await call('POST', '', { name: 'a', filters: of(pro) })
  await call('POST', '', { name: 'b', filters: of(cohort(1)) })
  answer.failWith = null
  told.length = 0
  await env.metadata.db.updateTable('cohorts').set({ begun_at: 0 }).where('id', '=', 2).execute()
  await call('POST', '/2/calculate')
  expect(told.filter((sql) => sql.includes('members'))).toEqual([
    'INSERT INTO cohort_members 1/3',
    'INSERT INTO cohort_members 2/2',
  ])
  await call('PATCH', '/1', { deleted: true })
  await call('POST', '/2/calculate')
  expect((await call('GET', '/2/calculations')).results[0]).toMatchObject({
    error: 'There is no cohort 1 any more.',
  })
  expect(await call('GET', '/2')).toMatchObject({ errors_calculating: 1, count: 3 })
  await clock.advance(1)
  await stop()
})

test('old sets are deleted now and then, never the last one that held', async () => {
  const { call, told, stop } = await running()
  await call('POST', '', { name: 'a', filters: of(pro) })
  for (let n = 1; n < DELETED_EVERY; n++) await call('POST', '/1/calculate')
  const deletions = told.filter((sql) => !sql.startsWith('INSERT'))
  expect(deletions).toEqual([
    expect.stringMatching(new RegExp(`^ALTER TABLE cohort_members DELETE .* 1/${DELETED_EVERY - 1}$`)),
  ])
  await stop()
})
