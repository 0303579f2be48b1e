import { holdsSql } from '../sql/event-expression.ts'
import type { Bindings } from './bindings.ts'
import { ELEMENT_SELECTOR, elementSql, selectorSql } from './element-properties.ts'
import { jsonPropertySql, type PropertySql, propertySql } from './event-properties.ts'
import { groupKeySql, newestGroupsSql } from './group-rows.ts'
import { newestPersonsSql, PERSON_KEY, THEN_PROPERTIES } from './person-rows.ts'
import type { Filter, FilterGroup, Operator, PropertyFilter } from './property-filters.ts'
import { recordingValuesSql } from './recording-rows.ts'
import { SESSION_SPAN_MAX_MS, sessionPropertySql, sessionRowsSql } from './session-properties.ts'
import { parseInstant, type TimeZone } from './zoned-time.ts'

/**
 * The members of a cohort as a SELECT of one column, `person`, of person keys. It may name columns of no outer row.
 *
 * @returns SQL without parentheses, values bound
 */
export type CohortMembers = (bindings: Bindings) => string

/** A cohort that is a list of person keys. */
export function listedMembers(personKeys: readonly string[]): CohortMembers {
  return (bindings) => `SELECT arrayJoin(${bindings.bind(personKeys, 'Array(String)')}) AS person`
}

/** What conditions on events depend on beyond the filters. */
export interface FilterScope {
  readonly dataset: string
  readonly bindings: Bindings
  /** For dates without an offset. */
  readonly zone: TimeZone
  /** Time of the question, epoch ms: what now() says in an expression. */
  readonly nowMs: number
  /** Regular expressions that the engine refused. */
  readonly invalidPatterns: ReadonlySet<string>
  /** Events of sessions are looked for in it, and a day before and after; null where it has no bound. */
  readonly sessions: { readonly fromMs: number | null; readonly toMs: number | null }
  /** Cohorts that filters name, all of them. */
  readonly cohorts: ReadonlyMap<number, CohortMembers>
  /** Where the rows are no events but whom filters are about: their column of properties as of now. */
  readonly ownProperties?: string
}

/**
 * The condition on a row of `events` in SQL. Text is compared as text, numbers as numbers (what is not a number never
 * matches), an invalid regular expression matches nothing, and a negation also holds where the property is not set,
 * so also where there is no such person, session or group.
 *
 * Filters on people need the column {@link PERSON_KEY}, those as of the event {@link THEN_PROPERTIES}; expressions what
 * they name.
 */
export function filterSql(group: FilterGroup, scope: FilterScope): string {
  if (group.parts.length === 0) return '1'
  const parts = group.parts.map((part) => ('parts' in part ? filterSql(part, scope) : oneSql(part, scope)))
  return `(${parts.join(` ${group.kind} `)})`
}

function oneSql(filter: Filter, scope: FilterScope): string {
  switch (filter.kind) {
    case 'cohort':
      return cohortSql(filter.id, filter.isNegated, scope)
    case 'expression':
      if (scope.ownProperties !== undefined) throw new Error('An expression is about events.')
      return holdsSql(filter.expression, scope)
    case 'filter':
      return conditionSql(filter, scope)
  }
}

export function cohortSql(id: number, isNegated: boolean, scope: FilterScope): string {
  return `(${PERSON_KEY} ${isNegated ? 'NOT IN' : 'IN'} (${membersOf(id, scope)}))`
}

/** Members of a cohort that was looked up, as a SELECT of `person`. */
export function membersOf(id: number, { cohorts, bindings }: FilterScope): string {
  const members = cohorts.get(id)
  if (members === undefined) throw new Error(`Cohort ${id} was not looked up.`)
  return members(bindings)
}

/** Operators that hold wherever another one does not, with that one. */
const NEGATIONS: Partial<Record<Operator, Operator>> = {
  is_not: 'exact',
  not_icontains: 'icontains',
  not_regex: 'regex',
  is_not_set: 'is_set',
}

/** Whether a filter holds of whatever has that property. */
export function propertyFilterSql(
  { operator, values }: PropertyFilter,
  property: PropertySql,
  scope: Pick<FilterScope, 'bindings' | 'zone' | 'invalidPatterns'>,
): string {
  const negated = NEGATIONS[operator]
  const holds = propertyConditionSql(negated ?? operator, values, property, scope)
  return negated === undefined ? holds : `NOT ${holds}`
}

