import { expect, test } from 'vitest'
import type { EnrichedEvent } from '../../../../schemas/enriched-event/v1.ts'
import { HEADERS } from '../../../../services/core/kafka/topics.ts'
import { selectRecords } from '../../../../services/identity/repartition/select-records.ts'
import { createSightings, type Sightings } from '../../../../services/identity/repartition/sightings.ts'
import { batchOf } from '../identity-batch.ts'
import { enriched } from './enriched.ts'

const DAY = 86_400_000
const at = (ms: number) => new Date(Date.UTC(2026, 0, 2) + ms).toISOString()

/** Ids of what is sent on of these events, and why the others are not. */
function select(events: readonly (Partial<EnrichedEvent> | string)[], sightings: Sightings, keeps = true) {
  const batch = batchOf(
    events.map((given, offset) => ({
      offset,
      value:
        typeof given === 'string' ? given : JSON.stringify(enriched({ event_id: `e${offset}`, ...given })),
    })),
  )
  const own = sightings.begin()
  const { records, ignored } = selectRecords(batch, 0, own)
  if (keeps) own.keep()
  expect(records.length + [...ignored.values()].reduce((sum, count) => sum + count, 0)).toBe(events.length)
  return [records.map(({ event_id }) => event_id).join(' '), Object.fromEntries(ignored)]
}

test('somebody is told once a day, and what they say of themselves always', () => {
  const sightings = createSightings(100)
  expect(select([{}, {}, { set: { a: 1 } }, { set: { a: 1 } }], sightings)).toEqual(['e0 e2 e3', { seen: 1 }])
  expect(select([{}, { distinct_id: 'bob' }, { dataset_id: 'blog' }], sightings)).toEqual([
    'e1 e2',
    { seen: 1 },
  ])
  expect(select([{ collector_time: at(DAY) }, {}, { collector_time: at(DAY) }], sightings)).toEqual([
    'e0',
    { seen: 2 },
  ])
})

test('a first-touch property that was not given yet is news, another value of it is not', () => {
  const sightings = createSightings(100)
  expect(
    select([{}, { browser: 'Firefox' }, { browser: 'Safari' }, { browser: 'Safari', os: 'iOS' }], sightings),
  ).toEqual(['e0 e1 e3', { seen: 1 }])
})

test('a kind of group is told once for its dataset, whoever names it', () => {
  const sightings = createSightings(100)
  const own = sightings.begin()
  const values = [
    { groups: { company: 'acme' } },
    { distinct_id: 'bob', groups: { company: 'acme', team: 't' } },
    { groups: { company: 'other' } },
  ]
  const batch = batchOf(values.map((given, offset) => ({ offset, value: JSON.stringify(enriched(given)) })))
  expect(selectRecords(batch, 0, own).records.map(({ group_types }) => group_types)).toEqual([
    ['company'],
    ['team'],
  ])
})

test('what was not committed was not told', () => {
  const sightings = createSightings(100)
  expect(select([{}], sightings, false)).toEqual(['e0', {}])
  expect(select([{}], sightings)).toEqual(['e0', {}])
  expect(select([{}], sightings)).toEqual(['', { seen: 1 }])
})

test('it forgets rather than grow', () => {
  const sightings = createSightings(2)
  select([{ distinct_id: 'a' }, { distinct_id: 'b' }, { distinct_id: 'c' }], sightings)
  expect(select([{ distinct_id: 'c' }, { distinct_id: 'a' }], sightings)).toEqual(['e1', { seen: 1 }])
})

test('what is no event is passed over and counted', () => {
  expect(select(['{', '[]', 'null', '{"dataset_id":"shop"}'], createSightings(10))).toEqual([
    '',
    { unreadable: 4 },
  ])
  const tick = {
    ...batchOf([{ offset: 0, value: '{"tick":true}' }]),
    header: (_: number, name: string) => (name === HEADERS.tick ? '1' : null),
  }
  expect(Object.fromEntries(selectRecords(tick, 0, createSightings(10).begin()).ignored)).toEqual({ tick: 1 })
})

test('digits that no number of ours can hold are sent on as they are', () => {
  const value = JSON.stringify(enriched({ set: { account: 1 } })).replace(
    '"account":1',
    '"account":9007199254740993',
  )
  const { records } = selectRecords(batchOf([{ offset: 0, value }]), 0, createSightings(10).begin())
  expect(JSON.stringify(records[0])).toContain('"set":{"account":9007199254740993}')
})
