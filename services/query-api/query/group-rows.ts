import type { Bindings } from './bindings.ts'

/** Text: the key of the event's group of that type; empty where it has none. */
export function groupKeySql(dataset: string, index: number, bindings: Bindings): string {
  const name =
    `SELECT argMax(group_type, version) FROM group_types WHERE dataset_id = ${bindings.bind(dataset, 'String')} ` +
    `AND group_type_index = ${bindings.bind(index, 'UInt64')}`
  return `JSONExtractString(ifNull(groups, ''), ifNull((${name}), ''))`
}

/** Groups of one type as they are: `newest_key`, `newest_properties` (a JSON object), `newest_created_at`. */
export function newestGroupsSql(dataset: string, index: number, bindings: Bindings): string {
  return (
    'SELECT group_key AS newest_key, argMax(properties, version) AS newest_properties, ' +
    'argMax(created_at, version) AS newest_created_at FROM groups ' +
    `WHERE dataset_id = ${bindings.bind(dataset, 'String')} ` +
    `AND group_type_index = ${bindings.bind(index, 'UInt64')} ` +
    'GROUP BY group_key HAVING argMax(is_deleted, version) = 0'
  )
}
