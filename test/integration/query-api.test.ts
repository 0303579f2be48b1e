import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { ENRICHED_EVENT_FIELDS } from '../../schemas/enriched-event/v1.ts'
import { CLICKHOUSE_SETTINGS } from '../../services/core/clickhouse/clickhouse-settings.ts'
import { openClickHouse } from '../../services/core/clickhouse/http-clickhouse.ts'
import { migrate } from '../../services/core/clickhouse/migrate.ts'
import { generateAccessKey, parseAccessKey } from '../../services/core/control/access-key.ts'
import { personIdOf } from '../../services/core/event/person-id.ts'
import { kafkaNames } from '../../services/core/kafka/topics.ts'
import { openSqliteMetadata } from '../../services/core/metadata/sqlite-metadata.ts'
import { parseCidrs } from '../../services/core/runtime/client-address.ts'
import { systemClock } from '../../services/core/runtime/clock.ts'
import { createLogger } from '../../services/core/runtime/logger.ts'
import { createMetrics } from '../../services/core/runtime/metrics.ts'
import { parseSettings } from '../../services/core/runtime/settings.ts'
import { openPostgresTable } from '../../services/query-api/batch-exports/postgres-table.ts'
import { directoryContent } from '../../services/query-api/exports/directory-content.ts'
import { createMemoryRateCounters } from '../../services/query-api/http/memory-rate-counters.ts'
import { createQueryGate } from '../../services/query-api/http/query-gate.ts'
import { createServer } from '../../services/query-api/server.ts'
import { controlView } from '../helpers/memory-control.ts'
import { createMemoryObjectStore } from '../helpers/memory-object-store.ts'

const database = `query_${randomBytes(6).toString('hex')}`
const settings = parseSettings(CLICKHOUSE_SETTINGS, {
  MILLRACE_CLICKHOUSE_URL: inject('clickhouseUrl'),
  MILLRACE_CLICKHOUSE_DATABASE: database,
})
const admin = openClickHouse(settings, null)
const clickhouse = openClickHouse(settings)
const zone = 'America/Sao_Paulo'
const keys = { a: generateAccessKey('read', randomBytes), b: generateAccessKey('read', randomBytes) }
const nowMs = Date.parse('2026-11-22T12:00:00Z')
const cost = {
  executionSecondsMax: 20,
  rowsReadMax: 1_000_000,
  memoryBytesMax: 1_000_000_000,
  resultBytesMax: 50_000_000,
  streamSecondsMax: 60,
}

const metadata = openSqliteMetadata(':memory:')
const counters = createMemoryRateCounters(systemClock, () => {})

function server(limits: Partial<typeof cost> = {}) {
  return createServer(
    {
      clickhouse,
      control: controlView({
        datasets: [
          { id: 'a', account: 'one', timezone: zone },
          { id: 'b', account: 'two' },
        ],
        keys: [
          { id: 'ka', dataset: 'a', scope: 'read', sha256: parseAccessKey(keys.a)!.hash },
          { id: 'kb', dataset: 'b', scope: 'read', sha256: parseAccessKey(keys.b)!.hash },
        ],
      }),
      metadata,
      clock: { ...systemClock, now: () => nowMs },
      randomBytes,
      adminSha256: null,
      rateCounters: { known: counters, addresses: counters },
      rateLimits: { enabled: false, allowed: new Set() },
      cost: { ...cost, ...limits },
      cohortSecondsMax: 60,
      gate: createQueryGate(50, 50),
      results: { resultsBytesMax: 1_000_000, resultsAgeMaxMs: 86_400_000, asyncMax: 2 },
      names: kafkaNames(''),
      exports: {
        content: directoryContent('.', { fileBytesMax: 0, bytesMax: 0 }, systemClock),
        concurrentMax: 0,
        leaseMs: 1,
      },
      batchExports: {
        destinations: { of: () => createMemoryObjectStore(), close() {} },
        secretKey: null,
        publish: async () => {},
        offsetsAt: async () => [],
        stagingBucket: 'millrace',
        mayConnect: () => false,
        openTable: openPostgresTable,
        failPoint: () => {},
        lookEveryMs: 60_000,
      },
      findInLog: async () => ({ hits: [], decidedTo: new Map(), complete: true }),
      findInDelivery: async () => null,
      commandLog: { send: async () => {} },
      writer: clickhouse,
      recordings: { store: createMemoryObjectStore(), bucket: 'millrace' },
    },
    {
      logger: createLogger('query-api', 'error'),
      metrics: createMetrics(),
      publicUrl: null,
      bodyBytesMax: 65_536,
      uploadBytesMax: 200_000,
      streamStallMs: 60_000,
      trustedProxies: parseCidrs(''),
    },
  )
}
const app = server()

