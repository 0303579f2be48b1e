import { invalidInput } from '../http/api-error.ts'
import { type Node, textsOf } from './query-nodes.ts'

/** A column that may be selected of rows of one kind, with ClickHouse's type where one fits. */
export interface Column<R> {
  readonly type: string
  readonly of: (row: R) => unknown
}

const SELECT_MAX = 20

/** Rows as the columns that a query selects. */
export interface Selected<R> {
  readonly columns: readonly string[]
  readonly types: readonly string[]
  results(rows: readonly R[]): unknown[][]
}

/**
 * Reads `select`: names of columns.
 *
 * @param what  the rows are, for whoever mistyped a name
 * @param usual columns that are meant where it is left out
 * @throws ApiError 400
 */
export function readSelect<R>(
  { select }: Node,
  what: string,
  declared: Readonly<Record<string, Column<R>>>,
  usual: readonly string[],
): Selected<R> {
  const given = textsOf(select, 'query__select', SELECT_MAX)
  const names = given.length === 0 ? usual : given
  const columns = names.flatMap((name) => (Object.hasOwn(declared, name) ? (declared[name] ?? []) : []))
  if (columns.length < names.length)
    throw invalidInput('query__select', `Of ${what} can be selected: ${Object.keys(declared).join(', ')}.`)
  return {
    columns: names,
    types: columns.map(({ type }) => type),
    results: (rows) => rows.map((row) => columns.map((column) => column.of(row))),
  }
}
