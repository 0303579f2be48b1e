import type { IdentityEvent } from '../../../schemas/identity-record/v1.ts'
import type { ChangeReason } from '../../../schemas/person/v1.ts'
import type { DatasetState } from './dataset-state.ts'
import { isNameable } from './distinct-id-rules.ts'
import { type Cause, writeHistory } from './history.ts'
import { initialBits, notYetGiven } from './initial-properties.ts'
import { type Joining, joinIds, personOf, seeId } from './join-ids.ts'
import { moveDistinctId, newPersonKey } from './move-distinct-id.ts'
import { type Person, PROPERTIES_BYTES_MAX } from './person.ts'
import { propertiesBytes, updateProperties } from './property-updates.ts'
import { refuseGroup, resolveGroup } from './resolve-group.ts'
import { swallowPerson, withSwallowed } from './swallow-person.ts'

const NOTHING = Object.freeze(Object.create(null))

/** Applies what an event says about its person. Nothing is written where nothing changes; every refusal is. */
export function resolveEvent(state: DatasetState, record: IdentityEvent): void {
  const cause: Cause = {
    collectorTime: record.collector_time,
    eventId: record.event_id,
    distinctId: record.distinct_id,
    actor: '',
  }
  const refusal = refusalOf(state, record)
  if (refusal === null) resolvePerson(state, cause, record)
  else refuse(state, cause, record, refusal)
  if (record.no_profile) refuseGroup(state, cause, record)
  else resolveGroup(state, cause, record)
}

/** Why nothing of the event may touch a person; null when it may. */
function refusalOf(state: DatasetState, record: IdentityEvent): ChangeReason | null {
  if (record.no_profile) return 'no_person_profile'
  if (!isNameable(record.distinct_id)) return 'cannot_merge_with_illegal_distinct_id'
  const deletedLater = (id: string) => (state.distinctId(id)?.deletedAt ?? -1) >= record.collector_time
  if (deletedLater(record.distinct_id)) return 'deleted_later'
  const other = record.merge?.other_id
  return other !== undefined && isNameable(other) && deletedLater(other) ? 'deleted_later' : null
}

/** Tells a refusal of everything, unless the event only showed that somebody is there. */
function refuse(state: DatasetState, cause: Cause, record: IdentityEvent, reason: ChangeReason): void {
  const change = record.merge
    ? 'merge_refused'
    : record.set || record.set_once || record.unset
      ? 'set_refused'
      : null
  if (change === null) return
  const person = isNameable(record.distinct_id) ? personOf(state, record.distinct_id) : null
  writeHistory(state, cause, state.nextVersion(), {
    // Of nobody where there is no person: the id may be the name of another one by now.
    personKey: person?.key ?? '',
    change,
    reason,
    otherPersonKey: record.merge?.other_id ?? '',
    properties: person?.properties ?? NOTHING,
  })
}

function resolvePerson(state: DatasetState, cause: Cause, record: IdentityEvent): void {
  const { merge } = record
  const joining = merge ? joinIds(state, record.distinct_id, merge) : seeId(state, record.distinct_id)
  const reason: ChangeReason = merge?.by ?? (joining.person === null ? 'first_event' : 'properties')
  const before = joining.person ?? newPerson(state, record)
  const base = joining.swallowed === null ? before : withSwallowed(before, joining.swallowed)
  const given = state.distinctId(record.distinct_id)?.initials ?? 0
  const updated = updateProperties(base.properties, {
    setOnce: { ...notYetGiven(record.initial, given), ...record.set_once },
    set: record.set,
    unset: record.unset,
  })
  const tooLarge = updated !== base.properties && propertiesBytes(updated) > PROPERTIES_BYTES_MAX
  const person: Person = {
    ...base,
    properties: tooLarge ? base.properties : updated,
    isIdentified: base.isIdentified || joining.identifies,
    distinctIds: base.distinctIds + joining.attached.length,
  }
  writeJoining(state, cause, joining, before, person, reason)
  rememberInitials(state, record)

  const written = personOf(state, record.distinct_id) as Person
  const refusal = { personKey: written.key, properties: written.properties }
  if (merge && joining.refusal !== null)
    writeHistory(state, cause, state.nextVersion(), {
      ...refusal,
      change: 'merge_refused',
      reason: joining.refusal,
      otherPersonKey: otherKey(state, merge.other_id),
    })
  if (tooLarge)
    writeHistory(state, cause, state.nextVersion(), {
      ...refusal,
      change: 'set_refused',
      reason: 'properties_too_large',
    })
}

/** Writes what became of the person: one line for what happened to it, one more for each id that it got. */
function writeJoining(
  state: DatasetState,
  cause: Cause,
  joining: Joining,
  before: Person,
  person: Person,
  reason: ChangeReason,
): void {
  const { personKey, properties } = { personKey: person.key, properties: person.properties }
  if (joining.swallowed !== null) {
    swallowPerson(state, cause, person, joining.swallowed, reason)
    return
  }
  for (const id of joining.attached) {
    const isNew = joining.person === null && id === cause.distinctId
    const version = state.nextVersion()
    const change = isNew ? 'created' : 'attached'
    const at = writeHistory(state, cause, version, { personKey, change, reason, distinctId: id, properties })
    moveDistinctId(state, id, state.distinctId(id), personKey, at)
    state.putPerson({ ...person, version })
  }
  if (joining.attached.length > 0) return
  const identified = person.isIdentified && !before.isIdentified
  if (!identified && person.properties === before.properties) return
  const version = state.nextVersion()
  writeHistory(state, cause, version, {
    personKey,
    change: identified ? 'identified' : 'set',
    reason: identified ? reason : 'properties',
    properties,
  })
  state.putPerson({ ...person, version })
}

function newPerson(state: DatasetState, record: IdentityEvent): Person {
  return {
    key: newPersonKey(state, record.distinct_id, state.head.version + 1),
    createdAt: record.event_time,
    isIdentified: false,
    properties: NOTHING,
    distinctIds: 0,
    version: 0,
  }
}

/** Not a change that anybody is told of: what this id gave stays given. */
function rememberInitials(state: DatasetState, record: IdentityEvent): void {
  const distinctId = state.distinctId(record.distinct_id)
  if (distinctId === null) return
  const initials = distinctId.initials | initialBits(record.initial)
  if (initials !== distinctId.initials) state.putDistinctId({ ...distinctId, initials })
}

/** The person that was to be swallowed, by its key; the id itself where it names nobody. */
function otherKey(state: DatasetState, id: string): string {
  return isNameable(id) ? (personOf(state, id)?.key ?? id) : id
}
