import { beforeAll, expect, test } from 'vitest'
import { guardedTables } from '../../helpers/guarded-statement.ts'
import { holdToDataset, openIsolatedDouble, PLAIN_TEXTS, REQUEST_TEXTS } from '../../helpers/isolated-api.ts'
import { HOSTILE_REQUESTS, REQUESTS, randomRequest } from '../../helpers/random-requests.ts'
import { QUERY_SEED } from '../../helpers/random-sql.ts'
import { shapeOf } from '../../helpers/sql-shape.ts'

const LONG = { timeout: 3_600_000 }
/** They are answered by this program alone. */
const NOTHING_ASKED = ['query DatabaseSchemaQuery', 'query SQLMetadata']

let api: Awaited<ReturnType<typeof openIsolatedDouble>>
beforeAll(async () => {
  api = await openIsolatedDouble()
})

test(`${REQUESTS} random requests ask about nothing but the dataset of their key`, LONG, async () => {
  const families = new Map<string, number>()
  let answered = 0
  for (let seed = QUERY_SEED; seed < QUERY_SEED + REQUESTS; seed++) {
    const request = randomRequest(seed, api.names)
    const { status, text, statements } = await api.ask(request)
    if (status >= 500) throw new Error(`Request ${seed} is answered ${status} ${text} ${api.lines.join('')}`)
    if (status < 400) answered++
    let tables = families.get(request.family) ?? 0
    for (const statement of statements)
      try {
        tables += holdToDataset(statement)
      } catch (error) {
        throw new Error(`Request ${seed} to ${request.family}`, { cause: error })
      }
    families.set(request.family, tables)
  }
  expect(answered / REQUESTS).toBeGreaterThan(0.8)
  const silent = [...families].filter(([, tables]) => tables === 0).map(([family]) => family)
  expect(silent.sort()).toEqual(NOTHING_ASKED)
})

test(`${HOSTILE_REQUESTS} hostile requests ask the same statements as plain ones`, LONG, async () => {
  // Not the same one: a request without any text is answered by what is kept.
  const other = await openIsolatedDouble()
  const askedBy = async (seed: number, { ask, names }: typeof api, texts: readonly string[]) => {
    const { status, statements } = await ask(randomRequest(seed, { ...names, texts }))
    return [status, ...statements.map(({ sql }) => shapeOf(sql))]
  }
  for (let n = 0; n < HOSTILE_REQUESTS; n++) {
    const seed = QUERY_SEED - n
    const hostile = await askedBy(seed, api, REQUEST_TEXTS)
    expect([seed, ...hostile]).toEqual([seed, ...(await askedBy(seed, other, PLAIN_TEXTS))])
  }
})

test('a table that is read without its dataset, or past it, is noticed', () => {
  const of = (sql: string) => guardedTables(sql, { p0: 'free', p1: 'blog' }, 'free')
  const guarded = 'SELECT event FROM events WHERE dataset_id = {p0:String}'
  expect(of(guarded)).toEqual(['events'])
  expect(of(`${guarded} AND (a = 1 OR b = 2) GROUP BY event`)).toEqual(['events'])
  expect(of(`WITH q0 AS (${guarded}) SELECT count() FROM q0 JOIN (${guarded}) AS other ON 1 = 1`)).toEqual([
    'events',
    'events',
  ])
  for (const sql of [
    'SELECT event FROM events',
    'SELECT event FROM events WHERE dataset_id = {p1:String}',
    'SELECT event FROM events WHERE dataset_id = {p0:String} OR 1',
    'SELECT event FROM events WHERE NOT dataset_id = {p0:String}',
    "SELECT event FROM events WHERE dataset_id = 'free'",
    'SELECT event FROM events WHERE a = 1 GROUP BY event HAVING dataset_id = {p0:String}',
    'SELECT event FROM (SELECT * FROM events) WHERE dataset_id = {p0:String}',
    'SELECT event FROM events, persons WHERE dataset_id = {p0:String}',
    `SELECT event FROM (${guarded}) AS a, persons`,
    'SELECT event FROM events JOIN persons ON 1 = 1 WHERE dataset_id = {p0:String}',
    `SELECT event FROM (${guarded}) AS a JOIN persons ON 1 = 1`,
    `${guarded} UNION ALL SELECT event FROM events`,
    `${guarded} AND person_key IN persons`,
    `${guarded} AND person_key IN (persons)`,
    `${guarded} AND a IN (SELECT dataset_id FROM persons WHERE dataset_id != {p0:String})`,
    'SELECT name FROM system.tables',
    'SELECT c1 FROM file({p0:String})',
    "SELECT 'a FROM b",
  ])
    expect(() => of(sql), sql).toThrow()
})
