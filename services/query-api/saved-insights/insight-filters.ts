import { ApiError, invalidInput } from '../http/api-error.ts'
import { NAME_LENGTH_MAX, type RawQuery } from '../http/request-parameters.ts'
import {
  INSIGHT_KIND_NAMES,
  INSIGHT_KINDS,
  type InsightKindName,
  shownKindOf,
} from '../insights/insight-kinds.ts'
import { textsOf } from '../insights/posted-parameters.ts'

/** Parameters of an insight as they are saved: as a body has them, with `insight` for its kind. */
export type Filters = Readonly<Record<string, unknown>>

/** Longest JSON of the filters of one insight. */
export const FILTERS_LENGTH_MAX = 32_768

/** What a dashboard says of all of its insights. */
export const DASHBOARD_FILTERS = ['date_from', 'date_to', 'properties'] as const

/** @throws ApiError 400 about `filters__insight` */
export function kindOf(filters: Filters): InsightKindName {
  const shown = shownKindOf(filters.shown_as)
  if (shown !== null) return shown
  const name = filters.insight ?? 'TRENDS'
  const kind = INSIGHT_KIND_NAMES.find((one) => one === name)
  if (kind !== undefined) return kind
  throw invalidInput('filters__insight', `insight must be one of ${INSIGHT_KIND_NAMES.join(', ')}.`)
}

/** Parameters as the question takes them. What tells its kind is not one of them. */
export function parametersOf(filters: Filters): RawQuery {
  const { insight: _kind, shown_as: _shown, ...parameters } = filters
  return textsOf(parameters)
}

/**
 * Refuses what no question could be asked with: who saves it is told, not who looks at it later.
 *
 * @throws ApiError 400 with the parameter below `filters`
 */
export function checkFilters(filters: Filters): void {
  const kind = kindOf(filters)
  checkBelow(filters, () => INSIGHT_KINDS[kind].check(parametersOf(filters)))
}

/**
 * @param check of what is asked with them
 * @param field that they stand in
 * @throws ApiError 400 of the check, about what lies below the field, and 400 for more than is kept
 */
export function checkBelow(filters: Filters, check: () => unknown, field = 'filters'): void {
  if (JSON.stringify(filters).length > FILTERS_LENGTH_MAX)
    throw invalidInput(field, `${field} may have at most ${FILTERS_LENGTH_MAX} characters as JSON.`)
  try {
    check()
  } catch (error) {
    if (!(error instanceof ApiError) || error.body.attr === null) throw error
    const { attr: told } = error.body
    const attr = told === field || told.startsWith(`${field}__`) ? told : `${field}__${told}`
    throw new ApiError(error.status, { ...error.body, attr: attr.slice(0, NAME_LENGTH_MAX) })
  }
}

/**
 * Filters that a call puts over those of an insight or a dashboard: {@link DASHBOARD_FILTERS}. Null for none, as left
 * out.
 *
 * @throws ApiError 400 for anything else, below `filters_override`
 */
export function readOverride(given: unknown): Filters {
  const field = 'filters_override'
  if (given === undefined || given === null) return {}
  if (typeof given !== 'object' || Array.isArray(given))
    throw invalidInput(field, `${field} is an object with ${DASHBOARD_FILTERS.join(', ')}.`)
  const filters = given as Filters
  const unknown = Object.keys(filters).find(
    (name) => !(DASHBOARD_FILTERS as readonly string[]).includes(name),
  )
  if (unknown !== undefined)
    throw invalidInput(
      `${field}__${unknown}`.slice(0, NAME_LENGTH_MAX),
      `This is not supported here. What is: ${DASHBOARD_FILTERS.join(', ')}.`,
    )
  checkBelow(filters, () => INSIGHT_KINDS.TRENDS.check(parametersOf(filters)), field)
  return filters
}

/**
 * An insight's filters under those of the dashboard that it is on: its dates go before, and events have to pass the
 * properties of both.
 */
export function underDashboard(filters: Filters, dashboard: Filters): Filters {
  const { date_from, date_to, properties } = dashboard
  // A dashboard that says where its range begins says where it ends as well.
  const hasDates = isGiven(date_from) || isGiven(date_to)
  const { date_from: _from, date_to: _to, ...undated } = filters
  const dated = hasDates ? { ...undated, ...given({ date_from, date_to }) } : filters
  if (!isGiven(properties)) return dated
  return { ...dated, properties: bothOf(filters.properties, properties) }
}

function bothOf(own: unknown, further: unknown): unknown {
  if (!isGiven(own)) return further
  return { type: 'AND', values: [asGroup(own), asGroup(further)] }
}

function asGroup(given: unknown): unknown {
  const properties = typeof given === 'string' ? JSON.parse(given) : given
  return Array.isArray(properties) ? { type: 'AND', values: properties } : properties
}

function isGiven(value: unknown): boolean {
  if (value === undefined || value === null || value === '') return false
  return Array.isArray(value) ? value.length > 0 : true
}

function given(parameters: Filters): Filters {
  return Object.fromEntries(Object.entries(parameters).filter(([, value]) => isGiven(value)))
}
