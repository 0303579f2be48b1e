import type { FilterScope } from './filter-sql.ts'
import { timeSql } from './time-sql.ts'

/** A session's events are looked for this much before and after the range of a question: no session is longer. */
export const SESSION_SPAN_MAX_MS = 86_400_000

/** Names that a page view has. */
export const PAGE_VIEW_EVENTS = ['$pageview', 'page_view'] as const
/** A visit of one page view and no click that took less than this bounced. */
const BOUNCE_SECONDS = 10

const PAGE_VIEWS = `countIf(event IN (${PAGE_VIEW_EVENTS.map((name) => `'${name}'`).join(', ')}))`
const CLICKS = "countIf(event = '$autocapture')"
const SECONDS = '((toUnixTimestamp64Milli(max(event_time)) - toUnixTimestamp64Milli(min(event_time))) / 1000)'
const PLACE = '(event_time, src_partition, src_offset)'

/** The first, or last, value that the session's events have. */
const first = (column: string) => `ifNull(argMin(${column}, ${PLACE}), '')`
const last = (column: string) => `ifNull(argMax(${column}, ${PLACE}), '')`

/** As everywhere in answers: UTC, to the millisecond. */
const isoTime = (time: string) => `concat(replaceOne(toString(${time}, 'UTC'), ' ', 'T'), 'Z')`

/** Properties of a session, each as text over the session's events. */
const EXPRESSIONS = {
  $session_duration: `toString(${SECONDS})`,
  $start_timestamp: isoTime('min(event_time)'),
  $end_timestamp: isoTime('max(event_time)'),
  $entry_current_url: first('url'),
  $entry_pathname: first('url_path'),
  $exit_current_url: last('url'),
  $exit_pathname: last('url_path'),
  $entry_referring_domain: first('referrer_host'),
  $entry_utm_source: first('utm_source'),
  $entry_utm_medium: first('utm_medium'),
  $entry_utm_campaign: first('utm_campaign'),
  $entry_utm_term: first('utm_term'),
  $entry_utm_content: first('utm_content'),
  $channel_type: first('referrer_category'),
  $pageview_count: `toString(${PAGE_VIEWS})`,
  $autocapture_count: `toString(${CLICKS})`,
  $is_bounce: `if(${PAGE_VIEWS} = 1 AND ${CLICKS} = 0 AND ${SECONDS} < ${BOUNCE_SECONDS}, 'true', 'false')`,
} as const

export const SESSION_PROPERTIES = Object.keys(EXPRESSIONS)

export function isSessionProperty(key: unknown): key is keyof typeof EXPRESSIONS {
  return typeof key === 'string' && Object.hasOwn(EXPRESSIONS, key)
}

/** Text over the events of a session, grouped. */
export function sessionPropertySql(key: string): string {
  if (!isSessionProperty(key)) throw new Error(`A session has no property ${key}.`)
  return EXPRESSIONS[key]
}

/** Sessions that have events about the range: `session_key`, and `session_value`, the given property. */
export function sessionRowsSql(
  scope: Pick<FilterScope, 'dataset' | 'bindings' | 'sessions'>,
  property: string,
): string {
  const { bindings, sessions } = scope
  const conditions = [
    `dataset_id = ${bindings.bind(scope.dataset, 'String')}`,
    "ifNull(session_id, '') != ''",
  ]
  if (sessions.fromMs !== null)
    conditions.push(`event_time >= ${timeSql(sessions.fromMs - SESSION_SPAN_MAX_MS, bindings)}`)
  if (sessions.toMs !== null)
    conditions.push(`event_time < ${timeSql(sessions.toMs + SESSION_SPAN_MAX_MS, bindings)}`)
  return (
    `SELECT ifNull(session_id, '') AS session_key, ${property} AS session_value ` +
    `FROM events WHERE ${conditions.join(' AND ')} GROUP BY session_key`
  )
}
