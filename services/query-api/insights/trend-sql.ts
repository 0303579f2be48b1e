import type { Bindings } from '../query/bindings.ts'
import { propertySql } from '../query/event-properties.ts'
import { filterSql } from '../query/filter-sql.ts'
import { groupKeySql } from '../query/group-rows.ts'
import { NO_FILTERS } from '../query/property-filters.ts'
import { sessionPropertySql, sessionRowsSql } from '../query/session-properties.ts'
import { addIntervals } from '../query/zoned-time.ts'
import type { Breakdown } from './breakdown.ts'
import { type BreakdownValues, breakdownSql, lineSql } from './breakdown-sql.ts'
import { actorSql, eventRowsSql, isSomebodySql } from './event-rows.ts'
import { counting, type Entity, type Frame, filterScope } from './frame.ts'
import { AGGREGATES, type SeriesMath } from './series-math.ts'

export interface Series extends Entity {
  readonly math: string
  readonly counts: SeriesMath
}

/** How the points of a trend are made. */
export interface TrendShape {
  /**
   * Starts of the points, ascending, the first one at or before the range's start. One point alone covers the whole
   * range, whatever its start.
   */
  readonly startsMs: readonly number[]
  /** Whether actors, groups and sessions count at the first point only at which they appear. */
  readonly firstOnly: boolean
  readonly breakdown: { readonly by: Breakdown; readonly values: BreakdownValues } | null
}

/** One row of the statement. Points and lines without events have none. */
export interface TrendRecord {
  readonly start_ms: string | number
  readonly line: string
  readonly is_other: number
  readonly amount: string | number
}

/** Numbers per point and line of one series: rows of {@link TrendRecord}. */
export function trendSql(asked: Frame, series: Series, shape: TrendShape, bindings: Bindings): string {
  const frame = counting(asked)
  const { counts } = series
  if (counts.kind === 'active') return activeSql(frame, series, counts.days, shape, bindings)
  if (counts.kind === 'first_time') return firstTimeSql(frame, series, counts.matching, shape, bindings)
  const { columns, joins } = rowColumns(frame, shape, bindings)
  const subject = subjectSql(counts, frame, bindings)
  const rows = eventRowsSql(
    frame,
    {
      fromMs: frame.fromMs,
      toMs: frame.toMs,
      columns: [...columns, ...subject.columns],
      joins: [...joins, ...subject.joins],
      entities: [series],
    },
    bindings,
  )
  const lines = linesSql(shape, bindings)
  switch (counts.kind) {
    case 'total':
      return `SELECT start_ms, ${lines}, count() AS amount FROM (${rows}) GROUP BY start_ms, line, is_other`
    case 'property':
      return (
        `SELECT start_ms, ${lines}, ${aggregateSql(AGGREGATES[counts.aggregate], 'number')} AS amount ` +
        `FROM (${rows}) GROUP BY start_ms, line, is_other`
      )
    case 'per_actor':
      return (
        `SELECT start_ms, line, is_other, ${aggregateSql(AGGREGATES[counts.aggregate], 'events')} AS amount ` +
        `FROM (SELECT start_ms, ${lines}, subject, count() AS events FROM (${rows}) ` +
        `WHERE ${subject.isThere} GROUP BY start_ms, line, is_other, subject) GROUP BY start_ms, line, is_other`
      )
    case 'session_duration':
      return (
        `SELECT start_ms, line, is_other, ${aggregateSql(AGGREGATES[counts.aggregate], 'seconds')} AS amount ` +
        `FROM (SELECT start_ms, ${lines}, subject, any(number) AS seconds FROM (${rows}) ` +
        `WHERE ${subject.isThere} GROUP BY start_ms, line, is_other, subject) GROUP BY start_ms, line, is_other`
      )
    case 'dau':
    case 'unique_group':
    case 'unique_session':
      if (!shape.firstOnly)
        return (
          `SELECT start_ms, ${lines}, uniqExactIf(subject, ${subject.isThere}) AS amount ` +
          `FROM (${rows}) GROUP BY start_ms, line, is_other`
        )
      return (
        'SELECT first_ms AS start_ms, line, is_other, count() AS amount ' +
        `FROM (SELECT min(start_ms) AS first_ms, ${lines}, subject FROM (${rows}) ` +
        `WHERE ${subject.isThere} GROUP BY line, is_other, subject) GROUP BY start_ms, line, is_other`
      )
  }
}

