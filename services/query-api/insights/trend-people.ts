import { invalidInput } from '../http/api-error.ts'
import { textDeclared } from '../http/parameter-declarations.ts'
import { type RawQuery, textParameter } from '../http/request-parameters.ts'
import type { Bindings } from '../query/bindings.ts'
import type { Question } from '../query/question.ts'
import { addIntervals } from '../query/zoned-time.ts'
import { cohortIdsOf } from './breakdown.ts'
import { breakdownValuesOf } from './breakdown-values.ts'
import { actorSql, eventRowsSql } from './event-rows.ts'
import { firstTimesSql } from './first-times-sql.ts'
import { frameOf, type InsightNeeds } from './frame.ts'
import { OTHER_SLOT, OWN_SLOT, slotSql } from './funnel-sql.ts'
import { wholeParameter } from './insight-request.ts'
import type { PeopleSql } from './people.ts'
import {
  COMPARE_LABEL_PARAMETER,
  ENTITY_ORDER_PARAMETER,
  LINE_PARAMETERS,
  type LineAsked,
  PAGE_PARAMETERS,
  readLine,
  readPoint,
  requireLine,
} from './people-request.ts'
import { afterInterval } from './retention.ts'
import { type Period, periodsOf, pointsOf } from './trend.ts'
import { readTrendRequest, SERIES_MAX, type TrendRequest } from './trend-request.ts'
import { rowColumns, type Series, type TrendShape } from './trend-shape.ts'
import { subjectSql } from './trend-sql.ts'

/** Beside the parameters of the trend: which series, period, point and line of it. */
export const TREND_PEOPLE_PARAMETERS = {
  entity_order: ENTITY_ORDER_PARAMETER,
  compare_label: COMPARE_LABEL_PARAMETER,
  point: textDeclared('Start of an interval; the whole range when left out.'),
  ...LINE_PARAMETERS,
  ...PAGE_PARAMETERS,
}

/**
 * Everybody behind one point of a trend, or behind the number for the whole range.
 *
 * @returns amounts add up to the number of events, sums and sessions; of actors and groups each counts once. A session of
 *          several actors is one of whoever had its first event there
 * @throws ApiError 400
 */
export async function trendPeople(
  needs: InsightNeeds,
  question: Question,
  query: RawQuery,
): Promise<{ readonly sql: PeopleSql; readonly groupTypeIndex: number | null }> {
  const request = readTrendRequest(query, TREND_PEOPLE_PARAMETERS)
  const order = wholeParameter(query, 'entity_order', 0, SERIES_MAX - 1) ?? 0
  if (request.series[order] === undefined)
    throw invalidInput('entity_order', 'There is no series of this number.')
  const { frame, entities } = await frameOf(needs, question, request, {
    entities: request.series,
    cohortIds: cohortIdsOf(request.breakdown),
  })
  const line = readLine(query, request.breakdown)
  const values =
    request.breakdown === null
      ? null
      : await breakdownValuesOf(needs.ask, question, frame, request.breakdown, entities)
  requireLine(line, values)
  const isPrevious = textParameter(query, 'compare_label') === 'previous'
  const periods = periodsOf(frame, { ...request, compare: isPrevious })
  const period = periods.at(-1) as Period
  const point = readPoint(query, 'point', period.startsMs, frame.zone)
  const series = entities[order] as Series
  const shape: TrendShape = {
    startsMs: pointsOf(period, request.shape, series),
    firstOnly: false,
    breakdown: request.breakdown === null || values === null ? null : { by: request.breakdown, values },
  }
  return {
    sql: (bindings) => peopleSql(period, request, series, shape, point, line, bindings),
    groupTypeIndex: series.counts.kind === 'unique_group' ? series.counts.index : request.groupTypeIndex,
  }
}

/** Columns of an event's place in the order of all. */
const WHEN = ['toUnixTimestamp64Milli(event_time) AS time_ms', 'src_partition', 'src_offset'] as const

function peopleSql(
  period: Period,
  request: TrendRequest,
  series: Series,
  shape: TrendShape,
  point: number | null,
  line: LineAsked | null,
  bindings: Bindings,
): string {
  const { frame } = period
  const range = rangeOf(period, request, series, point)
  const { counts } = series
  const isLine = line === null ? '' : lineCondition(line, shape, bindings)
  if (counts.kind === 'first_time') {
    const firsts = firstTimesSql(frame, series, counts.matching, shape, bindings)
    const within = `time_ms >= ${bindings.bind(range.fromMs, 'Int64')} AND time_ms < ${bindings.bind(range.toMs, 'Int64')}`
    return `SELECT subject AS actor, 1 AS amount FROM (${firsts}) WHERE ${within}${isLine}`
  }
  const { columns, joins } = rowColumns(frame, { ...shape, startsMs: [range.fromMs] }, bindings)
  const subject = subjectSql(counts, frame, bindings)
  const who = counts.kind === 'unique_group' ? [] : [`${actorSql(frame, bindings)} AS acting`]
  const isSessions = counts.kind === 'unique_session'
  const rows = eventRowsSql(
    frame,
    {
      ...range,
      columns: [...columns.slice(1), ...who, ...subject.columns, ...(isSessions ? WHEN : [])],
      joins: [...joins, ...subject.joins],
      entities: [series],
    },
    bindings,
  )
  if (isSessions)
    return (
      'SELECT actor, count() AS amount FROM (SELECT subject, ' +
      `argMin(acting, (acting = '', time_ms, src_partition, src_offset)) AS actor FROM (${rows}) ` +
      `WHERE ${subject.isThere}${isLine} GROUP BY subject) GROUP BY actor`
    )
  const actor = counts.kind === 'unique_group' ? 'subject' : 'acting'
  return `SELECT ${actor} AS actor, ${amountSql(series)} AS amount FROM (${rows}) WHERE 1${isLine} GROUP BY actor`
}

/** What an actor adds. Of percentiles and averages nobody adds anything, so events are counted. */
function amountSql({ counts }: Series): string {
  if (counts.kind === 'dau' || counts.kind === 'active' || counts.kind === 'unique_group')
    return 'toUInt64(1)'
  return counts.kind === 'property' && counts.aggregate === 'sum' ? 'ifNull(sum(number), 0)' : 'count()'
}

function lineCondition(line: LineAsked, shape: TrendShape, bindings: Bindings): string {
  if (shape.breakdown === null) return ''
  const slot = slotSql('value', shape.breakdown.values, bindings)
  return ` AND ${slot} = ${bindings.bind(line.isOther ? OTHER_SLOT : OWN_SLOT + line.value, 'String')}`
}

/** Times whose events count for a point: its own, those since the range's start when points add up, or a window of days. */
function rangeOf(
  { frame, startsMs }: Period,
  { shape, interval }: TrendRequest,
  { counts }: Series,
  point: number | null,
): { readonly fromMs: number; readonly toMs: number } {
  if (counts.kind === 'active') {
    const start = startsMs[point ?? startsMs.length - 1] as number
    return {
      fromMs: addIntervals(start, 'day', 1 - counts.days, frame.zone) + 1,
      toMs: Math.min(frame.toMs, addIntervals(start, 'day', 1, frame.zone) + 1),
    }
  }
  if (point === null || shape === 'aggregate') return { fromMs: frame.fromMs, toMs: frame.toMs }
  const start = startsMs[point] as number
  return {
    fromMs: shape === 'cumulative' ? frame.fromMs : Math.max(frame.fromMs, start),
    toMs: Math.min(frame.toMs, startsMs[point + 1] ?? afterInterval(start, interval, frame.zone)),
  }
}
