import { invalidInput } from '../http/api-error.ts'
import { createBindings } from '../query/bindings.ts'
import { Compilation } from '../sql/compilation.ts'
import { compileExpression } from '../sql/compile-expression.ts'
import { eventSurroundings } from '../sql/event-scope.ts'
import { hasAggregate } from '../sql/has-aggregate.ts'
import { parseItem, parseOrdering } from '../sql/parse-query.ts'
import { faultAnswer } from '../sql/sql-failure.ts'
import { SqlFault } from '../sql/sql-fault.ts'
import { SQL_LIMITS } from '../sql/sql-limits.ts'
import type { Asking } from '../sql/sql-statement.ts'
import type { Expression, Item, Ordering } from '../sql/syntax.ts'

/** Expressions of one question about events, in texts of their own. */
export interface EventExpressions {
  readonly items: readonly Item[]
  readonly where: readonly Expression[]
  /** Conditions on aggregates. */
  readonly having: readonly Expression[]
  /** Null for the time of the event. */
  readonly orderBy: readonly Ordering[] | null
}

export interface ExpressionTexts {
  readonly select: readonly string[]
  readonly where: readonly string[]
  readonly orderBy: readonly string[]
}

/**
 * Reads them, and compiles each alone, so that a fault is told where it stands.
 *
 * @throws ApiError 400 naming the parameter, with line and column
 */
export function readExpressions(texts: ExpressionTexts, asking: Asking): EventExpressions {
  const total = [...texts.select, ...texts.where, ...texts.orderBy].reduce(
    (sum, { length }) => sum + length,
    0,
  )
  if (total > SQL_LIMITS.length)
    throw invalidInput('select', `Expressions may have at most ${SQL_LIMITS.length} characters together.`)
  const items = texts.select.map((text) =>
    checked(text, 'select', asking, parseItem, (item) => item.expression),
  )
  const conditions = texts.where.map(
    (text) => checked(text, 'where', asking, parseItem, ({ expression }) => expression).expression,
  )
  const aliases = new Set(items.flatMap(({ alias }) => alias ?? []))
  const orderBy = texts.orderBy.map((text) =>
    checked(text, 'orderBy', asking, parseOrdering, ({ expression }) => expression, aliases),
  )
  return {
    items,
    where: conditions.filter((condition) => !hasAggregate(condition)),
    having: conditions.filter(hasAggregate),
    orderBy: orderBy.length === 0 ? null : orderBy,
  }
}

function checked<T>(
  text: string,
  attr: string,
  asking: Asking,
  parse: (text: string) => T,
  expressionOf: (parsed: T) => Expression,
  aliases: ReadonlySet<string> = new Set(),
): T {
  try {
    const parsed = parse(text)
    const expression = expressionOf(parsed)
    const isAlias = expression.kind === 'name' && aliases.has(expression.path.join('.'))
    if (!isAlias && !isWhole(expression, attr)) tryOut(expression, asking)
    return parsed
  } catch (error) {
    throw error instanceof SqlFault ? faultAnswer(text, error, attr) : error
  }
}

/** `*` and `person` stand for an event and its person, where columns are listed. */
function isWhole(expression: Expression, attr: string): boolean {
  return (
    attr === 'select' &&
    (expression.kind === 'star' ||
      (expression.kind === 'name' && expression.path[0] === 'person' && expression.path.length === 1))
  )
}

function tryOut(expression: Expression, asking: Asking): void {
  const compilation = new Compilation(asking.dataset, createBindings(), asking.zone, asking.nowMs)
  compileExpression(expression, eventSurroundings(compilation))
}
