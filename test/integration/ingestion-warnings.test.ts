import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ApiEngine, openApiEngine } from '../helpers/api-engine.ts'
import { NOW_MS } from '../services/query-api/recording-environment.ts'

let api: ApiEngine
const DAY_MS = 86_400_000
const daysAgo = (days: number) => new Date(NOW_MS - days * DAY_MS).toISOString()

const event = (n: number, time_flag: string | null, days: number, given: object = {}) => ({
  event_id: `e${n}`,
  event: 'purchase',
  distinct_id: 'ann',
  event_time: daysAgo(days),
  collector_time: daysAgo(days),
  client_time: `as sent ${n}`,
  time_flag,
  src_offset: n,
  properties: '{}',
  ...given,
})
const refusal = (version: number, change: string, reason: string, days: number, given: object = {}) => ({
  person_key: 'ann',
  valid_from: daysAgo(days),
  version,
  change,
  reason,
  event_id: `r${version}`,
  distinct_id: 'ann',
  other_person_key: '',
  properties: '{}',
  actor: '',
  ...given,
})
const rejected = (n: number, code: string, days: number, given: object = {}) => ({
  event_id: `x${n}`,
  event: 'purchase',
  distinct_id: null,
  collector_time: daysAgo(days),
  stage: 'enricher',
  code,
  details: Array.from({ length: 9 }, (_, at) => `/properties/${at} must be number`),
  payload: '{"secret":1}',
  payload_bytes: 12,
  protocol: 'native',
  ip: '203.0.113.7',
  src_offset: n,
  ...given,
})
const BLOG = { dataset_id: 'blog' }

beforeAll(async () => {
  api = await openApiEngine()
  await api.insert('events', [
    event(1, null, 1),
    event(2, 'future', 2),
    event(3, 'unreadable', 29),
    event(4, 'unreadable', 31),
    event(5, 'future', 1, BLOG),
  ])
  const history = [
    refusal(1, 'created', 'first_event', 20),
    refusal(2, 'merge_refused', 'cannot_merge_already_identified', 3, { other_person_key: 'bob\u000112' }),
    refusal(3, 'merge_refused', 'cannot_merge_with_illegal_distinct_id', 4, { person_key: '' }),
    refusal(4, 'set_refused', 'properties_too_large', 5),
    refusal(5, 'group_refused', 'too_many_group_types', 31),
    refusal(6, 'command_refused', 'no_such_person', 1, { actor: 'personal_api_key:1' }),
    refusal(7, 'merge_refused', 'cannot_merge_already_identified', 1, BLOG),
  ]
  // Told twice, as after a crash.
  await api.insert('person_changes', history)
  await api.insert('person_changes', history)
  await api.insert('rejected_events', [
    ...Array.from({ length: 60 }, (_, n) => rejected(n, 'schema_violation', 6)),
    rejected(60, 'too_large', 1),
    rejected(61, 'too_large', 31),
    rejected(62, 'quarantined', 1, BLOG),
    rejected(63, 'undecodable', 1, { dataset_id: '' }),
  ])
})
afterAll(() => api.close())

interface Answered {
  readonly type: string
  readonly count: number
  readonly lastSeen: string
  readonly warnings: { timestamp: string; details: Record<string, unknown> }[]
}
const warnings = async (dataset: string, key: string): Promise<Answered[]> => {
  const response = await api.get(`/api/datasets/${dataset}/ingestion_warnings`, key)
  expect(response.statusCode).toBe(200)
  return response.json().results
}

test('warnings of 30 days are told by type, each once, of the dataset that is asked about', async () => {
  const found = await warnings('shop', api.keys.shopRead)
  expect(found.map(({ type, count, lastSeen }) => [type, count, lastSeen])).toEqual([
    ['too_large', 1, daysAgo(1)],
    ['event_timestamp_in_future', 1, daysAgo(2)],
    ['cannot_merge_already_identified', 1, daysAgo(3)],
    ['cannot_merge_with_illegal_distinct_id', 1, daysAgo(4)],
    ['properties_too_large', 1, daysAgo(5)],
    ['schema_violation', 60, daysAgo(6)],
    ['ignored_invalid_timestamp', 1, daysAgo(29)],
  ])
  expect(found.map((one) => one.warnings.length)).toEqual([1, 1, 1, 1, 1, 50, 1])
  const blog = await warnings('blog', api.keys.blogRead)
  expect(blog.map(({ type, count }) => [type, count])).toEqual(
    expect.arrayContaining([
      ['event_timestamp_in_future', 1],
      ['cannot_merge_already_identified', 1],
      ['quarantined', 1],
    ]),
  )
  expect(blog).toHaveLength(3)
})

test('a warning says of which event it is and what is wrong, and nothing else of what was sent', async () => {
  const found = await warnings('shop', api.keys.shopRead)
  const newest = (type: string) => found.find((one) => one.type === type)?.warnings[0]
  expect(newest('event_timestamp_in_future')).toEqual({
    timestamp: daysAgo(2),
    details: {
      event_id: 'e2',
      event: 'purchase',
      distinct_id: 'ann',
      client_time: 'as sent 2',
      reasons: ['Its time was more than 23 hours ahead, so it counts from when it was received.'],
    },
  })
  expect(newest('cannot_merge_already_identified')).toEqual({
    timestamp: daysAgo(3),
    details: {
      event_id: 'r2',
      distinct_id: 'ann',
      other_distinct_id: 'bob',
      reasons: ['The person to be swallowed is identified: it may be somebody else.'],
    },
  })
  expect(newest('too_large')?.details).toEqual({
    event_id: 'x60',
    event: 'purchase',
    distinct_id: null,
    stage: 'enricher',
    reasons: Array.from({ length: 5 }, (_, at) => `/properties/${at} must be number`),
  })
  expect(JSON.stringify(found)).not.toMatch(/secret|203\.0\.113/)
})

test('50 warnings of a type are shown, the newest first; all are counted', async () => {
  const [violations] = (await warnings('shop', api.keys.shopRead)).filter(
    ({ type }) => type === 'schema_violation',
  )
  expect(violations?.warnings.map(({ details }) => details.event_id)).toEqual(
    Array.from({ length: 50 }, (_, n) => `x${59 - n}`),
  )
})
