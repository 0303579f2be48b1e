import { expect, test } from 'vitest'
import { countsSql, newestSql } from '../../../../services/query-api/ingestion-warnings/list-warnings.ts'
import { WARNING_SOURCES } from '../../../../services/query-api/ingestion-warnings/warning-sources.ts'
import { createBindings } from '../../../../services/query-api/query/bindings.ts'
import { HOSTILE } from '../../../helpers/random-sql.ts'
import { restrictedTables, shapeOf } from '../../../helpers/sql-shape.ts'
import { type AskedQuestion, recordingEnvironment } from '../recording-environment.ts'

const PATH = '/api/datasets/shop/ingestion_warnings'

/** One rejected event of Ann's. */
function rejected({ sql }: AskedQuestion): object[] {
  if (!sql.includes('FROM rejected_events')) return []
  if (sql.includes('total')) return [{ warned: 'too_large', total: '3', last_ms: '1795176000000' }]
  return [
    {
      warned: 'too_large',
      at_ms: '1795176000000',
      event_id: 'ann@example.com',
      event: 'sign up',
      distinct_text: 'ann@example.com',
      stage: 'collector',
      told: ['sent by ann@example.com'],
    },
  ]
}

test('a type is told with its count and its newest warnings; only what has warnings is asked about twice', async () => {
  const { get, asked } = recordingEnvironment(rejected)
  expect((await get(PATH)).json()).toEqual({
    results: [
      {
        type: 'too_large',
        lastSeen: '2026-11-20T12:00:00.000Z',
        warnings: [
          {
            timestamp: '2026-11-20T12:00:00.000Z',
            details: {
              event_id: 'ann@example.com',
              event: 'sign up',
              distinct_id: 'ann@example.com',
              stage: 'collector',
              reasons: ['sent by ann@example.com'],
            },
          },
        ],
        count: 3,
      },
    ],
  })
  expect(asked).toHaveLength(WARNING_SOURCES.length + 1)
  for (const { sql, parameters } of asked) expect(restrictedTables(sql, parameters, 'shop')).toBe(1)
})

test('maskPii masks what lists of events mask, and leaves ids of events', async () => {
  const { get } = recordingEnvironment(rejected)
  const [{ warnings }] = (await get(`${PATH}?maskPii=true`)).json().results
  expect(warnings[0].details).toMatchObject({
    event_id: 'ann@example.com',
    distinct_id: '***',
    reasons: ['sent by ***'],
  })
})

test('statements name the dataset at every table, and reasons are never part of their text', () => {
  const about = { dataset: "shop' OR '1'='1", sinceMs: 0 }
  for (const source of WARNING_SOURCES) {
    const made = [createBindings(), createBindings(), createBindings()] as const
    const hostile = newestSql(source, HOSTILE, about, made[0])
    const plain = newestSql(
      source,
      HOSTILE.map((_, n) => `plain${n}`),
      { dataset: 'shop', sinceMs: 9 },
      made[1],
    )
    expect(shapeOf(hostile)).toBe(shapeOf(plain))
    expect(restrictedTables(hostile, made[0].parameters, about.dataset)).toBe(HOSTILE.length)
    const counts = countsSql(source, about, made[2])
    expect(restrictedTables(counts, made[2].parameters, about.dataset)).toBe(1)
  }
})

test.each([
  ['?maskPii=maybe', 'maskPii'],
  ['?limit=10', 'limit'],
])('%s is refused, naming the parameter', async (query, attr) => {
  const { get, asked } = recordingEnvironment()
  const response = await get(`${PATH}${query}`)
  expect([response.statusCode, response.json().attr]).toEqual([400, attr])
  expect(asked).toEqual([])
})

test('a key for another dataset, or without the scope, finds nothing; nothing is changed', async () => {
  const { get, send, keys, personalKey, asked } = recordingEnvironment()
  expect((await get(PATH, keys.blogRead)).statusCode).toBe(404)
  expect((await get('/api/datasets/nothing/ingestion_warnings')).statusCode).toBe(404)
  expect((await get(PATH, keys.shopWrite)).statusCode).toBe(403)
  expect((await get(PATH, null)).statusCode).toBe(401)
  const other = await personalKey(['query:read'])
  expect((await get(PATH, other)).json().detail).toContain('ingestion_warning:read')
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE'] as const)
    expect((await send(method, PATH, keys.shopRead, {})).status).toBe(405)
  expect(asked).toEqual([])
  expect((await get(PATH, await personalKey(['ingestion_warning:read']))).json()).toEqual({ results: [] })
})

test('warnings have the limits of what reaches ClickHouse', async () => {
  const { get } = recordingEnvironment()
  for (let n = 0; n < 240; n++) expect((await get(PATH)).statusCode).toBe(200)
  expect((await get(PATH)).statusCode).toBe(429)
  expect((await get('/api/datasets/shop/events')).statusCode).toBe(429)
})
