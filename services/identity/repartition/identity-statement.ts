import type { EnrichedEvent } from '../../../schemas/enriched-event/v1.ts'
import type { JsonObject } from '../../../schemas/field.ts'
import type { IdentityEvent, IdentityGroup, IdentityMerge } from '../../../schemas/identity-record/v1.ts'
import { objectIn } from '../../core/event/object-in.ts'
import { saidProperties } from '../../core/event/said-properties.ts'
import { ID_LENGTH_MAX, isNameable } from '../persons/distinct-id-rules.ts'
import { initialProperties } from '../persons/initial-properties.ts'

/** What an event can say about persons. */
export interface IdentityStatement {
  readonly record: IdentityEvent
  /** It says more than that somebody is there: it is always sent on. */
  readonly isStatement: boolean
}

/** Why an event says nothing about anybody. */
export type Silence = 'no_distinct_id' | 'unnameable' | 'no_profile'

/** Kinds of groups that are taken of one event. */
const EVENT_GROUP_TYPES_MAX = 10

/**
 * Reads what an enriched event says about its person, in the words of whichever protocol it came by: members `set`
 * and `set_once`, properties that begin with `$`, or the message types of Segment's clients.
 */
export function identityStatement(event: EnrichedEvent): IdentityStatement | Silence {
  const { distinct_id: distinctId, properties } = event
  const extra = event.extra ?? {}
  const merge = distinctId === null ? null : mergeOf(event, extra)
  const group = groupOf(event, extra)
  if (distinctId === null && group === null) return 'no_distinct_id'
  const envelope = {
    v: 1,
    kind: 'event',
    dataset_id: event.dataset_id,
    event_id: event.event_id,
    event: event.event,
    event_time: Date.parse(event.event_time),
    collector_time: Date.parse(event.collector_time),
    src_partition: event.src_partition,
    src_offset: event.src_offset,
    distinct_id: distinctId ?? '',
    ...(merge && { merge }),
    ...(group && { group }),
  } as const
  if (properties.$process_person_profile === false)
    return merge || group ? { record: { ...envelope, no_profile: true }, isStatement: true } : 'no_profile'

  const groupTypes = groupTypesOf(event)
  const named = groupTypes.length > 0 ? { group_types: groupTypes } : {}
  if (distinctId === null) return { record: { ...envelope, ...named }, isStatement: true }
  const { set, setOnce, unset } = saidProperties(event)
  const initial = initialProperties(event)
  const said = {
    ...(Object.keys(set).length > 0 && { set }),
    ...(Object.keys(setOnce).length > 0 && { set_once: setOnce }),
    ...(unset.length > 0 && { unset }),
  }
  const isStatement = merge !== null || group !== null || Object.keys(said).length > 0
  if (!isStatement && !isNameable(distinctId)) return 'unnameable'
  return { record: { ...envelope, ...said, ...named, ...(initial && { initial }) }, isStatement }
}

function mergeOf(event: EnrichedEvent, extra: JsonObject): IdentityMerge | null {
  const { properties } = event
  const said = (by: IdentityMerge['by'], other: unknown): IdentityMerge | null => {
    const id = asId(other)
    return id === null ? null : { by, other_id: id }
  }
  switch (event.event) {
    case '$identify':
      return said('identify', properties.$anon_distinct_id ?? extra.$anon_distinct_id)
    case '$create_alias':
      return said('alias', properties.alias ?? extra.alias)
    case '$merge_dangerously':
      return said('merge_dangerously', properties.alias ?? extra.alias)
  }
  switch (segmentType(extra)) {
    case 'identify':
      // Without a known user it describes the visitor, who is nobody else.
      return event.user_id === null ? null : said('identify', event.anonymous_id)
    case 'alias':
      return said('alias', properties.previous_id)
    default:
      return null
  }
}

function groupOf({ event, groups, properties }: EnrichedEvent, extra: JsonObject): IdentityGroup | null {
  const group = (type: unknown, key: unknown, set: unknown) => ({
    type: asId(type) ?? '',
    key: asId(key) ?? '',
    set: objectIn(set),
  })
  if (event === '$groupidentify')
    return group(properties.$group_type, properties.$group_key, properties.$group_set)
  return segmentType(extra) === 'group' ? group('group', groups?.group, properties) : null
}

function groupTypesOf({ groups, properties }: EnrichedEvent): string[] {
  const types = [...Object.keys(groups ?? {}), ...Object.keys(objectIn(properties.$groups))]
  return [...new Set(types)].filter(isNameable).slice(0, EVENT_GROUP_TYPES_MAX)
}

/** The collector keeps the type of a Segment message there; a track event called `identify` is none. */
function segmentType(extra: JsonObject): unknown {
  return objectIn(objectIn(extra.context).segment).type
}

/** Programs put numbers there, and by mistake objects: as text, of which the rules know what to think. */
function asId(value: unknown): string | null {
  if (value === undefined || value === null) return null
  return (typeof value === 'object' ? '[object Object]' : String(value)).slice(0, ID_LENGTH_MAX + 1)
}