interface Stored {
  readonly event_id: string
  readonly dataset_id: string
  readonly event: string
  readonly distinct_id: string | null
  readonly event_time: string
  readonly src_partition: number
  readonly src_offset: number
  readonly browser: string | null
  readonly properties: Record<string, unknown>
  /** JSON, as the column has it. */
  readonly set?: string
  readonly extra?: string
}

/** An event that says something about its person in three places, and of which page element it came from. */
const TOLD = {
  properties: {
    $set: { plan: 'free', seen: true },
    $unset: ['a'],
    email: 'a@b.de',
    note: 'to x@y.org',
    $elements: [
      { tag_name: 'button', $el_text: 'Pay "now"', attr__class: 'b a', nth_child: 2, nth_of_type: 1 },
      { tag_name: 'form', attr__id: 'cart', attr__action: '/pay' },
    ],
  },
  extra: JSON.stringify({ $set: { plan: 'pro', visits: 2 }, $set_once: { first: 'x' }, $unset: ['b'] }),
  set: '{"visits":3}',
}

/** Few times, so that many events share a millisecond; two datasets in one table. */
const stored: Stored[] = Array.from({ length: 1_500 }, (_, i) => ({
  event_id: i === 7 ? `it's/"odd" é` : `e${i}`,
  dataset_id: i % 4 === 3 ? 'b' : 'a',
  event: ['page_view', 'purchase', "it's"][i % 3]!,
  distinct_id: i % 11 === 0 ? null : `d${i % 37}`,
  event_time: new Date(nowMs - 1 - Math.floor((i * 7919) % 60) * 9_000_000).toISOString(),
  src_partition: i % 6,
  src_offset: Math.floor(i / 6),
  browser: i % 5 === 0 ? null : ['Firefox', 'Chrome', 'Safari'][i % 3]!,
  properties: {
    plan: ['free', 'pro', 'team', null][i % 4],
    amount: i % 9 === 0 ? 'many' : i / 10,
    ...(i % 2 === 0 ? { "it's": `v'${i % 3}`, nested: { a: i % 2 } } : {}),
    at: new Date(nowMs - i * 3_600_000).toISOString(),
    on: ['2026-11-10', '2026-11-09 23:30', '2026-11-11T01:00:00+05:00', 'someday'][i % 7],
    ...(i === 8 ? TOLD.properties : {}),
  },
  ...(i === 8 ? { set: TOLD.set, extra: TOLD.extra } : {}),
}))

function row(event: Stored): string {
  const empty = Object.fromEntries(
    ENRICHED_EVENT_FIELDS.map(({ name, type }) => [name, type === 'text_list' ? [] : null]),
  )
  return JSON.stringify({
    ...empty,
    schema_version: 1,
    collector_time: event.event_time,
    time_corrected_ms: 0,
    protocol: 'native',
    recipe: 'r',
    ...event,
    properties: JSON.stringify(event.properties),
  })
}

