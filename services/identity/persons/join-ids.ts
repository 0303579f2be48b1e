import type { IdentityMerge } from '../../../schemas/identity-record/v1.ts'
import type { ChangeReason } from '../../../schemas/person/v1.ts'
import type { DatasetState } from './dataset-state.ts'
import { isMergeable } from './distinct-id-rules.ts'
import { DISTINCT_IDS_MAX, type Person, PROPERTIES_BYTES_MAX } from './person.ts'
import { mergeProperties, propertiesBytes } from './property-updates.ts'

/** What is to become of the persons of an event. */
export interface Joining {
  /** Whom the event belongs to; null when that person is still to be made. */
  readonly person: Person | null
  /** Ids that nobody had yet, the event's own among them. */
  readonly attached: readonly string[]
  readonly swallowed: Person | null
  /** The person is known by name from now on, also when a merge was refused. */
  readonly identifies: boolean
  readonly refusal: ChangeReason | null
}

/** The person of an id; null for an id that was never seen, or whose person was deleted. */
export function personOf(state: DatasetState, id: string): Person | null {
  const personKey = state.distinctId(id)?.personKey ?? null
  return personKey === null ? null : state.person(personKey)
}

/** An event that says nothing of other ids. */
export function seeId(state: DatasetState, distinctId: string): Joining {
  const person = personOf(state, distinctId)
  return {
    person,
    attached: person === null ? [distinctId] : [],
    swallowed: null,
    identifies: false,
    refusal: null,
  }
}

/**
 * The merge rules, in their order: equal ids mean nothing; a placeholder merges nobody; a person that one of them has
 * gets the other id; where nobody has either, one person gets both; of two persons, that of `other_id` goes into that
 * of `distinctId`, unless it is identified already and nobody said to merge it in spite of that.
 */
export function joinIds(state: DatasetState, distinctId: string, merge: IdentityMerge): Joining {
  const otherId = merge.other_id
  const alone = seeId(state, distinctId)
  if (otherId === distinctId) return alone
  if (!isMergeable(distinctId) || !isMergeable(otherId))
    return { ...alone, refusal: 'cannot_merge_with_illegal_distinct_id' }

  const identified = { ...alone, identifies: true }
  const other = personOf(state, otherId)
  if (other === null) {
    if ((alone.person?.distinctIds ?? 0) >= DISTINCT_IDS_MAX)
      return { ...identified, refusal: 'too_many_distinct_ids' }
    return { ...identified, attached: [...alone.attached, otherId] }
  }
  if (alone.person === null) {
    if (other.distinctIds >= DISTINCT_IDS_MAX) return { ...identified, refusal: 'too_many_distinct_ids' }
    return { ...identified, person: other }
  }
  if (other.key === alone.person.key) return identified
  if (other.isIdentified && merge.by !== 'merge_dangerously')
    return { ...identified, refusal: 'cannot_merge_already_identified' }
  const refusal = sizeRefusal(alone.person, other)
  return refusal === null ? { ...identified, swallowed: other } : { ...identified, refusal }
}

/** Why one person would get too large with the other in it; null when it would not. */
export function sizeRefusal(survivor: Person, swallowed: Person): ChangeReason | null {
  if (survivor.distinctIds + swallowed.distinctIds > DISTINCT_IDS_MAX) return 'too_many_distinct_ids'
  const merged = mergeProperties(survivor.properties, swallowed.properties)
  return propertiesBytes(merged) > PROPERTIES_BYTES_MAX ? 'properties_too_large' : null
}
