import { randomUUID } from 'node:crypto'
import type { Dataset } from '../../schemas/control/v1.ts'
import { isDependencyError } from '../core/runtime/errors.ts'
import { invalidInput, notFound } from './api-error.ts'
import { type Bindings, createBindings } from './bindings.ts'
import { CANNOT_COMPILE_REGEXP, clickHouseCode } from './clickhouse-failure.ts'
import { parseDateRange } from './date-range.ts'
import type { Environment } from './environment.ts'
import { type EventRecord, eventByIdSql, eventPageSql } from './event-query.ts'
import { cursorOf, type EventRow, eventRow } from './event-row.ts'
import { concerning, type EventTrace, traceOf } from './event-trace.ts'
import { encodeCursor } from './page-cursor.ts'
import { type FilterGroup, patternsOf } from './property-filters.ts'
import type { EventsRequest } from './request-parameters.ts'
import { flatRecord, ISO_TIMES, type TraceTable, traceSql } from './trace-query.ts'
import {
  breakdownValuesSql,
  firstEventSql,
  type TrendRecord,
  type TrendScope,
  trendSql,
} from './trend-query.ts'
import type { TrendRequest } from './trend-request.ts'
import { type TrendRow, trendRows } from './trend-rows.ts'
import { intervalStarts, type TimeZone, timeZone } from './zoned-time.ts'

/** Who asks, about what, and the signal that tells that nobody waits for the answer any more. */
export interface Question {
  readonly dataset: Dataset
  readonly zone: TimeZone
  readonly signal: AbortSignal
}

/** Points of one trend line at most. */
export const INTERVALS_MAX = 1_500
const DAY_MS = 86_400_000

/** The zone that a dataset's questions are answered in; UTC when it names none or one that nobody knows. */
export function zoneOf(dataset: Dataset): TimeZone {
  return timeZone(dataset.timezone ?? 'UTC') ?? (timeZone('UTC') as TimeZone)
}

export interface EventsPage {
  readonly rows: readonly EventRow[]
  /** Cursor of the next page; null on the last one. */
  readonly next: string | null
}

/** One page of events. Follow `next` to see every event once, also among many of the same millisecond. */
export async function listEvents(
  env: Environment,
  question: Question,
  request: EventsRequest,
): Promise<EventsPage> {
  const { selection, page } = request
  const invalid = await invalidPatterns(env, question, [selection.filters])
  const fetchPage = (afterMs: number | null) =>
    ask<EventRecord>(env, question, (bindings) =>
      eventPageSql(
        { ...selection, afterMs },
        { ...page, limit: page.limit + 1 },
        bindings,
        question.zone,
        invalid,
      ),
    )
  const isOpen = selection.afterMs === null && page.cursor === null && page.order === 'descending'
  let records: EventRecord[] = []
  // The newest page of a dataset that is alive lies within a day; only when it does not is everything looked at.
  if (isOpen) records = await fetchPage((selection.beforeMs ?? env.clock.now()) - DAY_MS)
  if (records.length <= page.limit) records = await fetchPage(selection.afterMs)
  const shown = records.slice(0, page.limit)
  const last = shown[shown.length - 1]
  return {
    rows: shown.map(eventRow),
    next: records.length > page.limit && last !== undefined ? encodeCursor(cursorOf(last)) : null,
  }
}

/** @throws ApiError 404 */
export async function getEvent(env: Environment, question: Question, eventId: string): Promise<EventRow> {
  const [record] = await ask<EventRecord>(env, question, (bindings) =>
    eventByIdSql(question.dataset.id, eventId, bindings),
  )
  if (record === undefined) throw notFound('There is no such event.')
  return eventRow(record)
}

