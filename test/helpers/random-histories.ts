import fc from 'fast-check'
import { CONDITIONS, type ExpressionFilter, VALUES } from '../reference/expressions.ts'
import type { Filter, FilterList } from '../reference/filters.ts'
import type { GroupState, Happening, History, PersonState } from '../reference/history.ts'

/** Histories that every insight is compared on, per insight; `MILLRACE_TEST_HISTORIES=2000` takes a quarter of an hour more. */
export const HISTORIES = Number(process.env.MILLRACE_TEST_HISTORIES ?? 60)
/** A bound against hanging for a test of so many, ms. */
export const HISTORIES_MS = Math.max(600_000, HISTORIES * 3_000)
export const SEED = 20_261_128

/** Clocks change in two of these zones within the days of the histories, and one is half an hour off. */
export const ZONES = ['UTC', 'Europe/Berlin', 'America/New_York', 'Asia/Kolkata']
export const FIRST_DAY_MS = Date.parse('2026-10-18T00:00:00Z')
const DAYS = 20
const HOUR_MS = 3_600_000

export const EVENT_NAMES = ['a', 'b', 'c', '$pageview']
const DISTINCT_IDS = ['u1', 'u2', 'u3', 'u4']
const PERSONS = ['u1', 'u2', 'p9']
const SESSIONS = ['s1', 's2', 's3']
const PATHS = ['/', '/a', '/a/', '/b', '/c/1', '/c/2']

/** Few times, so that many events share one; midnights and their neighbours are among them. */
const timeMs = fc
  .record({
    hour: fc.integer({ min: 0, max: DAYS * 24 - 1 }),
    everyHours: fc.constantFrom(1, 6, 24),
    offByMs: fc.constantFrom(0, 0, 0, 1, -1, 90_000, 1_234_500),
  })
  .map(
    ({ hour, everyHours, offByMs }) =>
      FIRST_DAY_MS + Math.floor(hour / everyHours) * everyHours * HOUR_MS + offByMs,
  )

/** All events within a hundred minutes and mostly tens of minutes apart: limits of windows and gaps are met exactly. */
const closeTimeMs = fc
  .record({ tens: fc.integer({ min: 0, max: 9 }), offByMs: fc.constantFrom(0, 0, 0, 0, 1, 500) })
  .map(({ tens, offByMs }) => FIRST_DAY_MS + 7 * 24 * HOUR_MS + tens * 600_000 + offByMs)

const properties = fc.record(
  {
    plan: fc.constantFrom('free', 'pro', 'Pro team', 1, true, null, ''),
    amount: fc.constantFrom(0, 1, 2.5, 10, '4', 'many'),
  },
  { requiredKeys: [] },
)

function happening(time: fc.Arbitrary<number>): fc.Arbitrary<Omit<Happening, 'offset'>> {
  return fc.record({
    event: fc.constantFrom(...EVENT_NAMES),
    distinctId: fc.oneof(
      { weight: 12, arbitrary: fc.constantFrom(...DISTINCT_IDS) },
      { weight: 1, arbitrary: fc.constant(null) },
    ),
    timeMs: time,
    partition: fc.integer({ min: 0, max: 2 }),
    session: fc.constantFrom(...SESSIONS, null),
    groups: fc.constantFrom<Readonly<Record<string, string>>>(
      {},
      { company: 'acme' },
      { company: 'globex' },
      { team: 't' },
    ),
    url: fc.constantFrom(null, ...PATHS.map((path) => `https://x.example${path}`)),
    properties,
  })
}

const personState: fc.Arbitrary<PersonState> = fc.record({
  person: fc.constantFrom(...PERSONS),
  properties: fc.record({ tier: fc.constantFrom('gold', 'basic', 7) }, { requiredKeys: [] }),
  createdMs: timeMs,
  isDeleted: fc.constantFrom(false, false, false, true),
  version: fc.integer({ min: 1, max: 1_000 }),
  validFromMs: timeMs,
})

const groupState: fc.Arbitrary<GroupState> = fc.record({
  index: fc.constantFrom(0, 1),
  key: fc.constantFrom('acme', 'globex', 't'),
  properties: fc.record({ size: fc.constantFrom('small', 'big') }, { requiredKeys: [] }),
  version: fc.integer({ min: 1, max: 1_000 }),
})

/**
 * Small histories of a few people with everything that questions are about.
 *
 * @param eventsMax events of one; half as many on average, which the default size of lists would not be
 */
