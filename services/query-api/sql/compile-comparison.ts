import type { Compilation, Compiled } from './compilation.ts'
import { asInstant, asNumber } from './special-functions.ts'
import type { Place } from './sql-fault.ts'
import type { BinaryOperator } from './syntax.ts'

const FUNCTIONS: Partial<Record<BinaryOperator, string>> = {
  '=': 'equals',
  '!=': 'notEquals',
  '<': 'less',
  '<=': 'lessOrEquals',
  '>': 'greater',
  '>=': 'greaterOrEquals',
  LIKE: 'like',
  ILIKE: 'ilike',
  'NOT LIKE': 'notLike',
  'NOT ILIKE': 'notILike',
}

export function isComparison(operator: BinaryOperator): boolean {
  return FUNCTIONS[operator] !== undefined
}

/**
 * Compares two values as what one of them surely is: with a time as instants, with a number as numbers. A property alone is
 * text, and compared with true or false it is so as JSON writes them.
 */
export function compileComparison(
  operator: BinaryOperator,
  left: Compiled,
  right: Compiled,
  compilation: Compilation,
  place: Place,
): Compiled {
  const name = FUNCTIONS[operator] as string
  const sides = [left, right] as const
  const has = (type: Compiled['type']) => sides.some((side) => side.type === type)
  let [a, b] = [left.sql, right.sql]
  if (!name.endsWith('ike')) {
    if (has('time')) [a, b] = [asInstant(left, compilation, place), asInstant(right, compilation, place)]
    else if (has('property') && has('number')) [a, b] = [asNumber(left).sql, asNumber(right).sql]
    else if (has('property')) [a, b] = [truthText(left), truthText(right)]
  }
  return { sql: `${name}(${a}, ${b})`, type: 'unknown' }
}

function truthText({ sql }: Compiled): string {
  return sql === 'true' || sql === 'false' ? `'${sql}'` : sql
}
