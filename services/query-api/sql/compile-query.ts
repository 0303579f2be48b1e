import { suggestion } from '../../core/control/nearest-name.ts'
import type { Compilation, Compiled, Scope } from './compilation.ts'
import { orderingSql } from './compile-call.ts'
import { compileExpression, type Surroundings } from './compile-expression.ts'
import { type OutputColumn, queryRows, type SourceRows, sourcesScope, viewRows } from './source-scope.ts'
import { type Place, SqlFault } from './sql-fault.ts'
import { SQL_LIMITS, SQL_ROWS } from './sql-limits.ts'
import type { Expression, From, Item, Query, Select, Source } from './syntax.ts'
import { VIEWS } from './views.ts'

/** A query as a statement without brackets. */
export interface CompiledQuery {
  readonly sql: string
  readonly columns: readonly OutputColumn[]
}

/** A query that has a name, as whoever reads from it needs it. */
interface NamedQuery {
  readonly name: string
  readonly columns: readonly OutputColumn[]
  /** Tables that it reads, each as often as it is read. */
  readonly sources: number
}

/** Rows that are answered instead of what LIMIT and OFFSET of the outermost SELECT say. */
export interface Page {
  readonly limit: number
  readonly offset: number
}

/** Compiles one query; every table in it is a view of one dataset. */
export class QueryCompiler {
  readonly #compilation: Compilation
  /** Named queries in the order that they are needed in. */
  readonly #named: string[] = []

  constructor(compilation: Compilation) {
    this.#compilation = compilation
  }

  /**
   * @param page rows of the answer, or null for those that the query itself says
   * @throws SqlFault
   */
  statement(query: Query, page: Page | null): CompiledQuery {
    const isOne = query.selects.length === 1
    const { sql, columns } = this.#query(query, new Map(), isOne ? page : null)
    const listed = columns.map(({ column }) => column).join(', ')
    const paged = page === null || isOne ? sql : `SELECT ${listed} FROM (${sql}) ${this.#pageSql(page)}`
    return { sql: `${this.withSql()}${paged}`, columns }
  }

  /** What stands before the statement that queries of this compiler are part of; to be asked last. */
  withSql(): string {
    return this.#named.length === 0 ? '' : `WITH ${this.#named.join(', ')} `
  }

  /** A query of one column that stands within an expression, without brackets. @throws SqlFault */
  value(query: Query): string {
    return this.#subquery(query, new Map())
  }

