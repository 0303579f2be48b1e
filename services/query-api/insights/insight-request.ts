import { invalidInput } from '../http/api-error.ts'
import { type RawQuery, textParameter } from '../http/request-parameters.ts'
import {
  FILTER_TYPES,
  type FilterGroup,
  parsePropertyFilters,
  readGroupTypeIndex,
} from '../query/property-filters.ts'

/** What every insight is asked with. */
export interface InsightRequest {
  readonly dateFrom: string | null
  readonly dateTo: string | null
  readonly filters: FilterGroup
  readonly filterTestAccounts: boolean
  /** Share of the actors that is looked at, above 0 and at most 1. */
  readonly samplingFactor: number
  /** Groups of that type act instead of persons; null for persons. */
  readonly groupTypeIndex: number | null
}

/** Parameters that {@link readInsightRequest} reads. */
export const INSIGHT_PARAMETERS = [
  'date_from',
  'date_to',
  'properties',
  'filter_test_accounts',
  'sampling_factor',
  'aggregation_group_type_index',
] as const

/**
 * What clients send along with any insight: it concerns their own screens, or caching, which is not theirs to decide
 * here. Whatever it says, the answer is the same.
 */
export const IGNORED_PARAMETERS = [
  'refresh',
  'client_query_id',
  'session_id',
  'layout',
  'entity_type',
] as const

/** @throws ApiError 400 */
export function readInsightRequest(query: RawQuery): InsightRequest {
  const group = textParameter(query, 'aggregation_group_type_index')
  return {
    dateFrom: textParameter(query, 'date_from'),
    dateTo: textParameter(query, 'date_to'),
    filters: parsePropertyFilters(
      textParameter(query, 'properties', Number.POSITIVE_INFINITY),
      'properties',
      FILTER_TYPES,
    ),
    filterTestAccounts: flagParameter(query, 'filter_test_accounts'),
    samplingFactor: readSamplingFactor(query),
    groupTypeIndex: group === null ? null : readGroupTypeIndex(group, 'aggregation_group_type_index'),
  }
}

/** @throws ApiError 400 for anything but true and false */
export function flagParameter(query: RawQuery, name: string): boolean {
  const text = textParameter(query, name) ?? 'false'
  if (text === 'true' || text === '1') return true
  if (text === 'false' || text === '0') return false
  throw invalidInput(name, `${name} must be true or false.`)
}

/** A whole number within bounds; null where it is not sent. */
export function wholeParameter(query: RawQuery, name: string, min: number, max: number): number | null {
  const text = textParameter(query, name)
  if (text === null) return null
  const value = Number(text)
  if (/^-?\d{1,9}$/.test(text) && value >= min && value <= max) return value
  throw invalidInput(name, `${name} must be a whole number from ${min} to ${max}.`)
}

function readSamplingFactor(query: RawQuery): number {
  const text = textParameter(query, 'sampling_factor')
  if (text === null) return 1
  const factor = Number(text)
  if (/^[\d.]+$/.test(text) && factor > 0 && factor <= 1) return factor
  throw invalidInput('sampling_factor', 'sampling_factor must be above 0 and at most 1.')
}
