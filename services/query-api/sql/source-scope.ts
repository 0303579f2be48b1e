import { suggestion } from '../../core/control/nearest-name.ts'
import type { Compilation, Compiled, Scope } from './compilation.ts'
import type { SqlType } from './functions.ts'
import { memberNames, propertyAt, viewMember } from './property-access.ts'
import { type Place, SqlFault } from './sql-fault.ts'
import { SQL_LIMITS } from './sql-limits.ts'
import type { View } from './views.ts'

/** A column that a query answers: under which name people know it, and which one it has in the statement. */
export interface OutputColumn {
  readonly name: string
  readonly column: string
  readonly type: SqlType
}

/** Something that a SELECT reads from. */
export interface SourceRows {
  /** By which columns are told apart, as the query names it; null for none. */
  readonly alias: string | null
  /** Null when the path means nothing here. */
  member(path: readonly string[], place: Place): Compiled | null
  readonly columns: readonly { readonly name: string; readonly path: readonly string[] }[]
  /** For whoever mistyped a name. */
  readonly names: readonly string[]
  /** As it stands after FROM or JOIN; to be asked when every member was. */
  sql(): string
}

/** A table of the language: a subquery that has the columns that were asked for, of the dataset's rows alone. */
export function viewRows(view: View, alias: string | null, compilation: Compilation): SourceRows {
  const name = compilation.newName('t')
  const columns = new Map<string, string>()
  return {
    alias: alias ?? view.name,
    names: memberNames(view),
    columns: [...view.fields].flatMap(([field, { isCommon }]) =>
      isCommon ? [{ name: field, path: field.split('.') }] : [],
    ),
    member(path, place) {
      const found = viewMember(view, path, compilation, place)
      if (found === null) return null
      const column = columns.get(found.sql) ?? compilation.newName('f')
      columns.set(found.sql, column)
      if (columns.size > SQL_LIMITS.properties)
        throw new SqlFault(`Of one table at most ${SQL_LIMITS.properties} columns can be read.`, place)
      return referred(`${name}.${column}`, found.type, compilation)
    },
    sql() {
      const listed = [...columns].map(([sql, column]) => `${sql} AS ${column}`)
      // A query that only counts rows needs none of their columns.
      if (listed.length === 0) listed.push(`1 AS ${compilation.newName('f')}`)
      return `(${view.rowsSql(listed, compilation)}) AS ${name}`
    },
  }
}

/** The rows of a query in brackets, or of one that has a name. @param sql what stands before AS */
export function queryRows(
  sql: string,
  columns: readonly OutputColumn[],
  alias: string | null,
  compilation: Compilation,
): SourceRows {
  const name = compilation.newName('t')
  return {
    alias,
    names: columns.map((column) => column.name),
    columns: columns.map((column) => ({ name: column.name, path: [column.name] })),
    member(path, place) {
      const whole = path.join('.')
      const exact = columns.filter((column) => column.name === whole)
      if (exact.length > 1) throw new SqlFault(`More than one column is called "${whole}" here.`, place)
      if (exact[0] !== undefined) return referred(`${name}.${exact[0].column}`, exact[0].type, compilation)
      const json = columns.find((column) => column.name === path[0] && column.type === 'json')
      if (json === undefined || path.length < 2) return null
      return propertyAt(`ifNull(${name}.${json.column}, '')`, null, path.slice(1), compilation, place)
    },
    sql: () => `${sql} AS ${name}`,
  }
}

function referred(column: string, type: SqlType, compilation: Compilation): Compiled {
  return type === 'time' ? compilation.inZone(column) : { sql: column, type }
}

/** The sources of a SELECT together. */
export function sourcesScope(sources: readonly SourceRows[]): Scope {
  const named = new Map<string, SourceRows>()
  for (const source of sources) if (source.alias !== null) named.set(source.alias, source)
  const all = (place: Place) =>
    sources.flatMap((source) =>
      source.columns.map(({ name, path }) => ({ name, value: known(source, path, place) })),
    )
  return {
    name(path, place) {
      const [first = '', ...rest] = path
      const qualified = rest.length > 0 ? named.get(first)?.member(rest, place) : undefined
      if (qualified !== undefined && qualified !== null) return qualified
      const found = sources.flatMap((source) => source.member(path, place) ?? [])
      if (found.length > 1)
        throw new SqlFault(
          `"${path.join('.')}" may mean a column of several tables: put a table before it.`,
          place,
        )
      if (found[0] !== undefined) return found[0]
      throw unknownName(path, named.get(first)?.names ?? sources.flatMap(({ names }) => names), place)
    },
    star(source, place) {
      if (source === null) return all(place)
      const one = named.get(source)
      if (one === undefined)
        throw new SqlFault(`There is no table "${source}" here${suggestion(source, named.keys())}.`, place)
      return one.columns.map(({ name, path }) => ({ name, value: known(one, path, place) }))
    },
  }
}

function known(source: SourceRows, path: readonly string[], place: Place): Compiled {
  const found = source.member(path, place)
  if (found === null) throw unknownName(path, source.names, place)
  return found
}

export function unknownName(path: readonly string[], names: readonly string[], place: Place): SqlFault {
  const last = path[path.length - 1] as string
  const whole = path.join('.')
  return new SqlFault(`There is no column "${whole.slice(0, 100)}" here${suggestion(last, names)}.`, place)
}
