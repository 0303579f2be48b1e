/**
 * A filter as a tree. The language, its types and its rules for missing values are in `docs/filters.md`; it is
 * parsed, never evaluated as code, and has no regular expressions.
 */
export type Filter =
  | { readonly kind: 'and'; readonly terms: readonly Filter[] }
  | { readonly kind: 'or'; readonly terms: readonly Filter[] }
  | { readonly kind: 'not'; readonly term: Filter }
  | {
      readonly kind: 'compare'
      readonly path: FilterPath
      readonly operator: CompareOperator
      readonly value: FilterLiteral
    }
  | { readonly kind: 'in'; readonly path: FilterPath; readonly values: readonly FilterLiteral[] }
  | {
      readonly kind: 'match'
      readonly path: FilterPath
      readonly operator: MatchOperator
      readonly value: FilterLiteral
    }
  | { readonly kind: 'null'; readonly path: FilterPath }

/** A column, then member names inside it. */
export type FilterPath = readonly [string, ...string[]]
export type FilterLiteral = string | number | boolean

export const COMPARE_OPERATORS = ['=', '!=', '<', '<=', '>', '>='] as const
export type CompareOperator = (typeof COMPARE_OPERATORS)[number]
export type MatchOperator = 'contains' | 'starts with' | 'ends with'

/** Bounds of one filter; what goes past one is a fault that names it. */
export const FILTER_LIMITS = {
  /** UTF-16 code units of the whole text. */
  length: 4096,
  /** Parentheses and `not` inside one another. */
  depth: 32,
  /** Literals of one `in (…)`. */
  listItems: 500,
  /** Member names of one path, the column included. */
  pathSegments: 16,
} as const

/** Words that mean something to the language, in any case; a member of that name is fine after a dot. */
export const KEYWORDS: ReadonlySet<string> = new Set([
  'and',
  'or',
  'not',
  'in',
  'contains',
  'starts',
  'ends',
  'with',
  'is',
  'null',
  'true',
  'false',
])

/** A member name that needs no brackets. */
export const PLAIN_NAME = /^[A-Za-z_$][A-Za-z0-9_$]*$/

export interface FilterFault {
  /** One sentence without its full stop. */
  readonly message: string
  /** Index of the UTF-16 code unit where it went wrong. */
  readonly position: number
}

export class FilterError extends Error {
  readonly fault: FilterFault

  constructor(text: string, fault: FilterFault) {
    super(`The filter has a fault: ${fault.message}.\n${showFilterFault(text, fault)}`)
    this.name = 'FilterError'
    this.fault = fault
  }
}

/** The line of the filter that the fault is in, and a caret under the place. */
export function showFilterFault(text: string, fault: FilterFault): string {
  const start = text.lastIndexOf('\n', fault.position - 1) + 1
  const end = text.indexOf('\n', fault.position)
  const line = text.slice(start, end === -1 ? text.length : end)
  // Control characters would move the caret, or the terminal.
  return `${line.replace(/\p{Cc}/gu, ' ')}\n${' '.repeat(fault.position - start)}^`
}
