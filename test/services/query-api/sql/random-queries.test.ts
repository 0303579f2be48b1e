import { expect, test } from 'vitest'
import { readExpressions } from '../../../../services/query-api/events/event-expressions.ts'
import { eventPageSql } from '../../../../services/query-api/events/event-query.ts'
import { selectedSql } from '../../../../services/query-api/events/selected-query.ts'
import { ApiError } from '../../../../services/query-api/http/api-error.ts'
import { type Bindings, createBindings } from '../../../../services/query-api/query/bindings.ts'
import { listedMembers } from '../../../../services/query-api/query/filter-sql.ts'
import {
  EXPRESSION_TYPES,
  FILTER_TYPES,
  type FilterType,
  OPERATORS,
  readFilterTree,
} from '../../../../services/query-api/query/property-filters.ts'
import { type TimeZone, timeZone } from '../../../../services/query-api/query/zoned-time.ts'
import { SqlFault } from '../../../../services/query-api/sql/sql-fault.ts'
import { compileSql } from '../../../../services/query-api/sql/sql-statement.ts'
import { randomNumbers } from '../../../helpers/draws.ts'
import { HOSTILE, QUERIES, QUERY_SEED, RandomSql } from '../../../helpers/random-sql.ts'
import { restrictedTables, shapeOf, statementTokens } from '../../../helpers/sql-shape.ts'

const zone = timeZone('Europe/Berlin') as TimeZone
const SEED = QUERY_SEED
/** On a machine that has other work, or with very many queries. */
const LONG = { timeout: 3_600_000 }
/** Of what takes longer, a quarter as many. */
const PARTS = Math.ceil(QUERIES / 4)
/** A name that would be noticed, wherever it came through. */
const DATASET = "shop' OR '1'='1"
const asking = { dataset: DATASET, zone, nowMs: 1_800_000_000_000 }

/** Filters whose keys are a closed list. */
const OWN_KEYS: Partial<Record<FilterType, string>> = {
  session: '$entry_current_url',
  element: 'text',
  recording: 'start_url',
}

test(
  `${QUERIES} random queries read nothing but the asking dataset, whatever names and values they have`,
  LONG,
  () => {
    let tables = 0
    let refused = 0
    for (let n = 0; n < QUERIES; n++) {
      const text = new RandomSql(SEED + n).query()
      const bindings = createBindings()
      const sql = compiledWithin(text, bindings)
      if (sql === null) {
        refused++
        continue
      }
      const found = restrictedTables(sql, bindings.parameters, DATASET)
      if (found === 0) throw new Error(`No table is read by ${text}`)
      tables += found
    }
    expect(refused / QUERIES).toBeLessThan(0.01)
    expect(tables).toBeGreaterThan(QUERIES)
  },
)

/** The statement; null for a query that reads more than one may. */
function compiledWithin(text: string, bindings: Bindings): string | null {
  try {
    return compileSql(text, asking, bindings).sql
  } catch (error) {
    if (error instanceof SqlFault && error.message.includes('tables and subqueries in all')) return null
    throw error
  }
}

/** Plain names and values in the places of the hostile ones: as many, and all different. */
const PLAIN = HOSTILE.map((_, n) => `plain${n}`)

test('10000 hostile queries are statements of the same shape as plain ones', LONG, () => {
  for (let n = 0; n < 10_000; n++) {
    const [hostile, plain] = [HOSTILE, PLAIN].map((texts) => {
      const bindings = createBindings()
      const sql = compiledWithin(new RandomSql(SEED - n, texts).query(), bindings) ?? ''
      if (texts === HOSTILE) statementTokens(sql)
      return shapeOf(sql)
    })
    if (hostile !== plain) expect(hostile).toBe(plain)
  }
})

