import type { Bindings } from '../query/bindings.ts'
import { eventOrder } from './event-order.ts'
import { actorSql, isSomebodySql } from './event-rows.ts'
import { counting, type Frame } from './frame.ts'
import { bestRunsSql } from './funnel-answers-sql.ts'
import { lastReached } from './path-request.ts'
import { MIDDLE, namedEventsSql, type Paths, stopEventsSql, stopSql } from './path-stops-sql.ts'

/** Without an event for longer than this, a path ends and another one begins. */
export const PATH_GAP_MS = 30 * 60_000

/** An edge as statements have it: the number of its first stop in the path, and its two stops. */
export interface EdgeRecord {
  readonly n: number
  /** {@link stopSql} as text; the name where names were asked for. */
  readonly source: string
  readonly target: string
  readonly value: number | string
  readonly average_ms: number
  /** When its second stop was first come to on a path, epoch ms. */
  readonly first_ms: number | string
}

export interface StopName {
  readonly stop: string
  readonly name: string
}

/** Edges as heavy as the last one of an answer that are read beyond it. */
export const TIES_MAX = 1_000

/** The heaviest edges of all paths by the numbers of their stops, {@link TIES_MAX} more than asked for. */
export function pathEdgesSql(frame: Frame, paths: Paths, bindings: Bindings): string {
  return (
    'SELECT n, toString(source_stop) AS source, toString(target_stop) AS target, value, average_ms, first_ms ' +
    `FROM (${edgesSql(frame, paths, bindings)}) ` +
    `ORDER BY value DESC LIMIT ${bindings.bind(paths.edgeLimit + TIES_MAX, 'UInt64')}`
  )
}

/** As many edges as asked for, the heaviest first, and of equal ones those that come first by name. */
export function namedPathEdgesSql(frame: Frame, paths: Paths, bindings: Bindings): string {
  const names = `SELECT stop, any(name) AS name FROM (${stopsSql(frame, paths, frame.toMs, bindings)}) GROUP BY stop`
  return (
    'SELECT n, sources.name AS source, targets.name AS target, value, average_ms, first_ms ' +
    `FROM (${edgesSql(frame, paths, bindings)}) AS edges ` +
    `LEFT ANY JOIN (${names}) AS sources ON edges.source_stop = sources.stop ` +
    `LEFT ANY JOIN (${names}) AS targets ON edges.target_stop = targets.stop ` +
    "ORDER BY value DESC, concat(toString(n), '_', source) ASC, target ASC " +
    `LIMIT ${bindings.bind(paths.edgeLimit, 'UInt64')}`
  )
}

/**
 * What these stops are called.
 *
 * @param seenByMs when each of them had been there, epoch ms: nothing later is read
 */
export function stopNamesSql(
  frame: Frame,
  paths: Paths,
  stops: readonly string[],
  seenByMs: number,
  bindings: Bindings,
): string {
  return (
    `SELECT DISTINCT toString(stop) AS stop, name FROM (${stopsSql(frame, paths, seenByMs + 1, bindings)}) ` +
    `WHERE stop IN (SELECT toUInt64(arrayJoin(${bindings.bind(stops, 'Array(String)')}))) ` +
    `LIMIT ${bindings.bind(stops.length, 'UInt64')}`
  )
}

/** A row per edge: how many paths have it, how long it took, and when it was first gone. */
function edgesSql(frame: Frame, paths: Paths, bindings: Bindings): string {
  const { minWeight, maxWeight, samplingFactor } = paths
  // Weights are bounds of what is answered, to which a sample is scaled up.
  const weight = `value / ${bindings.bind(samplingFactor, 'Float64')}`
  const most = maxWeight === null ? '' : ` AND ${weight} <= ${bindings.bind(maxWeight, 'UInt64')}`
  return (
    'SELECT n, source_stop, target_stop, count() AS value, avg(took) AS average_ms, min(came_at) AS first_ms ' +
    `FROM (${pathRowsSql(counting(frame), paths, bindings)}) ARRAY JOIN arrayEnumerate(arrayPopBack(stops)) AS n, ` +
    'arrayPopBack(stops) AS source_stop, arrayPopFront(stops) AS target_stop, ' +
    'arrayPopFront(arrayDifference(times)) AS took, arrayPopFront(times) AS came_at ' +
    `GROUP BY n, source_stop, target_stop HAVING ${weight} >= ${bindings.bind(minWeight, 'UInt64')}${most}`
  )
}

/**
 * A row per path: `actor`, `stops`, an array of {@link stopSql}, and `times`, an array of epoch
 * milliseconds. Arrays of numbers alone: an array of pairs, or of texts, costs several times as much.
 */
