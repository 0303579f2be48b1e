import { isPersonal } from '../../core/event/mask-pii.ts'
import type { Bindings } from '../query/bindings.ts'
import { eventViewRowsSql } from '../query/event-view-rows.ts'
import { Compilation, type Compiled } from '../sql/compilation.ts'
import { orderingSql } from '../sql/compile-call.ts'
import { compileExpression, type Surroundings } from '../sql/compile-expression.ts'
import { conditionsSql, eventSurroundings } from '../sql/event-scope.ts'
import { hasAggregate } from '../sql/has-aggregate.ts'
import { SqlFault } from '../sql/sql-fault.ts'
import { SQL_LIMITS } from '../sql/sql-limits.ts'
import type { Expression, Item, Ordering } from '../sql/syntax.ts'
import {
  type CountedPage,
  EVENT_COLUMNS,
  type EventFrame,
  type EventSelection,
  pageSql,
  selectionSql,
} from './event-query.ts'

/** A column of the answer: an expression's value, the whole event for `*`, or its person for `person`. */
export type SelectedColumn =
  | { readonly kind: 'value'; readonly name: string; readonly isPersonal: boolean; readonly place: number }
  | { readonly kind: 'event' | 'person'; readonly name: string }

export interface SelectedStatement {
  readonly sql: string
  readonly columns: readonly SelectedColumn[]
  /** Where in a row the members of the event begin, by {@link EVENT_COLUMNS}; null where no column needs them. */
  readonly eventAt: number | null
  /** Where in a row `event_time_ms`, `src_partition` and `src_offset` stand; null where rows are of several events. */
  readonly cursorAt: number | null
}

export interface EventSelectionAsked {
  readonly items: readonly Item[]
  /** Null for the time of the event. */
  readonly orderBy: readonly Ordering[] | null
  readonly having: readonly Expression[]
}

/**
 * Values of expressions over events. Where one of them is an aggregate, rows are grouped by all that are none.
 *
 * @throws SqlFault
 */
export function selectedSql(
  selection: EventSelection,
  asked: EventSelectionAsked,
  page: CountedPage,
  frame: EventFrame,
  bindings: Bindings,
): SelectedStatement {
  if (asked.items.length > SQL_LIMITS.columns)
    throw new SqlFault(`There may be at most ${SQL_LIMITS.columns} columns.`, { start: 0, end: 0 })
  const compilation = new Compilation(selection.dataset, bindings, frame.zone, frame.nowMs)
  const around = eventSurroundings(compilation)
  const isGrouped = asked.items.some(({ expression }) => hasAggregate(expression))
  const values: { readonly sql: string; readonly column: string; readonly isAggregate: boolean }[] = []
  const aliases = new Map<string, string>()
  const columns = asked.items.map((item): SelectedColumn => {
    const whole = wholeOf(item.expression)
    if (whole !== null) {
      if (isGrouped) throw new SqlFault('Beside an aggregate stand no whole events.', item)
      return { kind: whole, name: whole === 'event' ? '*' : 'person' }
    }
    compilation.mentioned.clear()
    const { sql } = compileExpression(item.expression, around)
    const column = compilation.newName('c')
    values.push({ sql, column, isAggregate: hasAggregate(item.expression) })
    if (item.alias !== null) aliases.set(item.alias, column)
    const name = item.alias ?? nameOf(item)
    return {
      kind: 'value',
      name,
      place: values.length - 1,
      isPersonal: [...compilation.mentioned].some(isPersonal),
    }
  })
  const { own, further } = selectionSql(selection, frame, bindings)
  const where = [...further, ...conditionsSql(selection.where, around)]
  const having = conditionsSql(asked.having, around)
  const placed = pageSql(page, bindings)
  const aliased = withAliases(around, aliases)
  const order = orderSql(asked.orderBy, isGrouped, values[0]?.column ?? null, placed.order, aliased)

  const isWhole = columns.some(({ kind }) => kind !== 'value')
  const listed = values.map(({ sql, column }) => `${sql} AS ${column}`)
  if (isWhole) listed.push(...EVENT_COLUMNS)
  const cursorAt = isGrouped ? null : listed.length
  if (!isGrouped)
    listed.push(
      'toUnixTimestamp64Milli(event_time) AS cursor_time_ms',
      'src_partition AS cursor_partition',
      'src_offset AS cursor_offset',
    )
  const keys = values.filter(({ isAggregate }) => !isAggregate).map(({ column }) => column)
  const rows = eventViewRowsSql(
    selection.dataset,
    [...listed, ...where, ...having, order],
    [...own, ...placed.own],
    bindings,
  )
  const parts = [
    `${around.withSql()}SELECT ${listed.join(', ')} FROM (${rows})`,
    ...(where.length > 0 ? [`WHERE ${where.join(' AND ')}`] : []),
    ...(isGrouped && keys.length > 0 ? [`GROUP BY ${keys.join(', ')}`] : []),
    ...(having.length > 0 ? [`HAVING ${having.join(' AND ')}`] : []),
    ...(order === '' ? [] : [`ORDER BY ${order}`]),
    `LIMIT ${bindings.bind(page.limit, 'UInt64')} OFFSET ${bindings.bind(page.offset, 'UInt64')}`,
  ]
  return { sql: parts.join(' '), columns, eventAt: isWhole ? values.length : null, cursorAt }
}

function orderSql(
  orderBy: readonly Ordering[] | null,
  isGrouped: boolean,
  firstColumn: string | null,
  byTime: string,
  around: Surroundings,
): string {
  const asked = (orderBy ?? []).map((each) =>
    orderingSql(compileExpression(each.expression, around).sql, each),
  )
  // Rows of single events are in a total order, whatever they are ordered by first.
  if (!isGrouped) return [...asked, byTime].join(', ')
  if (asked.length > 0) return asked.join(', ')
  return firstColumn === null ? '' : `${firstColumn} ASC`
}

function withAliases(around: Surroundings, aliases: ReadonlyMap<string, string>): Surroundings {
  return {
    ...around,
    scope: {
      ...around.scope,
      name(path, place): Compiled {
        const alias = path.length === 1 ? aliases.get(path[0] as string) : undefined
        return alias === undefined ? around.scope.name(path, place) : { sql: alias, type: 'unknown' }
      },
    },
  }
}

function wholeOf(expression: Expression): 'event' | 'person' | null {
  if (expression.kind === 'star' && expression.source === null) return 'event'
  return expression.kind === 'name' && expression.path.join('.') === 'person' ? 'person' : null
}

function nameOf({ expression }: Item): string {
  if (expression.kind === 'name') return expression.path.join('.')
  return expression.kind === 'call' ? `${expression.name}()` : 'value'
}
