import { textsParameter } from '../events/texts-parameter.ts'
import { invalidInput } from '../http/api-error.ts'
import { jsonDeclared, textDeclared } from '../http/parameter-declarations.ts'
import type { RawQuery } from '../http/request-parameters.ts'
import { BREAKDOWN_LIMITS } from '../insights/breakdown.ts'
import { eventRowsSql } from '../insights/event-rows.ts'
import { type Entity, type Frame, frameOf, type InsightNeeds } from '../insights/frame.ts'
import {
  INSIGHT_PARAMETERS,
  type InsightRequest,
  readInsightRequest,
  refuseUndeclared,
} from '../insights/insight-request.ts'
import {
  INTERVAL_PARAMETER,
  readDisplay,
  readInterval,
  readSeries,
  type SeriesRequest,
  TREND_IMPLIED,
  TREND_PARAMETERS,
} from '../insights/trend-request.ts'
import type { Ask } from '../query/ask.ts'
import { type DateRange, parseDateRange } from '../query/date-range.ts'
import { filtersOf } from '../query/property-filters.ts'
import type { Question } from '../query/question.ts'
import { timeSql } from '../query/time-sql.ts'
import { addIntervals } from '../query/zoned-time.ts'
import { changesBetween } from './person-activity.ts'
import { type PersonRecord, personsByKeySql } from './person-query.ts'

/** Changes of one answer. */
const POINTS_MAX = 1_000

/** Events are counted by when they arrived, whenever they say that they happened; no event says later than this. */
const EVENT_TIME_END_MS = Date.UTC(2300, 0, 1) - 1

export const TIMELINE_PARAMETERS = {
  date_from: INSIGHT_PARAMETERS.date_from,
  date_to: INSIGHT_PARAMETERS.date_to,
  event: textDeclared('Only events of this name are counted.'),
  math: TREND_PARAMETERS.math,
  events: jsonDeclared('Only events of any of these are counted, as in a trend: `{id, math, properties}`.'),
  actions: jsonDeclared('Actions beside them, by their ids.'),
  properties: jsonDeclared('Filters that an event has to pass to be counted.'),
  filter_test_accounts: INSIGHT_PARAMETERS.filter_test_accounts,
  breakdown: textDeclared(
    `Only changes of this property of the person make a point, or of these, at most ${BREAKDOWN_LIMITS.keys}.`,
  ),
  interval: { ...INTERVAL_PARAMETER, description: 'Of the trend; it changes nothing here.' },
  display: { ...TREND_PARAMETERS.display, description: 'Of the trend; it changes nothing here.' },
}

/** What a trend is asked with, as far as it asks for nothing else than is done. */
const IMPLIED = new Map([...TREND_IMPLIED, ['breakdown_type', ['person']]])

export interface TimelineRequest {
  readonly range: DateRange
  readonly insight: InsightRequest
  readonly series: readonly SeriesRequest[]
  /** Properties of the person. */
  readonly breakdown: readonly string[]
}

/**
 * Reads the parameters of a trend. One that counts whoever was active within so many days looks that many days back.
 *
 * @throws ApiError 400
 */
export function readTimelineRequest(query: RawQuery, nowMs: number, question: Question): TimelineRequest {
  refuseUndeclared(query, TIMELINE_PARAMETERS, {}, IMPLIED)
  const insight = readInsightRequest(query)
  const series = readSeries(query)
  readInterval(query)
  readDisplay(query)
  const breakdown = textsParameter(query, 'breakdown')
  if (breakdown.length > BREAKDOWN_LIMITS.keys)
    throw invalidInput('breakdown', `breakdown is a list of at most ${BREAKDOWN_LIMITS.keys} properties.`)
  const { fromMs, toMs } = parseDateRange(insight.dateFrom, insight.dateTo, nowMs, question.zone)
  const days = Math.max(1, ...series.map(({ counts }) => (counts.kind === 'active' ? counts.days : 1)))
  return {
    range: { fromMs: fromMs === null ? null : addIntervals(fromMs, 'day', 1 - days, question.zone), toMs },
    insight,
    series,
    breakdown,
  }
}