export function pathRowsSql(frame: Frame, paths: Paths, bindings: Bindings): string {
  const columns = [
    `${actorSql(frame, bindings)} AS actor`,
    'toUnixTimestamp64Milli(event_time) AS time_ms',
    'src_partition',
    'src_offset',
  ]
  const rows = stopEventsSql(frame, paths, columns, bindings)
  const source = paths.around === null ? rows : aroundFunnelSql(rows, frame, paths.around, bindings)
  const { key, times } = eventOrder(frame, null, bindings)
  const events = `SELECT actor, ${key} AS at, stop FROM (${source}) WHERE ${isSomebodySql(frame, 'actor')}`
  const happened =
    `SELECT actor, ${times('arraySort(groupArray(at) AS all_at)')} AS all_times, ` +
    `arraySort((stop, at) -> at, groupArray(stop), all_at) AS all_stops FROM (${events}) GROUP BY actor`
  const isNewPath = `arrayMap(gap -> gap > ${PATH_GAP_MS}, arrayDifference(all_times))`
  const visits =
    `SELECT actor, visit_times, visit_stops FROM (SELECT actor, all_times, all_stops, ${isNewPath} AS cuts FROM (${happened})) ` +
    'ARRAY JOIN arraySplit((time, cut) -> cut, all_times, cuts) AS visit_times, ' +
    'arraySplit((stop, cut) -> cut, all_stops, cuts) AS visit_stops'
  const isLeft =
    'arrayMap((stop, next) -> stop != next, visit_stops, ' +
    'arrayPushBack(arrayPopFront(visit_stops), bitNot(visit_stops[-1])))'
  const collapsed =
    'SELECT actor, arrayFilter((time, left) -> left, visit_times, leaves) AS path_times, ' +
    'arrayFilter((stop, left) -> left, visit_stops, leaves) AS path_stops ' +
    `FROM (SELECT actor, visit_times, visit_stops, ${isLeft} AS leaves FROM (${visits}))`
  return cutSql(collapsed, paths, bindings)
}

/** `stop` and `name` of every event that is one, and of the middle of a path. */
function stopsSql(frame: Frame, paths: Paths, toMs: number, bindings: Bindings): string {
  return (
    `SELECT ${stopSql('item')} AS stop, item AS name FROM (${namedEventsSql(frame, paths, { toMs, columns: [] }, bindings)}) ` +
    `UNION ALL SELECT ${stopSql(`'${MIDDLE}'`)}, '${MIDDLE}'`
  )
}

/**
 * From the start point, to the end point, and no more steps than asked for; paths that have not both are left out.
 *
 * @param paths a SELECT of `actor`, `path_times` and `path_stops`
 */
function cutSql(paths: string, { start, end, stepLimit }: Paths, bindings: Bindings): string {
  const fromPoint: Slice = (array) => `arraySlice(${array}, found)`
  const toPoint: Slice = (array) => `arraySlice(${array}, 1, found)`
  const begun = start === null ? paths : pointSql(paths, start, fromPoint, bindings)
  if (end === null) return slicedSql(begun, (array) => `arraySlice(${array}, 1, ${stepLimit})`)
  const whole = pointSql(begun, end, toPoint, bindings)
  if (start === null) return slicedSql(whole, (array) => `arraySlice(${array}, -${stepLimit})`)
  const head = Math.floor(stepLimit / 2)
  const tail = stepLimit - 1 - head
  return slicedSql(whole, (array) => {
    const last = `arraySlice(${array}, -${tail})`
    const middle = array === 'path_times' ? `${array}[length(${array}) - ${tail}]` : stopSql(`'${MIDDLE}'`)
    const cut = `arrayConcat(arraySlice(${array}, 1, ${head}), [${middle}], ${last})`
    return `if(length(${array}) <= ${stepLimit}, ${array}, ${cut})`
  })
}

/** Expression over one of the two arrays of a path. */
type Slice = (array: 'path_times' | 'path_stops') => string

/** What is left of the two arrays of each path, under their names in the result. */
function slicedSql(paths: string, slice: Slice): string {
  return `SELECT actor, ${slice('path_times')} AS times, ${slice('path_stops')} AS stops FROM (${paths})`
}

/** Paths with a stop of this name, cut where it is `found` first. */
function pointSql(paths: string, point: string, slice: Slice, bindings: Bindings): string {
  const found = `indexOf(path_stops, ${stopSql(bindings.bind(point, 'String'))}) AS found`
  const cut = slicedSql(
    `SELECT actor, path_times, path_stops, ${found} FROM (${paths}) WHERE found > 0`,
    slice,
  )
  return `SELECT actor, times AS path_times, stops AS path_stops FROM (${cut})`
}

/** Events of people of a funnel on one side of its steps; of their best runs the first one. */
function aroundFunnelSql(
  rows: string,
  { countsOnly }: Frame,
  around: NonNullable<Paths['around']>,
  bindings: Bindings,
): string {
  const { funnel, side, step } = around
  const frame = { ...around.frame, countsOnly }
  const at = lastReached(step)
  const reached = `level ${step > 0 ? '>=' : '='} ${at}`
  const bounds =
    `SELECT actor AS bound_actor, best[1].2[${at}] AS at_ms, best[1].2[${at - 1}] AS before_ms ` +
    `FROM (${bestRunsSql(frame, funnel, bindings)}) WHERE ${reached}`
  const isWithin = {
    funnel_path_before_step: 'time_ms <= at_ms',
    funnel_path_between_steps: 'time_ms >= before_ms AND time_ms <= at_ms',
    funnel_path_after_step: 'time_ms >= at_ms',
  }[side]
  return (
    'SELECT actor, time_ms, src_partition, src_offset, stop ' +
    `FROM (${rows}) AS visited INNER JOIN (${bounds}) AS bounds ON visited.actor = bounds.bound_actor WHERE ${isWithin}`
  )
}
