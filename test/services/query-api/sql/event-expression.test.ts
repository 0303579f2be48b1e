import { expect, test } from 'vitest'
import { ApiError } from '../../../../services/query-api/http/api-error.ts'
import { createBindings } from '../../../../services/query-api/query/bindings.ts'
import { FILTER_LIMITS, readFilterTree } from '../../../../services/query-api/query/property-filters.ts'
import { UTC } from '../../../../services/query-api/query/zoned-time.ts'
import {
  eventTextSql,
  holdsSql,
  readEventExpression,
} from '../../../../services/query-api/sql/event-expression.ts'
import { SQL_LIMITS } from '../../../../services/query-api/sql/sql-limits.ts'
import { HOSTILE, QUERY_SEED, RandomSql } from '../../../helpers/random-sql.ts'
import { shapeOf, statementTokens } from '../../../helpers/sql-shape.ts'

function refusal(read: () => unknown): ApiError['body'] | null {
  try {
    read()
    return null
  } catch (error) {
    if (error instanceof ApiError && error.status === 400) return error.body
    throw error
  }
}

test.each([
  ['', 'Here the query ends, where an expression is expected. (line 1, column 1)'],
  ['evnt', 'There is no column "evnt" here; did you mean "event"?. (line 1, column 1)'],
  ['event =\n evnt', 'There is no column "evnt" here; did you mean "event"?. (line 2, column 2)'],
  ['dataset_id', 'There is no column "dataset_id" here'],
  ['the_person', 'There is no column "the_person" here'],
  ['properties_0', 'There is no column "properties_0" here'],
  ['newest_properties', 'There is no column "newest_properties" here'],
  ['now_properties', 'There is no column "now_properties" here'],
  ['found.dataset_id', 'There is no column "found.dataset_id" here'],
  ['events.event', 'There is no column "events.event" here'],
  ['sleep(3)', 'There is no function "sleep" here'],
  ["dictGet('d', 'a', 1)", 'There is no function "dictGet" here'],
  ['count() > 5', 'count is a value of many events, and here stands a value of each: leave it out. (line 1'],
  ['1 + sum(properties.a)', 'sum is a value of many events'],
  ['count(*)', 'count is a value of many events'],
  ['max(1) OVER ()', 'max is a value of many events'],
  ['row_number() OVER (ORDER BY event)', 'row_number is a value of many events'],
  ['if(event = (SELECT 1), 1, 0)', 'A query of its own does not stand here: compare with values'],
  ['event IN (SELECT event FROM events)', 'A query of its own does not stand here'],
  ['x -> x', 'A lambda stands as the first argument of a function on arrays.'],
  ['arrayExists(x -> y = 1, [1])', 'There is no column "y" here'],
  ['arrayExists(x -> count() = 1, [1])', 'count is a value of many events'],
  ['arrayExists(x -> (SELECT 1) = 1, [1])', 'A query of its own does not stand here'],
  ["event = arrayJoin(['a', 'b'])", 'arrayJoin makes several rows of one event: take arrayExists or has.'],
  ['*', '"*" stands for all columns, and here stands one value: name a column.'],
  ['event AS e', 'Nothing is called by a name here: leave "e" out. (line 1, column 6)'],
  ["event = 'a' other", 'Nothing is called by a name here: leave "other" out.'],
  ["event = 'a' FORMAT Null", '"FORMAT" stands, where the end is expected'],
  ["event = 'a') OR (1 = 1", '")" stands, where the end is expected'],
  ["event = 'a'; DROP TABLE events", '";" means nothing here.'],
  ['{p0:String}', '":" means nothing here.'],
  ['event = {name}', 'There is no value "name".'],
])('%s is refused where it is read', (text, detail) => {
  const body = refusal(() => readEventExpression(text, 'properties'))
  expect(body).toMatchObject({ code: 'invalid_query', attr: 'properties' })
  expect(body?.detail).toContain(detail)
  expect(body?.detail).toMatch(/\(line \d+, column \d+\)$/)
})