/** Counts per interval, one line per series and breakdown value. */
export async function trend(
  env: Environment,
  question: Question,
  request: TrendRequest,
): Promise<TrendRow[]> {
  const { dataset, zone } = question
  const nowMs = env.clock.now()
  const range = parseDateRange(request.dateFrom, request.dateTo, nowMs, zone)
  const fromMs = range.fromMs ?? (await firstEventMs(env, question)) ?? range.toMs - DAY_MS
  const startsMs = intervalStarts(request.interval, fromMs, range.toMs, zone, INTERVALS_MAX)
  if (startsMs.length > INTERVALS_MAX)
    throw invalidInput('interval', `This makes more than ${INTERVALS_MAX} points. Take a longer interval.`)
  const scope: TrendScope = {
    dataset: dataset.id,
    fromMs,
    toMs: range.toMs,
    startsMs,
    filters: request.filters,
  }
  const invalid = await invalidPatterns(env, question, [
    request.filters,
    ...request.series.map(({ filters }) => filters),
  ])
  const rows: TrendRow[] = []
  for (const [order, series] of request.series.entries()) {
    let breakdown: { property: string; values: string[] } | null = null
    if (request.breakdown !== null) {
      const property = request.breakdown
      const found = await ask<{ value: string }>(env, question, (bindings) =>
        breakdownValuesSql(scope, series, property, request.breakdownLimit, bindings, zone, invalid),
      )
      breakdown = { property, values: found.map(({ value }) => value) }
    }
    const records = await ask<TrendRecord>(env, question, (bindings) =>
      trendSql(scope, series, breakdown, bindings, zone, invalid),
    )
    rows.push(...trendRows(series, order, startsMs, request.interval, zone, records, breakdown !== null))
  }
  return rows
}

/** Where an event is in every place it went to, or why it is not there. */
export async function traceEvent(
  env: Environment,
  question: Question,
  eventId: string,
  distinctId: string | null,
): Promise<EventTrace> {
  const { dataset, signal } = question
  const { subscriptions, deliveries } = env.control.snapshot
  const asked = concerning(
    dataset,
    [...subscriptions.values()].map(({ object }) => object),
  )
  const stored = [
    ...(await storedRows(env, question, 'events', eventId)),
    ...(await storedRows(env, question, 'rejected_events', eventId)),
  ]
  const known = stored[0]?.record.distinct_id
  const inLog = await env.findInLog({
    dataset: dataset.id,
    eventId,
    distinctId: typeof known === 'string' ? known : distinctId,
    topics: asked.map(({ id }) => env.names.subscriber(id)),
    signal,
  })
  return traceOf({
    dataset,
    eventId,
    names: env.names,
    stored,
    inLog,
    subscriptions: asked,
    deliveries: [...deliveries.values()].map(({ object }) => object),
    findInDelivery: (delivery, place) => env.findInDelivery(delivery, place, signal),
  })
}

async function storedRows(env: Environment, question: Question, table: TraceTable, eventId: string) {
  const rows = await ask<Record<string, unknown>>(env, question, (bindings) =>
    traceSql(table, question.dataset.id, eventId, bindings),
  )
  return rows.map((row) => ({ table, record: flatRecord(table, row) }))
}

async function firstEventMs(env: Environment, question: Question): Promise<number | null> {
  const [row] = await ask<{ first_ms: string | number | null }>(env, question, (bindings) =>
    firstEventSql(question.dataset.id, bindings),
  )
  return row === undefined || row.first_ms === null ? null : Number(row.first_ms)
}

/** Only the engine knows which regular expressions it can compile; what it cannot matches nothing. */
async function invalidPatterns(
  env: Environment,
  question: Question,
  groups: readonly FilterGroup[],
): Promise<ReadonlySet<string>> {
  const invalid = new Set<string>()
  for (const pattern of new Set(groups.flatMap(patternsOf))) {
    try {
      await ask(env, question, (bindings) => `SELECT match('', ${bindings.bind(pattern, 'String')}) AS valid`)
    } catch (error) {
      if (!isDependencyError(error) || clickHouseCode(error) !== CANNOT_COMPILE_REGEXP) throw error
      invalid.add(pattern)
    }
  }
  return invalid
}

/** Runs one statement within the cost limits; it is cancelled when nobody waits for the answer any more. */
async function ask<T>(
  env: Environment,
  question: Question,
  sqlOf: (bindings: Bindings) => string,
): Promise<T[]> {
  const bindings = createBindings()
  const sql = sqlOf(bindings)
  const { executionSecondsMax, rowsReadMax, memoryBytesMax, resultBytesMax } = env.cost
  return env.clickhouse.query<T>(sql, bindings.parameters, {
    queryId: `millrace-query-${randomUUID()}`,
    signal: question.signal,
    settings: {
      max_execution_time: executionSecondsMax,
      timeout_overflow_mode: 'throw',
      max_rows_to_read: rowsReadMax,
      read_overflow_mode: 'throw',
      max_memory_usage: memoryBytesMax,
      max_result_bytes: resultBytesMax,
      result_overflow_mode: 'throw',
      output_format_json_quote_64bit_integers: 0,
      ...ISO_TIMES,
    },
  })
}
