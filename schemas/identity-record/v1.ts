import type { JsonObject } from '../field.ts'

/**
 * What `events.identity` carries, one record per thing that may change a person, keyed by its dataset: all of one
 * dataset lies in one partition, and the order there is the order in which merges happen.
 *
 * Members that say nothing are left out.
 */
export type IdentityRecord = IdentityEvent | IdentityCommand

interface Envelope {
  readonly v: 1
  readonly dataset_id: string
  /** The event's id, or the id of the command: a command whose id came before in its dataset is passed over. */
  readonly event_id: string
  /** When the collector received the event, or the API the call; epoch ms. */
  readonly collector_time: number
}

/** What an event says about the person who did it. */
export interface IdentityEvent extends Envelope {
  readonly kind: 'event'
  /** The event's name. */
  readonly event: string
  /** When it happened, epoch ms: what a new person is created at. */
  readonly event_time: number
  /** Raw partition and offset of the event, its name in every other place. */
  readonly src_partition: number
  readonly src_offset: number
  readonly distinct_id: string
  readonly merge?: IdentityMerge
  readonly set?: JsonObject
  readonly set_once?: JsonObject
  readonly unset?: readonly string[]
  /** First-touch properties that this event could give its person, by their names: `$initial_browser`, … */
  readonly initial?: Readonly<Record<string, string>>
  /** Kinds of groups that the event names; each new one takes an index. */
  readonly group_types?: readonly string[]
  readonly group?: IdentityGroup
  /** The client asked for no profile: nothing of this event may change a person, and its refusal is told. */
  readonly no_profile?: true
}

/** Two ids are said to be one person: that of `other_id` goes into that of the event's `distinct_id`. */
export interface IdentityMerge {
  readonly by: 'identify' | 'alias' | 'merge_dangerously'
  readonly other_id: string
}

export interface IdentityGroup {
  readonly type: string
  readonly key: string
  readonly set: JsonObject
}

/** What a call of the API asks for. Persons are named by their keys. */
export interface IdentityCommand extends Envelope {
  readonly kind: 'command'
  /** Who called, for the history. */
  readonly actor: string
  readonly command: PersonCommand
}

export type PersonCommand =
  | { readonly name: 'set'; readonly person_key: string; readonly properties: JsonObject }
  /** Its properties are these and no others. */
  | { readonly name: 'replace'; readonly person_key: string; readonly properties: JsonObject }
  | { readonly name: 'unset'; readonly person_key: string; readonly keys: readonly string[] }
  /** The other person goes into this one, also when it is identified. */
  | { readonly name: 'merge'; readonly person_key: string; readonly other_person_key: string }
  /** Null: the id that the person began with stays, and its properties are cleared. */
  | { readonly name: 'split'; readonly person_key: string; readonly main_distinct_id: string | null }
  /** With the events of all its distinct ids that had arrived by then, or without. */
  | { readonly name: 'delete'; readonly person_key: string; readonly delete_events?: true }
  /** Those events alone; the person stays. */
  | { readonly name: 'delete_events'; readonly person_key: string }