/** Millisecond at which the point begins that an event belongs to. */
export function startMsSql(startsMs: readonly number[], bindings: Bindings): string {
  const [only] = startsMs
  if (startsMs.length === 1 && only !== undefined) return `toInt64(${bindings.bind(only, 'Int64')})`
  return `roundDown(toUnixTimestamp64Milli(event_time), ${bindings.bind(startsMs, 'Array(Int64)')})`
}

/** Columns that every statement needs: `start_ms` and, with a breakdown, `value`. */
export function rowColumns(frame: Frame, shape: TrendShape, bindings: Bindings) {
  const columns = [`${startMsSql(shape.startsMs, bindings)} AS start_ms`]
  if (shape.breakdown === null) return { columns, joins: [] }
  const { value, joins } = breakdownSql(shape.breakdown.by, frame, bindings)
  return { columns: [...columns, `${value} AS value`], joins }
}

/** The columns `line, is_other` over rows that {@link rowColumns} made. */
function linesSql({ breakdown }: TrendShape, bindings: Bindings): string {
  return breakdown === null ? "'' AS line, 0 AS is_other" : lineSql('value', breakdown.values, bindings)
}

/** A number that may be missing in every row, and need not be one. */
function aggregateSql(aggregate: string, number: string): string {
  const amount = `ifNull(${aggregate}(${number}), 0)`
  return `if(isFinite(${amount}), ${amount}, 0)`
}

/** `subject`: whom a series counts, and whether that is somebody; `number`: what it computes with. */
export function subjectSql(
  counts: SeriesMath,
  frame: Frame,
  bindings: Bindings,
): { readonly columns: readonly string[]; readonly joins: readonly string[]; readonly isThere: string } {
  const isThere = "subject != ''"
  switch (counts.kind) {
    case 'total':
      return { columns: [], joins: [], isThere }
    case 'property': {
      const text = propertySql(counts.key, bindings.bind(counts.key, 'String')).text
      return {
        columns: [`toFloat64OrNull(${text}) AS parsed, if(isFinite(parsed), parsed, NULL) AS number`],
        joins: [],
        isThere,
      }
    }
    case 'unique_group':
      return {
        columns: [`${groupKeySql(frame.dataset, counts.index, bindings)} AS subject`],
        joins: [],
        isThere,
      }
    case 'unique_session':
      return { columns: ["ifNull(session_id, '') AS subject"], joins: [], isThere }
    case 'session_duration': {
      const rows = sessionRowsSql(filterScope(frame, bindings), sessionPropertySql('$session_duration'))
      return {
        columns: ["ifNull(session_id, '') AS subject", 'toFloat64OrNull(durations.session_value) AS number'],
        joins: [`LEFT ANY JOIN (${rows}) AS durations ON ifNull(session_id, '') = durations.session_key`],
        isThere,
      }
    }
    default:
      return {
        columns: [`${actorSql(frame, bindings)} AS subject`],
        joins: [],
        isThere: isSomebodySql(frame, 'subject'),
      }
  }
}

/**
 * Actors of a stretch of days around every point. Windows overlap, so they are cut at all their borders: an actor is
 * kept once per piece, and every piece knows its points, which follow one another.
 */
