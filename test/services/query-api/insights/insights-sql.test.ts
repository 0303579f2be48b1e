import fc from 'fast-check'
import { expect, test } from 'vitest'
import { recordingEnvironment } from '../recording-environment.ts'
import { shapeOf } from '../statement-shape.ts'

const hostile = fc.oneof(
  fc.string({ unit: 'binary', minLength: 1, maxLength: 40 }),
  fc.constantFrom(
    "' OR 1=1 --",
    "') UNION ALL SELECT 1 --",
    '`',
    '"',
    '\\',
    '{p0:String}',
    '\0',
    '%',
    '/*',
    "''",
  ),
)
/** Names that have a column, or stand for something, make other SQL; that must not depend on anything else. */
const name = hostile.filter((text) => !/^(\$|utm_|\[|\{)/.test(text) && text.trim() !== '')
/** In an address a slash at the end of a path's point goes away; expressions are asked about one by one. */
const item = name.map((text) => `${text}.`)

interface Names {
  readonly event: string
  readonly other: string
  readonly property: string
  readonly value: string
}

const quoted = (text: string) => `'${text.replaceAll(/[\\']/g, '\\$&')}'`
const propertyOf = (property: string) => `properties[${quoted(property)}]`

const filters = ({ property, value }: Names) => [
  { key: property, value },
  {
    type: 'OR',
    values: [
      { key: property, value, type: 'person' },
      { key: property, value, type: 'person', as_of: 'event' },
    ],
  },
  { key: property, value, type: 'group', group_type_index: 1 },
  { key: '$entry_current_url', value, type: 'session' },
  { key: 'start_url', value, type: 'recording' },
  {
    type: 'hogql',
    key: `${propertyOf(property)} = ${quoted(value)} or person.${propertyOf(property)} is null`,
  },
]

/** Questions of every insight and of the people behind it. */
const QUESTIONS: Readonly<Record<string, (names: Names) => Record<string, unknown>>> = {
  'insights/trend': ({ event, property }) => ({
    events: [
      { id: event, math: 'sum', math_property: property },
      { id: event, math: 'weekly_active' },
      { id: event, math: 'first_time_for_user' },
    ],
    breakdown: property,
    breakdown_type: 'person',
  }),
  'persons/trends': ({ event, property }) => ({
    events: [{ id: event, math: 'avg_count_per_actor' }],
    breakdown: property,
    breakdown_other: 'true',
    sampling_factor: 0.5,
  }),
  'insights/funnel': ({ event, other, property }) => ({
    events: [{ id: event }, { id: other }],
    exclusions: [{ id: other, funnel_from_step: 0, funnel_to_step: 1 }],
    breakdown: property,
    breakdown_attribution_type: 'step',
    funnel_aggregate_by_hogql: `lower(${propertyOf(property)})`,
  }),
  'persons/funnel': ({ event, other }) => ({
    events: [{ id: event }, { id: other }],
    funnel_order_type: 'unordered',
  }),
  'insights/funnel/correlation': ({ event, other, property }) => ({
    events: [{ id: event }, { id: other }],
    funnel_correlation_type: 'properties',
    funnel_correlation_names: [property],
  }),
  'persons/funnel/correlation': ({ event, other, property, value }) => ({
    events: [{ id: event }, { id: other }],
    funnel_correlation_type: 'event_with_properties',
    funnel_correlation_event_names: [other],
    funnel_correlation_event: `${other}::${property}::${value}`,
  }),
  'insights/retention': ({ event, other }) => ({
    target_entity: { id: event },
    returning_entity: { id: other },
  }),
  'persons/retention': ({ event, other }) => ({
    target_entity: { id: event },
    returning_entity: { id: other },
    time_window_mode: '24_hour_windows',
  }),
  'insights/stickiness': ({ event }) => ({ events: [{ id: event }] }),
  'insights/lifecycle': ({ event }) => ({ events: [{ id: event }] }),
  'insights/path': ({ event, other, value }) => ({
    include_custom_events: [event],
    exclude_events: [other],
    path_groupings: [value],
    start_point: event,
    end_point: other,
  }),
  'insights/path by an expression': ({ event, other, property, value }) => ({
    include_event_types: ['hogql'],
    paths_hogql_expression: `concat(${propertyOf(property)}, ${quoted(value)})`,
    start_point: event,
    end_point: other,
  }),
  'persons/path': ({ event, value }) => ({ path_start_key: `1_${event}`, path_end_key: `2_${value}` }),
  'insights/timing': ({ event, other, property }) => ({
    from_entity: { id: event },
    to_entity: { id: other },
    breakdown: [propertyOf(property), `if(event = ${quoted(event)}, 1, 2)`],
    breakdown_type: 'hogql',
  }),
}

async function statements(
  { app, keys, asked }: ReturnType<typeof recordingEnvironment>,
  path: string,
  names: Names,
) {
  asked.splice(0)
  const response = await app.inject({
    method: 'POST',
    url: `/api/datasets/shop/${path.split(' ')[0]}`,
    headers: { authorization: `Bearer ${keys.shopRead}` },
    payload: { ...QUESTIONS[path]!(names), properties: filters(names) },
  })
  expect([response.statusCode, response.body.slice(0, 200)]).toEqual([200, response.body.slice(0, 200)])
  return {
    texts: asked.map(({ sql }) => shapeOf(sql)),
    bound: asked.flatMap(({ parameters }) => Object.values(parameters).flat()),
  }
}

test.each(Object.keys(QUESTIONS))(
  'the text of the statements of %s is the same whatever names are asked for',
  async (path) => {
    // One for every path: a minute has fewer questions than all of them ask.
    const environment = recordingEnvironment()
    const plain = await statements(environment, path, {
      event: 'e.',
      other: 'o.',
      property: 'p',
      value: 'v.',
    })
    expect(plain.texts.length).toBeGreaterThan(0)
    await fc.assert(
      fc.asyncProperty(
        fc
          .record({ event: item, other: item, property: name, value: item })
          .filter(({ event, other }) => event !== other),
        async (names) => {
          const { texts, bound } = await statements(environment, path, names)
          expect(texts).toEqual(plain.texts)
          expect(bound).toContain(names.property)
          expect(bound).toContain(names.value)
        },
      ),
      { numRuns: 25 },
    )
  },
)
