import type { Bindings } from '../query/bindings.ts'
import { filterSql } from '../query/filter-sql.ts'
import { NO_FILTERS } from '../query/property-filters.ts'
import { actorSql, eventRowsSql, isSomebodySql } from './event-rows.ts'
import { type Frame, filterScope } from './frame.ts'
import { linesSql, rowColumns, type Series, type TrendShape } from './trend-shape.ts'

/** Actors at the point of their first event of the series in all that is stored. */
export function firstTimeSql(
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
