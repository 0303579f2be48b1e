import type { Bindings } from '../query/bindings.ts'
import { PROPERTY_COLUMNS } from '../query/event-properties.ts'
import { eventViewRowsSql } from '../query/event-view-rows.ts'
import { type CohortMembers, filterSql } from '../query/filter-sql.ts'
import { PERSON_KEY, personIdSql } from '../query/person-rows.ts'
import type { FilterGroup } from '../query/property-filters.ts'
import { timeSql } from '../query/time-sql.ts'
import type { TimeZone } from '../query/zoned-time.ts'
import { Compilation } from '../sql/compilation.ts'
import { conditionsSql, eventSurroundings } from '../sql/event-scope.ts'
import type { Expression } from '../sql/syntax.ts'
import type { PageCursor } from './page-cursor.ts'

/** Which events, of one dataset. */
export interface EventSelection {
  readonly dataset: string
  /** Null for any name. */
  readonly event: string | null
  readonly distinctId: string | null
  /** Id of a person, as the API gives it. */
  readonly personId: string | null
  /** Both bounds exclusive, as `after` and `before` are. */
  readonly afterMs: number | null
  readonly beforeMs: number | null
  readonly filters: FilterGroup
  /** Expressions of the query language that must hold. */
  readonly where: readonly Expression[]
}

export interface EventPage {
  readonly order: 'ascending' | 'descending'
  /** Rows to fetch; null for all there are. */
  readonly limit: number | null
  /** Rows before them. */
  readonly offset: number
  readonly cursor: PageCursor | null
}

/** A page that has an end. */
export type CountedPage = EventPage & { readonly limit: number }

/** What a selection refers to, looked up. */
export interface EventFrame {
  readonly zone: TimeZone
  readonly nowMs: number
  readonly invalidPatterns: ReadonlySet<string>
  readonly cohorts: ReadonlyMap<number, CohortMembers>
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
  readonly extra: string | null
  readonly [column: string]: unknown
}

/** Columns of an {@link EventRecord}. */
export const EVENT_COLUMNS: readonly string[] = [
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
  'extra',
  ...new Set(Object.values(PROPERTY_COLUMNS).filter((column) => column !== 'user_id')),
]

/** Conditions of a selection: those on the table itself, and those that may be about people. */
export function selectionSql(
  selection: EventSelection,
  frame: EventFrame,
  bindings: Bindings,
): { readonly own: readonly string[]; readonly further: readonly string[] } {
  const { dataset, filters, afterMs, beforeMs } = selection
  const own: string[] = []
  if (selection.event !== null) own.push(`event = ${bindings.bind(selection.event, 'String')}`)
  if (selection.distinctId !== null)
    own.push(`distinct_id = ${bindings.bind(selection.distinctId, 'String')}`)
  if (afterMs !== null) own.push(`event_time > ${timeSql(afterMs, bindings)}`)
  if (beforeMs !== null) own.push(`event_time < ${timeSql(beforeMs, bindings)}`)
  const further: string[] = []
  if (selection.personId !== null)
    further.push(
      `${personIdSql(PERSON_KEY, dataset, bindings)} = ${bindings.bind(selection.personId, 'String')}`,
    )
  if (filters.parts.length > 0)
    further.push(
      filterSql(filters, { dataset, bindings, ...frame, sessions: { fromMs: afterMs, toMs: beforeMs } }),
    )
  return { own, further }
}

/** Rows in a total order: event time, then the position of the raw record. Only those after the cursor. */
export function pageSql(
  page: EventPage,
  bindings: Bindings,
): { readonly own: string[]; readonly order: string } {
  const isDescending = page.order === 'descending'
  const direction = isDescending ? 'DESC' : 'ASC'
  const order = `event_time ${direction}, src_partition ${direction}, src_offset ${direction}`
  if (page.cursor === null) return { own: [], order }
  const { eventTimeMs, srcPartition, srcOffset } = page.cursor
  const time = timeSql(eventTimeMs, bindings)
  const position = `(${time}, ${bindings.bind(srcPartition, 'Int64')}, ${bindings.bind(srcOffset, 'Int64')})`
  const own = [
    // The first condition says nothing new, but it is the one that the primary index understands.
    `event_time ${isDescending ? '<=' : '>='} ${time}`,
    `(event_time, src_partition, src_offset) ${isDescending ? '<' : '>'} ${position}`,
  ]
  return { own, order }
}

/** @throws SqlFault for expressions of `where` that mean nothing */
export function eventPageSql(
  selection: EventSelection,
  page: EventPage,
  frame: EventFrame,
  bindings: Bindings,
): string {
  const around = eventSurroundings(new Compilation(selection.dataset, bindings, frame.zone, frame.nowMs))
  const { own, further } = selectionSql(selection, frame, bindings)
  const where = [...further, ...conditionsSql(selection.where, around)]
  const placed = pageSql(page, bindings)
  const tail = pageTailSql(where, page, placed.order, bindings)
  const conditions = [...own, ...placed.own]
  const rows = eventViewRowsSql(selection.dataset, where, conditions, bindings)
  return `${around.withSql()}SELECT ${EVENT_COLUMNS.join(', ')} FROM (${rows}) ${tail}`
}

/** What follows the rows: conditions, order and length of a page. */
function pageTailSql(
  where: readonly string[],
  { limit, offset }: EventPage,
  order: string,
  bindings: Bindings,
): string {
  return [
    ...(where.length > 0 ? [`WHERE ${where.join(' AND ')}`] : []),
    `ORDER BY ${order}`,
    ...(limit === null ? [] : [`LIMIT ${bindings.bind(limit, 'UInt64')}`]),
    ...(offset > 0 ? [`OFFSET ${bindings.bind(offset, 'UInt64')}`] : []),
  ].join(' ')
}

/** All rows of one event id, the first one received first. There is more than one only past the dedupe window. */
export function eventByIdSql(dataset: string, eventId: string, bindings: Bindings): string {
  const own = [`event_id = ${bindings.bind(eventId, 'String')}`]
  return (
    `SELECT ${EVENT_COLUMNS.join(', ')} FROM (${eventViewRowsSql(dataset, [], own, bindings)}) ` +
    'ORDER BY event_time ASC, src_partition ASC, src_offset ASC LIMIT 1'
  )
}
