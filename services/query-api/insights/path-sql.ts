import type { Bindings } from '../query/bindings.ts'
import { propertySql } from '../query/event-properties.ts'
import { PAGE_VIEW_EVENTS } from '../query/session-properties.ts'
import { eventTextSql } from '../sql/event-expression.ts'
import { actorSql, eventRowsSql, isSomebodySql, orderedSql } from './event-rows.ts'
import { counting, type Frame, filterScope } from './frame.ts'
import { bestRunsSql } from './funnel-answers-sql.ts'
import type { Funnel } from './funnel-sql.ts'
import type { PathRequest, PathsAroundFunnel } from './path-request.ts'

/** Without an event for longer than this, a path ends and another one begins. */
export const PATH_GAP_MS = 30 * 60_000
/** What stands for the middle of a path that has a start and an end. */
export const MIDDLE = '...'

/** Paths of a question, with the funnel that they lie around looked up. */
export interface Paths extends Omit<PathRequest, 'around'> {
  readonly around:
    | (Pick<PathsAroundFunnel, 'side' | 'step'> & { readonly frame: Frame; readonly funnel: Funnel })
    | null
  /** Rules whose expression the engine cannot compile replace nothing. */
  readonly invalidPatterns: ReadonlySet<string>
}

export interface EdgeRecord {
  readonly source: string
  readonly target: string
  readonly value: number | string
  readonly average_ms: number
}

/** The edges of all paths, the heaviest first: how many paths have it, and how long it took. */
export function pathEdgesSql(frame: Frame, paths: Paths, bindings: Bindings): string {
  const { minWeight, maxWeight, edgeLimit } = paths
  const most = maxWeight === null ? '' : ` AND value <= ${bindings.bind(maxWeight, 'UInt64')}`
  return (
    "SELECT concat(toString(edge.1), '_', edge.2) AS source, concat(toString(edge.1 + 1), '_', edge.3) AS target, " +
    'count() AS value, avg(edge.4) AS average_ms ' +
    `FROM (${pathRowsSql(counting(frame), paths, bindings)}) ARRAY JOIN ${EDGES} AS edge ` +
    `GROUP BY edge.1, edge.2, edge.3 HAVING value >= ${bindings.bind(minWeight, 'UInt64')}${most} ` +
    `ORDER BY value DESC, source ASC, target ASC LIMIT ${bindings.bind(edgeLimit, 'UInt64')}`
  )
}

/** `(number of the first, first, second, milliseconds)` of every two stops of a path that follow one another. */
const EDGES =
  'arrayMap((from, to, n) -> (n, from.2, to.2, to.1 - from.1), ' +
  'arrayPopBack(stops), arrayPopFront(stops), arrayEnumerate(arrayPopBack(stops)))'

/** A row per path: `actor`, and `stops`, an array of `(time in ms, item)`. */
export function pathRowsSql(frame: Frame, paths: Paths, bindings: Bindings): string {
  const rows = eventRowsSql(
    frame,
    {
      fromMs: frame.fromMs,
      toMs: frame.toMs,
      columns: [
        `${actorSql(frame, bindings)} AS actor`,
        'toUnixTimestamp64Milli(event_time) AS time_ms',
        'src_partition',
        'src_offset',
        `${itemSql(frame, paths, bindings)} AS item`,
      ],
      entities: null,
      where: [includedSql(paths, bindings)],
    },
    bindings,
  )
  const kept = [isSomebodySql(frame, 'actor'), "item != ''", ...excludedSql(paths, bindings)]
  const source = paths.around === null ? rows : aroundFunnelSql(rows, frame, paths.around, bindings)
  const events =
    `SELECT actor, ${orderedSql('time_ms', 'src_partition', 'src_offset', 'item')} AS happened ` +
    `FROM (${source}) WHERE ${kept.join(' AND ')} GROUP BY actor`
  const isNewPath =
    `arrayMap((event, before) -> before.1 != 0 AND event.1 - before.1 > ${PATH_GAP_MS}, happened, ` +
    "arrayPushFront(arrayPopBack(happened), (toInt64(0), toInt64(0), toInt64(0), '')))"
  const visits =
    'SELECT actor, arrayMap(event -> (event.1, event.4), visit) AS visited ' +
    `FROM (${events}) ARRAY JOIN arraySplit((event, cut) -> cut, happened, ${isNewPath}) AS visit`
  const collapsed =
    'SELECT actor, arrayFilter((stop, next) -> stop.2 != next.2 OR next.1 = 0, visited, ' +
    "arrayPushBack(arrayPopFront(visited), (toInt64(0), ''))) AS path " +
    `FROM (${visits})`
  return `SELECT actor, ${cutSql(paths, bindings)} AS stops FROM (${collapsed}) WHERE notEmpty(stops)`
}

