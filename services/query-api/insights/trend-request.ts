import { invalidInput } from '../http/api-error.ts'
import { CSV_MODES, type CsvMode } from '../http/csv.ts'
import { choiceDeclared, countDeclared, textDeclared } from '../http/parameter-declarations.ts'
import {
  choiceParameter,
  countParameter,
  FORMATS,
  type Format,
  NAME_LENGTH_MAX,
  type RawQuery,
  refuseUnknown,
  TEXT_LENGTH_MAX,
  textParameter,
} from '../http/request-parameters.ts'
import { type FilterGroup, parsePropertyFilters, readFilterTree } from '../query/property-filters.ts'
import { INTERVALS, type Interval } from '../query/zoned-time.ts'
import { TREND_MATHS, type TrendMath, type TrendSeries } from './trend-query.ts'

const SERIES_MAX = 10

export const BREAKDOWN_LIMITS = { default: 25, max: 300 } as const

export const TREND_PARAMETERS = {
  event: textDeclared('One series: events of this name; all events when left out.'),
  math: choiceDeclared('What is counted of that series.', TREND_MATHS, 'total'),
  events: textDeclared('Several series, as JSON.'),
  interval: choiceDeclared('Length of one point.', INTERVALS, 'day'),
  date_from: textDeclared('A date, a time, `-7d` (default), `-1mStart`, `all`, …'),
  date_to: textDeclared('Like date_from.'),
  properties: textDeclared('Filters, as JSON.'),
  breakdown: textDeclared('A line per value of this property.'),
  breakdown_limit: countDeclared(
    'Largest values; the others together are `Other`.',
    BREAKDOWN_LIMITS.default,
    BREAKDOWN_LIMITS.max,
  ),
  format: choiceDeclared('Of the answer.', FORMATS, 'json'),
  csv_mode: choiceDeclared(
    'Whether cells that a spreadsheet would run are defused.',
    CSV_MODES,
    'spreadsheet',
  ),
}

/** What clients of product-analytics APIs send along, as far as it asks for nothing else than is done. */
const IMPLIED = new Map([
  ['insight', ['TRENDS']],
  ['display', ['ActionsLineGraph']],
  ['breakdown_type', ['event']],
  ['compare', ['false']],
  ['refresh', ['true', 'false']],
])

export interface TrendRequest {
  readonly series: readonly TrendSeries[]
  readonly interval: Interval
  readonly dateFrom: string | null
  readonly dateTo: string | null
  readonly filters: FilterGroup
  readonly breakdown: string | null
  readonly breakdownLimit: number
  readonly format: Format
  readonly csvMode: CsvMode
}

/** @throws ApiError 400 for what cannot be read, and for what is not supported */
export function readTrendRequest(query: RawQuery, format?: Format): TrendRequest {
  refuseUnknown(query, Object.keys(TREND_PARAMETERS), IMPLIED)
  return {
    series: readSeries(query),
    interval: choiceParameter(query, 'interval', INTERVALS, 'day'),
    dateFrom: textParameter(query, 'date_from'),
    dateTo: textParameter(query, 'date_to'),
    filters: parsePropertyFilters(textParameter(query, 'properties', Number.POSITIVE_INFINITY)),
    breakdown: textParameter(query, 'breakdown'),
    breakdownLimit: countParameter(query, 'breakdown_limit', BREAKDOWN_LIMITS.default, BREAKDOWN_LIMITS.max),
    format: format ?? choiceParameter(query, 'format', FORMATS, 'json'),
    csvMode: choiceParameter(query, 'csv_mode', CSV_MODES, 'spreadsheet'),
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
  for (const short of ['event', 'math'])
    if (textParameter(query, short) !== null)
      throw invalidInput(short, `${short} is for a single series. Put it into events instead.`)
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    throw invalidInput('events', 'This is not JSON. Send a list like [{"id":"purchase","math":"total"}].')
  }
  if (!Array.isArray(parsed) || parsed.length === 0 || parsed.length > SERIES_MAX)
    throw invalidInput('events', `events must be a list of 1 to ${SERIES_MAX} series.`)
  return parsed.map((given: unknown, index) => {
    if (typeof given !== 'object' || given === null) throw invalidInput('events', 'A series is an object.')
    const { id, name, math, properties, type, order, ...others } = given as Readonly<Record<string, unknown>>
    if (type !== undefined && type !== 'events') throw invalidInput('events__type', 'type must be "events".')
    // Lines come in the order of the list; a client that numbers them so means the same.
    if (order !== undefined && order !== index)
      throw invalidInput('events__order', 'order must be the place in the list, counted from 0.')
    const [unknown] = Object.keys(others)
    if (unknown !== undefined)
      throw invalidInput(
        `events__${unknown.slice(0, NAME_LENGTH_MAX)}`,
        'A series has id, name, math, properties and type; nothing else is supported.',
      )
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
