import type { Bindings } from '../query/bindings.ts'
import { propertySql } from '../query/event-properties.ts'
import { PAGE_VIEW_EVENTS } from '../query/session-properties.ts'
import { STOP_HASH } from '../query/stored-events.ts'
import { eventTextSql } from '../sql/event-expression.ts'
import { eventRowsSql, type RowsWanted } from './event-rows.ts'
import { type Frame, filterScope } from './frame.ts'
import type { Funnel } from './funnel-sql.ts'
import type { PathEventType, PathRequest, PathsAroundFunnel } from './path-request.ts'

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

/** A number for what a stop is called; of a million stops two have the same one in one of 30 million datasets. */
export function stopSql(name: string): string {
  return `sipHash64(${name})`
}

/**
 * Events that are stops, with the columns and `stop`, their {@link stopSql}. Where nothing in the question changes what
 * events are called, it is read as it is stored.
 *
 * @param columns expressions with an alias each, none of them `item`
 */
export function stopEventsSql(
  frame: Frame,
  paths: Paths,
  columns: readonly string[],
  bindings: Bindings,
): string {
  if (!isCalledAsStored(paths)) {
    const named = namedEventsSql(frame, paths, { toMs: frame.toMs, columns }, bindings)
    const kept = keptSql(paths, bindings).join(' AND ')
    return `SELECT * EXCEPT (item), ${stopSql('item')} AS stop FROM (${named}) WHERE ${kept}`
  }
  const asked = stopKinds(frame, paths, bindings).map(({ condition }) => condition)
  return eventRowsSql(
    frame,
    {
      fromMs: frame.fromMs,
      toMs: frame.toMs,
      columns: [...columns, `${STOP_HASH} AS stop`],
      entities: null,
      stored: [`${STOP_HASH} != 0`, `(${asked.join(' OR ')})`],
    },
    bindings,
  )
}

function isCalledAsStored({ stopExpression, replacements, groupings, exclude }: Paths): boolean {
  return stopExpression === null && [replacements, groupings, exclude].every((list) => list.length === 0)
}

/**
 * Events that may be stops, with the columns and `item`, what they are called. Those that are called alike are read
 * together, so that no column is read of events that are not called by it.
 */
export function namedEventsSql(
  frame: Frame,
  paths: Paths,
  { toMs, columns }: Pick<RowsWanted, 'toMs' | 'columns'>,
  bindings: Bindings,
): string {
  return stopKinds(frame, paths, bindings)
    .map(({ condition, name }) =>
      eventRowsSql(
        frame,
        {
          fromMs: frame.fromMs,
          toMs,
          columns: [...columns, `${calledSql(name, paths, bindings)} AS item`],
          entities: null,
          stored: [condition],
        },
        bindings,
      ),
    )
    .join(' UNION ALL ')
}

interface StopKind {
  /** On columns of `events`. */
  readonly condition: string
  /** What those events are called, text. */
  readonly name: string
}

/**
 * Page views are called by their address without slashes at its end, screens by their name, other events by theirs; all of
 * them by the question's own expression where it has one. Beside it, types and names say which events are asked for.
 */
function stopKinds(frame: Frame, paths: Paths, bindings: Bindings): readonly StopKind[] {
  const { types, customEvents, stopExpression } = paths
  const kinds = typeKinds(types, customEvents, bindings)
  if (stopExpression === null) return kinds
  const isAny = types.every((type) => type === 'hogql') && customEvents.length === 0
  const condition = isAny ? '1' : `(${kinds.map((kind) => kind.condition).join(' OR ')})`
  return [{ condition, name: eventTextSql(stopExpression, filterScope(frame, bindings)) }]
}

function typeKinds(
  types: Paths['types'],
  customEvents: Paths['customEvents'],
  bindings: Bindings,
): readonly StopKind[] {
  const isDefault = types.length === 0 && customEvents.length === 0
  const takes = (type: PathEventType) => isDefault || types.includes(type)
  const among = (names: readonly string[]) => `event IN (${bindings.bind(names, 'Array(String)')})`
  const kinds: StopKind[] = []
  const pages = PAGE_VIEW_EVENTS.filter((name) => takes('$pageview') || customEvents.includes(name))
  if (pages.length > 0) {
    const url = textSql('$current_url', bindings)
    kinds.push({
      condition: among(pages),
      name: `if(length(${url}) > 1, trim(TRAILING '/' FROM ${url}), ${url})`,
    })
  }
  if (takes('$screen') || customEvents.includes(SCREEN))
    kinds.push({ condition: among([SCREEN]), name: textSql('$screen_name', bindings) })
  const others = customEvents.filter((name) => name !== SCREEN && !isPageView(name))
  const conditions = others.length > 0 ? [among(others)] : []
  if (takes('custom_event'))
    conditions.push(`(NOT startsWith(event, '$') AND NOT ${among(PAGE_VIEW_EVENTS)})`)
  if (conditions.length > 0) kinds.push({ condition: `(${conditions.join(' OR ')})`, name: 'event' })
  return kinds
}

const SCREEN = '$screen'

function isPageView(name: string): boolean {
  return (PAGE_VIEW_EVENTS as readonly string[]).includes(name)
}

function textSql(key: string, bindings: Bindings): string {
  return propertySql(key, bindings.bind(key, 'String')).text
}

/** Parts of a name replaced, and what fits a pattern called by it. */
function calledSql(
  name: string,
  { replacements, groupings, invalidPatterns }: Paths,
  bindings: Bindings,
): string {
  let item = name
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

/** The whole text, `*` for anything in it. */
function wildcard(pattern: string): string {
  return `^(?s:${pattern
    .split('*')
    .map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'))
    .join('.*')})$`
}

/** Conditions on `item`. */
function keptSql({ exclude }: Paths, bindings: Bindings): string[] {
  const excluded = exclude.map((pattern) => `NOT match(item, ${bindings.bind(wildcard(pattern), 'String')})`)
  return ["item != ''", ...excluded]
}
