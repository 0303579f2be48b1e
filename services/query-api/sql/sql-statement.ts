import type { Bindings } from '../query/bindings.ts'
import type { TimeZone } from '../query/zoned-time.ts'
import { Compilation } from './compilation.ts'
import { type CompiledQuery, pageOf, QueryCompiler } from './compile-query.ts'
import { parseQuery } from './parse-query.ts'
import { SqlFault } from './sql-fault.ts'
import { SQL_ROWS } from './sql-limits.ts'
import type { Query } from './syntax.ts'

/** Of whom is asked, and when. */
export interface Asking {
  readonly dataset: string
  readonly zone: TimeZone
  readonly nowMs: number
}

export interface SqlStatement extends CompiledQuery {
  /** Rows that the answer has at most; the statement asks for one more, which tells whether there are more. */
  readonly limit: number
  readonly offset: number
}

/**
 * A text in the query language as a statement for ClickHouse.
 *
 * @throws SqlFault saying what is wrong and where
 */
export function compileSql(text: string, asking: Asking, bindings: Bindings): SqlStatement {
  return compileParsed(parseQuery(text), asking, bindings)
}

export function compileParsed(query: Query, asking: Asking, bindings: Bindings): SqlStatement {
  const own = query.selects.length === 1 ? pageOf(query.selects[0]) : null
  const isLimited = query.selects.length === 1 && query.selects[0].limit !== null
  const limit = isLimited ? (own?.limit ?? SQL_ROWS.default) : SQL_ROWS.default
  if (limit > SQL_ROWS.max)
    throw new SqlFault(
      `An answer has at most ${SQL_ROWS.max} rows: take a smaller LIMIT, and OFFSET for the rows after it.`,
      query.selects[0].limit ?? query,
    )
  const offset = own?.offset ?? 0
  const compilation = new Compilation(asking.dataset, bindings, asking.zone, asking.nowMs)
  const compiled = new QueryCompiler(compilation).statement(query, { limit: limit + 1, offset })
  return { ...compiled, limit, offset }
}