beforeAll(async () => {
  await migrate(admin, database)
  await clickhouse.insert('events', 'JSONEachRow', Buffer.from(stored.map(row).join('\n')), {
    date_time_input_format: 'best_effort',
    async_insert: 0,
  })
})
afterAll(async () => {
  await admin.command(`DROP DATABASE IF EXISTS \`${database}\``)
  await app.close()
  await clickhouse.close()
  await admin.close()
})

const ofA = stored.filter(({ dataset_id }) => dataset_id === 'a')
async function get(url: string, key = keys.a, from = app) {
  const response = await from.inject({ url, headers: { authorization: `Bearer ${key}` } })
  return { status: response.statusCode, body: response.json(), text: response.body }
}
const query = (parameters: Record<string, string>) => new URLSearchParams(parameters).toString()

async function allIds(parameters: Record<string, string>): Promise<string[]> {
  const ids: string[] = []
  let url: string | null = `/api/datasets/a/events?${query(parameters)}`
  while (url !== null) {
    const { status, body }: { status: number; body: { next: string | null; results: { id: string }[] } } =
      await get(url)
    expect(status).toBe(200)
    ids.push(...body.results.map(({ id }) => id))
    const next: URL | null = body.next === null ? null : new URL(body.next)
    url = next === null ? null : `${next.pathname}${next.search}`
  }
  return ids
}

test('following next gives every event once and in order, whatever the page size, among many ties', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 40, max: 400 }),
      fc.constantFrom('timestamp', '-timestamp'),
      async (limit, orderBy) => {
        const sign = orderBy === 'timestamp' ? 1 : -1
        const expected = [...ofA].sort(
          (x, y) =>
            sign *
            (Date.parse(x.event_time) - Date.parse(y.event_time) ||
              x.src_partition - y.src_partition ||
              x.src_offset - y.src_offset),
        )
        expect(await allIds({ limit: String(limit), orderBy })).toEqual(
          expected.map(({ event_id }) => event_id),
        )
      },
    ),
    { numRuns: 5 },
  )
})

test('an event is found by an id of any text, and only in its own dataset', async () => {
  const odd = stored[7]!
  const path = `events/${encodeURIComponent(odd.event_id)}`
  const [owner, other] = odd.dataset_id === 'a' ? ['a', 'b'] : ['b', 'a']
  expect((await get(`/api/datasets/${owner}/${path}`, keys[owner as 'a' | 'b'])).body.id).toBe(odd.event_id)
  expect((await get(`/api/datasets/${other}/${path}`, keys[other as 'a' | 'b'])).status).toBe(404)
})

const text = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value))
const isSet = (value: unknown) => value !== undefined && value !== null
const property = (event: Stored, key: string): unknown =>
  isSet(event.properties[key]) ? event.properties[key] : key === '$browser' ? event.browser : undefined

/** What each operator means, written down a second time. */
const MEANING: Record<string, (value: unknown, wanted: string[]) => boolean> = {
  exact: (value, wanted) => isSet(value) && wanted.includes(text(value)),
  is_not: (value, wanted) => !(isSet(value) && wanted.includes(text(value))),
  icontains: (value, [wanted]) => isSet(value) && text(value).toLowerCase().includes(wanted!.toLowerCase()),
  not_icontains: (value, [wanted]) =>
    !(isSet(value) && text(value).toLowerCase().includes(wanted!.toLowerCase())),
  regex: (value, [wanted]) => isSet(value) && new RegExp(wanted!).test(text(value)),
  not_regex: (value, [wanted]) => !(isSet(value) && new RegExp(wanted!).test(text(value))),
  gt: (value, [wanted]) => isSet(value) && Number(text(value)) > Number(wanted),
  gte: (value, [wanted]) => isSet(value) && Number(text(value)) >= Number(wanted),
  lt: (value, [wanted]) => isSet(value) && Number(text(value)) < Number(wanted),
  lte: (value, [wanted]) => isSet(value) && Number(text(value)) <= Number(wanted),
  is_set: (value) => isSet(value),
  is_not_set: (value) => !isSet(value),
  is_date_before: (value, [wanted]) => isSet(value) && Date.parse(text(value)) < Date.parse(wanted!),
  is_date_after: (value, [wanted]) => isSet(value) && Date.parse(text(value)) > Date.parse(wanted!),
}

