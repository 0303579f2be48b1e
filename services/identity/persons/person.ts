import type { JsonObject } from '../../../schemas/field.ts'
import type { ChangeReason, PersonChange } from '../../../schemas/person/v1.ts'

/** A person as of now. */
export interface Person {
  /** Its name within the dataset: the distinct id that it began with. */
  readonly key: string
  /** Epoch ms. */
  readonly createdAt: number
  readonly isIdentified: boolean
  readonly properties: JsonObject
  /** How many distinct ids belong to it. */
  readonly distinctIds: number
  readonly version: number
}

/** One name that a client uses for a person. */
export interface DistinctId {
  readonly id: string
  /** Null when its person was deleted. */
  readonly personKey: string | null
  /** Version at which it was first seen: the order among a person's ids. */
  readonly seen: number
  /** Which first-touch properties it has given its person: bits of `initial-properties.ts`. */
  readonly initials: number
  /** It was ever said to belong to a person of another name, so readers must be told where it belongs now. */
  readonly isOverridden: boolean
  /** When its person was deleted, in arrival time, epoch ms; events that had arrived by then change nothing. */
  readonly deletedAt: number | null
  readonly version: number
}

export interface Group {
  readonly typeIndex: number
  readonly key: string
  readonly createdAt: number
  readonly properties: JsonObject
  readonly version: number
}

/** One line of a person's history. */
export interface HistoryRow {
  readonly personKey: string
  /** Arrival of what caused it, never earlier than that of the change before in its dataset; epoch ms. */
  readonly validFrom: number
  readonly version: number
  readonly change: PersonChange
  readonly reason: ChangeReason
  readonly eventId: string
  readonly distinctId: string
  /** The other person of a merge or a split, '' when there is none. */
  readonly otherPersonKey: string
  /** As they are after the change. */
  readonly properties: JsonObject
  /** Who called, '' for an event. */
  readonly actor: string
}

/** From when on a distinct id belonged to a person. */
export interface Belonging {
  readonly distinctId: string
  readonly personKey: string
  readonly validFrom: number
  readonly version: number
}

/** What was said of a deleted person before, to be taken out of every history that readers have. */
export interface Erasure {
  /** Its own name, and every name that a person had which went into it. */
  readonly personKeys: readonly string[]
  /** Version of the deletion: what is older goes. */
  readonly version: number
}

/** Events to be deleted: those of a distinct id that had arrived by then. */
export interface EventDeletion {
  readonly distinctId: string
  /** Epoch ms, included. */
  readonly arrivedUntil: number
  readonly version: number
}

/** Last version and latest `validFrom` of a dataset. */
export interface DatasetHead {
  readonly version: number
  readonly changedAt: number
}

/** What was known of a dataset before: whatever a record may concern. Asking for anything else is our mistake. */
export interface KnownPersons {
  readonly head: DatasetHead
  person(key: string): Person | null
  distinctId(id: string): DistinctId | null
  distinctIdsOf(personKey: string): readonly DistinctId[]
  /** Kinds of groups in the order of their indexes. */
  readonly groupTypes: readonly string[]
  group(typeIndex: number, key: string): Group | null
  /** Whether a command of this id was applied, or refused. */
  hasCommand(id: string): boolean
}

/** Distinct ids of one person; what would exceed it is refused. */
export const DISTINCT_IDS_MAX = 10_000
/** Properties of one person or group as JSON, bytes. */
export const PROPERTIES_BYTES_MAX = 512 * 1024
/** Kinds of groups in a dataset. */
export const GROUP_TYPES_MAX = 5
