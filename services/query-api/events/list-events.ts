import { notFound } from '../http/api-error.ts'
import { eventPersons } from '../query/event-persons.ts'
import type { Question } from '../query/question.ts'
import { type EventNeeds, eventFrame } from './event-frame.ts'
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

/** One page of events. Follow `next` to see every event once, also among many of the same millisecond. */
export async function listEvents(
  needs: EventNeeds,
  question: Question,
  request: EventsRequest,
): Promise<EventsPage> {
  const { selection, page } = request
  const { ask, clock } = needs
  const frame = await eventFrame(needs, question, selection)
  const fetchPage = (afterMs: number | null) =>
    ask<EventRecord>(question, (bindings) =>
      eventPageSql({ ...selection, afterMs }, { ...page, limit: page.limit + 1 }, frame, bindings),
    )
  const isOpen =
    selection.afterMs === null && page.cursor === null && page.order === 'descending' && page.offset === 0
  let records: EventRecord[] = []
  // The newest page of a dataset that is alive lies within a day; only when it does not is everything looked at.
  if (isOpen) records = await fetchPage((selection.beforeMs ?? clock.now()) - DAY_MS)
  if (records.length <= page.limit) records = await fetchPage(selection.afterMs)
  const shown = records.slice(0, page.limit)
  const last = shown[shown.length - 1]
  const persons = await eventPersons(
    ask,
    question,
    shown.map(({ person_key }) => person_key),
  )
  return {
    rows: shown.map((record) => eventRow(record, persons, request.isMasked)),
    next: records.length > page.limit && last !== undefined ? encodeCursor(cursorOf(last)) : null,
  }
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
  const persons = await eventPersons(ask, question, withPerson ? [record.person_key] : [])
  return eventRow(record, persons, isMasked)
}