function conditionSql(filter: PropertyFilter, scope: FilterScope): string {
  const negated = NEGATIONS[filter.operator]
  if (negated === undefined) return ownerSql(filter, filter.operator, scope)
  return `NOT ${ownerSql(filter, negated, scope)}`
}

/** Whether whose property it is has one of which the operator holds; never null. */
function ownerSql(filter: PropertyFilter, operator: Operator, scope: FilterScope): string {
  const { owner, key, values } = filter
  const { bindings, ownProperties } = scope
  const holds = (property: PropertySql) => propertyConditionSql(operator, values, property, scope)
  const bound = () => bindings.bind(key, 'String')
  if (ownProperties !== undefined) return holds(jsonPropertySql(ownProperties, bound()))
  switch (owner.of) {
    case 'event':
      return holds(propertySql(key, bound()))
    case 'element':
      return key === ELEMENT_SELECTOR ? selectorSql(values, bindings) : elementSql(key, holds)
    case 'person': {
      if (owner.asOf === 'event') return holds(jsonPropertySql(THEN_PROPERTIES, bound()))
      const persons = newestPersonsSql(scope.dataset, bindings)
      const condition = holds(jsonPropertySql('newest_properties', bound()))
      return `(${PERSON_KEY} IN (SELECT newest_key FROM (${persons}) WHERE ${condition}))`
    }
    case 'session': {
      const rows = sessionRowsSql(scope, sessionPropertySql(key))
      const condition = holds({ isSet: "(session_value != '')", text: 'session_value' })
      return `(ifNull(session_id, '') IN (SELECT session_key FROM (${rows}) WHERE ${condition}))`
    }
    case 'recording': {
      const { fromMs, toMs } = scope.sessions
      const range = {
        fromMs: fromMs === null ? null : fromMs - SESSION_SPAN_MAX_MS,
        toMs: toMs === null ? null : toMs + SESSION_SPAN_MAX_MS,
      }
      const rows = recordingValuesSql(scope.dataset, range, key, bindings)
      const condition = holds({ isSet: "(recording_value != '')", text: 'recording_value' })
      return `(ifNull(session_id, '') IN (SELECT recorded_session FROM (${rows}) WHERE ${condition}))`
    }
    case 'group': {
      const groups = newestGroupsSql(scope.dataset, owner.index, bindings)
      const condition = holds(jsonPropertySql('newest_properties', bound()))
      const groupKey = groupKeySql(scope.dataset, owner.index, bindings)
      return `(${groupKey} IN (SELECT newest_key FROM (${groups}) WHERE ${condition}))`
    }
  }
}

const COMPARISONS = { gt: '>', gte: '>=', lt: '<', lte: '<=' } as const

/**
 * One operator on one property, which has to be set.
 *
 * @param operator none of the negations
 * @param property where the property is read
 */
export function propertyConditionSql(
  operator: Operator,
  values: readonly string[],
  property: PropertySql,
  scope: Pick<FilterScope, 'bindings' | 'zone' | 'invalidPatterns'>,
): string {
  const { bindings, zone, invalidPatterns } = scope
  const value = values[0] ?? ''
  const positive = (condition: string) => `(${property.isSet} AND ${condition})`
  switch (operator) {
    case 'exact':
      return positive(`has(${bindings.bind(values, 'Array(String)')}, ${property.text})`)
    case 'icontains':
      return positive(`positionCaseInsensitiveUTF8(${property.text}, ${bindings.bind(value, 'String')}) > 0`)
    case 'regex':
      if (invalidPatterns.has(value)) return '0'
      return positive(`match(${property.text}, ${bindings.bind(value, 'String')})`)
    case 'gt':
    case 'gte':
    case 'lt':
    case 'lte': {
      const number = value.trim() === '' ? Number.NaN : Number(value)
      if (!Number.isFinite(number)) return '0'
      return positive(
        `ifNull(toFloat64OrNull(${property.text}) ${COMPARISONS[operator]} ${bindings.bind(number, 'Float64')}, 0)`,
      )
    }
    case 'is_set':
      return property.isSet
    case 'is_date_exact':
    case 'is_date_before':
    case 'is_date_after':
      return positive(dateSql(operator, value, property.text, bindings, zone))
    default:
      throw new Error(`${operator} is asked for by what it negates.`)
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
