import type { Compilation, Compiled, Scope } from './compilation.ts'
import { compileCall } from './compile-call.ts'
import { compileComparison, isComparison } from './compile-comparison.ts'
import { asNumber, castTo } from './special-functions.ts'
import { type Place, SqlFault } from './sql-fault.ts'
import { SQL_LIMITS } from './sql-limits.ts'
import type { Expression, Query } from './syntax.ts'

/** Where an expression stands. */
export interface Surroundings {
  readonly compilation: Compilation
  readonly scope: Scope
  /** A query in brackets as SQL without them, of one column. It sees nothing of what is around it. */
  subquery(query: Query): string
}

const LITERAL_LENGTH_MAX = 10_000

/** @throws SqlFault */
export function compileExpression(expression: Expression, around: Surroundings): Compiled {
  const value = around.compilation.deeper(expression, () => compiled(expression, around))
  refuseLong(value.sql.length, expression)
  return value
}

/** What is written out several times may double with every level: it ends here, not in the memory of the process. */
function refuseLong(written: number, place: Place): void {
  if (written > SQL_LIMITS.written)
    throw new SqlFault(
      'Written out as SQL this is longer than a statement may be: say less, or has([…], value) for IN.',
      place,
    )
}

function compiled(expression: Expression, around: Surroundings): Compiled {
  const { compilation, scope } = around
  const compile = (inner: Expression) => compileExpression(inner, around)
  const listed = (inner: readonly Expression[]) => inner.map((each) => compile(each).sql).join(', ')
  switch (expression.kind) {
    case 'text':
      if (expression.value.length > LITERAL_LENGTH_MAX)
        throw new SqlFault(`Text may have at most ${LITERAL_LENGTH_MAX} characters.`, expression)
      return { sql: compilation.bind(expression.value, 'String'), type: 'text', literal: expression.value }
    case 'number':
      return numberLiteral(expression.value, compilation)
    case 'constant':
      return { sql: expression.value.toLowerCase(), type: 'unknown' }
    case 'name':
      return scope.name(expression.path, expression)
    case 'star':
      throw new SqlFault('"*" stands for all columns of a SELECT, or in count(*).', expression)
    case 'call':
      return compileCall(expression, around)
    case 'unary':
      return expression.operator === 'NOT'
        ? { sql: `not(${compile(expression.operand).sql})`, type: 'unknown' }
        : negated(expression.operand, around)
    case 'binary':
      if (expression.operator === 'AND' || expression.operator === 'OR')
        return { sql: `(${chain(expression, around).join(` ${expression.operator} `)})`, type: 'unknown' }
      if (isComparison(expression.operator))
        return compileComparison(
          expression.operator,
          compile(expression.left),
          compile(expression.right),
          compilation,
          expression,
        )
      return arithmetic(expression.operator, compile(expression.left), compile(expression.right))
    case 'between': {
      const operand = compile(expression.operand)
      const low = compileComparison('>=', operand, compile(expression.low), compilation, expression.low)
      const high = compileComparison('<=', operand, compile(expression.high), compilation, expression.high)
      const sql = `(${low.sql} AND ${high.sql})`
      return { sql: expression.isNegated ? `not(${sql})` : sql, type: 'unknown' }
    }
    case 'in':
      return membership(expression, around)
    case 'is_null':
      return {
        sql: `${expression.isNegated ? 'isNotNull' : 'isNull'}(${compile(expression.operand).sql})`,
        type: 'unknown',
      }
    case 'case': {
      const base = expression.base === null ? null : compile(expression.base)
      refuseLong((base?.sql.length ?? 0) * expression.whens.length, expression)
      const whens = expression.whens.map(({ when, result }) => {
        const condition =
          base === null ? compile(when) : compileComparison('=', base, compile(when), compilation, when)
        return `${condition.sql}, ${compile(result).sql}`
      })
      const otherwise = expression.otherwise === null ? 'NULL' : compile(expression.otherwise).sql
      return { sql: `multiIf(${whens.join(', ')}, ${otherwise})`, type: 'unknown' }
    }
    case 'cast':
      return castTo(expression.type, compile(expression.operand), compilation, expression)
    case 'interval':
      return interval(expression, compilation)
    case 'tuple':
      return { sql: `tuple(${listed(expression.items)})`, type: 'unknown' }
    case 'array':
      return { sql: `array(${listed(expression.items)})`, type: 'unknown' }
    case 'index':
      return indexed(expression.operand, expression.index, around, expression)
    case 'lambda':
      throw new SqlFault('A lambda stands as the first argument of a function on arrays.', expression)
    case 'subquery':
      return { sql: `(${around.subquery(expression.query)})`, type: 'unknown' }
  }
}

