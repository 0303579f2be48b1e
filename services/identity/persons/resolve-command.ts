import type { IdentityCommand } from '../../../schemas/identity-record/v1.ts'
import type { ChangeReason } from '../../../schemas/person/v1.ts'
import type { DatasetState } from './dataset-state.ts'
import { type Cause, writeHistory } from './history.ts'
import { sizeRefusal } from './join-ids.ts'
import { type DistinctId, type Person, PROPERTIES_BYTES_MAX } from './person.ts'
import { type PropertyUpdates, propertiesBytes, updateProperties } from './property-updates.ts'
import { splitPerson } from './split-person.ts'
import { swallowPerson, withSwallowed } from './swallow-person.ts'

const NOTHING = Object.freeze(Object.create(null))

/**
 * Applies what a call of the API asked for, once: a call whose answer was lost is made again under the same id. A person
 * that has gone meanwhile is a refusal, never another person.
 */
export function resolveCommand(state: DatasetState, record: IdentityCommand): void {
  if (state.hasCommand(record.event_id)) return
  state.addCommand(record.event_id)
  const cause: Cause = {
    collectorTime: record.collector_time,
    eventId: record.event_id,
    distinctId: '',
    actor: record.actor,
  }
  const { command } = record
  const person = state.person(command.person_key)
  const refusal = person === null ? 'no_such_person' : apply(state, cause, person, record)
  if (refusal === null) return
  writeHistory(state, cause, state.nextVersion(), {
    personKey: command.person_key,
    change: 'command_refused',
    reason: refusal,
    otherPersonKey: command.name === 'merge' ? command.other_person_key : '',
    properties: person?.properties ?? NOTHING,
  })
}

/** @returns why it was not done, null when it was or there was nothing to do */
function apply(
  state: DatasetState,
  cause: Cause,
  person: Person,
  { command }: IdentityCommand,
): ChangeReason | null {
  switch (command.name) {
    case 'set':
      return update(state, cause, person, { set: command.properties })
    case 'replace': {
      const gone = Object.keys(person.properties).filter((name) => !Object.hasOwn(command.properties, name))
      return update(state, cause, person, { set: command.properties, unset: gone })
    }
    case 'unset':
      return update(state, cause, person, { unset: command.keys })
    case 'merge':
      return merge(state, cause, person, command.other_person_key)
    case 'split': {
      const { main_distinct_id: id } = command
      const main = id === null ? null : state.distinctIdsOf(person.key).find((each) => each.id === id)
      if (main === undefined) return 'no_such_distinct_id'
      splitPerson(state, cause, person, main)
      return null
    }
    case 'delete':
      remove(state, cause, person, command.delete_events ?? false)
      return null
    case 'delete_events':
      deleteEvents(state, cause, person, state.distinctIdsOf(person.key))
      return null
  }
}

function update(
  state: DatasetState,
  cause: Cause,
  person: Person,
  updates: PropertyUpdates,
): ChangeReason | null {
  const properties = updateProperties(person.properties, updates)
  if (properties === person.properties) return null
  if (propertiesBytes(properties) > PROPERTIES_BYTES_MAX) return 'properties_too_large'
  const version = state.nextVersion()
  writeHistory(state, cause, version, { personKey: person.key, change: 'set', reason: 'call', properties })
  state.putPerson({ ...person, properties, version })
  return null
}

function merge(state: DatasetState, cause: Cause, person: Person, otherKey: string): ChangeReason | null {
  if (otherKey === person.key) return null
  const other = state.person(otherKey)
  if (other === null) return 'no_such_person'
  const refusal = sizeRefusal(person, other)
  if (refusal !== null) return refusal
  const survivor = { ...withSwallowed(person, other), isIdentified: true }
  swallowPerson(state, cause, survivor, other, 'call')
  return null
}

/**
 * Its ids are remembered without it, so that events that had arrived before do not make it again. Persons that went
 * into it had the names of ids that it has now.
 */
function remove(state: DatasetState, cause: Cause, person: Person, withEvents: boolean): void {
  const version = state.nextVersion()
  writeHistory(state, cause, version, {
    personKey: person.key,
    change: 'deleted',
    reason: 'call',
    properties: NOTHING,
  })
  const distinctIds = state.distinctIdsOf(person.key)
  // A split may have left the name of one of them to somebody who lives.
  const swallowed = distinctIds.map(({ id }) => id).filter((id) => state.person(id) === null)
  state.erase({ personKeys: [person.key, ...swallowed], version })
  for (const distinctId of distinctIds)
    state.putDistinctId({
      ...distinctId,
      personKey: null,
      initials: 0,
      deletedAt: cause.collectorTime,
      version,
    })
  state.removePerson(person.key, version)
  // After the deletion: what its history told before is taken out.
  if (withEvents) deleteEvents(state, cause, { ...person, properties: NOTHING }, distinctIds)
}

/** What a distinct id did belongs to whoever has that id, so these are all of the person's events. */
function deleteEvents(
  state: DatasetState,
  cause: Cause,
  person: Person,
  distinctIds: readonly DistinctId[],
): void {
  const version = state.nextVersion()
  writeHistory(state, cause, version, {
    personKey: person.key,
    change: 'events_deleted',
    reason: 'call',
    properties: person.properties,
  })
  for (const { id } of distinctIds)
    state.deleteEvents({ distinctId: id, arrivedUntil: cause.collectorTime, version })
}
