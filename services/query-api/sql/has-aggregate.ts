import { findFunction } from './functions.ts'
import type { Expression } from './syntax.ts'

/** Is the value of a group of rows? What stands in a query of its own, or before OVER, does not count. */
export function hasAggregate(expression: Expression): boolean {
  if (expression.kind === 'subquery') return false
  if (
    expression.kind === 'call' &&
    expression.over === null &&
    findFunction(expression.name)?.kind === 'aggregate'
  )
    return true
  return partsOf(expression).some(hasAggregate)
}

/** Expressions that stand within it, queries of their own left out. */
export function partsOf(expression: Expression): readonly Expression[] {
  switch (expression.kind) {
    case 'call':
      return expression.args
    case 'unary':
    case 'is_null':
    case 'cast':
      return [expression.operand]
    case 'binary':
      return [expression.left, expression.right]
    case 'in':
      return [expression.operand, ...('selects' in expression.among ? [] : expression.among)]
    case 'between':
      return [expression.operand, expression.low, expression.high]
    case 'case':
      return [
        ...(expression.base === null ? [] : [expression.base]),
        ...expression.whens.flatMap(({ when, result }) => [when, result]),
        ...(expression.otherwise === null ? [] : [expression.otherwise]),
      ]
    case 'tuple':
    case 'array':
      return expression.items
    case 'index':
      return [expression.operand, expression.index]
    case 'lambda':
      return [expression.body]
    default:
      return []
  }
}
