import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  type PropertyOf,
  propertyTypes,
  seenEvents,
  seenProperties,
  seenTogether,
} from '../../services/query-api/definitions/seen-definitions.ts'
import { createBindings } from '../../services/query-api/query/bindings.ts'
import { type InsightEngine, NOW_MS, openInsightEngine } from '../helpers/insight-engine.ts'
import type { Happening, History } from '../reference/history.ts'

let engine: InsightEngine
const DAY_MS = 86_400_000
const EVENTS: PropertyOf = { type: 'event', eventNames: [] }

function history(dataset: string): History {
  const happened = (event: string, daysAgo: number, offset: number, properties: object): Happening => ({
    event,
    distinctId: 'u1',
    timeMs: NOW_MS - daysAgo * DAY_MS,
    partition: 0,
    offset,
    session: null,
    groups: {},
    url: null,
    properties: properties as Happening['properties'],
  })
  return {
    dataset,
    zone: 'UTC',
    events: [
      happened('buy', 1, 0, {
        amount: 5,
        plan: 'pro',
        at: '2026-11-01',
        ok: true,
        list: [1],
        [`of ${dataset}`]: 'x',
      }),
      happened('buy', 2, 1, { amount: -2.5, plan: '5', at: '2026-11-01T10:00:00Z', "it's": null }),
      happened('buy', 60, 2, { amount: 'many', old: 1 }),
      happened('view', 0, 3, { plan: 'free' }),
    ],
    overrides: [],
    persons: [
      {
        person: 'u1',
        createdMs: 0,
        validFromMs: 0,
        properties: { email: 'a', age: 5 },
        isDeleted: false,
        version: 2,
      },
      { person: 'u1', createdMs: 0, validFromMs: 0, properties: { gone: 'a' }, isDeleted: false, version: 1 },
    ],
    groups: [{ index: 0, key: 'acme', properties: { tier: 'gold' }, version: 1 }],
    groupTypes: [{ name: 'company', index: 0 }],
  }
}
const SHOP = history('shop')

beforeAll(async () => {
  engine = await openInsightEngine()
  await engine.store([SHOP])
  await engine.store([history('blog')])
})
afterAll(() => engine.close())

const ask = () => [engine.needs.ask, engine.questionOf(SHOP)] as const

test('events are seen with their first and last receipt and how many there were in the last 30 days', async () => {
  expect(await seenEvents(...ask(), NOW_MS)).toEqual([
    { name: 'buy', firstMs: NOW_MS - 60 * DAY_MS, lastMs: NOW_MS - DAY_MS, volume: 2 },
    { name: 'view', firstMs: NOW_MS, lastMs: NOW_MS, volume: 1 },
  ])
})

test('properties are seen with their events, by name of event too, and only of the dataset', async () => {
  const seen = await seenProperties(...ask(), EVENTS, NOW_MS)
  expect(seen.map(({ name }) => name).sort()).toEqual([
    'amount',
    'at',
    "it's",
    'list',
    'of shop',
    'ok',
    'old',
    'plan',
  ])
  expect(seen.find(({ name }) => name === 'plan')?.lastMs).toBe(NOW_MS)
  const ofView = await seenProperties(...ask(), { type: 'event', eventNames: ['view'] }, NOW_MS)
  expect(ofView.map(({ name }) => name)).toEqual(['plan'])
  expect(await seenTogether(...ask(), ['buy', 'view', "x'"], 'amount')).toEqual({
    buy: true,
    view: false,
    "x'": false,
  })
})

test('properties of persons and groups are those that they have now', async () => {
  const of = async (owner: PropertyOf) =>
    (await seenProperties(...ask(), owner, NOW_MS)).map(({ name }) => name).sort()
  expect(await of({ type: 'person' })).toEqual(['age', 'email'])
  expect(await of({ type: 'group', index: 0 })).toEqual(['tier'])
  expect(await of({ type: 'group', index: 1 })).toEqual([])
  const types = await propertyTypes(...ask(), { type: 'person' }, ['age', 'email'], NOW_MS)
  expect([...types].sort()).toEqual([
    ['age', 'Numeric'],
    ['email', 'String'],
  ])
})

test('types are what most values look like', async () => {
  const types = await propertyTypes(
    ...ask(),
    EVENTS,
    ['amount', 'plan', 'at', 'ok', 'list', "it's", "no'"],
    NOW_MS,
  )
  expect([...types].sort()).toEqual([
    ['amount', 'Numeric'],
    ['at', 'DateTime'],
    ['ok', 'Boolean'],
    ['plan', 'String'],
  ])
})

test('the lists are read from the projection, not from the events', async () => {
  const { clickhouse } = engine
  const names: string[] = []
  const watched = {
    ...engine.needs,
    ask: async (...[question, sqlOf]: Parameters<typeof engine.needs.ask>) => {
      const bound: Record<string, unknown> = {}
      const sql = sqlOf({
        ...createBindings(),
        bind(value, type) {
          const name = `p${Object.keys(bound).length}`
          bound[name] = value
          return `{${name}:${type}}`
        },
      })
      const rows = await clickhouse.query<{ explain: string }>(`EXPLAIN ${sql}`, bound as never, {
        settings: { force_optimize_projection: 1 },
      })
      names.push(rows.map(({ explain }) => explain).find((line) => line.includes('ReadFromMergeTree')) ?? '')
      return engine.needs.ask(question, sqlOf)
    },
  }
  await seenEvents(watched.ask as never, engine.questionOf(SHOP), NOW_MS)
  await seenProperties(watched.ask as never, engine.questionOf(SHOP), EVENTS, NOW_MS)
  expect(names).toEqual([expect.stringContaining('per_property'), expect.stringContaining('per_property')])
})
