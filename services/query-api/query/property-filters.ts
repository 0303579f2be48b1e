import { invalidInput } from '../http/api-error.ts'
import { readEventExpression } from '../sql/event-expression.ts'
import type { Expression } from '../sql/syntax.ts'
import { ELEMENT_PROPERTIES, ELEMENT_SELECTOR, isElementProperty } from './element-properties.ts'
import { readSelector, SELECTOR_LIMITS } from './element-selector.ts'
import { RECORDING_PROPERTIES } from './recording-rows.ts'
import { isSessionProperty, SESSION_PROPERTIES } from './session-properties.ts'

export const OPERATORS = [
  'exact',
  'is_not',
  'icontains',
  'not_icontains',
  'regex',
  'not_regex',
  'gt',
  'gte',
  'lt',
  'lte',
  'is_set',
  'is_not_set',
  'is_date_exact',
  'is_date_before',
  'is_date_after',
] as const
export type Operator = (typeof OPERATORS)[number]

/** Whose property it is. A person's is read as it is now, or as it was when the event arrived. */
export type PropertyOwner =
  | { readonly of: 'event' }
  | { readonly of: 'element' }
  | { readonly of: 'person'; readonly asOf: 'now' | 'event' }
  | { readonly of: 'session' }
  | { readonly of: 'recording' }
  | { readonly of: 'group'; readonly index: number }

export interface PropertyFilter {
  readonly kind: 'filter'
  readonly owner: PropertyOwner
  readonly key: string
  readonly operator: Operator
  /** Always a list of texts; one text for everything but exact and is_not. */
  readonly values: readonly string[]
}

/** Whether the person is a member of a cohort. */
export interface CohortFilter {
  readonly kind: 'cohort'
  readonly id: number
  readonly isNegated: boolean
}

/** Whether an expression of the query language holds of the event. */
export interface ExpressionFilter {
  readonly kind: 'expression'
  readonly expression: Expression
}

export type Filter = PropertyFilter | CohortFilter | ExpressionFilter

export interface FilterGroup {
  readonly kind: 'AND' | 'OR'
  readonly parts: readonly (FilterGroup | Filter)[]
}

export const NO_FILTERS: FilterGroup = { kind: 'AND', parts: [] }

/** What a filter's `type` may say, each with what it reads. */
export const FILTER_TYPES = [
  'event',
  'element',
  'person',
  'session',
  'recording',
  'group',
  'cohort',
  'hogql',
] as const
export type FilterType = (typeof FILTER_TYPES)[number]
/** Names under which clients send an expression of the query language. */
export const EXPRESSION_TYPES = ['hogql', 'sql', 'pypeql'] as const
/** Names of the same thing that clients use. */
const TYPE_SYNONYMS: ReadonlyMap<string, FilterType> = new Map([
  ['static-cohort', 'cohort'],
  ['precalculated-cohort', 'cohort'],
  ...EXPRESSION_TYPES.map((name) => [name, 'hogql'] as const),
])

/** Bounds of a filter parameter. Reaching one is a 400. */
export const FILTER_LIMITS = {
  textBytes: 32_768,
  filters: 50,
  depth: 5,
  values: 500,
  keyLength: 1_000,
  regexes: 10,
  expressions: 20,
  groupTypes: 5,
}

/**
 * Reads the `properties` parameter: a list of filters (all must hold) or groups `{type: "AND"|"OR", values: […]}`.
 *
 * @param text  null for no filter
 * @param types what the question at hand can answer; the first is what a filter without a type means
 * @throws ApiError 400 naming what is wrong
 */
export function parsePropertyFilters(
  text: string | null,
  attr = 'properties',
  types: readonly FilterType[] = ['event'],
): FilterGroup {
  if (text === null || text === '') return NO_FILTERS
  if (text.length > FILTER_LIMITS.textBytes)
    throw invalidInput(attr, `Filters may be at most ${FILTER_LIMITS.textBytes} characters of JSON.`)
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    throw invalidInput(attr, 'This is not JSON. Send a list of filters, e.g. [{"key":"plan","value":"pro"}].')
  }
  return readFilterTree(parsed, attr, types)
}

