import { invalidInput } from './api-error.ts'
import { CSV_MODES, type CsvMode } from './csv.ts'
import type { EventPage, EventSelection } from './event-query.ts'
import { decodeCursor } from './page-cursor.ts'
import { parsePropertyFilters } from './property-filters.ts'
import { parseInstant, type TimeZone } from './zoned-time.ts'

/** Query parameters as they came. */
export type RawQuery = Readonly<Record<string, string | readonly string[] | undefined>>

export const FORMATS = ['json', 'csv'] as const
export type Format = (typeof FORMATS)[number]

/** Rows per answer: pages of JSON, and the cap of a CSV file. */
export const EVENT_LIMITS = { json: 100, jsonMax: 10_000, csv: 3_500, csvMax: 10_000 } as const
export const TEXT_LENGTH_MAX = 1_000
/** Of an unknown parameter's name that is repeated in the answer. */
export const NAME_LENGTH_MAX = 100

/** @throws ApiError 400 for a parameter that is given twice or is too long */
export function textParameter(query: RawQuery, name: string, lengthMax = TEXT_LENGTH_MAX): string | null {
  const value = query[name]
  if (value === undefined || value === '') return null
  if (typeof value !== 'string') throw invalidInput(name, `${name} may be given once.`)
  if (value.length > lengthMax) throw invalidInput(name, `${name} may have at most ${lengthMax} characters.`)
  return value
}

/**
 * Refuses what a question does not know, because leaving it out would answer another question than was asked.
 *
 * @param known   parameters that are read
 * @param implied parameters that are not, with the values that ask for what is done anyway: clients send them along
 * @throws ApiError 400 that names the first one
 */
export function refuseUnknown(
  query: RawQuery,
  known: readonly string[],
  implied: ReadonlyMap<string, readonly string[]> = new Map(),
): void {
  for (const given of Object.keys(query)) {
    if (known.includes(given) || given === 'personal_api_key') continue
    const value = textParameter(query, given)
    const harmless = implied.get(given) ?? []
    if (value === null || harmless.includes(value)) continue
    const name = given.slice(0, NAME_LENGTH_MAX)
    throw invalidInput(
      name,
      harmless.length > 0
        ? `${name} is not supported here, except as ${harmless.join(' or ')}.`
        : `${name} is not supported here. What is: ${known.join(', ')}.`,
    )
  }
}

export function choiceParameter<const C extends readonly string[]>(
  query: RawQuery,
  name: string,
  choices: C,
  otherwise: C[number],
): C[number] {
  const value = textParameter(query, name) ?? otherwise
  if (!choices.includes(value)) throw invalidInput(name, `${name} must be one of ${choices.join(', ')}.`)
  return value
}

export function countParameter(query: RawQuery, name: string, otherwise: number, max: number): number {
  const text = textParameter(query, name)
  if (text === null) return otherwise
  const value = Number(text)
  if (!/^\d{1,9}$/.test(text) || value < 1 || value > max)
    throw invalidInput(name, `${name} must be a whole number from 1 to ${max}.`)
  return value
}

function timeParameter(query: RawQuery, name: 'after' | 'before', zone: TimeZone): number | null {
  const text = textParameter(query, name)
  if (text === null) return null
  const instant = parseInstant(text, zone)
  if (instant === null)
    throw invalidInput(name, `${name} must be an ISO 8601 time, e.g. 2026-01-31T12:00:00Z.`)
  // Both bounds are exclusive; a date stands for its midnight.
  return instant.startMs
}

const EVENTS_PARAMETERS = [
  'event',
  'distinct_id',
  'after',
  'before',
  'properties',
  'orderBy',
  'limit',
  'cursor',
  'format',
  'csv_mode',
] as const

export interface EventsRequest {
  readonly selection: EventSelection
  readonly page: EventPage
  readonly format: Format
  readonly csvMode: CsvMode
}

export function readEventsRequest(
  query: RawQuery,
  dataset: string,
  zone: TimeZone,
  format?: Format,
): EventsRequest {
  refuseUnknown(query, EVENTS_PARAMETERS)
  const chosen = format ?? choiceParameter(query, 'format', FORMATS, 'json')
  const cursor = textParameter(query, 'cursor')
  return {
    selection: {
      dataset,
      event: textParameter(query, 'event'),
      distinctId: textParameter(query, 'distinct_id'),
      afterMs: timeParameter(query, 'after', zone),
      beforeMs: timeParameter(query, 'before', zone),
      filters: parsePropertyFilters(textParameter(query, 'properties', Number.POSITIVE_INFINITY)),
    },
    page: {
      order: readOrder(query),
      limit:
        chosen === 'csv'
          ? countParameter(query, 'limit', EVENT_LIMITS.csv, EVENT_LIMITS.csvMax)
          : countParameter(query, 'limit', EVENT_LIMITS.json, EVENT_LIMITS.jsonMax),
      cursor: cursor === null ? null : decodeCursor(cursor),
    },
    format: chosen,
    csvMode: choiceParameter(query, 'csv_mode', CSV_MODES, 'spreadsheet'),
  }
}

/** `timestamp`, `-timestamp`, or a list of one of them in JSON, as existing clients send it. */
function readOrder(query: RawQuery): EventPage['order'] {
  const text = (textParameter(query, 'orderBy') ?? '-timestamp').replace(/^\["(-?[a-z]+)"\]$/, '$1')
  if (text === '-timestamp') return 'descending'
  if (text === 'timestamp') return 'ascending'
  throw invalidInput('orderBy', 'orderBy must be timestamp or -timestamp.')
}
