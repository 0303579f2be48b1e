import { invalidInput } from './api-error.ts'
import { CSV_MODES, type CsvMode } from './csv.ts'
import type { EventPage, EventSelection } from './event-query.ts'
import { decodeCursor } from './page-cursor.ts'
import { parsePropertyFilters, readFilterTree } from './property-filters.ts'
import { TREND_MATHS, type TrendMath, type TrendSeries } from './trend-query.ts'
import { INTERVALS, type Interval, parseInstant, type TimeZone } from './zoned-time.ts'

/** Query parameters as they came. */
export type RawQuery = Readonly<Record<string, string | readonly string[] | undefined>>

export const FORMATS = ['json', 'csv'] as const
export type Format = (typeof FORMATS)[number]

/** Rows per answer: pages of JSON, and the cap of a CSV file. */
export const EVENT_LIMITS = { json: 100, jsonMax: 10_000, csv: 3_500, csvMax: 10_000 } as const
const TEXT_LENGTH_MAX = 1_000
const SERIES_MAX = 10

/** @throws ApiError 400 for a parameter that is given twice or is too long */
export function textParameter(query: RawQuery, name: string, lengthMax = TEXT_LENGTH_MAX): string | null {
  const value = query[name]
  if (value === undefined || value === '') return null
  if (typeof value !== 'string') throw invalidInput(name, `${name} may be given once.`)
  if (value.length > lengthMax) throw invalidInput(name, `${name} may have at most ${lengthMax} characters.`)
  return value
}

function choiceParameter<const C extends readonly string[]>(
  query: RawQuery,
  name: string,
  choices: C,
  otherwise: C[number],
): C[number] {
  const value = textParameter(query, name) ?? otherwise
  if (!choices.includes(value)) throw invalidInput(name, `${name} must be one of ${choices.join(', ')}.`)
  return value
}

function countParameter(query: RawQuery, name: string, otherwise: number, max: number): number {
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

export interface TrendRequest {
  readonly series: readonly TrendSeries[]
  readonly interval: Interval
  readonly dateFrom: string | null
  readonly dateTo: string | null
  readonly filters: EventSelection['filters']
  readonly breakdown: string | null
  readonly breakdownLimit: number
}

export const BREAKDOWN_LIMITS = { default: 25, max: 300 } as const

export function readTrendRequest(query: RawQuery): TrendRequest {
  return {
    series: readSeries(query),
    interval: choiceParameter(query, 'interval', INTERVALS, 'day'),
    dateFrom: textParameter(query, 'date_from'),
    dateTo: textParameter(query, 'date_to'),
    filters: parsePropertyFilters(textParameter(query, 'properties', Number.POSITIVE_INFINITY)),
    breakdown: textParameter(query, 'breakdown'),
    breakdownLimit: countParameter(query, 'breakdown_limit', BREAKDOWN_LIMITS.default, BREAKDOWN_LIMITS.max),
  }
}

/** `events` as JSON, or the short form for one series: `event` and `math`. */
function readSeries(query: RawQuery): TrendSeries[] {
  const text = textParameter(query, 'events', 32_768)
  if (text === null) {
    const event = textParameter(query, 'event')
    const math = readMath(textParameter(query, 'math'), 'math')
    return [{ event, name: event ?? 'All events', math, filters: { kind: 'AND', parts: [] } }]
  }
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    throw invalidInput('events', 'This is not JSON. Send a list like [{"id":"purchase","math":"total"}].')
  }
  if (!Array.isArray(parsed) || parsed.length === 0 || parsed.length > SERIES_MAX)
    throw invalidInput('events', `events must be a list of 1 to ${SERIES_MAX} series.`)
  return parsed.map((given: unknown) => {
    if (typeof given !== 'object' || given === null) throw invalidInput('events', 'A series is an object.')
    const { id, name, math, properties, type } = given as Readonly<Record<string, unknown>>
    if (type !== undefined && type !== 'events') throw invalidInput('events__type', 'type must be "events".')
    const event = id === null || id === undefined ? null : textOf(id, 'events__id')
    return {
      event,
      name: name === undefined || name === null ? (event ?? 'All events') : textOf(name, 'events__name'),
      math: readMath(
        math === undefined || math === null ? null : textOf(math, 'events__math'),
        'events__math',
      ),
      filters: readFilterTree(properties ?? [], 'events__properties'),
    }
  })
}

function textOf(value: unknown, attr: string): string {
  if (typeof value !== 'string' || value.length > TEXT_LENGTH_MAX)
    throw invalidInput(attr, `This must be text of at most ${TEXT_LENGTH_MAX} characters.`)
  return value
}

function readMath(text: string | null, attr: string): TrendMath {
  const math = (text ?? 'total') as TrendMath
  if (!TREND_MATHS.includes(math)) throw invalidInput(attr, `math must be one of ${TREND_MATHS.join(', ')}.`)
  return math
}