function numberLiteral(text: string, compilation: Compilation): Compiled {
  const isWhole = /^\d+$/.test(text) && BigInt(text) <= 0x7fff_ffff_ffff_ffffn
  const sql = isWhole
    ? compilation.bind(BigInt(text).toString(), 'Int64')
    : compilation.bind(Number(text), 'Float64')
  if (!isWhole && !Number.isFinite(Number(text))) return { sql: 'inf', type: 'number' }
  return { sql, type: 'number', literal: text }
}

function negated(operand: Expression, around: Surroundings): Compiled {
  return { sql: `negate(${asNumber(compileExpression(operand, around)).sql})`, type: 'number' }
}

/** Links of a chain side by side: `a AND b AND c` is one level, however long. */
function chain(expression: Extract<Expression, { kind: 'binary' }>, around: Surroundings): string[] {
  const links: Expression[] = []
  let left: Expression = expression
  while (left.kind === 'binary' && left.operator === expression.operator) {
    links.push(left.right)
    left = left.left
  }
  links.push(left)
  return links.reverse().map((link) => compileExpression(link, around).sql)
}

const ARITHMETIC: Readonly<Record<string, string>> = {
  '+': 'plus',
  '-': 'minus',
  '*': 'multiply',
  '/': 'divide',
  '%': 'modulo',
  '||': 'concat',
}

function arithmetic(operator: string, left: Compiled, right: Compiled): Compiled {
  const name = ARITHMETIC[operator] as string
  if (name === 'concat') return { sql: `concat(${left.sql}, ${right.sql})`, type: 'text' }
  const isTime = left.type === 'time' || right.type === 'time'
  return {
    sql: `${name}(${asNumber(left).sql}, ${asNumber(right).sql})`,
    type: isTime ? 'time' : 'number',
  }
}

function membership(expression: Extract<Expression, { kind: 'in' }>, around: Surroundings): Compiled {
  const { compilation } = around
  const operand = compileExpression(expression.operand, around)
  const isIn = (sql: string): Compiled => ({
    sql: expression.isNegated ? `not(${sql})` : sql,
    type: 'unknown',
  })
  if (!Array.isArray(expression.among))
    return isIn(`in(${operand.sql}, (${around.subquery(expression.among as Query)}))`)
  refuseLong(operand.sql.length * expression.among.length, expression)
  // Each one is compared as it would be alone, so that times, numbers and properties mean the same.
  const equal = expression.among.map(
    (each) => compileComparison('=', operand, compileExpression(each, around), compilation, each).sql,
  )
  return isIn(equal.length === 0 ? 'false' : `(${equal.join(' OR ')})`)
}

function interval(expression: Extract<Expression, { kind: 'interval' }>, compilation: Compilation): Compiled {
  const { amount, unit } = expression
  const text = amount.kind === 'text' || amount.kind === 'number' ? amount.value : ''
  if (!/^\d{1,6}$/.test(text)) throw new SqlFault('An interval is a whole number of units.', amount)
  const name = unit[0] + unit.slice(1).toLowerCase()
  return { sql: `toInterval${name}(${compilation.bind(text, 'Int64')})`, type: 'unknown' }
}

function indexed(operand: Expression, index: Expression, around: Surroundings, place: Place): Compiled {
  // `properties['a b']` is the property `a b`.
  if (operand.kind === 'name' && index.kind === 'text')
    return around.scope.name([...operand.path, index.value], place)
  const list = compileExpression(operand, around)
  return { sql: `arrayElement(${list.sql}, ${compileExpression(index, around).sql})`, type: 'unknown' }
}