test.each([
  ['plan', 'exact', ['pro', 'team']],
  ['plan', 'is_not', ['pro']],
  ['plan', 'icontains', 'RE'],
  ['plan', 'not_icontains', 'RE'],
  ['plan', 'regex', '^(pro|team)$'],
  ['plan', 'not_regex', 'e'],
  ['amount', 'gt', '99.5'],
  ['amount', 'gte', 100],
  ['amount', 'lt', '50'],
  ['amount', 'lte', '50'],
  ["it's", 'is_set', null],
  ["it's", 'is_not_set', null],
  ["it's", 'exact', "v'0"],
  ['nested', 'icontains', '"a":0'],
  ['$browser', 'exact', 'Chrome'],
  ['$browser', 'is_set', null],
  ['at', 'is_date_before', '2026-11-01T00:00:00Z'],
  ['at', 'is_date_after', '2026-11-01T00:00:00Z'],
] as const)('the filter %s %s %j means on the engine what it means', async (key, operator, value) => {
  const wanted = [value].flat().map(String)
  const filter = JSON.stringify([{ key, operator, value }])
  const expected = ofA.filter((event) => MEANING[operator]!(property(event, key), wanted))
  expect(expected.length).toBeGreaterThan(0)
  expect((await allIds({ limit: '2000', properties: filter })).sort()).toEqual(
    expected.map(({ event_id }) => event_id).sort(),
  )
})

test('what an event says about its person is one, what stands further out first, and its elements are told', async () => {
  for (const url of [
    '/api/datasets/a/events/e8',
    `/api/datasets/a/events?${query({ select: '["*"]', where: "event_id = 'e8'" })}`,
  ]) {
    const { body } = await get(url)
    const event = body.results?.[0][0] ?? body
    expect(event.properties).toMatchObject({
      $set: { plan: 'pro', seen: true, visits: 3 },
      $set_once: { first: 'x' },
      $unset: ['a', 'b'],
    })
    expect(event.elements.map((one: { tag_name: string }) => one.tag_name)).toEqual(['button', 'form'])
    expect(event.elements_chain).toBe(
      'button.a.b:attr__class="b a"nth-child="2"nth-of-type="1"text="Pay \\"now\\"";' +
        'form:attr__action="/pay"attr__id="cart"attr_id="cart"nth-child="0"nth-of-type="0"',
    )
  }
})

test('values of select are masked by what they are of and by what they look like, alone and in whole events', async () => {
  const select = async (maskPii: string) => {
    const columns = [
      'properties.email',
      'properties.note',
      'properties.plan',
      'concat(properties.email)',
      '*',
    ]
    const parameters = { select: JSON.stringify(columns), where: "event_id = 'e8'", maskPii }
    const [row] = (await get(`/api/datasets/a/events?${query(parameters)}`)).body.results
    return [...row.slice(0, 4), row[4].properties.email, row[4].properties.note, row[4].id]
  }
  const open = ['a@b.de', 'to x@y.org', 'free', 'a@b.de', 'a@b.de', 'to x@y.org', 'e8']
  expect(await select('false')).toEqual(open)
  expect(await select('true')).toEqual(['***', 'to ***', 'free', '***', '***', 'to ***', 'e8'])
})

