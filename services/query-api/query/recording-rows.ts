import type { Bindings } from './bindings.ts'
import { withPersonSql } from './person-rows.ts'
import { SESSION_SPAN_MAX_MS } from './session-properties.ts'
import { timeSql } from './time-sql.ts'

/** A chunk says that it happened up to two days before it arrived, and up to one after (the recordings stage). */
const ARRIVAL_SPAN_MS = 2 * 86_400_000
/** Somebody who does something again within so many seconds was active in between. */
const ACTIVE_GAP_SECONDS = 5

const PLACE = '(first_time, src_partition, src_offset)'

/**
 * Chunks, each once: a client that sent one again, with the same event id, has sent it once. Nothing of a session that
 * was deleted is among them.
 *
 * @param conditions SQL over the columns of `recording_chunks`
 */
export function chunksSql(
  dataset: string,
  columns: string,
  conditions: readonly string[],
  bindings: Bindings,
): string {
  const own = `dataset_id = ${bindings.bind(dataset, 'String')}`
  const deleted = `SELECT session_id FROM recording_deletions WHERE ${own}`
  const where = [own, ...conditions, `session_id NOT IN (${deleted})`].join(' AND ')
  return (
    `SELECT ${columns} FROM recording_chunks WHERE ${where} ` +
    'ORDER BY src_partition, src_offset LIMIT 1 BY session_id, event_id'
  )
}

/** Range of the starts of sessions, `[fromMs, toMs)`; null for no bound. */
export interface StartRange {
  readonly fromMs: number | null
  readonly toMs: number | null
}

const CHUNK_COLUMNS =
  'session_id, distinct_id, first_time, last_time, clicks, keypresses, active, first_url, console_logs, ' +
  'console_warns, console_errors, src_partition, src_offset'

/** What filters of the type `recording` may ask about: columns of {@link recordedSessionsSql}. */
export const RECORDING_PROPERTIES: readonly string[] = [
  'duration',
  'active_seconds',
  'click_count',
  'keypress_count',
  'console_log_count',
  'console_warn_count',
  'console_error_count',
  'start_url',
]

/** Sessions that were recorded, as far as they began in the range: `recorded_session`, and `recording_value`, the property as text. */
export function recordingValuesSql(
  dataset: string,
  range: StartRange,
  key: string,
  bindings: Bindings,
): string {
  if (!RECORDING_PROPERTIES.includes(key)) throw new Error(`A recording has no property ${key}.`)
  return (
    `SELECT id AS recorded_session, toString(${key}) AS recording_value ` +
    `FROM (${recordedSessionsSql(dataset, range, null, bindings)})`
  )
}

/**
 * Sessions with what their chunks add up to, and `the_person`, the key of whoever they are of now.
 *
 * @param sessions null for any
 */
export function sessionsSql(
  dataset: string,
  range: StartRange,
  sessions: readonly string[] | null,
  bindings: Bindings,
): string {
  const recorded = recordedSessionsSql(dataset, range, sessions, bindings)
  const owned = `SELECT *, owner AS distinct_id, id AS session_id FROM (${recorded})`
  return withPersonSql(owned, dataset, bindings)
}

function recordedSessionsSql(
  dataset: string,
  range: StartRange,
  sessions: readonly string[] | null,
  bindings: Bindings,
): string {
  const conditions: string[] = []
  if (sessions !== null) conditions.push(`session_id IN (${bindings.bind(sessions, 'Array(String)')})`)
  // Whatever belongs to a session that began in the range arrived within these; the parts outside are not read.
  const margin = SESSION_SPAN_MAX_MS + ARRIVAL_SPAN_MS
  if (range.fromMs !== null) conditions.push(`collector_time >= ${timeSql(range.fromMs - margin, bindings)}`)
  if (range.toMs !== null) conditions.push(`collector_time < ${timeSql(range.toMs + margin, bindings)}`)
  const chunks = chunksSql(dataset, CHUNK_COLUMNS, conditions, bindings)
  const actives = 'arrayDifference(arraySort(groupUniqArrayArray(active)))'
  const grouped =
    `SELECT session_id AS id, argMin(distinct_id, ${PLACE}) AS owner, ` +
    'min(first_time) AS started, max(last_time) AS ended, ' +
    '(toUnixTimestamp64Milli(ended) - toUnixTimestamp64Milli(started)) / 1000 AS duration, ' +
    `arraySum(arrayFilter(gap -> gap <= ${ACTIVE_GAP_SECONDS}, ${actives})) AS active_seconds, ` +
    'sum(clicks) AS click_count, sum(keypresses) AS keypress_count, ' +
    'sum(console_logs) AS console_log_count, sum(console_warns) AS console_warn_count, ' +
    'sum(console_errors) AS console_error_count, ' +
    `argMinIf(first_url, ${PLACE}, first_url != '') AS start_url ` +
    `FROM (${chunks}) GROUP BY session_id`
  return `SELECT * FROM (${grouped}) WHERE ${startsSql(range, bindings)}`
}

function startsSql({ fromMs, toMs }: StartRange, bindings: Bindings): string {
  const bounds = ['1']
  if (fromMs !== null) bounds.push(`started >= ${timeSql(fromMs, bindings)}`)
  if (toMs !== null) bounds.push(`started < ${timeSql(toMs, bindings)}`)
  return bounds.join(' AND ')
}

/** One session as a statement over {@link sessionsSql} gives it; 64-bit integers may come as text. */
export interface SessionRecord {
  readonly id: string
  readonly distinct_id: string
  readonly the_person: string
  readonly started_ms: string | number
  readonly ended_ms: string | number
  readonly active_seconds: string | number
  readonly click_count: string | number
  readonly keypress_count: string | number
  readonly console_log_count: string | number
  readonly console_warn_count: string | number
  readonly console_error_count: string | number
  readonly start_url: string
}

/** What is read of {@link sessionsSql}. */
export const SESSION_COLUMNS =
  'id, distinct_id, the_person, toUnixTimestamp64Milli(started) AS started_ms, ' +
  'toUnixTimestamp64Milli(ended) AS ended_ms, active_seconds, click_count, keypress_count, console_log_count, ' +
  'console_warn_count, console_error_count, start_url'
