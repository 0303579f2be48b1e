import { notFound } from '../http/api-error.ts'
import { eventRowsSql } from '../insights/event-rows.ts'
import { type Entity, type Frame, filterScope, frameOf, type InsightNeeds } from '../insights/frame.ts'
import type { Bindings } from '../query/bindings.ts'
import { filterSql } from '../query/filter-sql.ts'
import { PERSON_KEY } from '../query/person-rows.ts'
import { filtersOf } from '../query/property-filters.ts'
import type { Question } from '../query/question.ts'
import { SESSION_COLUMNS, type SessionRecord, sessionsSql } from '../query/recording-rows.ts'
import { SESSION_SPAN_MAX_MS } from '../query/session-properties.ts'
import type { RecordingsRequest } from './recordings-request.ts'

export interface RecordingsPage {
  readonly records: readonly SessionRecord[]
  readonly hasNext: boolean
}

/** One page of sessions, the newest first, those of one millisecond by their ids. */
export async function listRecordings(
  needs: InsightNeeds,
  question: Question,
  request: RecordingsRequest,
): Promise<RecordingsPage> {
  const { limit, offset } = request.page
  const looked = await lookUp(needs, question, request)
  const records = await needs.ask<SessionRecord>(
    question,
    (bindings) =>
      `SELECT ${SESSION_COLUMNS} FROM (` +
      `${sessionsSql(question.dataset.id, request.range, request.sessions, bindings)}) ` +
      `WHERE ${conditionsSql(question, request, looked, bindings)} ORDER BY started DESC, id ASC ` +
      `LIMIT ${bindings.bind(limit + 1, 'UInt64')} OFFSET ${bindings.bind(offset, 'UInt64')}`,
  )
  return { records: records.slice(0, limit), hasNext: records.length > limit }
}

/** @throws ApiError 404 */
export async function getRecording(
  { ask }: Pick<InsightNeeds, 'ask'>,
  question: Question,
  session: string,
): Promise<SessionRecord> {
  const [record] = await ask<SessionRecord>(
    question,
    (bindings) =>
      `SELECT ${SESSION_COLUMNS} FROM (` +
      `${sessionsSql(question.dataset.id, { fromMs: null, toMs: null }, [session], bindings)})`,
  )
  if (record === undefined) throw notFound()
  return record
}

interface LookedUp {
  readonly frame: Frame
  readonly entities: readonly Entity[]
}

/** Null when nothing is asked about events and people. */
async function lookUp(
  needs: InsightNeeds,
  question: Question,
  { entities, filters, range }: RecordingsRequest,
): Promise<LookedUp | null> {
  if (entities.length === 0 && filters.parts.length === 0) return null
  const found = await frameOf(
    needs,
    question,
    {
      dateFrom: null,
      dateTo: null,
      filters,
      filterTestAccounts: false,
      samplingFactor: 1,
      groupTypeIndex: null,
    },
    { entities },
  )
  // A session's events are of its own time, which is about the range that it began in.
  const fromMs = Math.max(0, (range.fromMs ?? 0) - SESSION_SPAN_MAX_MS)
  return { ...found, frame: { ...found.frame, fromMs, toMs: range.toMs + SESSION_SPAN_MAX_MS } }
}

function conditionsSql(
  question: Question,
  { person, length, consoleColumns }: RecordingsRequest,
  looked: LookedUp | null,
  bindings: Bindings,
): string {
  const conditions = ['1']
  if (person !== null) conditions.push(personSql(question, person, bindings))
  if (length !== null)
    conditions.push(`${length.column} ${length.operator} ${bindings.bind(length.seconds, 'Float64')}`)
  if (consoleColumns.length > 0)
    conditions.push(`(${consoleColumns.map((column) => `${column} > 0`).join(' OR ')})`)
  if (looked !== null) conditions.push(...eventsSql(looked, bindings))
  return conditions.join(' AND ')
}

/** A person's id follows from its key, so it is looked for among the keys that the dataset has. */
function personSql({ dataset }: Question, person: string, bindings: Bindings): string {
  const keys =
    `SELECT person_key FROM persons WHERE dataset_id = ${bindings.bind(dataset.id, 'String')} ` +
    `AND person_id = toUUID(${bindings.bind(person, 'String')})`
  return `${PERSON_KEY} IN (${keys})`
}

/** A session has an event of each entity, and one that passes the filters; filters of people and recordings alone are the session's. */
function eventsSql({ frame, entities }: LookedUp, bindings: Bindings): string[] {
  const { filters } = frame
  const withEvent = (own: Frame, wanted: readonly Entity[] | null) =>
    `id IN (${eventRowsSql(
      own,
      {
        fromMs: own.fromMs,
        toMs: own.toMs,
        columns: ["ifNull(session_id, '') AS its_session"],
        entities: wanted,
        where: ["ifNull(session_id, '') != ''"],
      },
      bindings,
    )})`
  const ofNone = { ...frame, filters: { kind: 'AND', parts: [] } } as const
  const conditions = entities.map((entity) => withEvent(ofNone, [entity]))
  if (filters.parts.length === 0) return conditions
  const isOfSessions = filtersOf(filters).every(
    (one) =>
      one.kind === 'cohort' ||
      (one.kind === 'filter' &&
        (one.owner.of === 'recording' || (one.owner.of === 'person' && one.owner.asOf === 'now'))),
  )
  return [
    ...conditions,
    isOfSessions ? filterSql(filters, filterScope(frame, bindings)) : withEvent(frame, null),
  ]
}