test(
  `${PARTS} random lists of events with filters, conditions, selections and orders read nothing else either`,
  LONG,
  () => {
    const next = randomNumbers(SEED)
    const pick = <T>(list: readonly T[]) => list[Math.floor(next() * list.length)] as T
    const cohorts = new Map([[5, listedMembers(['u1', "u'2"])]])
    const frame = { zone, nowMs: asking.nowMs, invalidPatterns: new Set<string>(['(']), cohorts }
    for (let n = 0; n < PARTS; n++) {
      const random = new RandomSql(SEED + n)
      const filters = Array.from({ length: Math.floor(next() * 3) }, () => {
        const type = pick(FILTER_TYPES)
        if (type === 'hogql') return { type: pick(EXPRESSION_TYPES), key: random.filter(), value: null }
        if (type === 'cohort') return { type, key: 'id', value: 5, negation: next() < 0.5 }
        const operator = pick(OPERATORS)
        const value = operator.startsWith('is_date') ? pick(['2026-01-01', 'x']) : pick(HOSTILE)
        return {
          type,
          key: OWN_KEYS[type] ?? pick(HOSTILE),
          operator,
          value: /^(gt|lt)/.test(operator) ? pick(['5', value]) : value,
          ...(type === 'group' ? { group_type_index: 1 } : {}),
          ...(type === 'person' ? { as_of: pick(['now', 'event']) } : {}),
        }
      })
      const expressions = readExpressions(
        {
          select: Array.from({ length: 1 + Math.floor(next() * 3) }, () =>
            pick([random.expression(), 'count()', '*', 'person', 'event AS e']),
          ).filter((text, _, all) => !(['*', 'person'].includes(text) && all.includes('count()'))),
          where: next() < 0.7 ? [random.condition()] : [],
          orderBy: next() < 0.3 ? [pick(['event DESC', 'properties.x', 'timestamp'])] : [],
        },
        asking,
      )
      const selection = {
        dataset: DATASET,
        event: next() < 0.5 ? pick(HOSTILE) : null,
        distinctId: next() < 0.3 ? pick(HOSTILE) : null,
        personId: next() < 0.2 ? pick(HOSTILE) : null,
        afterMs: next() < 0.5 ? 1 : null,
        beforeMs: next() < 0.5 ? 2_000_000_000_000 : null,
        filters: readFilterTree({ type: pick(['AND', 'OR']), values: filters }, 'properties', FILTER_TYPES),
        where: expressions.where,
      }
      const cursor = next() < 0.5 ? { eventTimeMs: 5, srcPartition: 1, srcOffset: 2 } : null
      const page = { order: pick(['ascending', 'descending'] as const), limit: 5, offset: 3, cursor }
      const made = [createBindings(), createBindings()] as const
      const statements = [
        eventPageSql(selection, page, frame, made[0]),
        selectedSql(selection, expressions, page, frame, made[1]).sql,
      ]
      statements.forEach((sql, place) => {
        expect(restrictedTables(sql, made[place as 0 | 1].parameters, DATASET)).toBeGreaterThan(0)
      })
    }
  },
)

test(
  `${PARTS} texts of torn, doubled and moved pieces are refused or compiled, and nothing else`,
  LONG,
  () => {
    const next = randomNumbers(SEED)
    const pick = <T>(list: readonly T[]) => list[Math.floor(next() * list.length)] as T
    let compiled = 0
    for (let n = 0; n < PARTS; n++) {
      const pieces = new RandomSql(SEED + n).query().split(/(\s+|[(),'"])/)
      for (let cuts = 1 + Math.floor(next() * 3); cuts > 0; cuts--) {
        const at = Math.floor(next() * pieces.length)
        const what = Math.floor(next() * 3)
        if (what === 0) pieces.splice(at, 1)
        else if (what === 1)
          pieces.splice(
            at,
            0,
            pick([...HOSTILE, '(', ')', ',', '[', 'SELECT', "'", '"', '->', '.', 'system']),
          )
        else pieces.splice(at, 0, pieces[Math.floor(next() * pieces.length)] as string)
      }
      const bindings = createBindings()
      try {
        const { sql } = compileSql(pieces.join(''), asking, bindings)
        restrictedTables(sql, bindings.parameters, DATASET)
        compiled++
      } catch (error) {
        if (!(error instanceof SqlFault) && !(error instanceof ApiError)) throw error
      }
    }
    expect(compiled).toBeGreaterThan(PARTS / 50)
  },
)

test('a condition that was left out, or stands beside an OR, is noticed', () => {
  const of = (sql: string) => restrictedTables(sql, { p0: 'shop', p1: 'blog' }, 'shop')
  expect(of('SELECT count() FROM events WHERE dataset_id = {p0:String}')).toBe(1)
  for (const sql of [
    'SELECT count() FROM events',
    'SELECT count() FROM events WHERE dataset_id = {p1:String}',
    'SELECT count() FROM events WHERE dataset_id = {p0:String} OR 1 = 1',
    'SELECT count() FROM events WHERE event = {p0:String} AND dataset_id = {p0:String}',
    'SELECT count() FROM (SELECT event FROM events WHERE dataset_id = {p0:String}) INNER JOIN persons ON 1 = 1',
    "SELECT count() FROM events WHERE dataset_id = {p0:String} AND event = 'x'",
    'SELECT count() FROM system',
  ])
    expect(() => of(sql)).toThrow()
})
