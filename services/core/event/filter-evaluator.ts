import type { CompareOperator, Filter, FilterLiteral, FilterPath } from './filter-expression.ts'

/** Any parsed JSON object: an enriched or rejected event. */
export type FilterRecord = Readonly<Record<string, unknown>>

/**
 * Turns a filter into a predicate made of closures. Logic has two values: a condition on a missing member, a null
 * or a value of another type than the literal's is false (so `!=` and everything under `not` is true), and nothing
 * is converted. Only an object's own members are read, whatever their names.
 */
export function filterPredicate(filter: Filter): (record: FilterRecord) => boolean {
  switch (filter.kind) {
    case 'and': {
      const terms = filter.terms.map(filterPredicate)
      return (record) => terms.every((term) => term(record))
    }
    case 'or': {
      const terms = filter.terms.map(filterPredicate)
      return (record) => terms.some((term) => term(record))
    }
    case 'not': {
      const term = filterPredicate(filter.term)
      return (record) => !term(record)
    }
    case 'compare': {
      const compare = comparison(filter.operator, filter.value)
      return on(filter.path, compare)
    }
    case 'in': {
      const values = new Set<unknown>(filter.values)
      return on(filter.path, (value) => values.has(value))
    }
    case 'match': {
      const { operator, value: sought } = filter
      if (operator === 'contains') return on(filter.path, (value) => contains(value, sought))
      const text = String(sought)
      return operator === 'starts with'
        ? on(filter.path, (value) => typeof value === 'string' && value.startsWith(text))
        : on(filter.path, (value) => typeof value === 'string' && value.endsWith(text))
    }
    case 'null':
      return on(filter.path, (value) => value === null)
  }
}

/** What a path leads to; null where there is nothing. Lists have no members. */
export function valueAt(record: FilterRecord, path: FilterPath): unknown {
  let value: unknown = record
  for (const name of path) {
    if (typeof value !== 'object' || value === null || Array.isArray(value) || !Object.hasOwn(value, name))
      return null
    value = (value as FilterRecord)[name]
  }
  return value ?? null
}

function on(path: FilterPath, test: (value: unknown) => boolean): (record: FilterRecord) => boolean {
  return (record) => test(valueAt(record, path))
}

/** Texts are ordered by UTF-16 code unit, which puts timestamps in the order of time. */
function comparison(operator: CompareOperator, literal: FilterLiteral): (value: unknown) => boolean {
  if (operator === '=') return (value) => value === literal
  if (operator === '!=') return (value) => value !== literal
  const type = typeof literal
  const ordered = (test: (value: FilterLiteral) => boolean) => (value: unknown) =>
    typeof value === type && test(value as FilterLiteral)
  switch (operator) {
    case '<':
      return ordered((value) => value < literal)
    case '<=':
      return ordered((value) => value <= literal)
    case '>':
      return ordered((value) => value > literal)
    case '>=':
      return ordered((value) => value >= literal)
  }
}

/** A text holds a text; a list holds a value. */
function contains(value: unknown, sought: FilterLiteral): boolean {
  if (Array.isArray(value)) return value.includes(sought)
  return typeof value === 'string' && typeof sought === 'string' && value.includes(sought)
}
