import { crc32 } from 'node:zlib'

/** Column of `events`: a number for its distinct id, 0 for an event of nobody. */
export const DISTINCT_HASH = 'distinct_hash'
/** Column of `events`: a number for what it is called on a path, 0 for nothing (schemas/clickhouse/0010_stop_hash.sql). */
export const STOP_HASH = 'stop_hash'
/** Columns that share the members of `properties` among them (schemas/clickhouse/0009_question_columns.sql). */
const PROPERTY_COLUMNS_COUNT = 8

/** The column that holds a property as JSON, under its name. */
export function propertiesColumn(name: string): string {
  return `properties_${crc32(name) % PROPERTY_COLUMNS_COUNT}`
}

/** Columns that follow from others and that `*` leaves out. */
export const DERIVED_COLUMNS: readonly string[] = [
  DISTINCT_HASH,
  STOP_HASH,
  ...Array.from({ length: PROPERTY_COLUMNS_COUNT }, (_, index) => `properties_${index}`),
]

/** Rows of `events` with everything that questions name; what none of them names is not read. */
export const STORED_EVENTS = `SELECT *, ${DERIVED_COLUMNS.join(', ')} FROM events`
