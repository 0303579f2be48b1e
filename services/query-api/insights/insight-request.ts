import { Type } from '@sinclair/typebox'
import { invalidInput } from '../http/api-error.ts'
import {
  flagDeclared,
  jsonDeclared,
  type ParameterDeclaration,
  type ParameterDeclarations,
  textDeclared,
  wholeDeclared,
} from '../http/parameter-declarations.ts'
import { type RawQuery, refuseUnknown, textParameter } from '../http/request-parameters.ts'
import {
  FILTER_LIMITS,
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
export const INSIGHT_PARAMETERS = {
  date_from: textDeclared('A date, a time, `-7d` (default), `-1mStart`, `all`, …'),
  date_to: textDeclared('Like date_from.'),
  properties: jsonDeclared('Filters that every event has to pass.'),
  filter_test_accounts: flagDeclared('Whether what the saved filters call test accounts is left out.'),
  sampling_factor: {
    description: 'That share of the actors, always the same ones; counts and sums are scaled up.',
    schema: Type.Number({ exclusiveMinimum: 0, maximum: 1, default: 1 }),
  },
  aggregation_group_type_index: wholeDeclared(
    'Groups of this type act instead of persons.',
    0,
    FILTER_LIMITS.groupTypes - 1,
  ),
}

/** Parameters that several insights share, and not all. */
export const EVENTS_PARAMETER: ParameterDeclaration = jsonDeclared(
  'What is asked about: a list of `{id, name, custom_name, order, properties}`; the id `null` is any event.',
)
export const ACTIONS_PARAMETER: ParameterDeclaration = jsonDeclared(
  'Actions beside the events, by their ids.',
)

/**
 * What clients send along with any insight: it concerns their own screens, or how old an answer may be, which was read
 * before. Whatever it says, the question is the same.
 */
const IGNORED_PARAMETERS = ['refresh', 'client_query_id', 'session_id', 'layout', 'entity_type'] as const

/**
 * @param declared parameters of the question
 * @param further  parameters that its route reads besides
 * @param implied  see {@link refuseUnknown}
 * @throws ApiError 400 for any other parameter
 */
export function refuseUndeclared(
  query: RawQuery,
  declared: ParameterDeclarations,
  further: ParameterDeclarations,
  implied?: ReadonlyMap<string, readonly string[]>,
): void {
  const known = [...Object.keys(declared), ...IGNORED_PARAMETERS, ...Object.keys(further)]
  refuseUnknown(query, known, implied)
}

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
