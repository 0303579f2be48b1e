import { invalidInput } from '../http/api-error.ts'
import { type ListPage, pageParameters, readPage } from '../http/list-page.ts'
import { choiceDeclared, jsonDeclared, textDeclared } from '../http/parameter-declarations.ts'
import { choiceParameter, type RawQuery, refuseUnknown, textParameter } from '../http/request-parameters.ts'
import { type EntityRequest, jsonParameter, objectOf, readEntities } from '../insights/entity-request.ts'
import { type DateRange, parseDateRange } from '../query/date-range.ts'
import { FILTER_TYPES, type FilterGroup, parsePropertyFilters } from '../query/property-filters.ts'
import type { TimeZone } from '../query/zoned-time.ts'

/** Recordings per page. */
export const RECORDING_PAGES = { default: 100, max: 1_000 }
/** Sessions that one question may name. */
export const SESSION_IDS_MAX = 1_000
/** Of a session's id, as the collector takes them. */
const SESSION_ID_LENGTH_MAX = 200
/** Events and actions that a recording must have, all of them. */
const ENTITIES_MAX = 20
export const VERSIONS = ['1', '2', '3'] as const
export type Version = (typeof VERSIONS)[number]

const CONSOLE_COLUMNS = {
  log: 'console_log_count',
  info: 'console_log_count',
  warn: 'console_warn_count',
  error: 'console_error_count',
} as const
const LENGTH_COLUMNS = { duration: 'duration', active_seconds: 'active_seconds' } as const
const COMPARISONS = { gt: '>', gte: '>=', lt: '<', lte: '<=', exact: '=' } as const

/** What selects recordings. */
export const RECORDING_FILTERS = {
  session_ids: jsonDeclared(
    'Only these sessions: a list of their ids. Without `date_from` they are of any time.',
  ),
  person_uuid: textDeclared('Only of this person.'),
  events: jsonDeclared('Only sessions with an event of each: a list like `[{"id":"purchase"}]`.'),
  actions: jsonDeclared('Actions beside the events, by their ids.'),
  properties: jsonDeclared('Only sessions with an event that passes these filters, or of persons that do.'),
  session_recording_duration: jsonDeclared(
    'Only of such a length, seconds: `{"key": "duration" | "active_seconds", "value": 60, "operator": "gt"}`.',
  ),
  console_logs: jsonDeclared('Only with lines of one of these levels: a list of log, info, warn, error.'),
  date_from: textDeclared('Begun at or after: a date, a time, `-7d` (default), `all`, …'),
  date_to: textDeclared('Begun before, like date_from.'),
}

/** How they are listed. */
export const RECORDINGS_LISTING = {
  version: choiceDeclared('Of the answer; all are the same here.', VERSIONS, '1'),
  ...pageParameters(RECORDING_PAGES),
}
export const RECORDINGS_PARAMETERS = { ...RECORDING_FILTERS, ...RECORDINGS_LISTING }

/** A comparison of a column of the sessions with a number. */
export interface LengthFilter {
  readonly column: string
  readonly operator: string
  readonly seconds: number
}

export interface RecordingFilters {
  readonly sessions: readonly string[] | null
  /** UUID in lower case. */
  readonly person: string | null
  readonly entities: readonly EntityRequest[]
  readonly filters: FilterGroup
  readonly length: LengthFilter | null
  /** Columns of the sessions of which one must not be zero; empty for any session. */
  readonly consoleColumns: readonly string[]
}

export interface RecordingsRequest extends RecordingFilters {
  readonly range: DateRange
  readonly version: Version
  readonly page: ListPage
}

/** @throws ApiError 400 */
export function readRecordingsRequest(query: RawQuery, nowMs: number, zone: TimeZone): RecordingsRequest {
  refuseUnknown(query, Object.keys(RECORDINGS_PARAMETERS))
  const filters = readRecordingFilters(query)
  const dateFrom = textParameter(query, 'date_from') ?? (filters.sessions === null ? null : 'all')
  return {
    ...filters,
    range: parseDateRange(dateFrom, textParameter(query, 'date_to'), nowMs, zone),
    version: choiceParameter(query, 'version', VERSIONS, '1'),
    page: readPage(query, RECORDING_PAGES),
  }
}

/** What does not depend on the time at which it is asked. @throws ApiError 400 */
export function readRecordingFilters(query: RawQuery): RecordingFilters {
  const entities = readEntities(query, [], () => ({}))
  if (entities.length > ENTITIES_MAX)
    throw invalidInput('events', `There may be at most ${ENTITIES_MAX} events and actions.`)
  return {
    sessions: readSessionIds(query),
    person: readPerson(query),
    entities,
    filters: parsePropertyFilters(
      textParameter(query, 'properties', Number.POSITIVE_INFINITY),
      'properties',
      FILTER_TYPES,
    ),
    length: readLength(query),
    consoleColumns: readConsole(query),
  }
}

/** @throws ApiError 400 for anything but nothing and a list of ids */
export function readSessionIds(query: RawQuery): readonly string[] | null {
  const ids = jsonParameter(query, 'session_ids')
  if (ids === null) return null
  const isId = (id: unknown): id is string => typeof id === 'string' && id.length <= SESSION_ID_LENGTH_MAX
  if (!Array.isArray(ids) || ids.length > SESSION_IDS_MAX || !ids.every(isId))
    throw invalidInput(
      'session_ids',
      `session_ids must be a list of at most ${SESSION_IDS_MAX} ids of sessions.`,
    )
  return ids
}

function readPerson(query: RawQuery): string | null {
  const text = textParameter(query, 'person_uuid')?.toLowerCase() ?? null
  if (text === null || /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text)) return text
  throw invalidInput('person_uuid', 'person_uuid must be the UUID of a person.')
}

function readLength(query: RawQuery): LengthFilter | null {
  const attr = 'session_recording_duration'
  const given = jsonParameter(query, attr)
  if (given === null) return null
  const { key = 'duration', operator = 'gt', value, type: _, ...others } = objectOf(given, attr)
  const [unknown] = Object.keys(others)
  if (unknown !== undefined)
    throw invalidInput(`${attr}__${unknown.slice(0, 50)}`, 'What stands here has key, value and operator.')
  if (!isOwn(LENGTH_COLUMNS, key))
    throw invalidInput(`${attr}__key`, 'key must be duration or active_seconds.')
  if (!isOwn(COMPARISONS, operator))
    throw invalidInput(`${attr}__operator`, `operator must be one of ${Object.keys(COMPARISONS).join(', ')}.`)
  if (typeof value !== 'number' || !Number.isFinite(value))
    throw invalidInput(`${attr}__value`, 'value must be a number of seconds.')
  return { column: LENGTH_COLUMNS[key], operator: COMPARISONS[operator], seconds: value }
}

function readConsole(query: RawQuery): readonly string[] {
  const levels = jsonParameter(query, 'console_logs') ?? []
  if (!Array.isArray(levels) || !levels.every((level) => isOwn(CONSOLE_COLUMNS, level)))
    throw invalidInput(
      'console_logs',
      `console_logs must be a list of ${Object.keys(CONSOLE_COLUMNS).join(', ')}.`,
    )
  return [...new Set(levels.map((level: keyof typeof CONSOLE_COLUMNS) => CONSOLE_COLUMNS[level]))]
}

function isOwn<T extends object>(object: T, key: unknown): key is keyof T {
  return typeof key === 'string' && Object.hasOwn(object, key)
}