/** Like {@link parsePropertyFilters}, of a value that is parsed already. */
export function readFilterTree(
  value: unknown,
  attr: string,
  types: readonly FilterType[] = ['event'],
): FilterGroup {
  const state = { attr, types, filters: 0, regexes: 0, expressions: 0 }
  if (Array.isArray(value)) return { kind: 'AND', parts: value.map((part) => readPart(part, 1, state)) }
  const part = readPart(value, 1, state)
  return 'parts' in part ? part : { kind: 'AND', parts: [part] }
}

interface ReadState {
  readonly attr: string
  readonly types: readonly FilterType[]
  filters: number
  regexes: number
  expressions: number
}

function readPart(value: unknown, depth: number, state: ReadState): FilterGroup | Filter {
  const { attr } = state
  if (depth > FILTER_LIMITS.depth)
    throw invalidInput(attr, `Groups may be ${FILTER_LIMITS.depth} deep at most.`)
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalidInput(attr, 'A filter is an object like {"key":"plan","operator":"exact","value":"pro"}.')
  const given = value as Readonly<Record<string, unknown>>
  if (given.type === 'AND' || given.type === 'OR') {
    if (!Array.isArray(given.values)) throw invalidInput(attr, 'A group has a list of filters in "values".')
    return { kind: given.type, parts: given.values.map((part) => readPart(part, depth + 1, state)) }
  }
  if (++state.filters > FILTER_LIMITS.filters)
    throw invalidInput(attr, `There may be at most ${FILTER_LIMITS.filters} filters.`)
  const type = readType(given.type, state)
  if (type === 'cohort') return readCohort(given, attr)
  if (type === 'hogql') return readExpression(given, state)
  return readFilter(given, readOwner(type, given, attr), state)
}

function readType(given: unknown, { attr, types }: ReadState): FilterType {
  const text = given ?? types[0]
  const type = TYPE_SYNONYMS.get(String(text)) ?? types.find((one) => one === text)
  if (type !== undefined && types.includes(type)) return type
  if (text === 'behavioral' && types.includes('cohort'))
    throw invalidInput(attr, 'Make a cohort of those who behaved like that, and filter by the cohort.')
  throw invalidInput(
    attr,
    `Only filters of type ${types.map((one) => `"${one}"`).join(', ')} can be answered here.`,
  )
}

function readOwner(
  type: Exclude<FilterType, 'cohort' | 'hogql'>,
  given: Readonly<Record<string, unknown>>,
  attr: string,
): PropertyOwner {
  if (type === 'person') return { of: type, asOf: readAsOf(given.as_of, attr) }
  if (type === 'group') return { of: type, index: readGroupTypeIndex(given.group_type_index, attr) }
  if (type === 'session' && !isSessionProperty(given.key))
    throw invalidInput(attr, `A session has the properties ${SESSION_PROPERTIES.join(', ')}.`)
  if (type === 'recording' && !RECORDING_PROPERTIES.includes(String(given.key)))
    throw invalidInput(attr, `A recording has the properties ${RECORDING_PROPERTIES.join(', ')}.`)
  if (type === 'element' && !isElementProperty(given.key) && given.key !== ELEMENT_SELECTOR)
    throw invalidInput(
      attr,
      `An element has the properties ${ELEMENT_PROPERTIES.join(', ')}, and fits a ${ELEMENT_SELECTOR}.`,
    )
  return { of: type }
}

/** @throws ApiError 400 for anything but nothing, `now` and `event` */
export function readAsOf(value: unknown, attr: string): 'now' | 'event' {
  if (value === undefined || value === null || value === 'now') return 'now'
  if (value === 'event') return 'event'
  throw invalidInput(attr, 'as_of is "now" or "event": the person as it is, or as it was at the event.')
}

/** @throws ApiError 400 */
export function readGroupTypeIndex(value: unknown, attr: string): number {
  const index = typeof value === 'string' && value !== '' ? Number(value) : value
  if (typeof index === 'number' && Number.isInteger(index) && index >= 0 && index < FILTER_LIMITS.groupTypes)
    return index
  throw invalidInput(
    attr,
    `The index of a group type is a whole number from 0 to ${FILTER_LIMITS.groupTypes - 1}.`,
  )
}

