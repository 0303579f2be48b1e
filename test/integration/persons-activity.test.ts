import { afterAll, beforeAll, expect, test } from 'vitest'
import { personIdOf } from '../../services/core/event/person-id.ts'
import { type ApiEngine, openApiEngine } from '../helpers/api-engine.ts'
import { idRow, personRow } from '../helpers/person-rows.ts'
import { NOW_MS } from '../services/query-api/recording-environment.ts'

let api: ApiEngine
let actionId: number
const DAY_MS = 86_400_000
const daysAgo = (days: number) => new Date(NOW_MS - days * DAY_MS).toISOString()
const line = (
  version: number,
  key: string,
  change: string,
  reason: string,
  days: number,
  given: object = {},
) => ({
  person_key: key,
  valid_from: daysAgo(days),
  version,
  change,
  reason,
  event_id: `e${version}`,
  distinct_id: key,
  other_person_key: '',
  properties: '{}',
  actor: '',
  ...given,
})
const ann = (properties: object) => ({ properties: JSON.stringify(properties) })
const HISTORY = [
  line(1, 'ann', 'created', 'first_event', 20, ann({ plan: 'free' })),
  line(2, 'anon', 'created', 'first_event', 19, ann({ browser: 'Firefox' })),
  line(3, 'ann', 'merged', 'identify', 5, {
    other_person_key: 'anon',
    ...ann({ plan: 'free', browser: 'Firefox' }),
  }),
  line(4, 'anon', 'swallowed', 'identify', 5, { other_person_key: 'ann', ...ann({ browser: 'Firefox' }) }),
  line(5, 'ann', 'set', 'call', 3, {
    actor: 'personal_api_key:1',
    ...ann({ plan: 'pro', browser: 'Firefox' }),
  }),
  line(6, '', 'set_refused', 'no_person_profile', 2),
  line(7, 'ann', 'merge_refused', 'cannot_merge_already_identified', 1, {
    other_person_key: 'bob',
    ...ann({ plan: 'pro', browser: 'Firefox' }),
  }),
]
beforeAll(async () => {
  api = await openApiEngine()
  // Told twice, as after a crash.
  await api.insert('person_changes', HISTORY)
  await api.insert('person_changes', HISTORY)
  await api.insert('persons', [
    personRow('ann', { properties: { plan: 'pro', browser: 'Firefox' }, version: 5 }),
    personRow('anon', { deleted: true, version: 4 }),
  ])
  await api.insert('person_distinct_ids', [idRow('ann', 'ann'), idRow('anon', 'ann', 3)])
  await api.insert(
    'events',
    [
      ['ann', 6.5, 'x'],
      ['anon', 4, 'x'],
      ['ann', 2.5, 'y'],
      ['ann', 30, 'x'],
      ['bob', 4, 'x'],
    ].map(([distinct_id, days, event], n) => ({
      event_id: `e${n}`,
      event,
      distinct_id,
      event_time: daysAgo(Number(days)),
      collector_time: daysAgo(Number(days)),
      src_offset: n,
      properties: JSON.stringify({ amount: n }),
    })),
  )
  // Said to have happened long after it arrived.
  await api.insert('events', [
    {
      event_id: 'ahead',
      event: 'z',
      distinct_id: 'ann',
      event_time: new Date(NOW_MS + 30 * DAY_MS).toISOString(),
      collector_time: daysAgo(2.6),
      src_offset: 9,
      properties: '{}',
    },
  ])
  const person = await api.personalKey(['action:write'])
  const action = { name: 'Any x', steps: [{ event: 'x' }] }
  const made = await api.send('POST', '/api/datasets/shop/actions', person, action)
  expect(made.status).toBe(201)
  actionId = made.body.id
})
afterAll(() => api.close())

const read = async (path: string) => {
  const response = await api.get(`/api/datasets/shop/persons/${path}`)
  expect([path, response.statusCode]).toEqual([path, 200])
  return response.json()
}
const id = (key: string) => personIdOf('shop', key)

test('the history of a person says of every merge and refusal why, each once, with what changed', async () => {
  const { results, next } = await read('ann/activity')
  expect(next).toBe(null)
  expect(results).toMatchObject([
    {
      id: 7,
      activity: 'merge_refused',
      explanation: 'The person to be swallowed is identified: it may be somebody else.',
      other_person: { id: id('bob'), distinct_id: 'bob' },
      detail: { changes: [] },
    },
    {
      id: 5,
      actor: 'personal_api_key:1',
      detail: { changes: [{ action: 'changed', field: 'plan', before: 'free', after: 'pro' }] },
    },
    {
      id: 3,
      activity: 'merged',
      reason: 'identify',
      explanation: 'An identify event said that both ids are one person.',
      source_id: 'e3',
      other_person: { id: id('anon'), distinct_id: 'anon' },
      detail: { changes: [{ action: 'created', field: 'browser', before: null, after: 'Firefox' }] },
    },
    { id: 1, activity: 'created', detail: { changes: [{ action: 'created', field: 'plan' }] } },
  ])
})

