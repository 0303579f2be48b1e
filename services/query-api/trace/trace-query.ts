import { ENRICHED_EVENT_FIELDS } from '../../../schemas/enriched-event/v1.ts'
import type { JsonObject } from '../../../schemas/field.ts'
import { REJECTED_EVENT_FIELDS } from '../../../schemas/rejected-event/v1.ts'
import type { Bindings } from '../query/bindings.ts'

/** Tables that hold what became of an event. */
export const TRACE_TABLES = { events: ENRICHED_EVENT_FIELDS, rejected_events: REJECTED_EVENT_FIELDS } as const
export type TraceTable = keyof typeof TRACE_TABLES

/** Rows of one event id at most: more than a few means that ids are used again and again. */
const TRACE_ROWS_MAX = 20

/**
 * Every stored row of an event id, in the order in which they were received. All columns that the table has: it may be
 * a version behind this program or ahead of it. Times come as ISO 8601: every question is asked so.
 */
export function traceSql(table: TraceTable, dataset: string, eventId: string, bindings: Bindings): string {
  return (
    `SELECT * FROM ${table} ` +
    `WHERE dataset_id = ${bindings.bind(dataset, 'String')} AND event_id = ${bindings.bind(eventId, 'String')} ` +
    `ORDER BY src_partition, src_offset LIMIT ${TRACE_ROWS_MAX}`
  )
}

/** A row of {@link traceSql} as the flat record that the topics carry. */
export function flatRecord(table: TraceTable, row: Readonly<Record<string, unknown>>): JsonObject {
  const record: JsonObject = {}
  for (const { name, type } of TRACE_TABLES[table]) {
    const value = row[name]
    if (value === null || value === undefined) record[name] = null
    else if (type === 'timestamp') record[name] = new Date(value as string).toISOString()
    else if (type === 'json') record[name] = value === '' ? null : JSON.parse(value as string)
    else if (type === 'integer') record[name] = Number(value)
    else record[name] = value
  }
  return record
}
