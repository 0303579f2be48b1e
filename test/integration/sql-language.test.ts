import { afterAll, beforeAll, expect, test } from 'vitest'
import { personIdOf } from '../../services/core/event/person-id.ts'
import { FUNCTION_NAMES } from '../../services/query-api/sql/functions.ts'
import { answeringFaults } from '../../services/query-api/sql/sql-failure.ts'
import { compileSql } from '../../services/query-api/sql/sql-statement.ts'
import { VIEWS } from '../../services/query-api/sql/views.ts'
import { type InsightEngine, NOW_MS, openInsightEngine } from '../helpers/insight-engine.ts'
import type { Happening, History } from '../reference/history.ts'

let engine: InsightEngine
const START_MS = Date.parse('2026-11-01T22:30:00Z')

/** Twelve events of three distinct ids, two of which are one person; another dataset has the same ids. */
function history(dataset: string, zone: string): History {
  const events = Array.from(
    { length: 12 },
    (_, n): Happening => ({
      event: ['view', 'buy', 'view'][n % 3] as string,
      distinctId: n === 11 ? null : (['u1', 'u2', 'u3'][n % 3] as string),
      timeMs: START_MS + n * 3_600_000,
      partition: 0,
      offset: n,
      session: n < 6 ? 's1' : 's2',
      groups: { company: n % 2 === 0 ? 'acme' : 'globex' },
      url: `https://shop.example.com/${n}`,
      properties: {
        plan: ['free', 'pro', null][n % 3],
        amount: n % 4 === 0 ? 'many' : n,
        nested: { a: n },
        ok: n % 2 === 0,
        "it's": dataset,
      },
    }),
  )
  const person = (id: string, properties: Record<string, unknown>) => ({
    person: id,
    createdMs: START_MS,
    validFromMs: START_MS,
    properties,
    isDeleted: false,
    version: 1,
  })
  return {
    dataset,
    zone,
    events,
    persons: [person('u1', { email: `a@${dataset}` }), person('u3', { email: `c@${dataset}` })],
    overrides: [{ id: 'u2', person: 'u1', version: 2 }],
    groups: [{ index: 0, key: 'acme', properties: { tier: dataset }, version: 1 }],
    groupTypes: [{ name: 'company', index: 0 }],
  } as unknown as History
}
const SHOP = history('shop', 'Europe/Berlin')

beforeAll(async () => {
  engine = await openInsightEngine()
  await engine.store([SHOP, history('blog', 'UTC')])
})
afterAll(() => engine.close())

async function ask(sql: string): Promise<readonly (readonly unknown[])[]> {
  const question = engine.questionOf(SHOP)
  const asking = { dataset: 'shop', zone: question.zone, nowMs: NOW_MS }
  return answeringFaults(sql, 'query', async () => {
    const { rows } = await engine.askTable(question, (bindings) => compileSql(sql, asking, bindings).sql)
    return rows
  })
}

