import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { fittingPeople } from '../../services/query-api/cohorts/calculate-cohort.ts'
import { membersOfSet } from '../../services/query-api/cohorts/cohort-members.ts'
import type { Definitions } from '../../services/query-api/insights/definitions.ts'
import { forEachHistory, type InsightEngine, openInsightEngine } from '../helpers/insight-engine.ts'
import {
  EVENT_NAMES,
  FIRST_DAY_MS,
  HISTORIES,
  HISTORIES_MS,
  randomFilters,
  randomHistory,
  SEED,
} from '../helpers/random-histories.ts'
import { type BehaviourAsked, type CriterionAsked, type GroupAsked, membersOf } from '../reference/cohorts.ts'
import { EVENTS_ALONE, type History } from '../reference/history.ts'

let engine: InsightEngine
beforeAll(async () => {
  engine = await openInsightEngine()
})
afterAll(() => engine.close())

const DAY_MS = 86_400_000
const event = fc.constantFrom(...EVENT_NAMES, null, null, null)

/** Windows that reach some of the events of the histories, from the instants that are calculated for. */
const window = fc.oneof(
  {
    weight: 1,
    arbitrary: fc.record({
      time_value: fc.integer({ min: 1, max: 9 }).map((n) => n * 10),
      time_interval: fc.constant('minute'),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ time_value: fc.constantFrom(1, 24, 100), time_interval: fc.constant('hour') }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ time_value: fc.integer({ min: 1, max: 15 }), time_interval: fc.constant('day') }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      time_value: fc.integer({ min: 1, max: 2 }),
      time_interval: fc.constantFrom('week', 'month', 'year'),
    }),
  },
)
const amount = fc.record({
  operator: fc.constantFrom('gte', 'lte', 'gt', 'lt', 'eq', 'exact'),
  operator_value: fc.integer({ min: 0, max: 4 }),
})
const LENGTH_MS: Readonly<Record<string, number>> = {
  minute: 60_000,
  hour: 3_600_000,
  day: DAY_MS,
  week: 7 * DAY_MS,
  month: 30 * DAY_MS,
  year: 365 * DAY_MS,
}

/** The shorter of two windows lies within the other; of two equal ones none does. */
const nested = fc
  .tuple(window, window)
  .filter(([a, b]) => lengthOf(a) !== lengthOf(b))
  .map(([a, b]) => {
    const [long, short] = lengthOf(a) > lengthOf(b) ? [a, b] : [b, a]
    return { ...long, seq_time_value: short.time_value, seq_time_interval: short.time_interval }
  })
const lengthOf = (one: { time_value: number; time_interval: string }) =>
  one.time_value * LENGTH_MS[one.time_interval]!

const common = fc.record({ key: event, event_filters: randomFilters }, { requiredKeys: ['key'] })
const periods = fc
  .tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 6 }))
  .map(([a, b]) => ({ min_periods: Math.min(a, b), total_periods: Math.max(a, b) }))
const kinds: Readonly<Record<string, fc.Arbitrary<object>>> = {
  performed_event: window,
  performed_event_multiple: fc.tuple(window, amount).map(([a, b]) => ({ ...a, ...b })),
  performed_event_first_time: window,
  performed_event_sequence: fc.tuple(nested, event).map(([a, seq_event]) => ({ ...a, seq_event })),
  performed_event_regularly: fc.tuple(window, amount, periods).map(([a, b, c]) => ({ ...a, ...b, ...c })),
  stopped_performing_event: nested,
  restarted_performing_event: nested,
}
const behaviourOf = (value: string): fc.Arbitrary<BehaviourAsked> =>
  fc
    .tuple(common, kinds[value] as fc.Arbitrary<object>)
    .map(([one, other]) => ({ type: 'behavioral', value, ...one, ...other }) as BehaviourAsked)
const behaviour = fc.oneof(...Object.keys(kinds).map(behaviourOf))

const person = fc.record({
  type: fc.constant('person' as const),
  key: fc.constant('tier'),
  operator: fc.constantFrom('exact', 'is_not', 'is_set', 'is_not_set', 'regex', 'gt'),
  value: fc.constantFrom('gold', '7'),
})
const cohort = fc.record({
  type: fc.constant('cohort' as const),
  key: fc.constant('id' as const),
  value: fc.constantFrom(1, 2),
})
const positive: fc.Arbitrary<CriterionAsked> = fc.oneof(
  { weight: 3, arbitrary: behaviour },
  { weight: 1, arbitrary: person },
  { weight: 1, arbitrary: cohort },
)
const negative = positive.map((one) => ({ ...one, negation: true }))

/** Groups that obey the rules: what is negated stands in an AND, beside something that is not. */
const group = fc.letrec<{ group: GroupAsked }>((tie) => ({
  group: fc.oneof(
    { maxDepth: 2 },
    fc
      .tuple(fc.array(positive, { minLength: 1, maxLength: 2 }), fc.array(negative, { maxLength: 1 }))
      .map(([some, others]) => ({ type: 'AND' as const, values: [...others, ...some] })),
    fc
      .array(fc.oneof(positive, tie('group')), { minLength: 1, maxLength: 3 })
      .map((values) => ({ type: 'OR' as const, values })),
    fc
      .tuple(tie('group'), fc.array(negative, { maxLength: 2 }))
      .map(([inner, others]) => ({ type: 'AND' as const, values: [inner, ...others] })),
  ),
})).group

