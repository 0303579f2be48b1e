import type { DatasetState } from './dataset-state.ts'
import type { DistinctId } from './person.ts'

/**
 * From now on the id belongs to that person. Readers take an id that nothing is said of for the person of that name,
 * so a belonging is told where it is another one, and ever after for that id.
 *
 * @param distinctId as it was; null for one that was never seen, or whose person was deleted long ago
 * @param at version and time of the change that moves it
 */
export function moveDistinctId(
  state: DatasetState,
  id: string,
  distinctId: DistinctId | null,
  personKey: string,
  at: { readonly version: number; readonly validFrom: number },
): void {
  const isOverridden = personKey !== id || (distinctId?.isOverridden ?? false)
  state.putDistinctId({
    id,
    personKey,
    seen: distinctId?.seen ?? at.version,
    initials: distinctId?.initials ?? 0,
    isOverridden,
    deletedAt: null,
    version: at.version,
  })
  if (isOverridden) state.noteBelonging({ distinctId: id, personKey, ...at })
}

/**
 * The name of a new person that begins with this id: the id itself, unless another person has that name. The
 * version makes another name of it that nobody else can have.
 */
export function newPersonKey(state: DatasetState, id: string, version: number): string {
  return state.person(id) === null ? id : `${id}\u0001${version}`
}
