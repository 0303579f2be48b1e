import type { JsonObject } from '../../../schemas/field.ts'
import { PROPERTY_COLUMNS } from '../query/event-properties.ts'
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
  /** As long as identities are not merged, a person is a distinct id. */
  readonly person: {
    readonly is_identified: boolean
    readonly distinct_ids: readonly string[]
    readonly properties: JsonObject
  } | null
  /** Autocaptured page elements: none are collected. */
  readonly elements: readonly never[]
  readonly elements_chain: ''
}

export function eventRow(record: EventRecord): EventRow {
  const own = JSON.parse(record.properties) as JsonObject
  const found: JsonObject = {}
  for (const [name, column] of Object.entries(PROPERTY_COLUMNS)) {
    const value = record[column]
    if (value !== null && value !== undefined && value !== '') found[name] = value
  }
  const set = jsonOrNull(record.set)
  const setOnce = jsonOrNull(record.set_once)
  return {
    id: record.event_id,
    distinct_id: record.distinct_id,
    properties: {
      ...found,
      ...(set === null ? {} : { $set: set }),
      ...(setOnce === null ? {} : { $set_once: setOnce }),
      ...own,
    },
    event: record.event,
    timestamp: new Date(Number(record.event_time_ms)).toISOString(),
    person:
      record.distinct_id === null
        ? null
        : {
            is_identified: record.user_id !== null && record.user_id !== '',
            distinct_ids: [record.distinct_id],
            properties: {},
          },
    elements: [],
    elements_chain: '',
  }
}

export function cursorOf(record: EventRecord): PageCursor {
  return {
    eventTimeMs: Number(record.event_time_ms),
    srcPartition: Number(record.src_partition),
    srcOffset: Number(record.src_offset),
  }
}

function jsonOrNull(text: string | null): JsonObject | null {
  return text === null || text === '' ? null : (JSON.parse(text) as JsonObject)
}