/** What stops are called, by the question's own expression or by their type. */
function itemSql(frame: Frame, paths: Paths, bindings: Bindings): string {
  const { replacements, groupings, invalidPatterns, stopExpression } = paths
  let item =
    stopExpression === null
      ? typeItemSql(bindings)
      : eventTextSql(stopExpression, filterScope(frame, bindings))
  for (const { regex, alias } of replacements) {
    if (invalidPatterns.has(regex)) continue
    const literal = bindings.bind(alias, 'String')
    item = `replaceRegexpAll(${item}, ${bindings.bind(regex, 'String')}, ${literal})`
  }
  if (groupings.length === 0) return item
  const grouped = groupings.map(
    (pattern) =>
      `match(cleaned, ${bindings.bind(wildcard(pattern), 'String')}), ${bindings.bind(pattern, 'String')}`,
  )
  return `arrayMap(cleaned -> multiIf(${grouped.join(', ')}, cleaned), [${item}])[1]`
}

/** Page views are called by their address without slashes at its end, screens by their name, others by theirs. */
function typeItemSql(bindings: Bindings): string {
  const text = (key: string) => propertySql(key, bindings.bind(key, 'String')).text
  const url = text('$current_url')
  return (
    `multiIf(event IN (${PAGE_VIEWS}), if(length(${url}) > 1, trim(TRAILING '/' FROM ${url}), ${url}), ` +
    `event = '$screen', ${text('$screen_name')}, event)`
  )
}

const PAGE_VIEWS = PAGE_VIEW_EVENTS.map((name) => `'${name}'`).join(', ')

/** The whole text, `*` for anything in it. */
function wildcard(pattern: string): string {
  return `^(?s:${pattern
    .split('*')
    .map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'))
    .join('.*')})$`
}

/** Every event may have a name by an expression; beside it types say whose names are asked for. */
function includedSql({ types, customEvents, stopExpression }: Paths, bindings: Bindings): string {
  const isDefault = types.every((type) => type === 'hogql') && customEvents.length === 0
  if (isDefault && stopExpression !== null) return '1'
  const conditions = []
  if (isDefault || types.includes('$pageview')) conditions.push(`event IN (${PAGE_VIEWS})`)
  if (isDefault || types.includes('$screen')) conditions.push("event = '$screen'")
  if (isDefault || types.includes('custom_event'))
    conditions.push(`(NOT startsWith(event, '$') AND event NOT IN (${PAGE_VIEWS}))`)
  if (customEvents.length > 0) conditions.push(`event IN (${bindings.bind(customEvents, 'Array(String)')})`)
  return `(${conditions.join(' OR ')})`
}

function excludedSql({ exclude }: Paths, bindings: Bindings): string[] {
  return exclude.map((pattern) => `NOT match(item, ${bindings.bind(wildcard(pattern), 'String')})`)
}

/** From the start point, to the end point, and no more steps than asked for; empty for a path that has not both. */
function cutSql({ start, end, stepLimit }: Paths, bindings: Bindings): string {
  const indexOf = (path: string, point: string) =>
    `indexOf(arrayMap(stop -> stop.2, ${path}), ${bindings.bind(point, 'String')})`
  let path = 'path'
  if (start !== null) path = `if((${indexOf('path', start)} AS begins) = 0, [], arraySlice(path, begins))`
  if (end === null) return `arraySlice(${path}, 1, ${stepLimit})`
  path = `(arraySlice((${path} AS begun), 1, ${indexOf('begun', end)}) AS whole)`
  if (start === null) return `arraySlice(${path}, -${stepLimit})`
  const head = Math.floor(stepLimit / 2)
  const tail = stepLimit - 1 - head
  return (
    `if(length(${path}) <= ${stepLimit}, whole, arrayConcat(arraySlice(whole, 1, ${head}), ` +
    `[(whole[length(whole) - ${tail}].1, '${MIDDLE}')], arraySlice(whole, -${tail})))`
  )
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
  const reached = step > 0 ? `level >= ${step}` : `level = ${-step - 1}`
  const at = step > 0 ? step : -step - 1
  const bounds =
    `SELECT actor AS bound_actor, best[1].2[${at}] AS at_ms, best[1].2[${at - 1}] AS before_ms ` +
    `FROM (${bestRunsSql(frame, funnel, bindings)}) WHERE ${reached}`
  const isWithin = {
    funnel_path_before_step: 'time_ms <= at_ms',
    funnel_path_between_steps: 'time_ms >= before_ms AND time_ms <= at_ms',
    funnel_path_after_step: 'time_ms >= at_ms',
  }[side]
  return (
    'SELECT actor, time_ms, src_partition, src_offset, item ' +
    `FROM (${rows}) AS visited INNER JOIN (${bounds}) AS bounds ON visited.actor = bounds.bound_actor WHERE ${isWithin}`
  )
}
