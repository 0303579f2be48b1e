import type { Bindings } from '../query/bindings.ts'
import { propertySql } from '../query/event-properties.ts'
import { groupKeySql } from '../query/group-rows.ts'
import { sessionPropertySql, sessionRowsSql } from '../query/session-properties.ts'
import { activeSql } from './active-actors-sql.ts'
import { actorSql, eventRowsSql, isSomebodySql } from './event-rows.ts'
import { expressionSql } from './expression-math.ts'
import { firstTimeSql } from './first-times-sql.ts'
import { counting, type Frame, filterScope } from './frame.ts'
import { AGGREGATES, type SeriesMath } from './series-math.ts'
import { linesSql, rowColumns, type Series, type TrendShape } from './trend-shape.ts'

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
  if (counts.kind === 'expression') return expressionSql(asked, series, counts.expression, shape, bindings)
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
