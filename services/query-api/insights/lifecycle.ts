import { invalidInput } from '../http/api-error.ts'
import { jsonDeclared, type ParameterDeclarations, textDeclared } from '../http/parameter-declarations.ts'
import type { RawQuery } from '../http/request-parameters.ts'
import type { Bindings } from '../query/bindings.ts'
import { newestGroupsSql } from '../query/group-rows.ts'
import { newestPersonsSql } from '../query/person-rows.ts'
import { NO_FILTERS } from '../query/property-filters.ts'
import type { Question } from '../query/question.ts'
import { addIntervals, type Interval, startOf, type TimeZone } from '../query/zoned-time.ts'
import { type EntityRequest, jsonList } from './entity-request.ts'
import { actorSql, eventRowsSql } from './event-rows.ts'
import { type Entity, type Frame, frameOf, INTERVALS_MAX, type InsightNeeds } from './frame.ts'
import { impliedBeside } from './implied-parameters.ts'
import {
  ACTIONS_PARAMETER,
  EVENTS_PARAMETER,
  INSIGHT_PARAMETERS,
  type InsightRequest,
  readInsightRequest,
  refuseUndeclared,
} from './insight-request.ts'
import { intervalDay, intervalLabel } from './interval-labels.ts'
import { afterInterval } from './retention.ts'
import { scaledUp } from './sampling.ts'
import { countedGroupsOf } from './series-math.ts'
import { INTERVAL_PARAMETER, readInterval, readSeries, type SeriesRequest } from './trend-request.ts'
import { startMsSql } from './trend-shape.ts'

export const LIFECYCLE_PARAMETERS = {
  event: textDeclared('The series: events of this name; all events when left out.'),
  events: EVENTS_PARAMETER,
  actions: ACTIONS_PARAMETER,
  interval: INTERVAL_PARAMETER,
  toggledLifecycles: jsonDeclared('Statuses that are answered; all of them.'),
  ...INSIGHT_PARAMETERS,
}

export const LIFECYCLE_IMPLIED = impliedBeside({
  insight: ['LIFECYCLE', 'TRENDS'],
  shown_as: ['Lifecycle'],
})

/** Came into being in this interval; was there in the one before; was not; was, and is not any more. */
export const LIFECYCLE_STATUSES = ['new', 'returning', 'resurrecting', 'dormant'] as const
export type LifecycleStatus = (typeof LIFECYCLE_STATUSES)[number]

export interface LifecycleRequest extends InsightRequest {
  readonly entity: EntityRequest
  readonly interval: Interval
  readonly statuses: readonly LifecycleStatus[]
}

/** @throws ApiError 400 */
export function readLifecycleRequest(query: RawQuery, further: ParameterDeclarations = {}): LifecycleRequest {
  refuseUndeclared(query, LIFECYCLE_PARAMETERS, further, LIFECYCLE_IMPLIED)
  const series = readSeries(query)
  const common = readInsightRequest(query)
  if (series.length > 1) throw invalidInput('events', 'A lifecycle is that of one series.')
  const toggled = jsonList(query, 'toggledLifecycles')
  const unknown = toggled.find((status) => !LIFECYCLE_STATUSES.includes(status as LifecycleStatus))
  if (unknown !== undefined)
    throw invalidInput('toggledLifecycles', `It lists some of ${LIFECYCLE_STATUSES.join(', ')}.`)
  const entity = series[0] as SeriesRequest
  return {
    ...common,
    groupTypeIndex: countedGroupsOf(entity, 'events') ?? common.groupTypeIndex,
    entity,
    interval: readInterval(query),
    statuses:
      toggled.length === 0 ? LIFECYCLE_STATUSES : LIFECYCLE_STATUSES.filter((one) => toggled.includes(one)),
  }
}

export interface LifecycleRow {
  readonly action: {
    readonly id: string | number | null
    readonly type: string
    readonly order: number
    readonly name: string
  }
  readonly label: string
  readonly status: LifecycleStatus
  readonly count: number
  /** Actors; dormant ones are negative. */
  readonly data: readonly number[]
  readonly labels: readonly string[]
  readonly days: readonly string[]
  readonly persons_urls?: readonly { readonly url: string }[]
}

/** The range in intervals, with the one before it, whose weeks begin on Monday. */
export interface LifecycleIntervals {
  /** Ascending; the first one is that before the range. */
  readonly startsMs: readonly number[]
  /** Where the last one ends. */
  readonly endMs: number
}

/** How many actors are new, returning, resurrecting and dormant in every interval. */
export async function lifecycle(
  needs: InsightNeeds,
  question: Question,
  request: LifecycleRequest,
): Promise<{ readonly rows: LifecycleRow[]; readonly startsMs: readonly number[] }> {
  const { frame, entities } = await frameOf(needs, question, request, { entities: [request.entity] })
  const intervals = lifecycleIntervals(frame, request.interval)
  const records = await needs.ask<{
    start_ms: number | string
    status: LifecycleStatus
    actors: number | string
  }>(
    question,
    (bindings) =>
      'SELECT start_ms, status, count() AS actors ' +
      `FROM (${lifecycleActorsSql(frame, entities[0]!, intervals, bindings)}) GROUP BY start_ms, status`,
  )
  const found = new Map(
    records.map(({ start_ms, status, actors }) => [
      `${start_ms} ${status}`,
      scaledUp(Number(actors), request),
    ]),
  )
  const { id, type, order, name, customName } = entities[0] as Entity
  const startsMs = intervals.startsMs.slice(1)
  const rows = request.statuses.map((status) => {
    const counts = startsMs.map((ms) => found.get(`${ms} ${status}`) ?? 0)
    const data = status === 'dormant' ? counts.map((count) => (count === 0 ? 0 : -count)) : counts
    return {
      action: { id, type, order, name },
      label: `${customName ?? name} - ${status}`,
      status,
      count: data.reduce((sum, count) => sum + count, 0),
      data,
      labels: startsMs.map((ms) => intervalLabel(ms, request.interval, frame.zone)),
      days: startsMs.map((ms) => intervalDay(ms, request.interval, frame.zone)),
    }
  })
  return { rows, startsMs }
}

