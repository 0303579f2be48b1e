import { invalidInput } from '../http/api-error.ts'
import type { Bindings } from './bindings.ts'
import { propertySql } from './event-properties.ts'
import { parseInstant, type TimeZone } from './zoned-time.ts'

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

export interface PropertyFilter {
  readonly kind: 'filter'
  readonly key: string
  readonly operator: Operator
  /** Always a list of texts; one text for everything but exact and is_not. */
  readonly values: readonly string[]
}

export interface FilterGroup {
  readonly kind: 'AND' | 'OR'
  readonly parts: readonly (FilterGroup | PropertyFilter)[]
}

/** Bounds of a filter parameter. Reaching one is a 400. */
export const FILTER_LIMITS = {
  textBytes: 32_768,
  filters: 50,
  depth: 5,
  values: 500,
  keyLength: 1_000,
  regexes: 10,
}

/**
 * Reads the `properties` parameter: a list of filters (all must hold) or groups `{type: "AND"|"OR", values: […]}`.
 *
 * @param text null for no filter
 * @throws ApiError 400 naming what is wrong
 */
export function parsePropertyFilters(text: string | null, attr = 'properties'): FilterGroup {
  if (text === null || text === '') return { kind: 'AND', parts: [] }
  if (text.length > FILTER_LIMITS.textBytes)
    throw invalidInput(attr, `Filters may be at most ${FILTER_LIMITS.textBytes} characters of JSON.`)
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    throw invalidInput(attr, 'This is not JSON. Send a list of filters, e.g. [{"key":"plan","value":"pro"}].')
  }
  return readFilterTree(parsed, attr)
}

/** Like {@link parsePropertyFilters}, of a value that is parsed already. */
export function readFilterTree(value: unknown, attr: string): FilterGroup {
  const state = { attr, filters: 0, regexes: 0 }
  if (Array.isArray(value)) return { kind: 'AND', parts: value.map((part) => readPart(part, 1, state)) }
  const part = readPart(value, 1, state)
  return part.kind === 'filter' ? { kind: 'AND', parts: [part] } : part
}

interface ReadState {
  readonly attr: string
  filters: number
  regexes: number
}

function readPart(value: unknown, depth: number, state: ReadState): FilterGroup | PropertyFilter {
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
  if (given.type !== undefined && given.type !== null && given.type !== 'event')
    throw invalidInput(attr, 'Only filters of type "event" can be answered.')
  return readFilter(given, state)
}

function readFilter(given: Readonly<Record<string, unknown>>, state: ReadState): PropertyFilter {
  const { attr } = state
  const { key } = given
  if (typeof key !== 'string' || key.length > FILTER_LIMITS.keyLength)
    throw invalidInput(attr, `A filter has a "key", text of at most ${FILTER_LIMITS.keyLength} characters.`)
  const operator = (given.operator ?? 'exact') as Operator
  if (!OPERATORS.includes(operator))
    throw invalidInput(attr, `There is no such operator. There are: ${OPERATORS.join(', ')}.`)
  if (operator === 'is_set' || operator === 'is_not_set') return { kind: 'filter', key, operator, values: [] }
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
  if (operator.endsWith('regex') && ++state.regexes > FILTER_LIMITS.regexes)
    throw invalidInput(attr, `There may be at most ${FILTER_LIMITS.regexes} regular expressions.`)
  return { kind: 'filter', key, operator, values: texts }
}

/** Every regular expression in it. The engine alone can tell which ones are valid. */
export function patternsOf(group: FilterGroup): string[] {
  return group.parts.flatMap((part) => {
    if (part.kind !== 'filter') return patternsOf(part)
    return part.operator.endsWith('regex') ? [part.values[0] as string] : []
  })
}

/**
 * The condition in SQL. Text is compared as text, numbers as numbers (what is not a number never matches), an
 * invalid regular expression matches nothing, and a negation also holds where the property is not set.
 *
 * @param zone            for dates without an offset
 * @param invalidPatterns regular expressions that the engine refused
 */
export function filterSql(
  group: FilterGroup,
  bindings: Bindings,
  zone: TimeZone,
  invalidPatterns: ReadonlySet<string>,
): string {
  if (group.parts.length === 0) return '1'
  const parts = group.parts.map((part) =>
    part.kind === 'filter'
      ? conditionSql(part, bindings, zone, invalidPatterns)
      : filterSql(part, bindings, zone, invalidPatterns),
  )
  return `(${parts.join(` ${group.kind} `)})`
}

const COMPARISONS = { gt: '>', gte: '>=', lt: '<', lte: '<=' } as const

function conditionSql(
  filter: PropertyFilter,
  bindings: Bindings,
  zone: TimeZone,
  invalidPatterns: ReadonlySet<string>,
): string {
  const property = propertySql(filter.key, bindings.bind(filter.key, 'String'))
  const value = filter.values[0] ?? ''
  const positive = (condition: string) => `(${property.isSet} AND ${condition})`
  switch (filter.operator) {
    case 'exact':
      return positive(`has(${bindings.bind(filter.values, 'Array(String)')}, ${property.text})`)
    case 'is_not':
      return `NOT ${positive(`has(${bindings.bind(filter.values, 'Array(String)')}, ${property.text})`)}`
    case 'icontains':
      return positive(`positionCaseInsensitiveUTF8(${property.text}, ${bindings.bind(value, 'String')}) > 0`)
    case 'not_icontains':
      return `NOT ${positive(`positionCaseInsensitiveUTF8(${property.text}, ${bindings.bind(value, 'String')}) > 0`)}`
    case 'regex':
      if (invalidPatterns.has(value)) return '0'
      return positive(`match(${property.text}, ${bindings.bind(value, 'String')})`)
    case 'not_regex':
      if (invalidPatterns.has(value)) return '1'
      return `NOT ${positive(`match(${property.text}, ${bindings.bind(value, 'String')})`)}`
    case 'gt':
    case 'gte':
    case 'lt':
    case 'lte': {
      const number = value.trim() === '' ? Number.NaN : Number(value)
      if (!Number.isFinite(number)) return '0'
      const operator = COMPARISONS[filter.operator]
      return positive(
        `ifNull(toFloat64OrNull(${property.text}) ${operator} ${bindings.bind(number, 'Float64')}, 0)`,
      )
    }
    case 'is_set':
      return property.isSet
    case 'is_not_set':
      return `NOT ${property.isSet}`
    case 'is_date_exact':
    case 'is_date_before':
    case 'is_date_after':
      return positive(dateSql(filter.operator, value, property.text, bindings, zone))
  }
}

/** A date alone stands for its whole day: before it starts, after it ends, or within it. */
function dateSql(
  operator: Operator,
  value: string,
  text: string,
  bindings: Bindings,
  zone: TimeZone,
): string {
  const instant = parseInstant(value, zone)
  if (instant === null) return '0'
  const timeMs = `toUnixTimestamp64Milli(parseDateTime64BestEffortOrNull(${text}, 3, ${bindings.bind(zone, 'String')}))`
  const start = () => bindings.bind(instant.startMs, 'Int64')
  const end = () => bindings.bind(instant.endMs, 'Int64')
  if (operator === 'is_date_before') return `ifNull(${timeMs} < ${start()}, 0)`
  if (operator === 'is_date_after')
    return `ifNull(${timeMs} ${instant.endMs > instant.startMs ? '>=' : '>'} ${end()}, 0)`
  if (instant.endMs === instant.startMs) return `ifNull(${timeMs} = ${start()}, 0)`
  return `ifNull(${timeMs} >= ${start()} AND ${timeMs} < ${end()}, 0)`
}
