import { FUNCTION_NAMES } from '../sql/functions.ts'
import { VIEWS } from '../sql/views.ts'
import type { RunKind } from './run-query.ts'

const TYPES = {
  text: 'string',
  number: 'float',
  time: 'datetime',
  json: 'json',
  property: 'string',
  unknown: 'unknown',
} as const

/** The tables of the query language with their columns, and its functions. */
export const schemaQuery: RunKind = async () => {
  const tables = Object.fromEntries(
    [...VIEWS.values()].map(({ name, description, fields }) => [
      name,
      {
        id: name,
        name,
        description,
        fields: Object.fromEntries(
          [...fields].map(([field, { type, description: about }]) => [
            field,
            { name: field, type: TYPES[type], description: about, hogql_value: field, schema_valid: true },
          ]),
        ),
      },
    ]),
  )
  return { tables, functions: FUNCTION_NAMES, joins: [], results: null }
}
