import { expect, test } from 'vitest'
import type { IdentityCommand, PersonCommand } from '../../../../schemas/identity-record/v1.ts'
import { createDatasetState, type DatasetState } from '../../../../services/identity/persons/dataset-state.ts'
import {
  DISTINCT_IDS_MAX,
  type Person,
  PROPERTIES_BYTES_MAX,
} from '../../../../services/identity/persons/person.ts'
import { resolveRecord } from '../../../../services/identity/persons/resolve-record.ts'
import { identityEvent, NOBODY } from './nobody.ts'

const large = (bytes: number) => ({ text: 'x'.repeat(bytes) })
let calls = 0
const call = (command: PersonCommand, collector_time = 2): IdentityCommand => ({
  v: 1,
  kind: 'command',
  dataset_id: 'shop',
  event_id: `call-${calls++}`,
  collector_time,
  actor: 'me',
  command,
})
const lastLine = (state: DatasetState) => {
  const { change, reason } = state.changes().history.at(-1) ?? {}
  return `${change} ${reason}`
}

test('a person that has as many ids as a person may have gets no more, and says so', () => {
  const full: Person = {
    key: 'full',
    createdAt: 0,
    isIdentified: false,
    properties: {},
    distinctIds: DISTINCT_IDS_MAX,
    version: 1,
  }
  const known = {
    id: 'full',
    personKey: 'full',
    seen: 1,
    initials: 0,
    isOverridden: false,
    deletedAt: null,
    version: 1,
  }
  for (const [distinct, other] of [
    ['full', 'new'],
    ['new', 'full'],
  ] as const) {
    const state = createDatasetState({
      ...NOBODY,
      person: (key) => (key === 'full' ? full : null),
      distinctId: (id) => (id === 'full' ? known : null),
    })
    resolveRecord(state, identityEvent(distinct, { merge: { by: 'alias', other_id: other } }))
    expect(lastLine(state)).toBe('merge_refused too_many_distinct_ids')
    expect(state.person('full')?.distinctIds).toBe(DISTINCT_IDS_MAX)
  }
})

test('properties that are too large together are refused, and what was there stays', () => {
  const state = createDatasetState(NOBODY)
  resolveRecord(state, identityEvent('ann', { set: { plan: 'free' } }))
  resolveRecord(state, identityEvent('ann', { set: large(PROPERTIES_BYTES_MAX) }))
  expect(lastLine(state)).toBe('set_refused properties_too_large')
  expect({ ...state.person('ann')?.properties }).toEqual({ plan: 'free' })
})

test('two persons whose properties are too large together stay two', () => {
  const state = createDatasetState(NOBODY)
  resolveRecord(state, identityEvent('ann', { set: { a: large(PROPERTIES_BYTES_MAX / 2) } }))
  resolveRecord(state, identityEvent('bob', { set: { b: large(PROPERTIES_BYTES_MAX / 2) } }))
  resolveRecord(state, identityEvent('ann', { merge: { by: 'merge_dangerously', other_id: 'bob' } }))
  expect(lastLine(state)).toBe('merge_refused properties_too_large')
  expect(state.person('bob')).not.toBeNull()
  resolveRecord(state, call({ name: 'merge', person_key: 'ann', other_person_key: 'bob' }))
  expect(lastLine(state)).toBe('command_refused properties_too_large')
})

test('digits that no number of ours can hold stay as they are, and are equal to themselves', () => {
  const state = createDatasetState(NOBODY)
  const digits = () => ({ account: JSON.rawJSON('9007199254740993') })
  resolveRecord(state, identityEvent('ann', { set: digits() }))
  resolveRecord(state, identityEvent('ann', { set: digits() }))
  expect(state.changes().history).toHaveLength(1)
  expect(JSON.stringify(state.person('ann')?.properties)).toBe('{"account":9007199254740993}')
})

test('what an event repeats writes nothing', () => {
  const state = createDatasetState(NOBODY)
  const said = {
    merge: { by: 'identify', other_id: 'anon' },
    set: { plan: 'free' },
    initial: { $initial_browser: 'Firefox' },
    group: { type: 'company', key: 'acme', set: { size: 3 } },
  } as const
  resolveRecord(state, identityEvent('ann', said))
  const after = state.head
  resolveRecord(state, identityEvent('ann', said))
  expect(state.head).toEqual(after)
})

test('a first-touch property that was removed does not come back with the next event of that id', () => {
  const state = createDatasetState(NOBODY)
  resolveRecord(state, identityEvent('ann', { initial: { $initial_browser: 'Firefox' } }))
  resolveRecord(
    state,
    identityEvent('ann', { unset: ['$initial_browser'], initial: { $initial_browser: 'Firefox' } }),
  )
  resolveRecord(state, identityEvent('ann', { initial: { $initial_browser: 'Safari', $initial_os: 'iOS' } }))
  expect({ ...state.person('ann')?.properties }).toEqual({ $initial_os: 'iOS' })
})

test('a person that was deleted comes back with a later event, empty, and not with an earlier one', () => {
  const state = createDatasetState(NOBODY)
  resolveRecord(state, identityEvent('ann', { set: { email: 'a@b.c' } }))
  resolveRecord(state, call({ name: 'delete', person_key: 'ann' }, 50))
  resolveRecord(state, identityEvent('ann', { collector_time: 50, set: { email: 'a@b.c' } }))
  expect(state.person('ann')).toBeNull()
  expect(lastLine(state)).toBe('set_refused deleted_later')
  resolveRecord(state, identityEvent('ann', { collector_time: 51 }))
  expect({ ...state.person('ann')?.properties }).toEqual({})
  expect(state.changes().removed.size).toBe(0)
})

test('a deletion takes the names that its person has had, and not one that a split left to somebody else', () => {
  const state = createDatasetState(NOBODY)
  resolveRecord(state, identityEvent('x', { merge: { by: 'alias', other_id: 'y' } }))
  resolveRecord(state, call({ name: 'split', person_key: 'x', main_distinct_id: 'y' }))
  const apart = state.distinctId('x')?.personKey ?? ''
  resolveRecord(state, identityEvent('z'))
  resolveRecord(state, call({ name: 'merge', person_key: apart, other_person_key: 'z' }))
  resolveRecord(state, call({ name: 'delete', person_key: apart }, 50))
  expect(state.changes().erasures.map(({ personKeys }) => personKeys)).toEqual([[apart, 'z']])
  expect(state.person('x')?.distinctIds).toBe(1)
})