const HOUR_MS = 3_600_000
/** The tenth of November in the zone of the dataset, three hours behind UTC. */
const TENTH = { fromMs: Date.parse('2026-11-10T03:00:00Z'), toMs: Date.parse('2026-11-11T03:00:00Z') }
test.each([
  ['is_date_exact', '2026-11-10T06:00:00Z', (ms: number) => ms === TENTH.fromMs + 3 * HOUR_MS],
  ['is_date_exact', '2026-11-10 03:00', (ms: number) => ms === TENTH.fromMs + 3 * HOUR_MS],
  ['is_date_exact', '2026-11-10', (ms: number) => ms >= TENTH.fromMs && ms < TENTH.toMs],
  ['is_date_before', '2026-11-10', (ms: number) => ms < TENTH.fromMs],
  ['is_date_after', '2026-11-10', (ms: number) => ms >= TENTH.toMs],
  ['is_date_after', '2026-11-10T06:00:00Z', (ms: number) => ms > TENTH.fromMs + 3 * HOUR_MS],
] as const)(
  'the filter at %s %s means the day or the moment in the zone of the dataset',
  async (operator, value, holds) => {
    const expected = ofA.filter(({ properties }) => holds(Date.parse(String(properties.at))))
    expect([expected.length > 0, expected.length < ofA.length]).toEqual([true, true])
    const filter = JSON.stringify([{ key: 'at', operator, value }])
    expect((await allIds({ limit: '2000', properties: filter })).sort()).toEqual(
      expected.map(({ event_id }) => event_id).sort(),
    )
  },
)

test.each([
  ['is_date_exact', '2026-11-10', ['2026-11-10', '2026-11-11T01:00:00+05:00']],
  ['is_date_exact', '2026-11-09', ['2026-11-09 23:30']],
  ['is_date_exact', '2026-11-10T00:00:00', ['2026-11-10']],
  ['is_date_before', '2026-11-10', ['2026-11-09 23:30']],
  ['is_date_after', '2026-11-09', ['2026-11-10', '2026-11-11T01:00:00+05:00']],
  ['is_date_exact', 'someday', []],
] as const)('of dates as text, %s %s holds of %j', async (operator, value, held) => {
  const texts: readonly unknown[] = held
  const expected = ofA.filter(({ properties }) => texts.includes(properties.on))
  const filter = JSON.stringify([{ key: 'on', operator, value }])
  expect((await allIds({ limit: '2000', properties: filter })).sort()).toEqual(
    expected.map(({ event_id }) => event_id).sort(),
  )
})

test('a regular expression that the engine cannot compile matches nothing, its negation everything', async () => {
  const of = (operator: string) =>
    allIds({ limit: '2000', properties: JSON.stringify([{ key: 'plan', operator, value: '(' }]) })
  expect(await of('regex')).toEqual([])
  expect((await of('not_regex')).length).toBe(ofA.length)
})

test('hostile names and values are data: no question reads another dataset or fails', async () => {
  const hostile = [
    "' OR 1=1 --",
    "x') OR 1=1 UNION ALL SELECT name FROM system.tables --",
    "a\\'; DROP TABLE events",
    '`"{p0:String}',
    '{p0:Identifier}',
    '%_\\%',
    '\u0000\u0001\t\r\n',
    '\\',
    "\\' OR dataset_id = 'b' --",
    '🦊 é NFD é',
  ]
  for (const value of hostile) {
    for (const operator of ['exact', 'icontains', 'regex', 'gt', 'is_set', 'is_date_after']) {
      const properties = JSON.stringify([{ key: value, operator, value }])
      const { status, body } = await get(`/api/datasets/a/events?${query({ event: 'none', properties })}`)
      expect([status, body.results]).toEqual([200, []])
    }
    const events = JSON.stringify([{ id: value }])
    for (const parameters of [{ event: value }, { events }, { breakdown: value }]) {
      const { status, text } = await get(`/api/datasets/a/insights/trend?${query(parameters as never)}`)
      expect(status).toBe(200)
      expect(text).not.toContain('schema_migrations')
    }
    expect((await get(`/api/datasets/a/events/${encodeURIComponent(value)}`)).status).toBe(404)
  }
  expect((await allIds({ limit: '2000' })).length).toBe(ofA.length)
})