test('pages of history follow each other, and tell the same changes as the whole', async () => {
  const first = await read('ann/activity?limit=2')
  const second = await read(`ann/activity${new URL(first.next).search}`)
  const whole = await read('ann/activity')
  expect([...first.results, ...second.results]).toEqual(whole.results)
  expect(second.next).toBe(null)
})

test('who was merged keeps a history under the old id, and a refusal to nobody stands in that of all', async () => {
  expect((await read(`${id('anon')}/activity`)).results).toMatchObject([{ activity: 'swallowed' }, { id: 2 }])
  const all = await read('activity?limit=3')
  expect(all.results.map((one: { id: number }) => one.id)).toEqual([7, 6, 5])
  expect(all.results[1]).toMatchObject({ item_id: null, activity: 'set_refused', detail: { changes: null } })
  const refused = await read('activity?activity=merge_refused')
  expect(refused.results.map((one: { id: number }) => one.id)).toEqual([7])
})

test('the timeline tells both readings, and counts events from one change to the next', async () => {
  const timeline = await read('ann/properties_timeline?date_from=-7d')
  expect(timeline).toMatchObject({
    points: [
      { properties: { plan: 'free' }, relevant_event_count: 1 },
      { timestamp: daysAgo(5), properties: { plan: 'free', browser: 'Firefox' }, relevant_event_count: 1 },
      { timestamp: daysAgo(3), properties: { plan: 'pro', browser: 'Firefox' }, relevant_event_count: 2 },
    ],
    crucial_property_keys: ['browser', 'plan'],
    points_as_of: 'event',
    properties_now: { plan: 'pro', browser: 'Firefox' },
  })
  expect(timeline.points[0].timestamp).toBe(timeline.effective_date_from)
  const plan = await read('ann/properties_timeline?date_from=all&breakdown=plan&event=x')
  expect(plan.crucial_property_keys).toEqual(['plan'])
  expect(plan.points.map((one: { relevant_event_count: number }) => one.relevant_event_count)).toEqual([2, 0])
})

test('the timeline counts the events of a trend: its series, actions and filters', async () => {
  // biome-ignore lint/suspicious/noExplicitAny: answers of many shapes
  const counts = async (asked: Record<string, any>, date_from = '-7d') => {
    const query = Object.entries(asked).map(([name, value]) => [
      name,
      typeof value === 'string' ? value : JSON.stringify(value),
    ])
    const parameters = new URLSearchParams([['date_from', date_from], ...query] as [string, string][])
    const { points } = await read(`ann/properties_timeline?${parameters}`)
    return points.map((one: { relevant_event_count: number }) => one.relevant_event_count)
  }
  expect(await counts({ events: [{ id: 'y' }] })).toEqual([0, 0, 1])
  expect(await counts({ events: [{ id: 'x' }, { id: 'y' }] })).toEqual([1, 1, 1])
  expect(await counts({ actions: [{ id: actionId }] })).toEqual([1, 1, 0])
  expect(await counts({ actions: [{ id: actionId }], events: [{ id: 'z' }] })).toEqual([1, 1, 1])
  const few = [{ key: 'amount', operator: 'lt', value: 1 }]
  expect(await counts({ events: [{ id: 'x', properties: few }] })).toEqual([1, 0, 0])
  expect(await counts({ properties: few })).toEqual([1, 0, 0])
  expect(await counts({ event: 'y', math: 'dau', display: 'ActionsPie', interval: 'week' })).toEqual([
    0, 0, 1,
  ])
  // Who is active within a week was so by what happened in the six days before.
  expect(await counts({ event: 'x', math: 'weekly_active' }, '-1d')).toEqual([1, 1, 0])
})

test('a question that names properties of persons is about changes of these', async () => {
  const timeline = async (asked: Record<string, string>) => {
    const { points, crucial_property_keys } = await read(
      `ann/properties_timeline?${new URLSearchParams({ date_from: '-7d', ...asked })}`,
    )
    return [crucial_property_keys, points.map((one: { timestamp: string }) => one.timestamp).slice(1)]
  }
  const filter = (key: string, type: string) => ({
    properties: JSON.stringify([{ key, type, operator: 'is_set' }]),
  })
  expect(await timeline(filter('plan', 'person'))).toEqual([['plan'], [daysAgo(3)]])
  expect(await timeline(filter('plan', 'event'))).toEqual([
    ['browser', 'plan'],
    [daysAgo(5), daysAgo(3)],
  ])
  const ofSeries = {
    events: JSON.stringify([
      { id: 'x', ...{ properties: JSON.parse(filter('browser', 'person').properties) } },
    ]),
  }
  expect(await timeline(ofSeries)).toEqual([['browser'], [daysAgo(5)]])
  expect(await timeline({ ...ofSeries, breakdown: '["plan"]', breakdown_type: 'person' })).toEqual([
    ['browser', 'plan'],
    [daysAgo(5), daysAgo(3)],
  ])
})