test.each([
  ['SELECT count() FROM events', [[12]]],
  ['select COUNT(*) from Events', [[12]]],
  [
    'SELECT event, count() AS n FROM events GROUP BY event ORDER BY n DESC',
    [
      ['view', 8],
      ['buy', 4],
    ],
  ],
  [
    'SELECT event, count() FROM events GROUP BY 1 ORDER BY 2',
    [
      ['buy', 4],
      ['view', 8],
    ],
  ],
  ['SELECT event FROM events GROUP BY event HAVING count() > 5', [['view']]],
  ['SELECT count(DISTINCT person_id) FROM events', [[2]]],
  ['SELECT count(DISTINCT distinct_id) FROM events', [[3]]],
  ["SELECT count() FROM events WHERE properties.plan = 'pro'", [[4]]],
  ["SELECT count() FROM events WHERE properties['plan'] IN ('pro', 'free')", [[8]]],
  ['SELECT count() FROM events WHERE properties.plan IS NULL', [[4]]],
  ['SELECT sum(properties.amount) FROM events', [[54]]],
  ['SELECT count() FROM events WHERE properties.amount > 9', [[2]]],
  ['SELECT count() FROM events WHERE properties.amount BETWEEN 9 AND 10', [[2]]],
  ['SELECT count() FROM events WHERE properties.ok = true', [[6]]],
  ['SELECT max(toInt(properties.nested.a)) FROM events', [[11]]],
  [`SELECT DISTINCT properties."it's" FROM events`, [['shop']]],
  ["SELECT DISTINCT properties['it''s'] AS x FROM events", [['shop']]],
  ["SELECT count() FROM events WHERE timestamp >= '2026-11-02'", [[12 - 1]]],
  ["SELECT count() FROM events WHERE timestamp > '2026-11-02T00:30:00Z' AND event LIKE 'v%'", [[6]]],
  [
    'SELECT toDate(timestamp) AS day, count() FROM events GROUP BY day ORDER BY day',
    [
      ['2026-11-01', 1],
      ['2026-11-02', 11],
    ],
  ],
  ['SELECT toHour(min(timestamp)) FROM events', [[23]]],
  ['SELECT count() FROM events WHERE timestamp > now() - INTERVAL 9 DAY', [[12 - 0]]],
  ['SELECT count() FROM events WHERE timestamp > now() - INTERVAL 1 DAY', [[0]]],
  ["SELECT person.properties.email FROM events WHERE distinct_id = 'u2' LIMIT 1", [['a@shop']]],
  ["SELECT DISTINCT person_properties.email FROM events WHERE distinct_id = 'u3'", [['c@shop']]],
  ["SELECT DISTINCT person_id FROM events WHERE distinct_id = 'u2'", [[personIdOf('shop', 'u1')]]],
  [
    'SELECT id FROM persons ORDER BY properties.email',
    [[personIdOf('shop', 'u1')], [personIdOf('shop', 'u3')]],
  ],
  [
    'SELECT p.properties.email, count() FROM events AS e JOIN persons AS p ON e.person_id = p.id GROUP BY 1 ORDER BY 1',
    [
      ['a@shop', 8],
      ['c@shop', 3],
    ],
  ],
  [
    "SELECT e.distinct_id, p.id FROM events e LEFT JOIN persons p ON e.distinct_id = p.properties.email WHERE e.event = 'buy' LIMIT 1",
    [['u2', null]],
  ],
  ['SELECT key, properties.tier FROM groups', [['acme', 'shop']]],
  [
    'SELECT session_id, event_count, duration FROM sessions ORDER BY session_id',
    [
      ['s1', 6, 18000],
      ['s2', 6, 18000],
    ],
  ],
  ['WITH a AS (SELECT event, count() AS n FROM events GROUP BY event) SELECT max(n) FROM a', [[8]]],
  [
    'WITH a AS (SELECT 1 AS n), b AS (SELECT n + 1 AS m FROM a) SELECT a.n, b.m FROM a CROSS JOIN b',
    [[1, 2]],
  ],
  [
    "SELECT count() FROM events WHERE distinct_id IN (SELECT distinct_id FROM events WHERE event = 'buy')",
    [[4]],
  ],
  ['SELECT (SELECT count() FROM events) + 1', [[13]]],
  ['SELECT 1 AS a UNION ALL SELECT 1', [[1], [1]]],
  ["SELECT n FROM (SELECT event AS n FROM events) AS t WHERE t.n = 'buy' LIMIT 2", [['buy'], ['buy']]],
  [
    'SELECT t.properties.plan FROM (SELECT * FROM events ORDER BY timestamp) AS t ORDER BY t.timestamp LIMIT 2',
    [['free'], ['pro']],
  ],
  ['SELECT arrayMap(x -> x * 2, [1, 2, 3])', [[[2, 4, 6]]]],
  ['SELECT arrayFilter((x, y) -> y > 1, [1, 2, 3], [0, 2, 2])', [[[2, 3]]]],
  [
    "SELECT if(1 > 2, 'a', 'b'), CASE 2 WHEN 1 THEN 'x' ELSE 'y' END, CASE WHEN 1 = 1 THEN 5 END",
    [['b', 'y', 5]],
  ],
  ["SELECT CAST('12' AS Int), CAST('x' AS Float), CAST(3 AS String)", [[12, null, '3']]],
  ["SELECT dateDiff('day', toDateTime('2026-01-01'), toDateTime('2026-01-03'))", [[2]]],
  ['SELECT quantile(0.5)(toFloat(properties.amount)) FROM events', [[6]]],
  ['SELECT quantiles(0, 1)(properties.amount) FROM events', [[[1, 11]]]],
  ["SELECT countIf(event = 'buy') / count() FROM events", [[4 / 12]]],
  [
    'SELECT id, row_number() OVER (PARTITION BY event ORDER BY timestamp DESC) AS r FROM events ORDER BY timestamp DESC LIMIT 2',
    [
      ['shop 11', 1],
      ['shop 10', 1],
    ],
  ],
  [
    'SELECT sum(1) OVER (ORDER BY timestamp ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS s FROM events ORDER BY timestamp LIMIT 3',
    [[1], [2], [2]],
  ],
  [
    'SELECT lag(event) OVER (ORDER BY timestamp) FROM events ORDER BY timestamp LIMIT 2',
    [[expect.anything()], ['view']],
  ],
  [
    "SELECT left(event, 2), right(event, 1), any(event) FROM events WHERE event = 'buy' GROUP BY 1, 2",
    [['bu', 'y', 'buy']],
  ],
  ['SELECT -(-1), NOT true, 1 = 1 AND 2 = 3 OR 4 = 4, 2 + 3 * 4, 7 % 4', [[1, false, 1, 14, 3]]],
  ["SELECT concat('a', 'b') || 'c' -- comment\n /* more */", [['abc']]],
  ['SELECT 9223372036854775807', [['9223372036854775807']]],
  ["SELECT [1,2,3][2], tuple(1, 'a')", [[2, [1, 'a']]]],
  ['SELECT * FROM person_distinct_ids', []],
  ['SELECT url_path, browser FROM events LIMIT 1', [[null, null]]],
  ['SELECT timestamp FROM events ORDER BY timestamp LIMIT 1', [['2026-11-01T22:30:00.000Z']]],
  ['SELECT id FROM events ORDER BY timestamp LIMIT 1 OFFSET 3', [['shop 3'], ['shop 4']]],
])('%s', async (sql, rows) => {
  const answered = await ask(sql)
  // One row more than asked for is fetched, to know whether there are more.
  const limit = /LIMIT (\d+)(?: OFFSET \d+)?$/.exec(sql)?.[1]
  expect(answered.slice(0, rows.length)).toEqual(rows)
  if (limit === undefined) expect(answered.length).toBe(rows.length)
})