const nowMs = fc.oneof(
  fc.integer({ min: 0, max: 12 }).map((tens) => FIRST_DAY_MS + 7 * DAY_MS + tens * 600_000),
  fc.integer({ min: 8, max: 20 }).map((day) => FIRST_DAY_MS + day * DAY_MS + DAY_MS / 2),
)
const LISTS = { 1: ['u1', 'u3'], 2: ['u2', 'u4', 'nobody'] }

async function compare(criteria: fc.Arbitrary<GroupAsked>, count: number, name: string): Promise<void> {
  const asked = fc.record({ history: randomHistory(25), nowMs, criteria })
  const cases = fc.sample(asked, { numRuns: count, seed: SEED }).map((one, at) => ({
    ...one,
    history: { ...one.history, dataset: `${name}-${at}` } as History,
  }))
  await engine.store(cases.map(({ history }) => history))
  const listed = cases.flatMap(({ history: { dataset } }) =>
    Object.entries(LISTS).flatMap(([id, ids]) =>
      ids.map((distinct_id) =>
        JSON.stringify({ dataset_id: dataset, cohort_id: Number(id), calculation: 1, distinct_id }),
      ),
    ),
  )
  await engine.clickhouse.insert('cohort_members', 'JSONEachRow', Buffer.from(listed.join('\n')), {
    async_insert: 0,
  })
  let members = 0
  await forEachHistory(cases, async ({ history, nowMs, criteria }) => {
    const expected = membersOf({ history, nowMs, cohorts: LISTS }, criteria)
    const needs = { ...engine.needs, definitions, clock: { now: () => nowMs } }
    const question = engine.questionOf(history)
    const people = await fittingPeople(needs, question, JSON.stringify({ properties: criteria }))
    const found = await engine.needs.ask<{ person: string }>(question, people)
    expect({ criteria, members: found.map((row) => row.person).sort() }).toEqual({
      criteria,
      members: expected,
    })
    members += expected.length
  })
  // A comparison of nobody with nobody says little.
  expect(members).toBeGreaterThan(0)
}
const definitions: Definitions = {
  action: async () => null,
  cohort: async (dataset, id) => ({
    id,
    name: '',
    members: membersOfSet({ dataset, cohort: id, calculation: 1 }),
  }),
  testAccountFilters: async () => ({ kind: 'AND', parts: [] }),
}

test.each(Object.keys(kinds))('%s is who the reference says', { timeout: HISTORIES_MS }, async (kind) => {
  const one = fc.tuple(behaviourOf(kind)).map(([only]): GroupAsked => ({ type: 'AND', values: [only] }))
  await compare(one, Math.ceil(HISTORIES / 3), kind.replaceAll('_', '-'))
})

test('groups of behaviours, properties and cohorts, some of them negated, are who the reference says', {
  timeout: HISTORIES_MS,
}, async () => {
  await compare(group, Math.ceil(HISTORIES / 3), 'groups')
})

test('windows include the instant that they begin at and not the one that they end at', async () => {
  const nowMs = FIRST_DAY_MS + 10 * DAY_MS
  const HOUR_MS = 3_600_000
  let offset = 0
  const at = (distinctId: string, event: string, agoMs: number) => ({
    event,
    distinctId,
    timeMs: nowMs - agoMs,
    partition: 0,
    offset: offset++,
    session: null,
    groups: {},
    url: null,
    properties: {},
  })
  const history: History = {
    dataset: 'borders',
    zone: 'UTC',
    events: [
      at('begin', 'a', DAY_MS),
      at('before', 'a', DAY_MS + 1),
      at('end', 'a', 0),
      at('recent', 'a', HOUR_MS),
      at('older', 'a', HOUR_MS + 1),
      at('near', 'b', 2 * HOUR_MS),
      at('near', 'c', HOUR_MS),
      at('far', 'b', 2 * HOUR_MS + 1),
      at('far', 'c', HOUR_MS),
      at('same', 'b', 2 * HOUR_MS),
      at('same', 'c', 2 * HOUR_MS),
      at('wrong', 'c', 2 * HOUR_MS),
      at('wrong', 'b', 2 * HOUR_MS),
    ],
    ...EVENTS_ALONE,
  }
  await engine.store([history])
  const day = { type: 'behavioral' as const, key: 'a', time_value: 1, time_interval: 'day' }
  const hour = { seq_time_value: 1, seq_time_interval: 'hour' }
  const expected: readonly (readonly [BehaviourAsked, readonly string[]])[] = [
    [{ ...day, value: 'performed_event' }, ['begin', 'older', 'recent']],
    [{ ...day, value: 'performed_event_first_time' }, ['begin', 'older', 'recent']],
    [{ ...day, ...hour, value: 'stopped_performing_event' }, ['begin', 'older']],
    [{ ...day, ...hour, value: 'performed_event_sequence', key: 'b', seq_event: 'c' }, ['near', 'same']],
  ]
  for (const [asked, members] of expected) {
    const criteria: GroupAsked = { type: 'AND', values: [asked] }
    const needs = { ...engine.needs, clock: { now: () => nowMs } }
    const question = engine.questionOf(history)
    const people = await fittingPeople(needs, question, JSON.stringify({ properties: criteria }))
    const found = await engine.needs.ask<{ person: string }>(question, people)
    expect([asked.value, found.map((row) => row.person).sort()]).toEqual([asked.value, members])
    expect(membersOf({ history, nowMs, cohorts: {} }, criteria)).toEqual(members)
  }
})
