import type { Bindings } from '../query/bindings.ts'
import { PROPERTY_COLUMNS } from '../query/event-properties.ts'
import { eventOnlyScope, filterSql } from '../query/filter-sql.ts'
import type { FilterGroup } from '../query/property-filters.ts'
import { timeSql } from '../query/time-sql.ts'
import type { TimeZone } from '../query/zoned-time.ts'
import type { PageCursor } from './page-cursor.ts'

/** Which events, of one dataset. */
export interface EventSelection {
  readonly dataset: string
  /** Null for any name. */
  readonly event: string | null
  readonly distinctId: string | null
  /** Both bounds exclusive, as `after` and `before` are. */
  readonly afterMs: number | null
  readonly beforeMs: number | null
  readonly filters: FilterGroup
}

export interface EventPage {
  readonly order: 'ascending' | 'descending'
  /** Rows to fetch; null for all there are. */
  readonly limit: number | null
  readonly cursor: PageCursor | null
}

/** One row of the statement, as JSONEachRow gives it. 64-bit integers may come as text. */
export interface EventRecord {
  readonly event_id: string
  readonly event: string
  readonly distinct_id: string | null
  readonly user_id: string | null
  readonly event_time_ms: string | number
  readonly src_partition: string | number
  readonly src_offset: string | number
  readonly properties: string
  readonly set: string | null
  readonly set_once: string | null
  readonly [column: string]: unknown
}

const COLUMNS = [
  'event_id',
  'event',
  'distinct_id',
  'user_id',
  'toUnixTimestamp64Milli(event_time) AS event_time_ms',
  'src_partition',
  'src_offset',
  'properties',
  '`set`',
  'set_once',
  ...new Set(Object.values(PROPERTY_COLUMNS).filter((column) => column !== 'user_id')),
].join(', ')

export function selectionSql(
  selection: EventSelection,
  bindings: Bindings,
  zone: TimeZone,
  invalidPatterns: ReadonlySet<string>,
): string {
  const conditions = [`dataset_id = ${bindings.bind(selection.dataset, 'String')}`]
  if (selection.event !== null) conditions.push(`event = ${bindings.bind(selection.event, 'String')}`)
  if (selection.distinctId !== null)
    conditions.push(`distinct_id = ${bindings.bind(selection.distinctId, 'String')}`)
  if (selection.afterMs !== null) conditions.push(`event_time > ${timeSql(selection.afterMs, bindings)}`)
  if (selection.beforeMs !== null) conditions.push(`event_time < ${timeSql(selection.beforeMs, bindings)}`)
  if (selection.filters.parts.length > 0)
    conditions.push(
      filterSql(selection.filters, eventOnlyScope(selection.dataset, bindings, zone, invalidPatterns)),
    )
  return conditions.join(' AND ')
}

/** Events in a total order: event time, then the position of the raw record. */
export function eventPageSql(
  selection: EventSelection,
  page: EventPage,
  bindings: Bindings,
  zone: TimeZone,
  invalidPatterns: ReadonlySet<string>,
): string {
  const isDescending = page.order === 'descending'
  const conditions = [selectionSql(selection, bindings, zone, invalidPatterns)]
  if (page.cursor !== null) {
    const { eventTimeMs, srcPartition, srcOffset } = page.cursor
    const time = timeSql(eventTimeMs, bindings)
    const position = `(${time}, ${bindings.bind(srcPartition, 'Int64')}, ${bindings.bind(srcOffset, 'Int64')})`
    // The first condition says nothing new, but it is the one that the primary index understands.
    conditions.push(`event_time ${isDescending ? '<=' : '>='} ${time}`)
    conditions.push(`(event_time, src_partition, src_offset) ${isDescending ? '<' : '>'} ${position}`)
  }
  const direction = isDescending ? 'DESC' : 'ASC'
  const select = `SELECT ${COLUMNS} FROM events WHERE ${conditions.join(' AND ')}`
  const order = `event_time ${direction}, src_partition ${direction}, src_offset ${direction}`
  // The day says nothing new either, but the table lies in the order of days: the engine sorts one after the other and
  // gives its first rows before it has read the last.
  return page.limit === null
    ? `${select} ORDER BY toDate(event_time) ${direction}, ${order}`
    : `${select} ORDER BY ${order} LIMIT ${bindings.bind(page.limit, 'UInt64')}`
}

/** All rows of one event id, the first one received first. There is more than one only past the dedupe window. */
export function eventByIdSql(dataset: string, eventId: string, bindings: Bindings): string {
  return (
    `SELECT ${COLUMNS} FROM events WHERE dataset_id = ${bindings.bind(dataset, 'String')} ` +
    `AND event_id = ${bindings.bind(eventId, 'String')} ` +
    'ORDER BY event_time ASC, src_partition ASC, src_offset ASC LIMIT 1'
  )
}
