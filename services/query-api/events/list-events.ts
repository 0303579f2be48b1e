import { notFound } from '../http/api-error.ts'
import { eventPersons } from '../query/event-persons.ts'
import type { Question } from '../query/question.ts'
import type { StreamRows } from '../query/stream-rows.ts'
import { type EventNeeds, eventFrame } from './event-frame.ts'
import { type EventRecord, eventByIdSql, eventPageSql } from './event-query.ts'
import { cursorOf, type EventRow, eventRow } from './event-row.ts'
import type { EventsRequest } from './events-request.ts'
import { encodeCursor } from './page-cursor.ts'

/** How far back the newest page is looked for before everything is looked at, ms: a dataset that is alive has it within one of them. */
const WINDOWS_MS = [3_600_000, 86_400_000]

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
  needs: EventNeeds,
  question: Question,
  request: EventsRequest,
  limit: number,
): Promise<EventsPage> {
  const { selection, page } = request
  const { ask, clock } = needs
  const frame = await eventFrame(needs, question, selection)
  const fetchPage = (afterMs: number | null) =>
    ask<EventRecord>(question, (bindings) =>
      eventPageSql({ ...selection, afterMs }, { ...page, limit: limit + 1 }, frame, bindings),
    )
  const isOpen =
    selection.afterMs === null && page.cursor === null && page.order === 'descending' && page.offset === 0
  let records: EventRecord[] = []
  for (const windowMs of isOpen ? WINDOWS_MS : [])
    if (records.length <= limit) records = await fetchPage((selection.beforeMs ?? clock.now()) - windowMs)
  if (records.length <= limit) records = await fetchPage(selection.afterMs)
  const shown = records.slice(0, limit)
  const last = shown[shown.length - 1]
  const persons = await eventPersons(
    ask,
    question,
    shown.map(({ distinct_id }) => distinct_id),
  )
  return {
    rows: shown.map((record) => eventRow(record, persons, request.isMasked)),
    next: records.length > limit && last !== undefined ? encodeCursor(cursorOf(last)) : null,
  }
}

/** Rows whose persons are looked up together. */
const PERSONS_AT_ONCE = 1_000

/** All events of a request, one after the other, in its order. */
export async function* streamEvents(
  needs: EventNeeds,
  streamRows: StreamRows,
  question: Question,
  { selection, page, isMasked }: Pick<EventsRequest, 'selection' | 'page' | 'isMasked'>,
): AsyncGenerator<EventRow> {
  const frame = await eventFrame(needs, question, selection)
  const records = streamRows<EventRecord>(question, (bindings) =>
    eventPageSql(selection, { ...page, limit: null }, frame, bindings),
  )
  async function rowsOf(some: readonly EventRecord[]): Promise<EventRow[]> {
    const ids = some.map(({ distinct_id }) => distinct_id)
    const persons = await eventPersons(needs.ask, question, ids)
    return some.map((record) => eventRow(record, persons, isMasked))
  }
  let waiting: EventRecord[] = []
  for await (const record of records) {
    waiting.push(record)
    if (waiting.length < PERSONS_AT_ONCE) continue
    yield* await rowsOf(waiting)
    waiting = []
  }
  yield* await rowsOf(waiting)
}

export interface EventWanted {
  readonly id: string
  readonly withPerson: boolean
  readonly isMasked: boolean
}

/** @throws ApiError 404 */
export async function getEvent(
  { ask }: Pick<EventNeeds, 'ask'>,
  question: Question,
  { id, withPerson, isMasked }: EventWanted,
): Promise<EventRow> {
  const [record] = await ask<EventRecord>(question, (bindings) =>
    eventByIdSql(question.dataset.id, id, bindings),
  )
  if (record === undefined) throw notFound('There is no such event.')
  const persons = await eventPersons(ask, question, withPerson ? [record.distinct_id] : [])
  return eventRow(record, persons, isMasked)
}