test.each([
  ['SELECT event + 1 FROM events', /types? that/],
  ["SELECT match(event, '(') FROM events", /regular expression/],
  ['SELECT event, count() FROM events', /GROUP BY/],
  ['SELECT event FROM events WHERE count() > 1', /HAVING/],
  ["SELECT toDate('x') > 1", /./],
  ['SELECT intDiv(1, 0)', /zero/],
  ['SELECT (SELECT event FROM events)', /one row/],
])('%s cannot run and is a 400', async (sql, reason) => {
  await expect(ask(sql)).rejects.toMatchObject({
    status: 400,
    body: { code: 'invalid_query', detail: expect.stringMatching(reason) },
  })
})

test('every column of every table can be read', async () => {
  for (const { name, fields } of VIEWS.values()) {
    const columns = [...fields.keys()]
    for (let from = 0; from < columns.length; from += 60) {
      const listed = columns.slice(from, from + 60).map((column) =>
        column
          .split('.')
          .map((part) => `"${part}"`)
          .join('.'),
      )
      await expect(ask(`SELECT ${listed.join(', ')} FROM ${name} LIMIT 1`)).resolves.toBeDefined()
    }
  }
})

test('the engine knows every function of the language', async () => {
  const rows = await engine.clickhouse.query<{ name: string }>('SELECT name FROM system.functions')
  const windows = [
    'lag',
    'lead',
    'row_number',
    'rank',
    'dense_rank',
    'nth_value',
    'first_value',
    'last_value',
  ]
  const known = new Set([...rows.map(({ name }) => name.toLowerCase()), ...windows])
  const { SQL_FUNCTIONS } = await import('../../services/query-api/sql/functions.ts')
  const { SPECIAL_FUNCTIONS } = await import('../../services/query-api/sql/special-functions.ts')
  const isCombined = (name: string) => known.has(name.replace(/if$/, ''))
  const unknown = SQL_FUNCTIONS.filter(
    ({ name, engine: own }) =>
      SPECIAL_FUNCTIONS[name] === undefined &&
      !known.has(own.toLowerCase()) &&
      !isCombined(own.toLowerCase()),
  )
  expect(unknown.map(({ name }) => name)).toEqual([])
  expect(FUNCTION_NAMES.length).toBeGreaterThan(150)
})