/** `{type: "cohort", key: "id", value: 5}`, negated by `negation` or by the operators `not_in` and `is_not`. */
function readCohort(given: Readonly<Record<string, unknown>>, attr: string): CohortFilter {
  const { value, operator } = given
  const id = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value
  if (typeof id !== 'number' || !Number.isSafeInteger(id) || id < 0)
    throw invalidInput(attr, 'The "value" of a cohort filter is the id of the cohort.')
  const operators: readonly unknown[] = ['in', 'exact', 'not_in', 'is_not']
  if (operator !== undefined && operator !== null && !operators.includes(operator))
    throw invalidInput(attr, 'The operator of a cohort filter is "in" or "not_in".')
  const isNegated = operator === 'not_in' || operator === 'is_not'
  return { kind: 'cohort', id, isNegated: isNegated !== (given.negation === true) }
}

/** `{type: "hogql", key: "properties.amount > 5"}`: there is nothing to compare with, so a "value" says nothing. */
function readExpression({ key }: Readonly<Record<string, unknown>>, state: ReadState): ExpressionFilter {
  const { attr } = state
  if (typeof key !== 'string')
    throw invalidInput(attr, 'The "key" of such a filter is an expression, e.g. "properties.amount > 5".')
  if (++state.expressions > FILTER_LIMITS.expressions)
    throw invalidInput(attr, `There may be at most ${FILTER_LIMITS.expressions} expressions.`)
  return { kind: 'expression', expression: readEventExpression(key, attr) }
}

function readFilter(
  given: Readonly<Record<string, unknown>>,
  owner: PropertyOwner,
  state: ReadState,
): PropertyFilter {
  const { attr } = state
  const { key } = given
  if (typeof key !== 'string' || key.length > FILTER_LIMITS.keyLength)
    throw invalidInput(attr, `A filter has a "key", text of at most ${FILTER_LIMITS.keyLength} characters.`)
  const operator = (given.operator ?? 'exact') as Operator
  if (!OPERATORS.includes(operator))
    throw invalidInput(attr, `There is no such operator. There are: ${OPERATORS.join(', ')}.`)
  if (operator === 'is_set' || operator === 'is_not_set') {
    if (owner.of === 'element' && key === ELEMENT_SELECTOR) checkSelectors(operator, [], attr)
    return { kind: 'filter', owner, key, operator, values: [] }
  }
  const values = Array.isArray(given.value) ? given.value : [given.value]
  const isList = operator === 'exact' || operator === 'is_not'
  if (values.length > (isList ? FILTER_LIMITS.values : 1))
    throw invalidInput(
      attr,
      isList ? `At most ${FILTER_LIMITS.values} values.` : `${operator} takes one value.`,
    )
  const texts = values.map((one) => {
    if (typeof one === 'string' || typeof one === 'number' || typeof one === 'boolean') return String(one)
    throw invalidInput(attr, `The "value" of ${operator} must be text, a number or true or false.`)
  })
  if (!isList && texts.length !== 1) throw invalidInput(attr, `${operator} needs a "value".`)
  if (owner.of === 'element' && key === ELEMENT_SELECTOR) checkSelectors(operator, texts, attr)
  if (operator.endsWith('regex') && ++state.regexes > FILTER_LIMITS.regexes)
    throw invalidInput(attr, `There may be at most ${FILTER_LIMITS.regexes} regular expressions.`)
  return { kind: 'filter', owner, key, operator, values: texts }
}

function checkSelectors(operator: Operator, selectors: readonly string[], attr: string): void {
  if (operator !== 'exact' && operator !== 'is_not')
    throw invalidInput(attr, 'An element fits a selector (exact) or it does not (is_not).')
  if (selectors.length > SELECTOR_LIMITS.selectors)
    throw invalidInput(attr, `At most ${SELECTOR_LIMITS.selectors} selectors.`)
  for (const selector of selectors) readSelector(selector, attr)
}

/** Every filter in it, in order, whatever groups it lies in. */
export function filtersOf(group: FilterGroup): Filter[] {
  return group.parts.flatMap((part) => ('parts' in part ? filtersOf(part) : [part]))
}

/** Every regular expression in it. The engine alone can tell which ones are valid. */
export function patternsOf(group: FilterGroup): string[] {
  return filtersOf(group).flatMap((filter) =>
    filter.kind === 'filter' && filter.operator.endsWith('regex') ? [filter.values[0] as string] : [],
  )
}