type Properties = Readonly<Record<string, unknown>>

interface State {
  readonly ms: number
  readonly properties: Properties
}

/**
 * What a person was like over time, as its events saw it when they arrived, and what it is like now. A question that
 * names properties of persons, in a breakdown or in filters, is about changes of these alone.
 *
 * @throws ApiError 400 for more than {@link POINTS_MAX} changes, and for an action or cohort that is not there
 */
export async function propertiesTimeline(
  needs: InsightNeeds,
  question: Question,
  key: string,
  request: TimelineRequest,
) {
  const { ask } = needs
  const { range } = request
  const { frame, entities } = await frameOf(needs, question, request.insight, {
    entities: request.series,
    rangeTo: () => ({ fromMs: range.fromMs ?? 0, toMs: range.toMs }),
  })
  const states = await statesOf(ask, question, key, range)
  const named = namedProperties(request, entities)
  const changed = new Set(named)
  const points: State[] = []
  for (const state of states) {
    const changes = changesBetween(points.at(-1)?.properties ?? {}, state.properties)
    const relevant = changes.filter(({ field }) => named.size === 0 || named.has(field))
    if (points.length > 0 && relevant.length === 0) continue
    if (points.length > 0) for (const { field } of relevant) changed.add(field)
    points.push(state)
  }
  const startsMs = points.map(({ ms }) => ms)
  const counts = await eventCounts(ask, question, key, startsMs, frame, entities)
  const [now] = await ask<PersonRecord>(question, (bindings) =>
    personsByKeySql(question.dataset.id, [key], bindings),
  )
  return {
    points: points.map(({ ms, properties }) => ({
      timestamp: new Date(ms).toISOString(),
      properties,
      relevant_event_count: counts.get(ms) ?? 0,
    })),
    crucial_property_keys: [...changed].sort(),
    effective_date_from: new Date(range.fromMs ?? startsMs[0] ?? range.toMs).toISOString(),
    effective_date_to: new Date(range.toMs).toISOString(),
    points_as_of: 'event',
    properties_now: JSON.parse(now?.properties ?? '{}') as Properties,
  }
}

/** Properties of persons that a question names. */
function namedProperties(
  { breakdown, insight }: TimelineRequest,
  entities: readonly Entity[],
): ReadonlySet<string> {
  const groups = entities.flatMap(({ filters, steps }) => [filters, ...steps.map((step) => step.filters)])
  const keys = [insight.filters, ...groups]
    .flatMap(filtersOf)
    .flatMap((one) => (one.kind === 'filter' && one.owner.of === 'person' ? [one.key] : []))
  return new Set([...breakdown, ...keys])
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

/** Events of the question, of the person's distinct ids, from each point to the next, by when they arrived. */
async function eventCounts(
  ask: Ask,
  question: Question,
  key: string,
  startsMs: readonly number[],
  frame: Frame,
  entities: readonly Entity[],
): Promise<ReadonlyMap<number, number>> {
  const [fromMs] = startsMs
  if (fromMs === undefined) return new Map()
  const rows = await ask<{ start_ms: number | string; events: number | string }>(question, (bindings) => {
    const dataset = `dataset_id = ${bindings.bind(question.dataset.id, 'String')}`
    const starts = bindings.bind([...new Set(startsMs)], 'Array(Int64)')
    const wanted = {
      fromMs: null,
      toMs: EVENT_TIME_END_MS,
      columns: [`toInt64(roundDown(toUnixTimestamp64Milli(collector_time), ${starts})) AS start_ms`],
      entities,
      stored: [
        `distinct_id IN (SELECT distinct_id FROM person_distinct_ids FINAL ` +
          `WHERE ${dataset} AND NOT is_deleted AND person_key = ${bindings.bind(key, 'String')})`,
        `collector_time >= ${timeSql(fromMs, bindings)} AND collector_time < ${timeSql(frame.toMs, bindings)}`,
      ],
    }
    return `SELECT start_ms, count() AS events FROM (${eventRowsSql(frame, wanted, bindings)}) GROUP BY start_ms`
  })
  return new Map(rows.map(({ start_ms, events }) => [Number(start_ms), Number(events)]))
}
