import { expect, test } from 'vitest'
import { ENRICHED_EVENT_FIELDS } from '../../../../schemas/enriched-event/v1.ts'
import { filterPredicate } from '../../../../services/core/event/filter-evaluator.ts'
import { parseFilter } from '../../../../services/core/event/filter-parser.ts'
import { whereOf } from '../../../../services/query-api/batch-exports/filters-where.ts'

type Event = Readonly<Record<string, unknown>>
const withProperties = (properties: Event, columns: Event = {}): Event => ({ ...columns, properties })

test.each<[unknown, readonly Event[], readonly Event[]]>([
  [
    [{ key: 'plan', value: ['pro', 'team'] }],
    [withProperties({ plan: 'pro' }), withProperties({ plan: 'team' })],
    [withProperties({ plan: 'Pro' }), withProperties({})],
  ],
  [
    [{ key: "odd 'key", value: "it's" }],
    [withProperties({ "odd 'key": "it's" })],
    [withProperties({ "odd 'key": 'it' })],
  ],
  // As insights do: a number and a truth value are also their text.
  [
    [{ key: 'n', value: '5' }],
    [withProperties({ n: 5 }), withProperties({ n: '5' })],
    [withProperties({ n: 50 })],
  ],
  [
    [{ key: 'n', value: true }],
    [withProperties({ n: true })],
    [withProperties({ n: 1 }), withProperties({})],
  ],
  [[{ key: 'id', value: '1e+21' }], [withProperties({ id: '1e+21' })], [withProperties({ id: '1e21' })]],
  [
    [{ key: 'plan', operator: 'is_not', value: 'free' }],
    [withProperties({ plan: 'pro' }), withProperties({})],
    [withProperties({ plan: 'free' })],
  ],
  [[{ key: 'a', operator: 'is_set' }], [withProperties({ a: 0 })], [withProperties({ a: null })]],
  [[{ key: 'a', operator: 'is_not_set' }], [withProperties({})], [withProperties({ a: '' })]],
  [
    [
      { key: 'n', operator: 'gte', value: '2.5' },
      { key: 'n', operator: 'lt', value: 4 },
    ],
    [withProperties({ n: 2.5 }), withProperties({ n: 3 })],
    [withProperties({ n: 4 }), withProperties({ n: 2 }), withProperties({ n: '3' })],
  ],
  [
    [
      { key: 'n', operator: 'gt', value: -1 },
      { key: 'n', operator: 'lte', value: 0 },
    ],
    [withProperties({ n: 0 })],
    [withProperties({ n: -1 }), withProperties({ n: 1 })],
  ],
  // The customer's own property wins over what enrichment found.
  [
    [{ key: '$browser', value: 'Firefox' }],
    [
      withProperties({}, { browser: 'Firefox' }),
      withProperties({ $browser: 'Firefox' }, { browser: 'Safari' }),
    ],
    [withProperties({ $browser: 'Safari' }, { browser: 'Firefox' }), withProperties({}, { browser: null })],
  ],
  [
    [{ key: '$screen_width', operator: 'gt', value: 1000 }],
    [withProperties({}, { screen_width: 1920 })],
    [withProperties({}, { screen_width: 800 }), withProperties({})],
  ],
  [
    [{ key: '$is_bot', value: ['false', 'maybe'] }],
    [withProperties({}, { is_bot: false })],
    [withProperties({}, { is_bot: true })],
  ],
  [
    {
      type: 'OR',
      values: [
        { key: 'a', value: 'x' },
        {
          type: 'AND',
          values: [
            { key: 'b', value: 'y' },
            { key: 'c', operator: 'is_set' },
          ],
        },
      ],
    },
    [withProperties({ a: 'x' }), withProperties({ b: 'y', c: 1 })],
    [withProperties({ b: 'y' }), withProperties({ c: 1 })],
  ],
])('%j delivers what it shows', (filters, matching, others) => {
  const matches = filterPredicate(parseFilter(whereOf(filters) ?? '', ENRICHED_EVENT_FIELDS))
  expect(matching.map(matches)).toEqual(matching.map(() => true))
  expect(others.map(matches)).toEqual(others.map(() => false))
})

test('nothing asked for is no condition', () => {
  expect([whereOf([]), whereOf({ type: 'AND', values: [] })]).toEqual([null, null])
})

test.each<[unknown, string]>([
  [[{ key: 'a', operator: 'icontains', value: 'x' }], 'cannot filter with icontains'],
  [[{ key: 'a', operator: 'regex', value: 'x' }], 'filter where the files are loaded'],
  [[{ key: 'a', operator: 'is_date_before', value: '2026-01-01' }], 'is_date_before'],
  [[{ key: 'a', operator: 'gt', value: 'x' }], 'numbers alone'],
  [[{ key: 'a', value: [] }], 'need a "value"'],
  [[{ type: 'OR', values: [] }], 'at least one filter'],
  [[{ key: 'a', type: 'person', value: 'x' }], 'Only filters of type "event"'],
  [[{ key: 'id', type: 'cohort', value: 1 }], 'Only filters of type "event"'],
  [[{ key: 'event = 1', type: 'hogql' }], 'Only filters of type "event"'],
  [[{ key: 'a', value: 'x'.repeat(5_000) }], 'Send fewer or shorter ones.'],
])('%j is refused with the next step', (filters, detail) => {
  expect(() => whereOf(filters)).toThrow(detail)
})
