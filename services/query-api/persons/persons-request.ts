import { invalidInput } from '../http/api-error.ts'
import { CSV_MODES, type CsvMode } from '../http/csv.ts'
import { OFFSET_MAX } from '../http/list-page.ts'
import {
  choiceDeclared,
  countOrAllDeclared,
  flagDeclared,
  jsonDeclared,
  textDeclared,
  wholeDeclared,
} from '../http/parameter-declarations.ts'
import {
  choiceParameter,
  countOrAllParameter,
  FORMATS,
  type Format,
  type RawQuery,
  refuseUnknown,
  textParameter,
} from '../http/request-parameters.ts'
import { flagParameter, wholeParameter } from '../insights/insight-request.ts'
import { type CreatedCursor, CURSOR_LENGTH_MAX, decodeCreatedCursor } from '../query/created-cursor.ts'
import {
  type FilterGroup,
  filtersOf,
  parsePropertyFilters,
  readFilterTree,
} from '../query/property-filters.ts'

/** Persons per answer: pages of JSON, and a file. */
export const PERSON_LIMITS = { json: 100, jsonMax: 1_000, csv: 10_000, csvMax: 10_000 } as const

export const PERSONS_PARAMETERS = {
  distinct_id: textDeclared('Only whom this distinct id belongs to.'),
  email: textDeclared('Only persons whose property `email` is exactly this.'),
  search: textDeclared(
    'Only persons whose email, name, username or a distinct id contains this, in any case, or whose id it is.',
  ),
  properties: jsonDeclared('Filters of the types `person` (when none is said) and `cohort`.'),
  cohort: wholeDeclared('Only members of this cohort.', 1, 999_999_999),
  limit: countOrAllDeclared(
    'Persons per page; for CSV 10,000 when left out. `all` has no pages.',
    PERSON_LIMITS.json,
    PERSON_LIMITS.csvMax,
  ),
  offset: wholeDeclared('Persons before the page; without it `next` has a cursor.', 0, OFFSET_MAX),
  cursor: textDeclared('Where the page begins, as `next` has it.'),
  include_total: flagDeclared('Whether all of them are counted, as `count`.'),
  format: choiceDeclared('Of the answer.', FORMATS, 'json'),
  csv_mode: choiceDeclared(
    'Whether cells that a spreadsheet would run are defused.',
    CSV_MODES,
    'spreadsheet',
  ),
}

/** Which persons of a dataset. */
export interface PersonSelection {
  readonly distinctId: string | null
  readonly email: string | null
  readonly search: string | null
  readonly filters: FilterGroup
}

export interface PersonsRequest {
  readonly selection: PersonSelection
  /** Null for all of them. */
  readonly limit: number | null
  /** Null: pages follow each other by a cursor. */
  readonly offset: number | null
  readonly cursor: CreatedCursor | null
  readonly includeTotal: boolean
  readonly format: Format
  readonly csvMode: CsvMode
}

/**
 * @param format of the path; left out: as the parameter has it
 * @throws ApiError 400
 */
export function readPersonsRequest(query: RawQuery, format?: Format): PersonsRequest {
  refuseUnknown(query, Object.keys(PERSONS_PARAMETERS))
  const chosen = format ?? choiceParameter(query, 'format', FORMATS, 'json')
  const isCsv = chosen === 'csv'
  const cursor = textParameter(query, 'cursor', CURSOR_LENGTH_MAX)
  const offset = wholeParameter(query, 'offset', 0, OFFSET_MAX)
  if (cursor !== null && offset !== null)
    throw invalidInput('offset', 'Begin a page by offset or by cursor, not by both.')
  const limit = isCsv
    ? countOrAllParameter(query, 'limit', PERSON_LIMITS.csv, PERSON_LIMITS.csvMax)
    : countOrAllParameter(query, 'limit', PERSON_LIMITS.json, PERSON_LIMITS.jsonMax)
  if (limit === null && offset !== null)
    throw invalidInput('offset', 'There are no pages of all persons: leave offset out.')
  const cohort = wholeParameter(query, 'cohort', 1, 999_999_999)
  const filters = parsePropertyFilters(
    textParameter(query, 'properties', Number.POSITIVE_INFINITY),
    'properties',
    ['person', 'cohort'],
  )
  if (
    filtersOf(filters).some(
      (one) => 'owner' in one && one.owner.of === 'person' && one.owner.asOf === 'event',
    )
  )
    throw invalidInput(
      'properties',
      'Persons are listed as they are now; as_of "event" is for questions about events.',
    )
  const ofCohort =
    cohort === null ? [] : [readFilterTree([{ type: 'cohort', value: cohort }], 'cohort', ['cohort'])]
  return {
    selection: {
      distinctId: textParameter(query, 'distinct_id'),
      email: textParameter(query, 'email'),
      search: textParameter(query, 'search'),
      filters: { kind: 'AND', parts: [filters, ...ofCohort].filter(({ parts }) => parts.length > 0) },
    },
    limit,
    offset,
    cursor: cursor === null ? null : decodeCreatedCursor(cursor),
    includeTotal: flagParameter(query, 'include_total'),
    format: chosen,
    csvMode: choiceParameter(query, 'csv_mode', CSV_MODES, 'spreadsheet'),
  }
}
