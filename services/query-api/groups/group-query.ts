import type { Bindings } from '../query/bindings.ts'
import type { CreatedCursor } from '../query/created-cursor.ts'
import { jsonPropertySql } from '../query/event-properties.ts'
import { timeSql } from '../query/time-sql.ts'

/** One row of {@link groupPageSql}. 64-bit integers may come as text. */
export interface GroupRecord {
  readonly group_key: string
  readonly created_ms: number | string
  /** A JSON object. */
  readonly properties: string
}

/** What stands after FROM: the groups of one type as they are now, with the condition open to more. */
export function newestGroupRows(dataset: string, index: number, bindings: Bindings): string {
  return (
    `groups FINAL WHERE dataset_id = ${bindings.bind(dataset, 'String')} ` +
    `AND group_type_index = ${bindings.bind(index, 'UInt64')} AND NOT is_deleted`
  )
}

const COLUMNS = 'group_key, toUnixTimestamp64Milli(created_at) AS created_ms, properties'

/** Groups of one type; with `search` those whose key or name contains it. */
export interface GroupSelection {
  readonly index: number
  readonly search: string | null
}

export interface GroupPage {
  readonly limit: number
  /** Groups before the page, counted from the cursor. */
  readonly offset: number
  readonly cursor: CreatedCursor | null
}

/** Groups as of now, the newest first, and of the same millisecond by their keys. */
export function groupPageSql(
  dataset: string,
  selection: GroupSelection,
  page: GroupPage,
  bindings: Bindings,
): string {
  const conditions = [newestGroupRows(dataset, selection.index, bindings)]
  if (selection.search !== null) {
    const bound = bindings.bind(selection.search, 'String')
    const name = jsonPropertySql('properties', bindings.bind('name', 'String'))
    const found = (column: string) => `positionCaseInsensitiveUTF8(${column}, ${bound}) > 0`
    conditions.push(`(${found('group_key')} OR ${found(name.text)})`)
  }
  if (page.cursor !== null) {
    const time = timeSql(page.cursor.createdMs, bindings)
    const key = bindings.bind(page.cursor.key, 'String')
    conditions.push(`(created_at < ${time} OR (created_at = ${time} AND group_key > ${key}))`)
  }
  return (
    `SELECT ${COLUMNS} FROM ${conditions.join(' AND ')} ORDER BY created_at DESC, group_key ASC ` +
    `LIMIT ${bindings.bind(page.limit, 'UInt64')} OFFSET ${bindings.bind(page.offset, 'UInt64')}`
  )
}

export function groupByKeySql(dataset: string, index: number, key: string, bindings: Bindings): string {
  return (
    `SELECT ${COLUMNS} FROM ${newestGroupRows(dataset, index, bindings)} ` +
    `AND group_key = ${bindings.bind(key, 'String')}`
  )
}

/** Kinds of groups by their indexes: `group_type`, `group_type_index`. */
export function groupTypesSql(dataset: string, bindings: Bindings): string {
  return (
    'SELECT argMax(group_type, version) AS group_type, group_type_index FROM group_types ' +
    `WHERE dataset_id = ${bindings.bind(dataset, 'String')} GROUP BY group_type_index ORDER BY group_type_index`
  )
}

/** Names of properties of each type with how many groups have them: `group_type_index`, `name`, `count`. */
export function groupPropertiesSql(dataset: string, limit: number, bindings: Bindings): string {
  return (
    'SELECT group_type_index, arrayJoin(JSONExtractKeys(properties)) AS name, count() AS count FROM groups FINAL ' +
    `WHERE dataset_id = ${bindings.bind(dataset, 'String')} AND NOT is_deleted GROUP BY group_type_index, name ` +
    `ORDER BY group_type_index, count DESC, name LIMIT ${bindings.bind(limit, 'UInt64')} BY group_type_index`
  )
}
