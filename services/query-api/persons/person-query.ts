import type { Bindings } from '../query/bindings.ts'
import type { CreatedCursor } from '../query/created-cursor.ts'
import { jsonPropertySql } from '../query/event-properties.ts'
import { type FilterScope, filterSql } from '../query/filter-sql.ts'
import { NAME_PROPERTIES } from '../query/person-name.ts'
import { PERSON_KEY } from '../query/person-rows.ts'
import { timeSql } from '../query/time-sql.ts'
import type { PersonSelection } from './persons-request.ts'

/** One row of {@link personPageSql}. 64-bit integers may come as text. */
export interface PersonRecord {
  readonly the_person: string
  readonly person_id: string
  readonly created_ms: string | number
  readonly is_identified: boolean
  /** A JSON object. */
  readonly properties: string
}

/** Everything that conditions on persons depend on. */
export type PersonScope = FilterScope & { readonly ownProperties: 'properties' }

/** One after the other, those of the same millisecond by their keys. A cursor goes with the newest first alone. */
export interface PersonOrder {
  readonly by: 'created_at' | 'person_id'
  readonly isAscending: boolean
}

export const NEWEST_FIRST: PersonOrder = { by: 'created_at', isAscending: false }

export interface PersonPage {
  readonly limit: number
  readonly offset: number
  readonly cursor: CreatedCursor | null
}

/**
 * `FINAL` takes the newest row of each person before any condition looks at it, so no older state is ever found. It
 * costs less than grouping by key: rows lie in that order already.
 */
const NEWEST_PERSONS = 'persons FINAL'
const NEWEST_IDS = 'person_distinct_ids FINAL'

const COLUMNS =
  `person_key AS ${PERSON_KEY}, person_id, toUnixTimestamp64Milli(created_at) AS created_ms, ` +
  'is_identified, properties'

/** Persons as of now, in a total order. */
export function personPageSql(
  selection: PersonSelection,
  page: PersonPage,
  scope: PersonScope,
  { by, isAscending }: PersonOrder = NEWEST_FIRST,
): string {
  const { bindings } = scope
  const conditions = [selectionSql(selection, scope)]
  if (page.cursor !== null) {
    const time = timeSql(page.cursor.createdMs, bindings)
    const key = bindings.bind(page.cursor.key, 'String')
    conditions.push(`(created_at < ${time} OR (created_at = ${time} AND person_key > ${key}))`)
  }
  return (
    `SELECT ${COLUMNS} FROM ${NEWEST_PERSONS} WHERE ${conditions.join(' AND ')} ` +
    `ORDER BY ${by} ${isAscending ? 'ASC' : 'DESC'}, person_key ASC ` +
    `LIMIT ${bindings.bind(page.limit, 'UInt64')} OFFSET ${bindings.bind(page.offset, 'UInt64')}`
  )
}

export function personCountSql(selection: PersonSelection, scope: PersonScope): string {
  return (
    `SELECT count() AS persons FROM (SELECT person_key AS ${PERSON_KEY} ` +
    `FROM ${NEWEST_PERSONS} WHERE ${selectionSql(selection, scope)})`
  )
}

/** Persons by their keys. */
export function personsByKeySql(dataset: string, keys: readonly string[], bindings: Bindings): string {
  return (
    `SELECT ${COLUMNS} FROM ${NEWEST_PERSONS} WHERE ${aliveIn(dataset, bindings)} ` +
    `AND person_key IN (${bindings.bind(keys, 'Array(String)')})`
  )
}

/** What stands after FROM: everybody who lives, as of now, with the condition open to more. */
export function newestPersonProperties(dataset: string, bindings: Bindings): string {
  return `${NEWEST_PERSONS} WHERE ${aliveIn(dataset, bindings)}`
}

function aliveIn(dataset: string, bindings: Bindings): string {
  return `dataset_id = ${bindings.bind(dataset, 'String')} AND NOT is_deleted`
}

function selectionSql(selection: PersonSelection, scope: PersonScope): string {
  const { bindings, dataset } = scope
  const conditions = [aliveIn(dataset, bindings)]
  if (selection.distinctId !== null)
    conditions.push(ownerOf(`distinct_id = ${bindings.bind(selection.distinctId, 'String')}`, scope))
  if (selection.email !== null) {
    const email = jsonPropertySql('properties', bindings.bind('email', 'String'))
    conditions.push(`${email.isSet} AND ${email.text} = ${bindings.bind(selection.email, 'String')}`)
  }
  if (selection.search !== null) conditions.push(searchSql(selection.search, scope))
  if (selection.filters.parts.length > 0) conditions.push(filterSql(selection.filters, scope))
  return conditions.join(' AND ')
}

/** The properties that a person may be named by, however they are capitalised, its distinct ids and its id. */
function searchSql(text: string, scope: PersonScope): string {
  const bound = scope.bindings.bind(text, 'String')
  const found = (column: string) => `positionCaseInsensitiveUTF8(${column}, ${bound}) > 0`
  const names = `(${NAME_PROPERTIES.map((name) => `'${name}'`).join(', ')})`
  const named =
    `arrayExists(pair -> lower(pair.1) IN ${names} AND ${found('pair.2')}, ` +
    "JSONExtractKeysAndValues(properties, 'String'))"
  return `(${named} OR toString(person_id) = lower(${bound}) OR ${ownerOf(found('distinct_id'), scope)})`
}

/** The person whom a distinct id that fits belongs to now. */
function ownerOf(condition: string, { dataset, bindings }: PersonScope): string {
  return `person_key IN (SELECT person_key FROM ${NEWEST_IDS} WHERE ${aliveIn(dataset, bindings)} AND ${condition})`
}

/** Keys of the living that ids of the API name: `asked`, `key`. */
export function personsByUuidSql(dataset: string, uuids: readonly string[], bindings: Bindings): string {
  return (
    `SELECT toString(person_id) AS asked, person_key AS key FROM ${NEWEST_PERSONS} ` +
    `WHERE ${aliveIn(dataset, bindings)} AND person_id IN (${bindings.bind(uuids, 'Array(UUID)')})`
  )
}

/** Keys of the persons to whom distinct ids belong now: `asked`, `key`. */
export function personsByDistinctIdSql(dataset: string, ids: readonly string[], bindings: Bindings): string {
  return (
    `SELECT distinct_id AS asked, person_key AS key FROM ${NEWEST_IDS} ` +
    `WHERE ${aliveIn(dataset, bindings)} AND distinct_id IN (${bindings.bind(ids, 'Array(String)')})`
  )
}

/** Whom a distinct id belongs to, or that its person was deleted: `key`, `is_deleted`. */
export function distinctIdSql(dataset: string, id: string, bindings: Bindings): string {
  return (
    `SELECT person_key AS key, is_deleted FROM ${NEWEST_IDS} ` +
    `WHERE dataset_id = ${bindings.bind(dataset, 'String')} AND distinct_id = ${bindings.bind(id, 'String')}`
  )
}

/** The key of a person that lives or ever lived: `key`. */
export function everByUuidSql(dataset: string, uuid: string, bindings: Bindings): string {
  return (
    `SELECT person_key AS key FROM persons WHERE dataset_id = ${bindings.bind(dataset, 'String')} ` +
    `AND person_id IN (${bindings.bind([uuid], 'Array(UUID)')}) LIMIT 1`
  )
}
