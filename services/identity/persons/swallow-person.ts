import type { ChangeReason } from '../../../schemas/person/v1.ts'
import type { DatasetState } from './dataset-state.ts'
import { type Cause, writeHistory } from './history.ts'
import { moveDistinctId } from './move-distinct-id.ts'
import type { Person } from './person.ts'
import { mergeProperties } from './property-updates.ts'

/** One person with another in it, before it is written: the earlier beginning, the survivor's properties first. */
export function withSwallowed(survivor: Person, swallowed: Person): Person {
  return {
    ...survivor,
    createdAt: Math.min(survivor.createdAt, swallowed.createdAt),
    properties: mergeProperties(survivor.properties, swallowed.properties),
    distinctIds: survivor.distinctIds + swallowed.distinctIds,
  }
}

/** Writes a merge: the line of either person, the end of the swallowed one, and where its ids belong now. */
export function swallowPerson(
  state: DatasetState,
  cause: Cause,
  survivor: Person,
  swallowed: Person,
  reason: ChangeReason,
): void {
  const version = state.nextVersion()
  const at = writeHistory(state, cause, version, {
    personKey: survivor.key,
    change: 'merged',
    reason,
    otherPersonKey: swallowed.key,
    properties: survivor.properties,
  })
  const end = state.nextVersion()
  writeHistory(state, cause, end, {
    personKey: swallowed.key,
    change: 'swallowed',
    reason,
    otherPersonKey: survivor.key,
    properties: swallowed.properties,
  })
  for (const distinctId of state.distinctIdsOf(swallowed.key))
    moveDistinctId(state, distinctId.id, distinctId, survivor.key, at)
  state.removePerson(swallowed.key, end)
  state.putPerson({ ...survivor, version })
}
