import { invalidInput } from '../http/api-error.ts'
import { type Bindings, createBindings } from '../query/bindings.ts'
import { type TimeZone, UTC } from '../query/zoned-time.ts'
import { Compilation } from './compilation.ts'
import { compileExpression } from './compile-expression.ts'
import { conditionsSql, eventSurroundings } from './event-scope.ts'
import { findFunction } from './functions.ts'
import { partsOf } from './has-aggregate.ts'
import { parseItem } from './parse-query.ts'
import { faultAnswer } from './sql-failure.ts'
import { type Place, SqlFault } from './sql-fault.ts'
import { SQL_LIMITS } from './sql-limits.ts'
import type { Expression } from './syntax.ts'

/** What an expression over one event depends on beside the event. */
export interface ExpressionContext {
  readonly dataset: string
  readonly bindings: Bindings
  readonly zone: TimeZone
  readonly nowMs: number
}

/**
 * An expression over one row of `events`: one value per event, which follows from the event and its person alone.
 *
 * @param attr where it stands
 * @throws ApiError 400, with line and column where it is about a place in the text
 */
export function readEventExpression(text: string, attr: string): Expression {
  if (text.length > SQL_LIMITS.expressionLength)
    throw invalidInput(attr, `An expression may have at most ${SQL_LIMITS.expressionLength} characters.`)
  try {
    const { expression, alias, end } = parseItem(text)
    if (alias !== null)
      throw new SqlFault(`Nothing is called by a name here: leave "${alias.slice(0, 64)}" out.`, {
        start: expression.end,
        end,
      })
    refuseOtherRows(expression)
    // What the names in it mean does not depend on the dataset.
    const nowhere = { dataset: '', bindings: createBindings(), zone: UTC, nowMs: 0 }
    if (holdsSql(expression, nowhere).length > SQL_LIMITS.expressionWritten)
      throw new SqlFault(
        'Written out as SQL this is too long for one expression: say less, or has([…], value) for IN, which writes the value out once.',
        expression,
      )
    return expression
  } catch (error) {
    throw error instanceof SqlFault ? faultAnswer(text, error, attr) : error
  }
}

/** Whether it holds of an event: SQL over the columns of a question's rows, never null. */
export function holdsSql(expression: Expression, context: ExpressionContext): string {
  // A filter of the engine is a truth value; a number alone is none.
  const [condition] = conditionsSql([expression], around(context))
  return `(${condition} != 0)`
}

/** Its value at an event as text, empty for null: SQL over the columns of a question's rows. */
export function eventTextSql(expression: Expression, context: ExpressionContext): string {
  const { sql } = compileExpression(expression, around(context))
  // A part of a character is asked about again as what answers write for it.
  return `toValidUTF8(ifNull(toString(${sql}), ''))`
}

function around({ dataset, bindings, zone, nowMs }: ExpressionContext) {
  bindings.expressed()
  return eventSurroundings(new Compilation(dataset, bindings, zone, nowMs))
}

/** @throws SqlFault for what looks at other rows, makes several of one, or is no value */
function refuseOtherRows(expression: Expression): void {
  if (expression.kind === 'subquery' || (expression.kind === 'in' && 'selects' in expression.among))
    throw new SqlFault(
      'A query of its own does not stand here: compare with values, or take a cohort as a filter.',
      expression,
    )
  if (expression.kind === 'star')
    throw new SqlFault('"*" stands for all columns, and here stands one value: name a column.', expression)
  if (expression.kind === 'call') refuseOtherRowsOf(expression.name, expression.over !== null, expression)
  for (const part of partsOf(expression)) refuseOtherRows(part)
}

function refuseOtherRowsOf(name: string, isOver: boolean, place: Place): void {
  const found = findFunction(name)
  if (found === null) return
  if (isOver || found.kind !== 'scalar')
    throw new SqlFault(
      `${found.name} is a value of many events, and here stands a value of each: leave it out.`,
      place,
    )
  if (found.name === 'arrayJoin')
    throw new SqlFault('arrayJoin makes several rows of one event: take arrayExists or has.', place)
}