function activeSql(
  frame: Frame,
  series: Series,
  days: number,
  shape: TrendShape,
  bindings: Bindings,
): string {
  const pieces = activePieces(frame, shape.startsMs, days)
  const { columns, joins } = rowColumns(frame, shape, bindings)
  const edges = bindings.bind(pieces.edgesMs, 'Array(Int64)')
  const piece = `roundDown(toUnixTimestamp64Milli(event_time), ${edges}) AS piece`
  const rows = eventRowsSql(
    frame,
    {
      fromMs: pieces.edgesMs[0] as number,
      toMs: frame.toMs,
      columns: [...columns.slice(1), piece, `${actorSql(frame, bindings)} AS subject`],
      joins,
      entities: [series],
    },
    bindings,
  )
  const first = `arrayMap(p -> transform(p, ${edges}, ${bindings.bind(pieces.firstPoint, 'Array(Int64)')}), pieces)`
  const end = `arrayMap(p -> transform(p, ${edges}, ${bindings.bind(pieces.endPoint, 'Array(Int64)')}), pieces)`
  const fresh =
    'arrayMap((f, e, before) -> range(greatest(f, before), greatest(e, before)), firsts, ends, befores)'
  const starts = bindings.bind(shape.startsMs, 'Array(Int64)')
  return (
    `SELECT ${starts}[point + 1] AS start_ms, line, is_other, count() AS amount FROM (` +
    `SELECT line, is_other, arraySort(groupUniqArray(piece)) AS pieces, ${first} AS firsts, ${end} AS ends, ` +
    'arrayPushFront(arrayPopBack(ends), 0) AS befores, ' +
    `arrayJoin(arrayFlatten(${fresh})) AS point ` +
    `FROM (SELECT ${linesSql(shape, bindings)}, piece, subject FROM (${rows}) WHERE ${isSomebodySql(frame, 'subject')}) ` +
    'GROUP BY line, is_other, subject) GROUP BY start_ms, line, is_other'
  )
}

/**
 * The windows `(d − (days − 1) days, d + 1 day]` of the points d, cut at their borders.
 *
 * @returns per piece its first millisecond, and the points `[firstPoint, endPoint)` whose windows hold it
 */
export function activePieces(frame: Pick<Frame, 'zone'>, startsMs: readonly number[], days: number) {
  const windows = startsMs.map((ms) => ({
    fromMs: addIntervals(ms, 'day', 1 - days, frame.zone) + 1,
    toMs: addIntervals(ms, 'day', 1, frame.zone) + 1,
  }))
  const edgesMs = [...new Set(windows.flatMap(({ fromMs, toMs }) => [fromMs, toMs]))].sort((a, b) => a - b)
  return {
    edgesMs,
    firstPoint: edgesMs.map((edge) => windows.filter(({ toMs }) => toMs <= edge).length),
    endPoint: edgesMs.map((edge) => windows.filter(({ fromMs }) => fromMs <= edge).length),
  }
}

/** Actors at the point of their first event of the series in all that is stored. */
function firstTimeSql(
  frame: Frame,
  series: Series,
  matching: boolean,
  shape: TrendShape,
  bindings: Bindings,
): string {
  const firsts = firstTimesSql(frame, series, matching, shape, bindings)
  return (
    `SELECT start_ms, ${linesSql(shape, bindings)}, count() AS amount FROM (${firsts}) ` +
    `WHERE time_ms >= ${bindings.bind(frame.fromMs, 'Int64')} GROUP BY start_ms, line, is_other`
  )
}

/**
 * A row per actor whose first event ever passes the filters: `subject, time_ms, start_ms, value`.
 *
 * @param matching whether the first event is the first one that passes them, or the first one of its name
 */
export function firstTimesSql(
  frame: Frame,
  series: Series,
  matching: boolean,
  shape: TrendShape,
  bindings: Bindings,
): string {
  const { columns, joins } = rowColumns(frame, shape, bindings)
  const scope = filterScope(frame, bindings)
  const passes = matching
    ? '1'
    : `(${filterSql(frame.filters, scope)} AND ${filterSql(series.filters, scope)})`
  const rows = eventRowsSql(
    matching ? frame : { ...frame, filters: NO_FILTERS },
    {
      fromMs: null,
      toMs: frame.toMs,
      columns: [
        ...columns,
        ...(shape.breakdown === null ? ["'' AS value"] : []),
        `${actorSql(frame, bindings)} AS subject`,
        'toUnixTimestamp64Milli(event_time) AS time_ms',
        `${passes} AS passes`,
        '(event_time, src_partition, src_offset) AS place',
      ],
      joins,
      entities: [matching ? series : { ...series, filters: NO_FILTERS }],
    },
    bindings,
  )
  // A person is in several cohorts at once.
  const per = shape.breakdown?.by.by === 'cohorts' ? ', value' : ''
  const firsts =
    'SELECT subject, argMin((start_ms, value, time_ms, passes), place) AS first ' +
    `FROM (${rows}) WHERE ${isSomebodySql(frame, 'subject')} GROUP BY subject${per}`
  return (
    'SELECT subject, first.1 AS start_ms, first.2 AS value, first.3 AS time_ms ' +
    `FROM (${firsts}) WHERE first.4`
  )
}
