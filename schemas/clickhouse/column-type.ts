import type { Field } from '../field.ts'

/**
 * Column type of a field in ClickHouse, as the table in `schemas/field.ts` says. A list has no null in ClickHouse: a
 * null one is stored as the empty list.
 */
export function clickHouseType(field: Pick<Field, 'type' | 'nullable'>): string {
  if (field.type === 'text_list') return 'Array(String)'
  const type = {
    text: 'String',
    integer: 'Int64',
    number: 'Float64',
    boolean: 'Bool',
    timestamp: "DateTime64(3, 'UTC')",
    json: 'String',
  }[field.type]
  return field.nullable ? `Nullable(${type})` : type
}
