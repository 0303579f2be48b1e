import type { IdentityEvent, IdentityGroup } from '../../../schemas/identity-record/v1.ts'
import type { ChangeReason } from '../../../schemas/person/v1.ts'
import type { DatasetState } from './dataset-state.ts'
import { isNameable } from './distinct-id-rules.ts'
import { type Cause, writeHistory } from './history.ts'
import { personOf } from './join-ids.ts'
import { GROUP_TYPES_MAX, PROPERTIES_BYTES_MAX } from './person.ts'
import { propertiesBytes, updateProperties } from './property-updates.ts'

/**
 * Kinds of groups that an event names take an index each, while there is room; without a word where there is none,
 * since every event of a client repeats them. A group that is described for a kind without an index is refused.
 */
export function resolveGroup(state: DatasetState, cause: Cause, record: IdentityEvent): void {
  for (const type of record.group_types ?? []) if (isNameable(type)) typeIndex(state, type)
  if (!record.group) return
  const refusal = putGroup(state, record.group, record.event_time)
  if (refusal !== null) noteRefusal(state, cause, record, refusal)
}

/** A group of an event that asked for no profile. */
export function refuseGroup(state: DatasetState, cause: Cause, record: IdentityEvent): void {
  if (record.group) noteRefusal(state, cause, record, 'no_person_profile')
}

/** @returns why it was not put, null when it was */
function putGroup(state: DatasetState, { type, key, set }: IdentityGroup, time: number): ChangeReason | null {
  if (!isNameable(type) || !isNameable(key)) return 'illegal_group'
  const index = typeIndex(state, type)
  if (index === null) return 'too_many_group_types'
  const before = state.group(index, key)
  const properties = updateProperties(before?.properties ?? Object.create(null), { set })
  if (before !== null && properties === before.properties) return null
  if (propertiesBytes(properties) > PROPERTIES_BYTES_MAX) return 'properties_too_large'
  state.putGroup({
    typeIndex: index,
    key,
    createdAt: before?.createdAt ?? time,
    properties,
    version: state.nextVersion(),
  })
  return null
}

/** @returns the index of this kind, which gets one if it has none; null when all are taken */
function typeIndex(state: DatasetState, type: string): number | null {
  const found = state.groupTypes.indexOf(type)
  if (found >= 0) return found
  return state.groupTypes.length < GROUP_TYPES_MAX ? state.addGroupType(type, state.nextVersion()) : null
}

function noteRefusal(state: DatasetState, cause: Cause, record: IdentityEvent, reason: ChangeReason): void {
  const person = isNameable(record.distinct_id) ? personOf(state, record.distinct_id) : null
  writeHistory(state, cause, state.nextVersion(), {
    // Of nobody where there is no person: the id may be the name of another one by now.
    personKey: person?.key ?? '',
    change: 'group_refused',
    reason,
    properties: person?.properties ?? Object.create(null),
  })
}