test('filters may be expressions, and so may conditions beside them', async () => {
  const expected = ofA.filter(
    ({ properties, event }) => Number(properties.amount) > 100 && event === 'purchase',
  ).length
  expect(expected).toBeGreaterThan(0)
  const properties = JSON.stringify([
    { type: 'sql', key: 'properties.amount > 100' },
    { key: 'plan', operator: 'is_not', value: 'none' },
  ])
  const where = JSON.stringify(["event = 'purchase'"])
  expect((await allIds({ limit: '2000', properties, where })).length).toBe(expected)
  const own = JSON.stringify([
    "event = 'purchase'",
    'properties.amount > 100',
    'toFloat(properties.amount) IS NOT NULL',
  ])
  expect((await allIds({ limit: '7', where: own })).length).toBe(expected)
})

test('selected values page by the same cursor: every event once, among many ties', async () => {
  const ids: string[] = []
  let url: string | null =
    `/api/datasets/a/events?${query({ limit: '190', select: '["id","event","properties.plan AS p"]' })}`
  while (url !== null) {
    const {
      status,
      body,
    }: { status: number; body: { next: string | null; columns: string[]; results: string[][] } } =
      await get(url)
    expect([status, body.columns]).toEqual([200, ['id', 'event', 'p']])
    ids.push(...body.results.map(([id]) => id as string))
    const next: URL | null = body.next === null ? null : new URL(body.next)
    url = next === null ? null : `${next.pathname}${next.search}`
  }
  expect(ids.length).toBe(ofA.length)
  expect(new Set(ids)).toEqual(new Set(ofA.map(({ event_id }) => event_id)))
})

test('selected aggregates are grouped by what is none, ordered, and limited by conditions on them', async () => {
  const counts = new Map<string, number>()
  for (const { event } of ofA) counts.set(event, (counts.get(event) ?? 0) + 1)
  const expected = [...counts].sort((x, y) => y[1] - x[1] || (x[0] < y[0] ? -1 : 1))
  const ask = (parameters: Record<string, string>) => get(`/api/datasets/a/events?${query(parameters)}`)
  const asked = { select: '["event","count() AS n"]', orderBy: '["n DESC","event"]' }
  expect((await ask(asked)).body).toMatchObject({
    columns: ['event', 'n'],
    types: ['String', 'UInt64'],
    hasMore: false,
    next: null,
    results: expected,
  })
  const first = await ask({ ...asked, limit: '1', where: '["count() > 10"]' })
  expect(first.body.results).toEqual(expected.slice(0, 1))
  const next = new URL(first.body.next)
  expect((await get(`${next.pathname}${next.search}`)).body.results).toEqual(expected.slice(1, 2))
})

test('whole events and their persons may be selected, and values go into a file', async () => {
  const { body } = await get(
    `/api/datasets/a/events?${query({ select: '["*","person","timestamp"]', limit: '3' })}`,
  )
  const { body: plain } = await get('/api/datasets/a/events?limit=3')
  expect(body.results.map(([event]: unknown[]) => event)).toEqual(plain.results)
  expect(body.results.map(([, person]: unknown[]) => person)).toEqual(
    plain.results.map(({ person }: { person: unknown }) => person),
  )
  expect(body.types[0]).toBe('Event')
  const file = await app.inject({
    url: `/api/datasets/a/events.csv?${query({ select: '["count()"]' })}`,
    headers: { authorization: `Bearer ${keys.a}` },
  })
  expect(file.body).toBe(`count()\r\n${ofA.length}\r\n`)
})

test('events of a person are those of all its distinct ids, and only its own', async () => {
  const id = personIdOf('a', 'd5')
  const expected = ofA.filter(({ distinct_id }) => distinct_id === 'd5').map(({ event_id }) => event_id)
  expect((await allIds({ limit: '500', person_id: id })).sort()).toEqual(expected.sort())
  expect(await allIds({ person_id: personIdOf('b', 'd5') })).toEqual([])
})

