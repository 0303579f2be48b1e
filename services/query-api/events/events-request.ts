import { invalidInput } from '../http/api-error.ts'
import { FILE_PARAMETERS, type FileChoice, readFileChoice } from '../http/file-parameters.ts'
import { choiceDeclared, countOrAllDeclared, textDeclared } from '../http/parameter-declarations.ts'
import {
  countOrAllParameter,
  type Format,
  type RawQuery,
  refuseUnknown,
  textParameter,
} from '../http/request-parameters.ts'
import { parsePropertyFilters } from '../query/property-filters.ts'
import { parseInstant, type TimeZone } from '../query/zoned-time.ts'
import type { EventPage, EventSelection } from './event-query.ts'
import { decodeCursor } from './page-cursor.ts'

/** Rows per page. Who wants all rows asks for `limit=all`. */
export const EVENT_LIMITS = { json: 100, jsonMax: 10_000, csv: 3_500, csvMax: 10_000 } as const

function timeParameter(query: RawQuery, name: 'after' | 'before', zone: TimeZone): number | null {
  const text = textParameter(query, name)
  if (text === null) return null
  const instant = parseInstant(text, zone)
  if (instant === null)
    throw invalidInput(name, `${name} must be an ISO 8601 time, e.g. 2026-01-31T12:00:00Z.`)
  // Both bounds are exclusive; a date stands for its midnight.
  return instant.startMs
}

export const EVENTS_PARAMETERS = {
  event: textDeclared('Only events of exactly this name.'),
  distinct_id: textDeclared('Only events of this distinct id.'),
  after: textDeclared(
    'Later than this (exclusive): ISO 8601; without an offset in the time zone of the dataset.',
  ),
  before: textDeclared('Earlier than this (exclusive).'),
  properties: textDeclared('Filters, as JSON.'),
  orderBy: choiceDeclared('By time.', ['-timestamp', 'timestamp'], '-timestamp'),
  limit: countOrAllDeclared(
    'Events per page; for CSV 3,500 when left out. `all` has no pages.',
    EVENT_LIMITS.json,
    EVENT_LIMITS.jsonMax,
  ),
  cursor: textDeclared('Where the page begins, as `next` has it.'),
  ...FILE_PARAMETERS,
}

export interface EventsRequest extends FileChoice {
  readonly selection: EventSelection
  readonly page: EventPage
}

export function readEventsRequest(
  query: RawQuery,
  dataset: string,
  zone: TimeZone,
  format?: Format,
): EventsRequest {
  refuseUnknown(query, Object.keys(EVENTS_PARAMETERS))
  const file = readFileChoice(query, format)
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
        file.format === 'csv'
          ? countOrAllParameter(query, 'limit', EVENT_LIMITS.csv, EVENT_LIMITS.csvMax)
          : countOrAllParameter(query, 'limit', EVENT_LIMITS.json, EVENT_LIMITS.jsonMax),
      cursor: cursor === null ? null : decodeCursor(cursor),
    },
    ...file,
  }
}

/** `timestamp`, `-timestamp`, or a list of one of them in JSON, as existing clients send it. */
function readOrder(query: RawQuery): EventPage['order'] {
  const text = (textParameter(query, 'orderBy') ?? '-timestamp').replace(/^\["(-?[a-z]+)"\]$/, '$1')
  if (text === '-timestamp') return 'descending'
  if (text === 'timestamp') return 'ascending'
  throw invalidInput('orderBy', 'orderBy must be timestamp or -timestamp.')
}