  #query(query: Query, outer: ReadonlyMap<string, NamedQuery>, page: Page | null): CompiledQuery {
    return this.#compilation.deeper(query, () => {
      const named = new Map(outer)
      for (const { name, query: inner, ...place } of query.with) {
        if (query.with.filter((each) => each.name === name).length > 1)
          throw new SqlFault(`Two queries are called "${name}".`, place)
        named.set(name, this.#name(inner, named))
      }
      const [first, ...others] = query.selects.map((select) => this.#select(select, named, page))
      const { columns } = first as CompiledQuery
      const wrong = others.findIndex((other) => other.columns.length !== columns.length)
      if (wrong !== -1)
        throw new SqlFault(
          `UNION ALL puts queries of as many columns together: here are ${columns.length} and ${others[wrong]?.columns.length}.`,
          query.selects[wrong + 1] as Select,
        )
      return { sql: [first as CompiledQuery, ...others].map(({ sql }) => sql).join(' UNION ALL '), columns }
    })
  }

  #name(query: Query, outer: ReadonlyMap<string, NamedQuery>): NamedQuery {
    const before = this.#compilation.sources
    const { sql, columns } = this.#query(query, outer, null)
    const name = this.#compilation.newName('q')
    this.#named.push(`${name} AS (${sql})`)
    return { name, columns, sources: this.#compilation.sources - before }
  }

  #select(select: Select, named: ReadonlyMap<string, NamedQuery>, page: Page | null): CompiledQuery {
    const compilation = this.#compilation
    const sources = select.from === null ? [] : this.#sources(select.from, named)
    const rows = sourcesScope(sources)
    const aliases = new Map<string, Compiled>()
    const at = (scope: Scope): Surroundings => ({
      compilation,
      scope,
      subquery: (query) => this.#subquery(query, named),
    })
    const columnFirst = at(layered(rows, aliases, false))
    const aliasFirst = at(layered(rows, aliases, true))

    const { columns, listed } = this.#items(select, rows, columnFirst, aliases)
    const value = (expression: Expression, around: Surroundings) => compileExpression(expression, around).sql
    const keyed = (expression: Expression) =>
      this.#position(expression, columns) ?? value(expression, aliasFirst)
    const parts = [`SELECT ${select.isDistinct ? 'DISTINCT ' : ''}${listed.join(', ')}`]
    const joins =
      select.from === null
        ? []
        : select.from.joins.map(({ on }) => (on === null ? null : value(on, at(rows))))
    const where = select.where === null ? null : value(select.where, columnFirst)
    const groupBy = select.groupBy.map(keyed)
    const having = select.having === null ? null : value(select.having, aliasFirst)
    const orderBy = select.orderBy.map((ordering) => orderingSql(keyed(ordering.expression), ordering))
    // Last, for only now every source knows which of its columns are read.
    if (select.from !== null) parts.push(fromSql(select.from, sources, joins))
    if (where !== null) parts.push(`WHERE ${where}`)
    if (groupBy.length > 0) parts.push(`GROUP BY ${groupBy.join(', ')}`)
    if (having !== null) parts.push(`HAVING ${having}`)
    if (orderBy.length > 0) parts.push(`ORDER BY ${orderBy.join(', ')}`)
    const own = pageOf(select)
    if (page !== null) parts.push(this.#pageSql(page))
    else if (own !== null) parts.push(this.#pageSql(own))
    return { sql: parts.join(' '), columns }
  }

  #pageSql({ limit, offset }: Page): string {
    const { bindings } = this.#compilation
    const skipped = offset > 0 ? ` OFFSET ${bindings.bind(offset, 'UInt64')}` : ''
    return `LIMIT ${bindings.bind(limit, 'UInt64')}${skipped}`
  }

  #items(select: Select, rows: Scope, around: Surroundings, aliases: Map<string, Compiled>) {
    const columns: OutputColumn[] = []
    const listed: string[] = []
    const add = (name: string, value: Compiled, alias: string | null, place: Place) => {
      if (columns.length >= SQL_LIMITS.columns)
        throw new SqlFault(`A SELECT may have at most ${SQL_LIMITS.columns} columns.`, place)
      const column = this.#compilation.newName('c')
      columns.push({ name, column, type: value.type })
      listed.push(`${value.sql} AS ${column}`)
      if (alias !== null) aliases.set(alias, { sql: column, type: value.type })
    }
    for (const item of select.items) {
      const { expression } = item
      if (expression.kind === 'star') {
        if (select.from === null) throw new SqlFault('There is no table whose columns "*" could mean.', item)
        for (const { name, value } of rows.star(expression.source, expression)) add(name, value, null, item)
      } else add(itemName(item, columns.length), compileExpression(expression, around), item.alias, item)
    }
    return { columns, listed }
  }

  /** `GROUP BY 1` and `ORDER BY 1` mean the first column; null for anything but a number. */
  #position(expression: Expression, columns: readonly OutputColumn[]): string | null {
    if (expression.kind !== 'number') return null
    const column = columns[Number(expression.value) - 1]
    if (column === undefined)
      throw new SqlFault(`There is no column ${expression.value} in this SELECT.`, expression)
    return column.column
  }

  #subquery(query: Query, named: ReadonlyMap<string, NamedQuery>): string {
    const { sql, columns } = this.#query(query, named, null)
    if (columns.length !== 1) throw new SqlFault('A query that stands for a value has one column.', query)
    return sql
  }

  #sources({ first, joins }: From, named: ReadonlyMap<string, NamedQuery>): SourceRows[] {
    const sources = [first, ...joins.map(({ source }) => source)]
    const rows = sources.map((source) => this.#source(source, named))
    rows.forEach(({ alias }, place) => {
      if (alias !== null && rows.findIndex((other) => other.alias === alias) < place)
        throw new SqlFault(
          `Two tables are called "${alias}" here: give one another name with AS.`,
          sources[place] as Source,
        )
    })
    return rows
  }

  #source(source: Source, named: ReadonlyMap<string, NamedQuery>): SourceRows {
    const { alias } = source
    const compilation = this.#compilation
    if (source.kind === 'query') {
      compilation.countSources(1, source)
      const { sql, columns } = this.#query(source.query, named, null)
      return queryRows(`(${sql})`, columns, alias, compilation)
    }
    const query = named.get(source.name)
    compilation.countSources(query?.sources ?? 1, source)
    if (query !== undefined) return queryRows(query.name, query.columns, alias ?? source.name, compilation)
    const view = VIEWS.get(source.name.toLowerCase())
    if (view !== undefined) return viewRows(view, alias ?? source.name, compilation)
    throw new SqlFault(
      `There is no table "${source.name.slice(0, 64)}"${suggestion(source.name, [...VIEWS.keys(), ...named.keys()])}. ` +
        `There are: ${[...VIEWS.keys()].join(', ')}.`,
      { start: source.start, end: source.start + source.name.length },
    )
  }
}

function layered(rows: Scope, aliases: ReadonlyMap<string, Compiled>, aliasFirst: boolean): Scope {
  const aliased = (path: readonly string[]) =>
    path.length === 1 ? aliases.get(path[0] as string) : undefined
  return {
    name(path, place) {
      const alias = aliased(path)
      if (alias === undefined) return rows.name(path, place)
      if (aliasFirst) return alias
      try {
        return rows.name(path, place)
      } catch {
        return alias
      }
    },
    star: rows.star,
  }
}

function itemName({ expression, alias }: Item, place: number): string {
  if (alias !== null) return alias
  if (expression.kind === 'name') return expression.path[expression.path.length - 1] as string
  return expression.kind === 'call' ? expression.name : `column_${place + 1}`
}

function fromSql(
  { joins }: From,
  sources: readonly SourceRows[],
  conditions: readonly (string | null)[],
): string {
  const [first, ...others] = sources.map((source) => source.sql())
  const joined = others.map((source, place) => {
    const { type } = joins[place] as From['joins'][number]
    const condition = conditions[place]
    return ` ${type} JOIN ${source}${condition === null ? '' : ` ON ${condition}`}`
  })
  return `FROM ${first}${joined.join('')}`
}

/** What LIMIT and OFFSET of a SELECT say; null where it has neither. @throws SqlFault */
export function pageOf({ limit, offset }: Select): Page | null {
  if (limit === null && offset === null) return null
  return {
    limit: limit === null ? SQL_ROWS.offsetMax : countOf(limit, SQL_ROWS.offsetMax, 'LIMIT'),
    offset: offset === null ? 0 : countOf(offset, SQL_ROWS.offsetMax, 'OFFSET'),
  }
}

function countOf(expression: Expression, max: number, word: string): number {
  const count =
    expression.kind === 'number' && /^\d{1,9}$/.test(expression.value) ? Number(expression.value) : -1
  if (count >= 0 && count <= max) return count
  throw new SqlFault(`${word} is a whole number of at most ${max}.`, expression)
}
