import { countDeclared, textDeclared, wholeDeclared } from '../http/parameter-declarations.ts'
import { countParameter, type RawQuery, refuseUnknown, textParameter } from '../http/request-parameters.ts'
import { type CreatedCursor, CURSOR_LENGTH_MAX, decodeCreatedCursor } from '../query/created-cursor.ts'
import { FILTER_LIMITS, readGroupTypeIndex } from '../query/property-filters.ts'

export const GROUP_LIMITS = { default: 100, max: 1_000, offsetMax: 10_000_000 } as const

export const INDEX_PARAMETER = {
  group_type_index: wholeDeclared(
    'The kind of group, as groups_types has it.',
    0,
    FILTER_LIMITS.groupTypes - 1,
  ),
}
export const GROUPS_PARAMETERS = {
  ...INDEX_PARAMETER,
  search: textDeclared('Only groups whose key or property `name` contains this, in any case.'),
  limit: countDeclared('Groups per page.', GROUP_LIMITS.default, GROUP_LIMITS.max),
  cursor: textDeclared('Where the page begins, as `next` has it.'),
}
export const FIND_PARAMETERS = { ...INDEX_PARAMETER, group_key: textDeclared('The key of the group.') }
export const RELATED_PARAMETERS = {
  ...INDEX_PARAMETER,
  id: textDeclared('The key of a group of that type; without a type the id or a distinct id of a person.'),
}

export interface GroupsRequest {
  readonly index: number
  readonly search: string | null
  readonly limit: number
  readonly cursor: CreatedCursor | null
}

/** @throws ApiError 400 */
export function readGroupsRequest(query: RawQuery): GroupsRequest {
  refuseUnknown(query, Object.keys(GROUPS_PARAMETERS))
  const cursor = textParameter(query, 'cursor', CURSOR_LENGTH_MAX)
  return {
    index: readIndex(query),
    search: textParameter(query, 'search'),
    limit: countParameter(query, 'limit', GROUP_LIMITS.default, GROUP_LIMITS.max),
    cursor: cursor === null ? null : decodeCreatedCursor(cursor),
  }
}

/** @throws ApiError 400 */
export function readIndex(query: RawQuery): number {
  return readGroupTypeIndex(textParameter(query, 'group_type_index'), 'group_type_index')
}