test('values are those of the dataset, the most frequent ones first', async () => {
  const { body } = await get('/api/datasets/a/events/values?key=plan&value=r')
  expect(body.map(({ name }: { name: string }) => name).sort()).toEqual(['free', 'pro'])
  const names = (await get('/api/datasets/a/events/values?key=custom_event')).body
  expect(names.map(({ name }: { name: string }) => name).sort()).toEqual(["it's", 'page_view', 'purchase'])
})

/** The calendar, done again with nothing but Intl: the local date of an instant, as clocks on the wall show it. */
function wall(ms: number, part: 'hour' | 'day' | 'month'): string {
  const shown = new Intl.DateTimeFormat('sv-SE', {
    timeZone: zone,
    dateStyle: 'short',
    timeStyle: 'medium',
  }).format(ms)
  return part === 'hour'
    ? `${shown.slice(0, 13)}:00:00`
    : part === 'day'
      ? shown.slice(0, 10)
      : `${shown.slice(0, 7)}-01`
}

test.each([
  ['hour', '-48h'],
  ['day', '-7d'],
  ['month', 'all'],
] as const)(
  'a trend by %s from %s equals a slow count, for events and for people',
  async (interval, dateFrom) => {
    for (const math of ['total', 'dau']) {
      const parameters = { interval, date_from: dateFrom, math, event: 'purchase' }
      const { body } = await get(`/api/datasets/a/insights/trend?${query(parameters)}`)
      const [line] = body.result
      const seen = new Map<string, Set<string>>()
      const fromDay = line.days[0] as string
      for (const event of ofA) {
        const day = wall(Date.parse(event.event_time), interval)
        if (event.event !== 'purchase' || day < fromDay || Date.parse(event.event_time) >= nowMs) continue
        const who = math === 'dau' ? event.distinct_id : event.event_id
        if (who === null) continue
        seen.set(day, (seen.get(day) ?? new Set()).add(who))
      }
      expect(line.data).toEqual(line.days.map((day: string) => seen.get(day)?.size ?? 0))
      expect(line.count).toBe([...seen.values()].reduce((sum, { size }) => sum + size, 0))
      expect(line.count).toBeGreaterThan(0)
    }
  },
)

test('a breakdown gives the largest values a line of their own and all others one together', async () => {
  const parameters = { breakdown: 'plan', breakdown_limit: '2', date_from: '-30d' }
  const { body } = await get(`/api/datasets/a/insights/trend?${query(parameters)}`)
  const counts = new Map<string, number>()
  for (const event of ofA) {
    const plan = (event.properties.plan as string | null) ?? ''
    counts.set(plan, (counts.get(plan) ?? 0) + 1)
  }
  const sorted = [...counts].sort((x, y) => y[1] - x[1] || (x[0] < y[0] ? -1 : 1))
  const rest = sorted.slice(2).reduce((sum, [, count]) => sum + count, 0)
  const lines = body.result.map(({ breakdown_value, count }: Record<string, unknown>) => [
    breakdown_value,
    count,
  ])
  expect(lines).toEqual([...sorted.slice(0, 2), ['Other', rest]])
})

test('a question that costs too much is a 400 that says what to do', async () => {
  const cheap = server({ rowsReadMax: 10 })
  const { status, body } = await get('/api/datasets/a/events?after=2020-01-01', keys.a, cheap)
  await cheap.close()
  expect([status, body.code]).toEqual([400, 'query_too_expensive'])
})

test('a trace shows the stored row as it went through the topics', async () => {
  const event = ofA[0]!
  const { body } = await get(`/api/datasets/a/trace/${event.event_id}`)
  expect(body.arrivals).toHaveLength(1)
  expect(body.arrivals[0]).toMatchObject({
    verdict: 'enriched',
    raw: { topic: 'events.raw', partition: event.src_partition, offset: event.src_offset },
    clickhouse: { table: 'events', row: event },
  })
})
