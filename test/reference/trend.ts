import { addDays, bucketOf, bucketsBetween, midnight, type Unit } from './calendar.ts'
import { aggregate } from './distribution.ts'
import { type EntityAsked, isOf } from './entities.ts'
import { type FilterList, passes, propertyOf } from './filters.ts'
import { actorOf, groupOf, type Happening, type History, inOrder, textOf } from './history.ts'
import { sessionProperty } from './sessions.ts'

export interface TrendSeriesAsked extends EntityAsked {
  readonly math: string
  readonly math_property?: string
  readonly math_group_type_index?: number
}

export interface TrendAsked {
  readonly series: readonly TrendSeriesAsked[]
  readonly interval: Unit
  readonly fromMs: number
  readonly toMs: number
  readonly properties: FilterList
  readonly groupType: number | null
  readonly breakdown: BreakdownAsked | null
  readonly shape: 'points' | 'cumulative' | 'aggregate'
}

export interface BreakdownAsked {
  readonly key: string
  readonly type: 'event' | 'person' | 'session' | 'group' | 'hogql'
  readonly as_of?: undefined | 'now' | 'event'
  readonly limit: number
}

/** The value of a breakdown that an event has. */
export function breakdownValue(history: History, event: Happening, breakdown: BreakdownAsked): string {
  const { key, type, as_of } = breakdown
  return textOf(propertyOf(history, event, { key, type, as_of, group_type_index: 0 }))
}

/** Values with lines of their own: those that most events of all series have. */
export function topValues(
  history: History,
  events: readonly Happening[],
  breakdown: BreakdownAsked,
): string[] {
  const counts = new Map<string, number>()
  for (const event of events) {
    const value = breakdownValue(history, event, breakdown)
    counts.set(value, (counts.get(value) ?? 0) + 1)
  }
  return [...counts]
    .sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))
    .slice(0, breakdown.limit)
    .map(([value]) => value)
}

/** Per series its lines: value of the breakdown (`Other` apart), and a number per point. */
export function trendOf(stored: History, asked: TrendAsked) {
  const { fromMs, toMs } = asked
  const history = { ...stored, askedRange: { fromMs, toMs } }
  const buckets = bucketsBetween(fromMs, toMs - 1, asked.interval, history.zone)
  const all = inOrder(history.events).filter(
    (event) => event.timeMs < toMs && passes(history, event, asked.properties),
  )
  const inRange = all.filter(({ timeMs }) => timeMs >= fromMs)
  const ofAny = inRange.filter((event) => asked.series.some((series) => isOf(history, event, series)))
  const top = asked.breakdown === null ? [''] : topValues(history, ofAny, asked.breakdown)
  const lineOf = (event: Happening) => {
    if (asked.breakdown === null) return ''
    const value = breakdownValue(history, event, asked.breakdown)
    return top.includes(value) ? value : OTHER
  }
  return asked.series.map((series) => {
    const mine = all.filter((event) => isOf(history, event, series))
    const lines = new Map(top.map((value) => [value, mine.filter((event) => lineOf(event) === value)]))
    const rest = mine.filter((event) => lineOf(event) === OTHER)
    if (rest.length > 0) lines.set(OTHER, rest)
    return [...lines].map(([value, events]) => ({
      value,
      data: pointsOf(history, asked, series, buckets, events),
    }))
  })
}

/** Apart from a value that is called so. */
export const OTHER = ' (all others)'

const ACTIVE_DAYS: Readonly<Record<string, number>> = { weekly_active: 7, monthly_active: 30 }

function pointsOf(
  history: History,
  asked: TrendAsked,
  series: TrendSeriesAsked,
  buckets: readonly string[],
  events: readonly Happening[],
): number[] {
  const { math } = series
  const inRange = events.filter(({ timeMs }) => timeMs >= asked.fromMs)
  const of = (bucket: string) =>
    inRange.filter(({ timeMs }) => bucketOf(timeMs, asked.interval, history.zone) === bucket)
  const days = ACTIVE_DAYS[math]
  if (days !== undefined) {
    const points = asked.shape === 'aggregate' ? buckets.slice(-1) : buckets
    return points.map((bucket) => {
      const after = midnight(addDays(bucket, 1 - days), history.zone)
      const upTo = midnight(addDays(bucket, 1), history.zone)
      return distinct(
        events
          .filter(({ timeMs }) => timeMs > after && timeMs <= upTo)
          .map((event) => actorOf(history, event, asked.groupType)),
      )
    })
  }
  const number = (some: readonly Happening[]) => numberOf(history, asked, series, some)
  if (math.startsWith('first_')) {
    const firsts = firstTimes(history, asked, series).filter(
      (event) => event.timeMs >= asked.fromMs && events.includes(event),
    )
    const found = buckets.map(
      (bucket) =>
        firsts.filter(({ timeMs }) => bucketOf(timeMs, asked.interval, history.zone) === bucket).length,
    )
    if (asked.shape === 'aggregate') return [firsts.length]
    return asked.shape === 'points' ? found : buckets.map((_, at) => total(found.slice(0, at + 1)))
  }
  if (asked.shape === 'aggregate') return [number(inRange)]
  if (asked.shape === 'points') return buckets.map((bucket) => number(of(bucket)))
  // Up to every point, as if the range ended with it.
  return buckets.map((_, at) => number(buckets.slice(0, at + 1).flatMap(of)))
}

const total = (numbers: readonly number[]) => numbers.reduce((sum, number) => sum + number, 0)
const distinct = (actors: readonly (string | null)[]) =>
  new Set(actors.filter((actor) => actor !== null)).size

function numberOf(
  history: History,
  asked: TrendAsked,
  series: TrendSeriesAsked,
  events: readonly Happening[],
): number {
  const { math } = series
  if (math === 'total') return events.length
  if (math === 'dau') return distinct(events.map((event) => actorOf(history, event, asked.groupType)))
  if (math === 'unique_session') return distinct(events.map(({ session }) => session))
  if (math === 'unique_group')
    return distinct(events.map((event) => groupOf(history, event, series.math_group_type_index ?? 0)))
  if (math.endsWith('_count_per_actor')) {
    const counts = new Map<string, number>()
    for (const event of events) {
      const actor = actorOf(history, event, asked.groupType)
      if (actor !== null) counts.set(actor, (counts.get(actor) ?? 0) + 1)
    }
    return aggregate(math.split('_')[0] as string, [...counts.values()])
  }
  if (series.math_property === '$session_duration') {
    const sessions = new Set(events.map(({ session }) => session).filter((session) => session !== null))
    return aggregate(
      math,
      [...sessions].map((session) => sessionProperty(history, session, '$session_duration') as number),
    )
  }
  const numbers = events
    .map((event) => textOf(propertyOf(history, event, { key: series.math_property ?? '' })))
    .filter((text) => text.trim() !== '' && Number.isFinite(Number(text)))
    .map(Number)
  return aggregate(math, numbers)
}

/** Every actor's first event of that name ever, or the first one that passes all filters. */
function firstTimes(history: History, asked: TrendAsked, series: TrendSeriesAsked): Happening[] {
  const matches = (event: Happening) =>
    isOf(history, event, series) && passes(history, event, asked.properties)
  const matching = series.math === 'first_matching_event_for_user'
  const seen = new Map<string, Happening>()
  for (const event of inOrder(history.events)) {
    const actor = actorOf(history, event, asked.groupType)
    const counts = matching ? matches(event) : isOf(history, event, { id: series.id })
    if (actor !== null && counts && !seen.has(actor)) seen.set(actor, event)
  }
  return [...seen.values()].filter(matches)
}
