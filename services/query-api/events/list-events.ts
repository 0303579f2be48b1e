import type { Clock } from '../../core/runtime/clock.ts'
import { notFound } from '../http/api-error.ts'
import type { Ask } from '../query/ask.ts'
import { invalidPatterns } from '../query/invalid-patterns.ts'
import type { Question } from '../query/question.ts'
import type { StreamRows } from '../query/stream-rows.ts'
import { type EventRecord, eventByIdSql, eventPageSql } from './event-query.ts'
import { cursorOf, type EventRow, eventRow } from './event-row.ts'
import type { EventsRequest } from './events-request.ts'
import { encodeCursor } from './page-cursor.ts'

const DAY_MS = 86_400_000

export interface EventsPage {
  readonly rows: readonly EventRow[]
  /** Cursor of the next page; null on the last one. */
  readonly next: string | null
}

/**
 * One page of events. Follow `next` to see every event once, also among many of the same millisecond.
 *
 * @param limit rows of the page
 */
export async function listEvents(
  ask: Ask,
  clock: Pick<Clock, 'now'>,
  question: Question,
  request: EventsRequest,
  limit: number,
): Promise<EventsPage> {
  const { selection, page } = request
  const invalid = await invalidPatterns(ask, question, [selection.filters])
  const fetchPage = (afterMs: number | null) =>
    ask<EventRecord>(question, (bindings) =>
      eventPageSql(
        { ...selection, afterMs },
        { ...page, limit: limit + 1 },
        bindings,
        question.zone,
        invalid,
      ),
    )
  const isOpen = selection.afterMs === null && page.cursor === null && page.order === 'descending'
  let records: EventRecord[] = []
  // The newest page of a dataset that is alive lies within a day; only when it does not is everything looked at.
  if (isOpen) records = await fetchPage((selection.beforeMs ?? clock.now()) - DAY_MS)
  if (records.length <= limit) records = await fetchPage(selection.afterMs)
  const shown = records.slice(0, limit)
  const last = shown[shown.length - 1]
  return {
    rows: shown.map(eventRow),
    next: records.length > limit && last !== undefined ? encodeCursor(cursorOf(last)) : null,
  }
}

/** All events of a request, one after the other, in its order. */
export async function* streamEvents(
  ask: Ask,
  streamRows: StreamRows,
  question: Question,
  { selection, page }: Pick<EventsRequest, 'selection' | 'page'>,
): AsyncGenerator<EventRow> {
  const invalid = await invalidPatterns(ask, question, [selection.filters])
  const records = streamRows<EventRecord>(question, (bindings) =>
    eventPageSql(selection, { ...page, limit: null }, bindings, question.zone, invalid),
  )
  for await (const record of records) yield eventRow(record)
}

/** @throws ApiError 404 */
export async function getEvent(ask: Ask, question: Question, eventId: string): Promise<EventRow> {
  const [record] = await ask<EventRecord>(question, (bindings) =>
    eventByIdSql(question.dataset.id, eventId, bindings),
  )
  if (record === undefined) throw notFound('There is no such event.')
  return eventRow(record)
}
