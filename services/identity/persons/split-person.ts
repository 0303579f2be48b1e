import type { DatasetState } from './dataset-state.ts'
import { type Cause, writeHistory } from './history.ts'
import { moveDistinctId, newPersonKey } from './move-distinct-id.ts'
import type { DistinctId, Person } from './person.ts'

const NOTHING = Object.freeze(Object.create(null))

/**
 * Every distinct id but one becomes a person of its own, without properties.
 *
 * @param main the id that stays; null: the one that the person began with, or the first that it has, stays, and the
 *   person's properties are cleared
 */
export function splitPerson(
  state: DatasetState,
  cause: Cause,
  person: Person,
  main: DistinctId | null,
): void {
  const ids = state.distinctIdsOf(person.key)
  const stays = main ?? ids.find(({ id }) => id === person.key) ?? (ids[0] as DistinctId)
  const leaving = ids.filter(({ id }) => id !== stays.id)
  const properties = main === null ? NOTHING : person.properties
  if (leaving.length === 0 && Object.keys(properties).length === Object.keys(person.properties).length) return

  const version = state.nextVersion()
  const { validFrom } = writeHistory(state, cause, version, {
    personKey: person.key,
    change: 'split',
    reason: 'call',
    distinctId: stays.id,
    properties,
  })
  state.putPerson({ ...person, properties, distinctIds: 1, version })
  for (const distinctId of leaving) {
    const own = state.nextVersion()
    const key = newPersonKey(state, distinctId.id, own)
    const at = writeHistory(state, cause, own, {
      personKey: key,
      change: 'split_off',
      reason: 'call',
      otherPersonKey: person.key,
      distinctId: distinctId.id,
      properties: NOTHING,
    })
    moveDistinctId(state, distinctId.id, distinctId, key, at)
    state.putPerson({
      key,
      createdAt: validFrom,
      isIdentified: false,
      properties: NOTHING,
      distinctIds: 1,
      version: own,
    })
  }
}
