import { invalidInput } from '../http/api-error.ts'
import { textDeclared } from '../http/parameter-declarations.ts'
import { type RawQuery, refuseUnknown, textParameter } from '../http/request-parameters.ts'
import type { Ask } from '../query/ask.ts'
import { type DateRange, parseDateRange } from '../query/date-range.ts'
import type { Question } from '../query/question.ts'
import { timeSql } from '../query/time-sql.ts'
import { changesBetween } from './person-activity.ts'
import { type PersonRecord, personsByKeySql } from './person-query.ts'

/** Changes of one answer. */
const POINTS_MAX = 1_000

export const TIMELINE_PARAMETERS = {
  date_from: textDeclared('A date, a time, `-7d` (default), `-1mStart`, `all`, …'),
  date_to: textDeclared('Like date_from.'),
  event: textDeclared('Only events of this name are counted.'),
  breakdown: textDeclared('Only changes of this property make a point.'),
}

export interface TimelineRequest {
  readonly range: DateRange
  readonly event: string | null
  readonly breakdown: string | null
}

/** @throws ApiError 400 */
export function readTimelineRequest(query: RawQuery, nowMs: number, question: Question): TimelineRequest {
  refuseUnknown(query, Object.keys(TIMELINE_PARAMETERS))
  return {
    range: parseDateRange(
      textParameter(query, 'date_from'),
      textParameter(query, 'date_to'),
      nowMs,
      question.zone,
    ),
    event: textParameter(query, 'event'),
    breakdown: textParameter(query, 'breakdown'),
  }
}

type Properties = Readonly<Record<string, unknown>>

interface State {
  readonly ms: number
  readonly properties: Properties
}

/**
 * What a person was like over time, as its events saw it when they arrived, and what it is like now.
 *
 * @throws ApiError 400 for more than {@link POINTS_MAX} changes
 */
export async function propertiesTimeline(
  ask: Ask,
  question: Question,
  key: string,
  { range, event, breakdown }: TimelineRequest,
) {
  const states = await statesOf(ask, question, key, range)
  const crucial = new Set(breakdown === null ? [] : [breakdown])
  const points: State[] = []
  for (const state of states) {
    const changes = changesBetween(points.at(-1)?.properties ?? {}, state.properties)
    const relevant = changes.filter(({ field }) => breakdown === null || field === breakdown)
    if (points.length > 0 && relevant.length === 0) continue
    if (points.length > 0) for (const { field } of relevant) crucial.add(field)
    points.push(state)
  }
  const startsMs = points.map(({ ms }) => ms)
  const counts = await eventCounts(ask, question, key, startsMs, range.toMs, event)
  const [now] = await ask<PersonRecord>(question, (bindings) =>
    personsByKeySql(question.dataset.id, [key], bindings),
  )
  return {
    points: points.map(({ ms, properties }) => ({
      timestamp: new Date(ms).toISOString(),
      properties,
      relevant_event_count: counts.get(ms) ?? 0,
    })),
    crucial_property_keys: [...crucial].sort(),
    effective_date_from: new Date(range.fromMs ?? startsMs[0] ?? range.toMs).toISOString(),
    effective_date_to: new Date(range.toMs).toISOString(),
    points_as_of: 'event',
    properties_now: JSON.parse(now?.properties ?? '{}') as Properties,
  }
}

/** The state that holds when the range begins, and each one that came within it. */
async function statesOf(
  ask: Ask,
  question: Question,
  key: string,
  { fromMs, toMs }: DateRange,
): Promise<State[]> {
  const select = (when: (time: (ms: number) => string) => string, order: 'ASC' | 'DESC', limit: number) =>
    ask<{ valid_ms: number | string; properties: string }>(
      question,
      (bindings) =>
        'SELECT toUnixTimestamp64Milli(valid_from) AS valid_ms, properties FROM person_changes ' +
        `WHERE dataset_id = ${bindings.bind(question.dataset.id, 'String')} ` +
        `AND person_key = ${bindings.bind(key, 'String')} AND ${when((ms) => timeSql(ms, bindings))} ` +
        `ORDER BY version ${order} LIMIT 1 BY version LIMIT ${bindings.bind(limit, 'UInt64')}`,
    )
  const before = fromMs === null ? [] : await select((time) => `valid_from <= ${time(fromMs)}`, 'DESC', 1)
  const within = await select(
    (time) => `valid_from < ${time(toMs)}${fromMs === null ? '' : ` AND valid_from > ${time(fromMs)}`}`,
    'ASC',
    POINTS_MAX + 1,
  )
  if (within.length > POINTS_MAX)
    throw invalidInput('date_from', `This makes more than ${POINTS_MAX} points. Ask for a shorter time.`)
  const found = [...before.map((one) => ({ ...one, valid_ms: fromMs as number })), ...within]
  return found.map(({ valid_ms, properties }) => ({
    ms: Number(valid_ms),
    properties: JSON.parse(properties) as Properties,
  }))
}

/** Events of the person's distinct ids from each point to the next, by when they arrived. */
async function eventCounts(
  ask: Ask,
  question: Question,
  key: string,
  startsMs: readonly number[],
  toMs: number,
  event: string | null,
): Promise<ReadonlyMap<number, number>> {
  const [fromMs] = startsMs
  if (fromMs === undefined) return new Map()
  const rows = await ask<{ start_ms: number | string; events: number | string }>(question, (bindings) => {
    const dataset = `dataset_id = ${bindings.bind(question.dataset.id, 'String')}`
    const starts = bindings.bind([...new Set(startsMs)], 'Array(Int64)')
    return (
      `SELECT toInt64(roundDown(toUnixTimestamp64Milli(collector_time), ${starts})) AS start_ms, count() AS events ` +
      `FROM events WHERE ${dataset} AND distinct_id IN (SELECT distinct_id FROM person_distinct_ids FINAL ` +
      `WHERE ${dataset} AND NOT is_deleted AND person_key = ${bindings.bind(key, 'String')}) ` +
      `AND collector_time >= ${timeSql(fromMs, bindings)} AND collector_time < ${timeSql(toMs, bindings)} ` +
      `${event === null ? '' : `AND event = ${bindings.bind(event, 'String')} `}GROUP BY start_ms`
    )
  })
  return new Map(rows.map(({ start_ms, events }) => [Number(start_ms), Number(events)]))
}
