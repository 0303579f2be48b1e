import type { JsonObject } from '../field.ts'

/**
 * One person as of now: the value of a record in the compacted topic `persons`, keyed by `<dataset_id>:<person_key>`.
 * A person that was deleted or went into another one is a tombstone. A record may come again, and then with those
 * after it: the highest version of a key holds; tombstones carry theirs in the header `version`.
 */
export interface PersonRecord {
  readonly v: 1
  readonly dataset_id: string
  /** The person's name within its dataset: the distinct id that it began with. */
  readonly person_key: string
  /** UUID that follows from dataset and key. */
  readonly person_id: string
  /** ISO 8601, UTC. */
  readonly created_at: string
  readonly is_identified: boolean
  readonly properties: JsonObject
  /** Never true here: such a person is a tombstone. */
  readonly is_deleted: boolean
  readonly version: number
}

/** Header of every record, tombstones among them. */
export const PERSON_VERSION_HEADER = 'version'

/** What can happen to a person: column `change` of `person_changes`. */
export const PERSON_CHANGES = [
  'created',
  /** Another distinct id belongs to it from now on. */
  'attached',
  'identified',
  'set',
  /** Another person went into it. */
  'merged',
  /** It went into another person. */
  'swallowed',
  /** Distinct ids of it became persons of their own. */
  'split',
  /** It was a distinct id of another person. */
  'split_off',
  'deleted',
  /** Events of its distinct ids were asked to be deleted. */
  'events_deleted',
  'merge_refused',
  'set_refused',
  'group_refused',
  'command_refused',
] as const
export type PersonChange = (typeof PERSON_CHANGES)[number]

/** Which rule decided: column `reason` of `person_changes`, each with its sentence. */
export const CHANGE_REASONS = {
  first_event: 'The first event of this distinct id.',
  properties: 'The event set, set once or removed properties.',
  identify: 'An identify event said that both ids are one person.',
  alias: 'An alias event said that both ids are one person.',
  merge_dangerously: 'An event asked for the merge whether or not the other person is identified.',
  call: 'A call of the API asked for it.',
  cannot_merge_with_illegal_distinct_id:
    'One of the ids is a placeholder that many people share, or no text that names anybody.',
  cannot_merge_already_identified: 'The person to be swallowed is identified: it may be somebody else.',
  too_many_distinct_ids: 'The person would have more distinct ids than a person may have.',
  no_person_profile: 'The event asked for no profile ($process_person_profile is false).',
  deleted_later: 'The person was deleted after this event had arrived.',
  properties_too_large: 'The person’s properties would be larger than they may be.',
  too_many_group_types: 'The dataset has as many kinds of groups as a dataset may have.',
  illegal_group: 'The kind or the key of the group is empty, too long or holds a control character.',
  no_such_person: 'There is no such person, or no more.',
  no_such_distinct_id: 'The person has no such distinct id.',
} as const
export type ChangeReason = keyof typeof CHANGE_REASONS
