import type { Bindings } from '../query/bindings.ts'
import { addIntervals } from '../query/zoned-time.ts'
import { actorSql, eventRowsSql, isSomebodySql } from './event-rows.ts'
import type { Frame } from './frame.ts'
import { linesSql, rowColumns, type Series, type TrendShape } from './trend-shape.ts'

/**
 * Actors of a stretch of days around every point. Windows overlap, so they are cut at all their borders: an actor is
 * kept once per piece, and every piece knows its points, which follow one another.
 */
export function activeSql(
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
