import { afterAll, beforeAll, expect, test } from 'vitest'
import { ApiError } from '../../services/query-api/http/api-error.ts'
import { createBindings } from '../../services/query-api/query/bindings.ts'
import { answeringFaults } from '../../services/query-api/sql/sql-failure.ts'
import { compileSql } from '../../services/query-api/sql/sql-statement.ts'
import { forEachHistory, type InsightEngine, NOW_MS, openInsightEngine } from '../helpers/insight-engine.ts'
import { HOSTILE, QUERIES_RUN, QUERY_SEED, RandomSql } from '../helpers/random-sql.ts'
import type { Happening, History } from '../reference/history.ts'
import { shapeOf } from '../services/query-api/statement-shape.ts'

/** Stands in every text of the other dataset, and in none of the asking one. */
const MARK = 'blogmark'
const SEED = QUERY_SEED
const START_MS = NOW_MS - 86_400_000

/** The same ids, sessions and groups in both datasets: what is told apart by them alone would be mixed up. */
function history(dataset: string, mark: string): History {
  const properties = Object.fromEntries(HOSTILE.map((name, n) => [name, `${mark}${n}`]))
  return {
    dataset,
    zone: 'Europe/Berlin',
    events: Array.from(
      { length: 24 },
      (_, n): Happening => ({
        event: n % 2 === 0 ? 'view' : `buy${mark}`,
        distinctId: n % 5 === 4 ? null : `u${n % 3}`,
        timeMs: START_MS + n * 60_000,
        partition: 0,
        offset: n,
        session: `s${n % 2}`,
        groups: { company: 'acme' },
        url: `https://x.example/${mark}${n}`,
        properties: { of: `${dataset}${mark}`, ...properties },
      }),
    ),
    overrides: [{ id: 'u1', person: 'u0', version: 2 }],
    persons: ['u0', 'u2'].map((person) => ({
      person,
      createdMs: START_MS,
      validFromMs: START_MS - 1,
      properties: { tier: `gold${mark}`, ...properties },
      isDeleted: false,
      version: 1,
    })),
    groups: [{ index: 0, key: 'acme', properties: { ...properties }, version: 1 }],
    groupTypes: [{ name: 'company', index: 0 }],
  }
}
const SHOP = history('shop', '')

let both: InsightEngine
let alone: InsightEngine
beforeAll(async () => {
  both = await openInsightEngine()
  alone = await openInsightEngine()
  await both.store([SHOP, history('blog', MARK)])
  await alone.store([SHOP])
})
afterAll(() => Promise.all([both.close(), alone.close()]))

async function ask(engine: InsightEngine, text: string): Promise<string> {
  const question = engine.questionOf(SHOP)
  const asking = { dataset: 'shop', zone: question.zone, nowMs: NOW_MS }
  try {
    const { rows } = await answeringFaults(text, 'query', () =>
      engine.askTable(question, (bindings) => compileSql(text, asking, bindings).sql),
    )
    return JSON.stringify(rows.map((row) => JSON.stringify(row)).sort())
  } catch (error) {
    // What cannot run is told as such; anything else is a fault of ours.
    if (error instanceof ApiError && error.status === 400) return `400 ${error.message}`
    throw error
  }
}

test(`${QUERIES_RUN} random queries answer the same whether another dataset is there or not`, {
  timeout: 3_600_000,
}, async () => {
  let refused = 0
  let rows = 0
  const seeds = Array.from({ length: QUERIES_RUN }, (_, n) => SEED + n)
  await forEachHistory(seeds, async (seed) => {
    const text = new RandomSql(seed).query()
    const [shared, own] = await Promise.all([ask(both, text), ask(alone, text)])
    if (shared.startsWith('400')) refused++
    else if (shared !== '[]') rows++
    expect([text, shared]).toEqual([text, own])
    expect(shared).not.toContain(MARK)
  })
  // Most of them run and answer something: else nothing would be shown.
  expect(refused / QUERIES_RUN).toBeLessThan(0.2)
  expect(rows / QUERIES_RUN).toBeGreaterThan(0.3)
})

const PLAIN = HOSTILE.map((_, n) => `plain${n}`)

test('to the engine a hostile query is the same tree as a plain one', { timeout: 3_600_000 }, async () => {
  const treeOf = async (texts: readonly string[], seed: number) => {
    const bindings = createBindings()
    const asking = { dataset: 'shop', zone: both.questionOf(SHOP).zone, nowMs: NOW_MS }
    const { sql } = compileSql(new RandomSql(seed, texts).query(), asking, bindings)
    const rows = await both.clickhouse.query<{ explain: string }>(`EXPLAIN AST ${sql}`, bindings.parameters)
    return rows.map(({ explain }) => shapeOf(explain).replace(/Literal [\s\S]*/, 'Literal'))
  }
  for (let seed = SEED; seed < SEED + 60; seed++) {
    const [hostile, plain] = await Promise.all([treeOf(HOSTILE, seed), treeOf(PLAIN, seed)])
    expect(hostile.length).toBeGreaterThan(10)
    expect(hostile).toEqual(plain)
  }
})