export function randomHistory(eventsMax: number): fc.Arbitrary<Omit<History, 'dataset'>> {
  return fc.record({
    zone: fc.constantFrom(...ZONES),
    events: fc
      .oneof(
        {
          weight: 1,
          arbitrary: fc.array(happening(timeMs), { minLength: 1, maxLength: eventsMax, size: 'max' }),
        },
        {
          weight: 1,
          arbitrary: fc.array(happening(closeTimeMs), { minLength: 1, maxLength: eventsMax, size: 'max' }),
        },
      )
      // Receive order is that of the list, whatever the times.
      .map((events) => events.map((event, offset) => ({ ...event, offset }))),
    overrides: fc.uniqueArray(
      fc.record({
        id: fc.constantFrom(...DISTINCT_IDS),
        person: fc.constantFrom(...PERSONS),
        version: fc.integer({ min: 1, max: 1_000 }),
      }),
      { maxLength: 3, selector: ({ id, version }) => `${id} ${version}` },
    ),
    persons: fc.uniqueArray(personState, {
      maxLength: 4,
      selector: ({ person, version }) => `${person} ${version}`,
    }),
    groupTypes: fc.constant([
      { name: 'company', index: 0 },
      { name: 'team', index: 1 },
    ]),
    groups: fc.uniqueArray(groupState, {
      maxLength: 3,
      selector: ({ index, key, version }) => `${index} ${key} ${version}`,
    }),
  })
}

const eventFilter: fc.Arbitrary<Filter> = fc.oneof(
  fc.record({
    key: fc.constant('plan'),
    operator: fc.constantFrom('exact', 'is_not', 'icontains', 'not_icontains', 'regex', 'not_regex'),
    value: fc.constantFrom('free', 'pro', 'P', '1'),
  }),
  fc.record({
    key: fc.constant('amount'),
    operator: fc.constantFrom('gt', 'gte', 'lt', 'lte'),
    value: fc.constantFrom(1, 2.5, 4),
  }),
  fc.record({ key: fc.constantFrom('plan', 'amount'), operator: fc.constantFrom('is_set', 'is_not_set') }),
  fc.record({
    key: fc.constant('plan'),
    operator: fc.constantFrom('exact', 'is_not'),
    value: fc.constant(['free', 'true']),
  }),
)
const otherFilter: fc.Arbitrary<Filter> = fc.oneof(
  fc.record({
    key: fc.constant('tier'),
    type: fc.constant('person' as const),
    as_of: fc.constantFrom('now' as const, 'event' as const),
    operator: fc.constantFrom('exact', 'is_not', 'is_set', 'is_not_set'),
    value: fc.constantFrom('gold', '7'),
  }),
  fc.record({
    key: fc.constant('$session_duration'),
    type: fc.constant('session' as const),
    operator: fc.constantFrom('gt', 'lte', 'is_set'),
    value: fc.constantFrom(0, 3_600),
  }),
  fc.record({
    key: fc.constant('size'),
    type: fc.constant('group' as const),
    group_type_index: fc.constantFrom(0, 1),
    operator: fc.constantFrom('exact', 'is_not'),
    value: fc.constant('big'),
  }),
)
const expressionFilter: fc.Arbitrary<ExpressionFilter> = fc.record({
  type: fc.constant('hogql' as const),
  key: fc.constantFrom(...Object.keys(CONDITIONS)),
  value: fc.constant(null),
})
const oneFilter = fc.oneof(
  { weight: 4, arbitrary: eventFilter },
  { weight: 2, arbitrary: otherFilter },
  { weight: 1, arbitrary: expressionFilter },
)

/** An expression whose text every event has, or empty. */
export const randomExpression = fc.constantFrom(...Object.keys(VALUES))
/** Mostly none. */
export const rareExpression = fc.oneof(
  { weight: 3, arbitrary: fc.constant(null) },
  { weight: 1, arbitrary: randomExpression },
)

/** None as often as some; groups in groups now and then. */
export const randomFilters: fc.Arbitrary<FilterList> = fc.oneof(
  { weight: 8, arbitrary: fc.constant({ type: 'AND' as const, values: [] }) },
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constantFrom('AND' as const, 'OR' as const),
      values: fc.array(oneFilter, { minLength: 1, maxLength: 2 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constantFrom('AND' as const, 'OR' as const),
      values: fc.tuple(
        oneFilter,
        fc.record({
          type: fc.constantFrom('AND' as const, 'OR' as const),
          values: fc.array(oneFilter, { minLength: 1, maxLength: 2 }),
        }),
      ),
    }),
  },
)

/** One event that a question is about: mostly one of two names, now and then another one, or any, with filters. */
export const randomEntity = fc.oneof(
  { weight: 4, arbitrary: fc.record({ id: fc.constantFrom('a', 'b') }) },
  {
    weight: 1,
    arbitrary: fc.record({ id: fc.constantFrom(...EVENT_NAMES, null), properties: randomFilters }),
  },
)
