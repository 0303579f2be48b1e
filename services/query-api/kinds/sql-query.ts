import { invalidInput } from '../http/api-error.ts'
import { createBindings } from '../query/bindings.ts'
import { Compilation } from '../sql/compilation.ts'
import { compileExpression } from '../sql/compile-expression.ts'
import { eventSurroundings } from '../sql/event-scope.ts'
import type { GivenValues } from '../sql/given-values.ts'
import { readGivenValues } from '../sql/given-values.ts'
import { parseItem } from '../sql/parse-query.ts'
import { answeringFaults, faultAnswer } from '../sql/sql-failure.ts'
import { lineAndColumn, SqlFault } from '../sql/sql-fault.ts'
import { type Asking, compileSql, type SqlStatement } from '../sql/sql-statement.ts'
import { type Node, refuseMembers, UNUSED_MEMBERS } from './query-nodes.ts'
import type { RunKind } from './run-query.ts'

/** @throws ApiError 400 for members of it; what the text means is not looked at */
function readSqlQuery(node: Node): { readonly text: string; readonly values: GivenValues } {
  refuseMembers(node, [...UNUSED_MEMBERS, 'name', 'query', 'values'], 'query')
  return { text: textOf(node, 'query'), values: readGivenValues(node.values, 'query__values') }
}

/** @throws ApiError 400 for a query that cannot be asked, as far as it alone tells */
export function checkSqlQuery(node: Node, asking: Asking): void {
  const { text, values } = readSqlQuery(node)
  try {
    compileSql(text, asking, createBindings(), values)
  } catch (error) {
    throw error instanceof SqlFault ? faultAnswer(text, error, 'query__query') : error
  }
}

/** A text in the query language. What it asks for is answered as columns and rows. */
export const sqlQuery: RunKind = async (needs, { question }, node) => {
  const { text, values } = readSqlQuery(node)
  const asking = { dataset: question.dataset.id, zone: question.zone, nowMs: needs.clock.now() }
  return answeringFaults(text, 'query__query', async () => {
    let made: SqlStatement | null = null
    const { types, rows } = await needs.askTable(question, (bindings) => {
      made = compileSql(text, asking, bindings, values)
      return made.sql
    })
    const { columns, limit, offset } = made as unknown as SqlStatement
    return {
      results: rows.slice(0, limit),
      columns: columns.map(({ name }) => name),
      types,
      hasMore: rows.length > limit,
      limit,
      offset,
      query: text,
      hogql: text,
    }
  })
}

interface QueryError {
  readonly message: string
  /** Characters of the text from its beginning, the end exclusive. */
  readonly start: number
  readonly end: number
  readonly line: number
  readonly column: number
}

/** What is wrong with a text, and where; nothing is run. */
export const metadataQuery: RunKind = async (needs, { question }, node) => {
  refuseMembers(node, [...UNUSED_MEMBERS, 'language', 'query', 'select', 'expr', 'values'], 'query')
  const member = ['query', 'select', 'expr'].find((each) => typeof node[each] === 'string') ?? 'query'
  const text = textOf(node, member)
  const isExpression = member === 'expr' || /Expr$/.test(String(node.language ?? ''))
  const asking = { dataset: question.dataset.id, zone: question.zone, nowMs: needs.clock.now() }
  const errors = faultsOf(text, isExpression, asking, readGivenValues(node.values, 'query__values'))
  return { isValid: errors.length === 0, query: text, errors, warnings: [], notices: [], results: null }
}

function faultsOf(text: string, isExpression: boolean, asking: Asking, values: GivenValues): QueryError[] {
  try {
    if (isExpression) {
      const compilation = new Compilation(asking.dataset, createBindings(), asking.zone, asking.nowMs)
      compileExpression(parseItem(text, values).expression, eventSurroundings(compilation))
    } else compileSql(text, asking, createBindings(), values)
    return []
  } catch (error) {
    if (!(error instanceof SqlFault)) throw error
    const { start, end } = error.place
    return [{ message: error.message, start, end, ...lineAndColumn(text, start) }]
  }
}

function textOf(node: Node, member: string): string {
  const text = node[member]
  if (typeof text === 'string' && text !== '') return text
  throw invalidInput(
    `query__${member}`,
    'This is a text in the query language, e.g. SELECT count() FROM events.',
    'required',
  )
}
