import { jsonPropertySql, type PropertySql } from '../query/event-properties.ts'
import type { Compilation, Compiled } from './compilation.ts'
import { type Place, SqlFault } from './sql-fault.ts'
import { EVENTS_VIEW, type View } from './views.ts'

/** Members of members that a path may name, the property among them. */
const PATH_MAX = 5
const NAME_LENGTH_MAX = 1_000

/**
 * A member of a JSON object by its path: text, or null where it is not set.
 *
 * @param read the object's own way to read a first member; null for a column that holds JSON
 */
export function propertyAt(
  column: string,
  read: ((name: string, placeholder: string) => PropertySql) | null,
  path: readonly string[],
  compilation: Compilation,
  place: Place,
): Compiled {
  if (path.length > PATH_MAX) throw new SqlFault(`A property may be ${PATH_MAX} levels deep at most.`, place)
  if (path.some((name) => name.length > NAME_LENGTH_MAX))
    throw new SqlFault(`Names of properties may have ${NAME_LENGTH_MAX} characters.`, place)
  for (const name of path) compilation.mentioned.add(name)
  const bound = path.map((name) => compilation.bind(name, 'String')).join(', ')
  const [first = ''] = path
  const { isSet, text } =
    read !== null && path.length === 1 ? read(first, bound) : jsonPropertySql(column, bound)
  return { sql: `if(${isSet}, ${text}, NULL)`, type: 'property' }
}

/** What a path means in a view: a field, a member of a JSON field, or null for nothing. */
export function viewMember(
  view: View,
  path: readonly string[],
  compilation: Compilation,
  place: Place,
): Compiled | null {
  for (let length = path.length; length > 0; length--) {
    const name = path.slice(0, length).join('.')
    const field = view.fields.get(name)
    if (length === path.length && field !== undefined) {
      compilation.mentioned.add(name)
      return { sql: field.sql(compilation), type: field.type }
    }
    const holder = view.holders.get(name)
    if (holder !== undefined && field !== undefined && length < path.length)
      return propertyAt(field.sql(compilation), holder, path.slice(length), compilation, place)
  }
  return null
}

/** Names for whoever mistyped one. */
export function memberNames(view: View): string[] {
  return [...view.fields.keys()]
}

/** Is it a name that enrichment gives to events? */
export function isEventField(name: string): boolean {
  return EVENTS_VIEW.fields.has(name)
}
