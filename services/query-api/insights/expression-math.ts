import { type Bindings, createBindings } from '../query/bindings.ts'
import { UTC } from '../query/zoned-time.ts'
import { Compilation } from '../sql/compilation.ts'
import { compileExpression } from '../sql/compile-expression.ts'
import { hasAggregate } from '../sql/has-aggregate.ts'
import { parseItem } from '../sql/parse-query.ts'
import { sourcesScope, viewRows } from '../sql/source-scope.ts'
import { faultAnswer } from '../sql/sql-failure.ts'
import { SqlFault } from '../sql/sql-fault.ts'
import type { Expression } from '../sql/syntax.ts'
import { EVENTS_VIEW, type View } from '../sql/views.ts'
import { eventRowsSql } from './event-rows.ts'
import type { Frame } from './frame.ts'
import { linesSql, rowColumns, type Series, type TrendShape } from './trend-shape.ts'

/**
 * An expression over the events of a series, of which a point is the value: `sum(properties.amount) / count()`.
 *
 * @param attr where it stands
 * @throws ApiError 400 with line and column
 */
export function readExpression(text: string, attr: string): Expression {
  try {
    const { expression } = parseItem(text)
    if (!hasAggregate(expression))
      throw new SqlFault('A point is made of many events: take an aggregate, such as sum().', expression)
    // What the names in it mean does not depend on the dataset.
    valueSql(expression, EVENTS_VIEW, new Compilation('', createBindings(), UTC, 0))
    return expression
  } catch (error) {
    throw error instanceof SqlFault ? faultAnswer(text, error, attr) : error
  }
}

/** Values of an expression per point and line: 0 for what is no number. */
export function expressionSql(
  frame: Frame,
  series: Series,
  expression: Expression,
  shape: TrendShape,
  bindings: Bindings,
): string {
  const events: View = {
    ...EVENTS_VIEW,
    rowsSql(named) {
      const { columns, joins } = rowColumns(frame, shape, bindings)
      return eventRowsSql(
        frame,
        {
          fromMs: frame.fromMs,
          toMs: frame.toMs,
          columns: [...columns, ...named],
          joins,
          entities: [series],
        },
        bindings,
      )
    },
  }
  const compilation = new Compilation(frame.dataset, bindings, frame.zone, frame.nowMs)
  const { value, rows } = valueSql(expression, events, compilation)
  return (
    `SELECT start_ms, ${linesSql(shape, bindings)}, ifNull(toFloat64OrNull(toString(${value})), 0) AS computed, ` +
    `if(isFinite(computed), computed, 0) AS amount FROM ${rows} GROUP BY start_ms, line, is_other`
  )
}

/** @throws SqlFault */
function valueSql(expression: Expression, events: View, compilation: Compilation) {
  const source = viewRows(events, null, compilation)
  const scope = sourcesScope([source])
  const subquery = () => {
    throw new SqlFault('A query of its own does not stand here.', expression)
  }
  const { sql: value } = compileExpression(expression, { compilation, scope, subquery })
  return { value, rows: source.sql() }
}
