import { MASKED, maskPii } from '../../core/event/mask-pii.ts'
import { eventPersons } from '../query/event-persons.ts'
import type { Question } from '../query/question.ts'
import { type EventNeeds, eventFrame } from './event-frame.ts'
import { type CountedPage, EVENT_COLUMNS, type EventRecord, type EventSelection } from './event-query.ts'
import { cursorOf, eventRow } from './event-row.ts'
import { encodeCursor } from './page-cursor.ts'
import {
  type EventSelectionAsked,
  type SelectedColumn,
  type SelectedStatement,
  selectedSql,
} from './selected-query.ts'

/** Values of expressions over events. */
export interface SelectedEvents {
  readonly columns: readonly string[]
  /** Types of ClickHouse; `Event` and `Person` for whole ones. */
  readonly types: readonly string[]
  readonly results: readonly (readonly unknown[])[]
  readonly hasMore: boolean
  /** Where the next page begins; null on the last one, and where rows are groups or in an order of their own. */
  readonly next: string | null
}

const COLUMN_NAMES = EVENT_COLUMNS.map((column) => column.replace(/^.* AS /, '').replaceAll('`', ''))

/** @throws SqlFault for expressions that mean nothing, DependencyError of ClickHouse */
export async function selectEvents(
  needs: EventNeeds,
  question: Question,
  selection: EventSelection,
  asked: EventSelectionAsked,
  page: CountedPage,
  isMasked: boolean,
): Promise<SelectedEvents> {
  const frame = await eventFrame(needs, question, selection)
  let made: SelectedStatement | null = null
  const { types, rows: fetched } = await needs.askTable(question, (bindings) => {
    made = selectedSql(selection, asked, { ...page, limit: page.limit + 1 }, frame, bindings)
    return made.sql
  })
  const { columns, eventAt, cursorAt } = made as unknown as SelectedStatement
  const rows = fetched.slice(0, page.limit)
  const records = eventAt === null ? [] : rows.map((row) => recordOf(row, eventAt))
  const persons = await eventPersons(
    needs.ask,
    question,
    records.map(({ distinct_id }) => distinct_id),
  )
  const shown = records.map((record) => eventRow(record, persons, isMasked))
  const cell = (column: SelectedColumn, row: readonly unknown[], place: number): unknown => {
    if (column.kind !== 'value')
      return column.kind === 'event' ? shown[place] : (shown[place]?.person ?? null)
    const value = row[column.place]
    if (!isMasked) return value
    return column.isPersonal && value !== null && value !== '' ? MASKED : maskPii(value)
  }
  const last = rows[rows.length - 1]
  const hasMore = fetched.length > page.limit
  return {
    columns: columns.map(({ name }) => name),
    types: columns.map((column) =>
      column.kind === 'value' ? (types[column.place] ?? '') : column.kind === 'event' ? 'Event' : 'Person',
    ),
    results: rows.map((row, place) => columns.map((column) => cell(column, row, place))),
    hasMore,
    next:
      hasMore && cursorAt !== null && asked.orderBy === null && last !== undefined
        ? encodeCursor(
            cursorOf({
              event_time_ms: last[cursorAt] as number,
              src_partition: last[cursorAt + 1] as number,
              src_offset: last[cursorAt + 2] as number,
            }),
          )
        : null,
  }
}

function recordOf(row: readonly unknown[], at: number): EventRecord {
  return Object.fromEntries(
    COLUMN_NAMES.map((name, place) => [name, row[at + place]]),
  ) as unknown as EventRecord
}
