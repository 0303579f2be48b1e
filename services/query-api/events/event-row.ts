import type { JsonObject } from '../../../schemas/field.ts'
import { maskPii } from '../../core/event/mask-pii.ts'
import { saidProperties } from '../../core/event/said-properties.ts'
import type { EventPerson } from '../query/event-persons.ts'
import { PROPERTY_COLUMNS } from '../query/event-properties.ts'
import { elementsChain, type PageElement, pageElements } from './event-elements.ts'
import type { EventRecord } from './event-query.ts'
import type { PageCursor } from './page-cursor.ts'

/** An event as the API gives it. */
export interface EventRow {
  readonly id: string
  readonly distinct_id: string | null
  readonly properties: JsonObject
  readonly event: string
  /** ISO 8601, UTC, milliseconds. */
  readonly timestamp: string
  /** The person that its distinct id belongs to now, as it is now; null for an event of nobody, and where none was asked for. */
  readonly person:
    | (EventPerson & {
        /** The one that the event has. */
        readonly distinct_ids: readonly string[]
      })
    | null
  /** Page elements that it came from, the innermost first; empty unless an autocapturing client sent them. */
  readonly elements: readonly PageElement[]
  /** The same as one text. */
  readonly elements_chain: string
}

/** @param persons by their distinct ids; empty where none are wanted */
export function eventRow(
  record: EventRecord,
  persons: ReadonlyMap<string, EventPerson>,
  isMasked: boolean,
): EventRow {
  const person = persons.get(record.distinct_id ?? '')
  const properties = propertiesOf(record)
  const elements = pageElements(properties)
  const row: EventRow = {
    id: record.event_id,
    distinct_id: record.distinct_id,
    properties,
    event: record.event,
    timestamp: new Date(Number(record.event_time_ms)).toISOString(),
    person:
      person === undefined || record.distinct_id === null
        ? null
        : { ...person, distinct_ids: [record.distinct_id] },
    elements,
    elements_chain: elementsChain(elements),
  }
  return isMasked ? maskedRow(row) : row
}

/**
 * What enrichment found under the names that clients know, and over it the customer's own, with what the event says about
 * its person wherever it was said.
 */
function propertiesOf(record: EventRecord): JsonObject {
  const own = JSON.parse(record.properties) as JsonObject
  const found: JsonObject = {}
  for (const [name, column] of Object.entries(PROPERTY_COLUMNS)) {
    const value = record[column]
    if (value !== null && value !== undefined && value !== '') found[name] = value
  }
  const { set, setOnce, unset } = saidProperties({
    properties: own,
    extra: jsonOrNull(record.extra),
    set: jsonOrNull(record.set),
    set_once: jsonOrNull(record.set_once),
  })
  return {
    ...found,
    ...own,
    ...(Object.keys(set).length > 0 && { $set: set }),
    ...(Object.keys(setOnce).length > 0 && { $set_once: setOnce }),
    ...(unset.length > 0 && { $unset: unset }),
  }
}

/** Ids and the name of the event stay what they are unless they look like an address or a number of somebody. */
function maskedRow(row: EventRow): EventRow {
  const { id, timestamp, person, ...others } = row
  const masked = maskPii(others) as Omit<EventRow, 'id' | 'timestamp' | 'person'>
  if (person === null) return { id, timestamp, person, ...masked }
  const {
    id: personId,
    created_at: createdAt,
    is_identified: isIdentified,
    properties_as_of: asOf,
    ...shown
  } = person
  const rest = maskPii(shown) as Pick<NonNullable<EventRow['person']>, 'properties' | 'distinct_ids'>
  return {
    id,
    timestamp,
    person: {
      id: personId,
      created_at: createdAt,
      is_identified: isIdentified,
      properties_as_of: asOf,
      ...rest,
    },
    ...masked,
  }
}

export function cursorOf(
  record: Pick<EventRecord, 'event_time_ms' | 'src_partition' | 'src_offset'>,
): PageCursor {
  return {
    eventTimeMs: Number(record.event_time_ms),
    srcPartition: Number(record.src_partition),
    srcOffset: Number(record.src_offset),
  }
}

function jsonOrNull(text: string | null): JsonObject | null {
  return text === null || text === '' ? null : (JSON.parse(text) as JsonObject)
}
