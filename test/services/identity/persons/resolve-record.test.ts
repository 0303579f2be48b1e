import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createDatasetState, type DatasetState } from '../../../../services/identity/persons/dataset-state.ts'
import { resolveRecord } from '../../../../services/identity/persons/resolve-record.ts'
import { NOBODY } from './nobody.ts'
import { IDS, recordOf, type Step, step } from './random-record.ts'
import { plain, ReferenceModel } from './reference-model.ts'

function personsOf(state: DatasetState) {
  const persons = [...state.changes().persons.values()].filter((person) => person !== null)
  return persons
    .map((person) => ({
      key: plain(person.key),
      ids: state.distinctIdsOf(person.key).map(({ id }) => id),
      properties: { ...person.properties },
      identified: person.isIdentified,
      createdAt: person.createdAt,
      count: person.distinctIds,
    }))
    .sort(byIds)
}

const byIds = (a: { ids: string[] }, b: { ids: string[] }) => (a.ids.join() < b.ids.join() ? -1 : 1)

test('persons, merges, refusals and groups are those of the obvious model, for any history', () => {
  const seen = new Set<string>()
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 40, size: 'max' }), (steps) => {
      const model = new ReferenceModel()
      const state = createDatasetState(NOBODY)
      for (const made of steps) {
        model.apply(recordOf(made, (id) => model.personOf(id)?.key ?? id))
        resolveRecord(
          state,
          recordOf(made, (id) => state.distinctId(id)?.personKey ?? id),
        )
      }
      expect(personsOf(state)).toEqual(
        model.persons
          .map(({ key, ids, properties, identified, createdAt }) => ({
            key: plain(key),
            ids,
            properties: Object.fromEntries(properties),
            identified,
            createdAt,
            count: ids.length,
          }))
          .sort(byIds),
      )
      const { history, groups, eventDeletions } = state.changes()
      expect(eventDeletions.map(({ distinctId, arrivedUntil }) => `${distinctId} ${arrivedUntil}`)).toEqual(
        model.deletedEvents,
      )
      const lines = history.map(
        ({ change, reason, personKey, otherPersonKey }) =>
          `${change} ${reason} ${plain(personKey)} ${plain(otherPersonKey)}`,
      )
      expect(lines).toEqual(model.history)
      for (const { change, reason } of history) seen.add(`${change} ${reason}`)
      expect(state.groupTypes).toEqual(model.groupTypes)
      const described = groups.map(({ typeIndex, key, properties }): [string, object] => [
        `${typeIndex}:${key}`,
        { ...properties },
      ])
      expect(new Map(described)).toEqual(
        new Map([...model.groups].map(([name, set]) => [name, Object.fromEntries(set)])),
      )
    }),
    // The seed is fixed for the last line: whether every rule is met must not be luck.
    { numRuns: 3_000, seed: 20_261_128 },
  )
  // Histories that never meet a rule prove nothing about it.
  expect([...seen].sort()).toEqual(MET)
})

const MET = [
  'attached alias',
  'attached identify',
  'attached merge_dangerously',
  'command_refused no_such_distinct_id',
  'command_refused no_such_person',
  'created alias',
  'created first_event',
  'created identify',
  'created merge_dangerously',
  'deleted call',
  'events_deleted call',
  'group_refused illegal_group',
  'group_refused no_person_profile',
  'group_refused too_many_group_types',
  'identified alias',
  'identified identify',
  'merge_refused cannot_merge_already_identified',
  'merge_refused cannot_merge_with_illegal_distinct_id',
  'merge_refused deleted_later',
  'merge_refused no_person_profile',
  'merged alias',
  'merged call',
  'merged identify',
  'merged merge_dangerously',
  'set call',
  'set properties',
  'set_refused cannot_merge_with_illegal_distinct_id',
  'set_refused deleted_later',
  'set_refused no_person_profile',
  'split call',
  'split_off call',
  'swallowed alias',
  'swallowed call',
  'swallowed identify',
  'swallowed merge_dangerously',
]

test('what readers join with says the same as the state, and history grows in version and time', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 40, size: 'max' }), (steps) => {
      const state = createDatasetState(NOBODY)
      for (const made of steps)
        resolveRecord(
          state,
          recordOf(made, (id) => state.distinctId(id)?.personKey ?? id),
        )
      const { belongings, history, persons } = state.changes()
      for (const id of IDS) {
        const current = state.distinctId(id)
        if (current === null || current.personKey === null) continue
        expect(belongings.findLast(({ distinctId }) => distinctId === id)?.personKey ?? id).toBe(
          current.personKey,
        )
        expect(persons.get(current.personKey)).not.toBeNull()
      }
      for (const [index, row] of history.entries()) {
        expect(row.version).toBeGreaterThan(history[index - 1]?.version ?? 0)
        expect(row.validFrom).toBeGreaterThanOrEqual(history[index - 1]?.validFrom ?? 0)
      }
      for (const person of persons.values()) {
        if (person === null) continue
        const last = history.findLast(({ personKey }) => personKey === person.key)
        expect(last?.properties).toEqual(person.properties)
      }
    }),
    { numRuns: 1_000 },
  )
})

test('what is refused to an id that has no person is not written into the history of whoever bears that id as a name', () => {
  const state = createDatasetState(NOBODY)
  const tell = (made: Step) =>
    resolveRecord(
      state,
      recordOf(made, (id) => state.distinctId(id)?.personKey ?? id),
    )
  const event = {
    v: 1,
    kind: 'event',
    dataset_id: 'shop',
    event_id: 'x',
    event: 'x',
    src_partition: 0,
  } as const
  const ofE = { ...event, src_offset: 0, distinct_id: 'e', event_time: 0, collector_time: 0 }
  const command = { kind: 'command', of: 'e', other: 'a', value: 0, time: 0 } as const
  tell({ kind: 'event', event: { ...ofE, merge: { by: 'identify', other_id: 'b' } } })
  tell({ ...command, call: 0, name: 'split', main: 'b' })
  tell({ ...command, call: 1, name: 'delete', main: null })
  tell({ kind: 'event', event: { ...ofE, set: { p: 1 }, no_profile: true } })
  expect(state.distinctId('b')?.personKey).toBe('e')
  expect(state.changes().history.at(-1)).toMatchObject({
    change: 'set_refused',
    personKey: '',
    distinctId: 'e',
  })
})
