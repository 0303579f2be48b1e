import { invalidInput } from '../http/api-error.ts'
import {
  type FilterGroup,
  type FilterType,
  parsePropertyFilters,
  readFilterTree,
} from '../query/property-filters.ts'

/** Names under which clients send an expression of the query language as a filter: its `key`. */
const EXPRESSION_TYPES: readonly unknown[] = ['hogql', 'pypeql', 'sql']
const EXPRESSIONS_MAX = 50

export interface EventFilters {
  readonly filters: FilterGroup
  readonly expressions: readonly string[]
}

/**
 * Filters of events, some of which may be expressions: `{"type":"sql","key":"properties.amount > 5"}`, in a list only.
 *
 * @throws ApiError 400
 */
export function readEventFilters(
  text: string | null,
  attr: string,
  types: readonly FilterType[],
): EventFilters {
  if (
    text === null ||
    !text.trimStart().startsWith('[') ||
    !EXPRESSION_TYPES.some((type) => text.includes(`"${type}"`))
  )
    return { filters: parsePropertyFilters(text, attr, types), expressions: [] }
  // Its length and its JSON are checked the same for all.
  let list: unknown
  try {
    list = JSON.parse(text)
  } catch {
    return { filters: parsePropertyFilters(text, attr, types), expressions: [] }
  }
  return splitFilters(list as readonly unknown[], attr, types)
}

export function splitFilters(value: unknown, attr: string, types: readonly FilterType[]): EventFilters {
  if (!Array.isArray(value)) return { filters: readFilterTree(value, attr, types), expressions: [] }
  const isExpression = (one: unknown) =>
    EXPRESSION_TYPES.includes((one as { readonly type?: unknown } | null)?.type)
  const expressions = value.filter(isExpression).map((one) => {
    const { key } = one as { readonly key?: unknown }
    if (typeof key !== 'string') throw invalidInput(attr, 'The "key" of such a filter is an expression.')
    return key
  })
  if (expressions.length > EXPRESSIONS_MAX)
    throw invalidInput(attr, `There may be at most ${EXPRESSIONS_MAX} expressions.`)
  return {
    filters: readFilterTree(
      value.filter((one) => !isExpression(one)),
      attr,
      types,
    ),
    expressions,
  }
}