test.each([
  "properties.amount > 5 and event != 'x'",
  "person.properties.tier = 'gold' or person.created_at < '2026-01-01'",
  "arrayExists(x -> arrayExists(y -> y = x, ['b']), ['a', 'b'])",
  'properties.constructor.__proto__ is not null',
  "event in ('a', 'b') and not (session_id is null)",
])('%s is taken', (text) => {
  expect(refusal(() => readEventExpression(text, 'properties'))).toBeNull()
})

test('an expression is bounded, as text, as SQL and in number', () => {
  const { expressions } = FILTER_LIMITS
  const { expressionLength } = SQL_LIMITS
  expect(refusal(() => readEventExpression(`${' '.repeat(expressionLength - 1)}1`, 'a'))).toBeNull()
  expect(refusal(() => readEventExpression(`${' '.repeat(expressionLength)}1`, 'a'))).toMatchObject({
    code: 'invalid_input',
    detail: `An expression may have at most ${expressionLength} characters.`,
  })
  const many = (count: number) => Array(count).fill({ type: 'hogql', key: '1', value: null })
  const groups = (count: number) => ({ type: 'AND', values: [{ type: 'OR', values: many(count) }] })
  expect(refusal(() => readFilterTree(groups(expressions), 'a', ['hogql']))).toBeNull()
  expect(refusal(() => readFilterTree(groups(expressions + 1), 'a', ['hogql']))?.detail).toBe(
    `There may be at most ${expressions} expressions.`,
  )
})

test('what is written out again with every level ends in a refusal, not in the memory of the process', () => {
  const nested = (levels: number) => `${'('.repeat(levels)}event${' between 1 and 2)'.repeat(levels)}`
  const long = [
    nested(50),
    Array(150).fill("properties.a = 'x'").join(' or '),
    `${nested(8)} in (${Array(800).fill('1').join()})`,
    `case ${nested(8)} ${'when 1 then 1 '.repeat(200)} end`,
  ]
  for (const text of long) {
    const detail = refusal(() => readEventExpression(text, 'a'))?.detail
    expect([text.slice(0, 20), detail]).toEqual([
      text.slice(0, 20),
      expect.stringMatching(/^Written out as SQL this is /),
    ])
  }
  expect(refusal(() => readEventExpression(nested(4), 'a'))).toBeNull()
})

test.each(['hogql', 'sql', 'pypeql'])('a filter of type %s is one expression, whatever its value', (type) => {
  const tree = (filter: object) => readFilterTree([filter], 'a', ['event', 'hogql'])
  const { expression } = tree({ type, key: 'event' }).parts[0] as { expression: unknown }
  expect(tree({ type, key: 'event', value: 'x', operator: 'exact' }).parts).toEqual([
    { kind: 'expression', expression },
  ])
  expect(refusal(() => tree({ type, key: 5 }))?.detail).toMatch(
    /^The "key" of such a filter is an expression/,
  )
  expect(refusal(() => readFilterTree([{ type, key: 'event' }], 'a', ['event']))?.detail).toBe(
    'Only filters of type "event" can be answered here.',
  )
})

const PLAIN = HOSTILE.map((_, n) => `plain${n}`)

test('random expressions with hostile names and values are SQL of our own words, and of the same shape as plain ones', () => {
  for (let n = 0; n < 1_000; n++) {
    const [hostile, plain] = [HOSTILE, PLAIN].map((texts) => {
      const random = new RandomSql(QUERY_SEED - n, texts)
      const bindings = createBindings()
      const context = { dataset: "shop' OR '1'='1", bindings, zone: UTC, nowMs: 0 }
      const sql = [
        holdsSql(readEventExpression(random.filter(), 'a'), context),
        eventTextSql(readEventExpression(random.expression(), 'a'), context),
      ].join(', ')
      expect(statementTokens(sql)).not.toContain('FROM')
      expect(bindings.isExpressed).toBe(true)
      return shapeOf(sql)
    })
    expect(hostile).toBe(plain)
  }
})
