import { jsonParameter } from '../http/json-parameter.ts'
import { jsonDeclared } from '../http/parameter-declarations.ts'
import type { RawQuery } from '../http/request-parameters.ts'
import { type Filters, readOverride } from './insight-filters.ts'

/** Of whatever answers saved insights. */
export const OVERRIDE_PARAMETER = {
  filters_override: jsonDeclared(
    '`{date_from, date_to, properties}` that stand where the filters of a dashboard do, instead of those, for this call.',
  ),
}

/** Null where nothing is to be overridden. @throws ApiError 400 */
export function overrideParameter(query: RawQuery): Filters | null {
  const filters = readOverride(jsonParameter(query, 'filters_override'))
  return Object.keys(filters).length === 0 ? null : filters
}