/** @throws ApiError 400 for too many of them */
export function lifecycleIntervals(frame: Frame, interval: Interval): LifecycleIntervals {
  const first = startOfInterval(frame.fromMs, interval, frame.zone)
  const startsMs = [startOfInterval(first - 1, interval, frame.zone)]
  let next = first
  while (next < frame.toMs) {
    if (startsMs.length > INTERVALS_MAX)
      throw invalidInput('interval', `This makes more than ${INTERVALS_MAX} points. Take a longer interval.`)
    startsMs.push(next)
    next = afterStart(next, interval, frame.zone)
  }
  return { startsMs, endMs: next }
}

/** As elsewhere, but for weeks: these begin on Monday. */
function startOfInterval(ms: number, interval: Interval, zone: TimeZone): number {
  if (interval !== 'week') return startOf(interval, ms, zone)
  const sunday = startOf('week', addIntervals(ms, 'day', -1, zone), zone)
  return afterInterval(sunday, 'day', zone)
}

function afterStart(startMs: number, interval: Interval, zone: TimeZone): number {
  if (interval !== 'week') return afterInterval(startMs, interval, zone)
  const HALF_DAY_MS = 12 * 3_600_000
  return startOf('day', addIntervals(startMs + HALF_DAY_MS, 'week', 1, zone), zone)
}

/** A row per actor, interval and status: `actor, start_ms, status`. */
export function lifecycleActorsSql(
  frame: Frame,
  entity: Entity,
  { startsMs, endMs }: LifecycleIntervals,
  bindings: Bindings,
): string {
  const edges = bindings.bind([...startsMs, endMs], 'Array(Int64)')
  const last = startsMs.length
  const rows = eventRowsSql(
    frame,
    {
      fromMs: startsMs[0] as number,
      toMs: frame.toMs,
      columns: [
        `${actorSql(frame, bindings)} AS actor`,
        `${startMsSql([...startsMs, endMs], bindings)} AS start_ms`,
      ],
      entities: [entity],
    },
    bindings,
  )
  const active =
    `SELECT actor, arraySort(arrayMap(ms -> toInt64(indexOf(${edges}, ms)), groupUniqArray(start_ms))) AS active ` +
    `FROM (${rows}) WHERE actor != '' GROUP BY actor`
  const created = `indexOf(${edges}, roundDown(created_ms, ${edges}))`
  // The interval before the range is the first one: it is only asked who was there.
  const present =
    `arrayMap((at, before) -> (at, multiIf(at = ${created}, 'new', before = at - 1, 'returning', 'resurrecting')), ` +
    'active, arrayPushFront(arrayPopBack(active), toInt64(-1)))'
  const gone = `arrayMap((at, next) -> (if(next = at + 1, toInt64(0), at + 1), 'dormant'), active, arrayPushBack(arrayPopFront(active), toInt64(-1)))`
  return (
    `SELECT actor, ${edges}[seen.1] AS start_ms, seen.2 AS status FROM (SELECT actor, ` +
    `arrayFilter(one -> one.1 > 1 AND one.1 <= ${last}, arrayConcat(${present}, ${gone})) AS statuses ` +
    `FROM (${withCreationSql(active, frame, bindings)})) ARRAY JOIN statuses AS seen`
  )
}

/**
 * Actors with `created_ms`: when the person was created; where nobody has said, its first event in all that is stored.
 */
function withCreationSql(actors: string, frame: Frame, bindings: Bindings): string {
  const known =
    frame.groupTypeIndex === null
      ? newestPersonsSql(frame.dataset, bindings)
      : newestGroupsSql(frame.dataset, frame.groupTypeIndex, bindings)
  const all = eventRowsSql(
    { ...frame, filters: NO_FILTERS, samplingFactor: 1 },
    {
      fromMs: null,
      toMs: frame.toMs,
      columns: [
        `${actorSql(frame, bindings)} AS first_actor`,
        'toUnixTimestamp64Milli(event_time) AS time_ms',
      ],
      entities: null,
    },
    bindings,
  )
  return (
    "SELECT actor, active, if(newest_key = '', first_ms, toUnixTimestamp64Milli(newest_created_at)) AS created_ms " +
    `FROM (${actors}) AS people LEFT ANY JOIN (${known}) AS known ON people.actor = known.newest_key ` +
    `LEFT ANY JOIN (SELECT first_actor, min(time_ms) AS first_ms FROM (${all}) GROUP BY first_actor) AS firsts ` +
    'ON people.actor = firsts.first_actor'
  )
}
