import { afterAll, beforeAll, expect, test } from 'vitest'
import { guardedTables } from '../helpers/guarded-statement.ts'
import { forEachHistory } from '../helpers/insight-engine.ts'
import {
  holdToDataset,
  openIsolatedDouble,
  openIsolatedEngine,
  PLAIN_TEXTS,
  REQUEST_TEXTS,
} from '../helpers/isolated-api.ts'
import { HOSTILE_EXPLAINED, REQUESTS_RUN, randomRequest } from '../helpers/random-requests.ts'
import { QUERY_SEED } from '../helpers/random-sql.ts'
import { explained, guardedInTree, treeShape } from '../helpers/statement-tree.ts'
import { MARK, MARK_NUMBER, OTHER, OWN } from '../helpers/two-datasets.ts'
import type { AskedQuestion } from '../services/query-api/recording-environment.ts'

const LONG = { timeout: 12 * 3_600_000 }
/** One in so many is asked where there is no other dataset, too. */
const COMPARED_EVERY = 4
/** Statements whose trees are looked at: long runs have very many, and they are kept until then. */
const STATEMENTS_MAX = 10_000

type Engine = Awaited<ReturnType<typeof openIsolatedEngine>>
let both: Engine
let alone: Engine
/** What was asked of the engine with both of them, each text once. */
const asked = new Map<string, AskedQuestion>()
let tables = 0
let isAsking = false
beforeAll(async () => {
  both = await openIsolatedEngine([OWN, OTHER], (statement) => {
    // Those of the other one are of making it.
    if (!isAsking) return
    tables += holdToDataset(statement)
    if (asked.size < STATEMENTS_MAX) asked.set(statement.sql, statement)
  })
  alone = await openIsolatedEngine([OWN])
})
afterAll(() => Promise.all([both.close(), alone.close()]))

/** In any order, where none was asked for, without what is drawn by lot where something is saved, computed or kept. */
function inOrder(text: string): string {
  const pieces = text
    .replaceAll(/personal_api_key:\w+|"short_id":"\w+"|"is_cached":\w+/g, 'drawn')
    .split(/[\n,[\]{}]/)
  return pieces.sort().join()
}

test(`${REQUESTS_RUN} random requests are answered with nothing of another dataset`, LONG, async () => {
  isAsking = true
  expect(both.names).toEqual(alone.names)
  const digits = String(MARK_NUMBER).slice(0, -2)
  let answered = 0
  let found = 0
  const seeds = Array.from({ length: REQUESTS_RUN }, (_, n) => QUERY_SEED + n)
  await forEachHistory(seeds, async (seed, n) => {
    const request = randomRequest(seed, both.names)
    const { status, text } = await both.send(request)
    if (status >= 500) throw new Error(`Request ${seed} to ${request.family}: ${text} ${both.lines.at(-1)}`)
    if (status < 400) answered++
    if (/u0|acme|s0/.test(text)) found++
    if (text.includes(MARK) || text.includes(digits))
      throw new Error(`Request ${seed} to ${request.family} is answered with what is of ${OTHER}: ${text}`)
    if (n % COMPARED_EVERY > 0) return
    const own = await alone.send(request)
    expect([seed, status, inOrder(text)]).toEqual([seed, own.status, inOrder(own.text)])
  })
  isAsking = false
  expect(answered / REQUESTS_RUN).toBeGreaterThan(0.8)
  // Of the asking one there is something in the answers: else nothing would be shown.
  expect(found / REQUESTS_RUN).toBeGreaterThan(0.2)
  expect(tables).toBeGreaterThan(REQUESTS_RUN)
})

// Found by twelve thousand random requests: ways around a funnel, and what goes with its success.
test('questions whose conditions nobody meets are answered, though the engine cannot plan them at first', async () => {
  let plainer = 0
  const fresh = await openIsolatedEngine([OWN], ({ options }) => {
    if (options?.settings?.query_plan_split_filter === 0) plainer++
  })
  for (const seed of [20_265_297, 20_266_364, 20_267_976, 20_269_136, 20_270_186]) {
    const { status, text } = await fresh.send(randomRequest(seed, fresh.names))
    expect([seed, status, text]).toEqual([seed, 200, text])
  }
  await fresh.close()
  expect(plainer).toBeGreaterThan(0)
})

test(
  'in the tree that the engine makes of each of them, every table stands beside its dataset',
  LONG,
  async () => {
    expect(asked.size).toBeGreaterThan(Math.min(REQUESTS_RUN, STATEMENTS_MAX) / 2)
    await forEachHistory([...asked.values()], async (statement) => {
      const tree = guardedInTree(await explained(both.clickhouse, statement), OWN)
      const { sql, parameters } = statement
      expect(tree.sort(), sql).toEqual(guardedTables(sql, parameters, OWN).sort())
    })
  },
)

test(
  `to the engine ${HOSTILE_EXPLAINED} hostile requests are the same trees as plain ones`,
  LONG,
  async () => {
    const [hostile, plain] = await Promise.all([openIsolatedDouble(), openIsolatedDouble()])
    const treesOf = async (
      { ask, names }: typeof hostile,
      texts: readonly string[],
      seed: number,
    ): Promise<string[][]> => {
      const { statements } = await ask(randomRequest(seed, { ...names, texts }))
      const trees: string[][] = []
      for (const statement of statements) trees.push(treeShape(await explained(both.clickhouse, statement)))
      return trees
    }
    let trees = 0
    for (let n = 0; n < HOSTILE_EXPLAINED; n++) {
      const seed = QUERY_SEED - n
      const [of, ofPlain] = await Promise.all([
        treesOf(hostile, REQUEST_TEXTS, seed),
        treesOf(plain, PLAIN_TEXTS, seed),
      ])
      expect([seed, of]).toEqual([seed, ofPlain])
      trees += of.length
    }
    expect(trees).toBeGreaterThan(HOSTILE_EXPLAINED)
  },
)

test('a tree in which a table stands without its dataset is noticed', async () => {
  const of = async (sql: string) =>
    guardedInTree(await explained(both.clickhouse, { sql, parameters: { p0: OWN, p1: OTHER } }), OWN)
  const guarded = 'SELECT event FROM events WHERE dataset_id = {p0:String}'
  expect(await of(`WITH q0 AS (${guarded}) SELECT * FROM q0 JOIN (${guarded} AND 1) AS a ON 1 = 1`)).toEqual([
    'events',
    'events',
  ])
  for (const sql of [
    'SELECT event FROM events',
    'SELECT event FROM events WHERE dataset_id = {p1:String}',
    'SELECT event FROM events WHERE dataset_id = {p0:String} OR 1',
    'SELECT event FROM events, persons WHERE dataset_id = {p0:String}',
    `${guarded} AND distinct_id IN persons`,
    'SELECT name FROM system.tables',
    'SELECT number FROM numbers(3)',
  ])
    await expect(of(sql), sql).rejects.toThrow()
})
