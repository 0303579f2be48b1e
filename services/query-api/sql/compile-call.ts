import { suggestion } from '../../core/control/nearest-name.ts'
import type { Compiled, Scope } from './compilation.ts'
import { compileExpression, type Surroundings } from './compile-expression.ts'
import { FUNCTION_NAMES, findFunction, type SqlFunction } from './functions.ts'
import { asNumber, SPECIAL_FUNCTIONS } from './special-functions.ts'
import { SqlFault } from './sql-fault.ts'
import type { Call, Expression, FrameBound, Ordering, Window } from './syntax.ts'

/** @throws SqlFault for a function that is not in the list, or is called otherwise than it may be */
export function compileCall(call: Call, around: Surroundings): Compiled {
  const found = findFunction(call.name)
  if (found === null)
    throw new SqlFault(
      `There is no function "${call.name.slice(0, 64)}" here${suggestion(call.name, FUNCTION_NAMES)}.`,
      { start: call.start, end: call.start + call.name.length },
    )
  checkWindow(call, found)
  const [first] = call.args
  if (found.name === 'count' && call.args.length === 1 && first?.kind === 'star')
    return finished('count()', found, call, around)
  if (call.isDistinct && found.name !== 'count')
    throw new SqlFault('DISTINCT stands in count(DISTINCT …) only.', call)
  checkCount(call, found)
  const args = call.args.map((arg) => argument(arg, found, around))
  const special = SPECIAL_FUNCTIONS[found.name]
  if (special !== undefined) return special(args, around.compilation, call)
  if (call.isDistinct) return finished(`uniqExact(${listOf(args)})`, found, call, around)
  const type = sameTimeType(found, args)
  return {
    ...finished(`${found.engine}${parameters(call, found, around)}(${listOf(args)})`, found, call, around),
    type,
  }
}

const listOf = (args: readonly Compiled[]) => args.map(({ sql }) => sql).join(', ')

function argument(arg: Expression, found: SqlFunction, around: Surroundings): Compiled {
  if (arg.kind === 'lambda') return lambda(arg, found, around)
  const value = compileExpression(arg, around)
  return found.takesNumbers ? asNumber(value) : value
}

/** What chooses one of its arguments has their type: the latest of times is a time. */
function sameTimeType(found: SqlFunction, args: readonly Compiled[]): Compiled['type'] {
  const chooses = /^(min|max|any|anyLast|argMin|argMax|greatest|least|lag|lead|first_value|last_value)(If)?$/
  return chooses.test(found.name) && args[0]?.type === 'time' ? 'time' : found.type
}

function checkCount({ args, start, end }: Call, { name, argsMin, argsMax }: SqlFunction): void {
  if (args.length >= argsMin && args.length <= argsMax) return
  const wanted = argsMin === argsMax ? String(argsMin) : `${argsMin} to ${argsMax}`
  throw new SqlFault(`${name} takes ${wanted} argument${wanted === '1' ? '' : 's'}, not ${args.length}.`, {
    start,
    end,
  })
}

function checkWindow(call: Call, { name, kind }: SqlFunction): void {
  if (kind === 'window' && call.over === null) throw new SqlFault(`${name} stands before OVER (…).`, call)
  if (kind === 'scalar' && call.over !== null)
    throw new SqlFault(`${name} is computed row by row: it cannot stand before OVER.`, call)
}

function parameters(call: Call, { name, parametersMax }: SqlFunction, { compilation }: Surroundings): string {
  if (call.parameters === null) return ''
  if (call.parameters.length === 0 || call.parameters.length > parametersMax)
    throw new SqlFault(
      parametersMax === 0
        ? `${name} has one pair of brackets.`
        : `${name} has 1 to ${parametersMax} numbers in its first brackets.`,
      call,
    )
  const numbers = call.parameters.map((parameter) => {
    if (parameter.kind !== 'number') throw new SqlFault('In the first brackets stand numbers.', parameter)
    return /^\d{1,15}$/.test(parameter.value)
      ? compilation.bind(parameter.value, 'UInt64')
      : compilation.bind(Number(parameter.value), 'Float64')
  })
  return `(${numbers.join(', ')})`
}

function lambda(
  arg: Extract<Expression, { kind: 'lambda' }>,
  found: SqlFunction,
  around: Surroundings,
): Compiled {
  const takesOne = /^array(Map|Filter|Exists|All|Count|Sum|Avg|Min|Max|Sort|ReverseSort|First|Last)$/
  if (!takesOne.test(found.name)) throw new SqlFault(`${found.name} takes no lambda.`, arg)
  const names = new Map(arg.parameters.map((name) => [name, around.compilation.newName('x')]))
  const scope: Scope = {
    name: (path, place) => {
      const own = path.length === 1 ? names.get(path[0] as string) : undefined
      return own === undefined ? around.scope.name(path, place) : { sql: own, type: 'unknown' }
    },
    star: around.scope.star,
  }
  const body = compileExpression(arg.body, { ...around, scope })
  return { sql: `(${[...names.values()].join(', ')}) -> ${body.sql}`, type: 'unknown' }
}

function finished(sql: string, found: SqlFunction, call: Call, around: Surroundings): Compiled {
  return { sql: call.over === null ? sql : `${sql} OVER (${windowSql(call.over, around)})`, type: found.type }
}

function windowSql({ partitionBy, orderBy, frame }: Window, around: Surroundings): string {
  const parts: string[] = []
  if (partitionBy.length > 0)
    parts.push(`PARTITION BY ${partitionBy.map((each) => compileExpression(each, around).sql).join(', ')}`)
  if (orderBy.length > 0)
    parts.push(
      `ORDER BY ${orderBy.map((each) => orderingSql(compileExpression(each.expression, around).sql, each)).join(', ')}`,
    )
  if (frame !== null) parts.push(`ROWS BETWEEN ${boundSql(frame.from)} AND ${boundSql(frame.to)}`)
  return parts.join(' ')
}

export function orderingSql(sql: string, { isDescending, nulls }: Ordering): string {
  return `${sql} ${isDescending ? 'DESC' : 'ASC'}${nulls === null ? '' : ` NULLS ${nulls}`}`
}

/** Rows are written out: a frame is part of a statement's shape, and its numbers are digits alone. */
function boundSql({ edge, rows }: FrameBound): string {
  if (edge === 'CURRENT ROW') return edge
  if (rows === null) return `UNBOUNDED ${edge}`
  if (rows.kind !== 'number' || !/^\d{1,6}$/.test(rows.value))
    throw new SqlFault('A frame is bounded by a whole number of rows.', rows)
  return `${Number(rows.value)} ${edge}`
}
