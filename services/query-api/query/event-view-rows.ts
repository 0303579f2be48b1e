import type { Bindings } from './bindings.ts'
import {
  newestPersonsSql,
  PERSON_KEY,
  THEN_PROPERTIES,
  withEventPersonSql,
  withPersonThenSql,
} from './person-rows.ts'
import { STORED_EVENTS } from './stored-events.ts'

/** Columns of a question's rows: properties of the person as it is now, a JSON object, and when it was first seen; null for nobody. */
export const NOW_PROPERTIES = 'now_properties'
export const NOW_CREATED_AT = 'now_created_at'
const NOW = new RegExp(`\\b(${NOW_PROPERTIES}|${NOW_CREATED_AT})\\b`)

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
  if (!named.some((sql) => NOW.test(sql))) return []
  const persons =
    `SELECT newest_key, toNullable(newest_properties) AS ${NOW_PROPERTIES}, ` +
    `toNullable(newest_created_at) AS ${NOW_CREATED_AT} FROM (${newestPersonsSql(dataset, bindings)})`
  return [`LEFT ANY JOIN (${persons}) AS people ON ${PERSON_KEY} = people.newest_key`]
}

/** Whether {@link eventViewRowsSql} has the column {@link PERSON_KEY} because somebody names it or what depends on it. */
function joinsPeople(named: readonly string[]): boolean {
  return isNamed(named, PERSON_KEY) || named.some((sql) => NOW.test(sql))
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
