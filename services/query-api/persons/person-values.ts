import { countDeclared, textDeclared } from '../http/parameter-declarations.ts'
import {
  countParameter,
  type RawQuery,
  refuseUnknown,
  requiredText,
  textParameter,
} from '../http/request-parameters.ts'
import type { Bindings } from '../query/bindings.ts'
import { jsonPropertySql } from '../query/event-properties.ts'

export const VALUE_LIMITS = { default: 10, max: 100 } as const

export const VALUES_PARAMETERS = {
  key: textDeclared('The property.'),
  value: textDeclared('Only values that contain this, in any case.'),
  limit: countDeclared('Values, those that most have first.', VALUE_LIMITS.default, VALUE_LIMITS.max),
}

export interface ValuesRequest {
  readonly key: string
  readonly value: string | null
  readonly limit: number
}

/**
 * @param further parameters that the route reads besides
 * @throws ApiError 400
 */
export function readValuesRequest(query: RawQuery, further: readonly string[] = []): ValuesRequest {
  refuseUnknown(query, [...Object.keys(VALUES_PARAMETERS), ...further])
  return {
    key: requiredText(query, 'key'),
    value: textParameter(query, 'value'),
    limit: countParameter(query, 'limit', VALUE_LIMITS.default, VALUE_LIMITS.max),
  }
}

/**
 * Values of a property with how many have each: `name`, `count`.
 *
 * @param newest what stands after FROM: rows with a column `properties`, each as it is now
 */
export function valuesSql(newest: string, request: ValuesRequest, bindings: Bindings): string {
  const property = jsonPropertySql('properties', bindings.bind(request.key, 'String'))
  const containing =
    request.value === null
      ? ''
      : ` AND positionCaseInsensitiveUTF8(name, ${bindings.bind(request.value, 'String')}) > 0`
  return (
    `SELECT ${property.text} AS name, count() AS count FROM ${newest} AND ${property.isSet}${containing} ` +
    `GROUP BY name ORDER BY count DESC, name ASC LIMIT ${bindings.bind(request.limit, 'UInt64')}`
  )
}
