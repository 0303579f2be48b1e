import { invalidInput } from '../http/api-error.ts'
import { FILE_PARAMETERS, type FileChoice, readFileChoice } from '../http/file-parameters.ts'
import {
  countOrAllDeclared,
  flagDeclared,
  jsonDeclared,
  textDeclared,
  wholeDeclared,
} from '../http/parameter-declarations.ts'
import {
  countOrAllParameter,
  type Format,
  type RawQuery,
  refuseUnknown,
  textParameter,
} from '../http/request-parameters.ts'
import { flagParameter, wholeParameter } from '../insights/insight-request.ts'
import { FILTER_TYPES, parsePropertyFilters } from '../query/property-filters.ts'
import { parseInstant, type TimeZone } from '../query/zoned-time.ts'
import type { Asking } from '../sql/sql-statement.ts'
import { type EventExpressions, readExpressions } from './event-expressions.ts'
import type { EventPage, EventSelection } from './event-query.ts'
import { decodeCursor } from './page-cursor.ts'
import { textsParameter } from './texts-parameter.ts'

/** Rows per page. Who wants all rows asks for `limit=all`. */
export const EVENT_LIMITS = {
  json: 100,
  jsonMax: 10_000,
  csv: 3_500,
  csvMax: 10_000,
  offsetMax: 1_000_000,
} as const

function timeParameter(query: RawQuery, name: 'after' | 'before', zone: TimeZone): number | null {
  const text = textParameter(query, name)
  if (text === null) return null
  const instant = parseInstant(text, zone)
  if (instant === null)
    throw invalidInput(name, `${name} must be an ISO 8601 time, e.g. 2026-01-31T12:00:00Z.`)
  // Both bounds are exclusive; a date stands for its midnight.
  return instant.startMs
}

export const MASK_PARAMETER = flagDeclared(
  'Whether personal data is masked: e-mail addresses, names, phone numbers, …',
)

export const EVENTS_PARAMETERS = {
  event: textDeclared('Only events of exactly this name.'),
  distinct_id: textDeclared('Only events of this distinct id.'),
  person_id: textDeclared('Only events of this person: its id, with all of its distinct ids.'),
  after: textDeclared(
    'Later than this (exclusive): ISO 8601; without an offset in the time zone of the dataset.',
  ),
  before: textDeclared('Earlier than this (exclusive).'),
  properties: textDeclared('Filters, as JSON.'),
  select: jsonDeclared('Expressions, as a list: rows of their values are answered instead of events.'),
  where: jsonDeclared('Expressions that must hold, as a list.'),
  orderBy: textDeclared('`-timestamp` (default) or `timestamp`; with `select` a list of expressions.'),
  limit: countOrAllDeclared(
    'Events per page; for CSV 3,500 when left out. `all` has no pages; with `select` there are only pages.',
    EVENT_LIMITS.json,
    EVENT_LIMITS.jsonMax,
  ),
  offset: wholeDeclared(
    'Events before the page; `cursor` loses none while others arrive.',
    0,
    EVENT_LIMITS.offsetMax,
    0,
  ),
  cursor: textDeclared('Where the page begins, as `next` has it.'),
  maskPii: MASK_PARAMETER,
  ...FILE_PARAMETERS,
}

export interface EventsRequest extends FileChoice {
  readonly selection: EventSelection
  /** Of `select`; without items whole events are asked for. */
  readonly expressions: EventExpressions
  readonly page: EventPage
  readonly isMasked: boolean
}

/** @throws ApiError 400 */
export function readEventsRequest(query: RawQuery, asking: Asking, format?: Format): EventsRequest {
  refuseUnknown(query, Object.keys(EVENTS_PARAMETERS))
  const { dataset, zone } = asking
  const file = readFileChoice(query, format)
  const cursor = textParameter(query, 'cursor')
  const select = textsParameter(query, 'select')
  const order = readOrder(query, select.length > 0)
  const expressions = readExpressions(
    { select, where: textsParameter(query, 'where'), orderBy: order.expressions },
    asking,
  )
  if (select.length === 0 && expressions.having.length > 0)
    throw invalidInput('where', 'Conditions on aggregates need a select with one.')
  return {
    selection: {
      dataset,
      event: textParameter(query, 'event'),
      distinctId: textParameter(query, 'distinct_id'),
      personId: textParameter(query, 'person_id')?.toLowerCase() ?? null,
      afterMs: timeParameter(query, 'after', zone),
      beforeMs: timeParameter(query, 'before', zone),
      filters: parsePropertyFilters(
        textParameter(query, 'properties', Number.POSITIVE_INFINITY),
        'properties',
        FILTER_TYPES,
      ),
      where: expressions.where,
    },
    expressions,
    page: {
      order: order.byTime,
      limit:
        file.format === 'csv'
          ? countOrAllParameter(query, 'limit', EVENT_LIMITS.csv, EVENT_LIMITS.csvMax)
          : countOrAllParameter(query, 'limit', EVENT_LIMITS.json, EVENT_LIMITS.jsonMax),
      offset: wholeParameter(query, 'offset', 0, EVENT_LIMITS.offsetMax) ?? 0,
      cursor: cursor === null ? null : decodeCursor(cursor),
    },
    isMasked: flagParameter(query, 'maskPii'),
    ...file,
  }
}

/** `timestamp`, `-timestamp`, or a list of one of them in JSON, as existing clients send it; else expressions. */
function readOrder(query: RawQuery, isSelected: boolean) {
  const texts = textsParameter(query, 'orderBy')
  const [only = '-timestamp', ...others] = texts
  if (others.length === 0 && /^-?timestamp$/.test(only)) {
    const byTime: EventPage['order'] = only === 'timestamp' ? 'ascending' : 'descending'
    return { byTime, expressions: [] }
  }
  if (!isSelected) throw invalidInput('orderBy', 'orderBy must be timestamp or -timestamp.')
  return { byTime: 'descending' as const, expressions: texts }
}
