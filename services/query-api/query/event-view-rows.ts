import type { Bindings } from './bindings.ts'
import {
  newestPersonsSql,
  PERSON_KEY,
  THEN_PROPERTIES,
  withEventPersonSql,
  withPersonThenSql,
} from './person-rows.ts'
import { STORED_EVENTS } from './stored-events.ts'

/** Column of a question's rows: the properties of the person as it is now, a JSON object or empty. */
export const NEWEST_PROPERTIES = 'newest_properties'
const NEWEST = /\bnewest_(key|properties|created_at)\b/

/**
 * Joins of the persons as they are now to rows with the column {@link PERSON_KEY}, where somebody names what they have.
 *
 * @param named all SQL that stands outside and names columns of the rows
 */
export function newestPersonsJoins(
  named: readonly string[],
  dataset: string,
  bindings: Bindings,
): readonly string[] {
  if (!named.some((sql) => NEWEST.test(sql))) return []
  const persons = newestPersonsSql(dataset, bindings)
  return [`LEFT ANY JOIN (${persons}) AS people ON ${PERSON_KEY} = people.newest_key`]
}

/** Whether {@link eventViewRowsSql} has the column {@link PERSON_KEY} because somebody names it or what depends on it. */
export function joinsPeople(named: readonly string[]): boolean {
  return isNamed(named, PERSON_KEY) || named.some((sql) => NEWEST.test(sql))
}

function isNamed(named: readonly string[], column: string): boolean {
  return named.some((sql) => sql.includes(column))
}

/**
 * Rows of `events` of one dataset, with those columns about people that somebody names; the joins for others are left
 * out.
 *
 * @param named      all SQL that stands outside and names columns of the rows
 * @param conditions on the columns of the table itself, as SQL
 */
export function eventViewRowsSql(
  dataset: string,
  named: readonly string[],
  conditions: readonly string[],
  bindings: Bindings,
): string {
  const newest = newestPersonsJoins(named, dataset, bindings)
  const where = [`dataset_id = ${bindings.bind(dataset, 'String')}`, ...conditions].join(' AND ')
  let rows = `${STORED_EVENTS} WHERE ${where}`
  if (joinsPeople(named)) rows = withEventPersonSql(rows, dataset, bindings)
  if (isNamed(named, THEN_PROPERTIES)) rows = withPersonThenSql(rows, dataset, bindings)
  return newest.length > 0 ? `SELECT * FROM (${rows}) AS done ${newest.join(' ')}` : rows
}
