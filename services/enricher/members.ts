import type { JsonObject } from '../../schemas/field.ts'
import { isObject } from './is-object.ts'
import { readTime, writeTime } from './timestamps.ts'

/**
 * The members that millrace itself gives a meaning to, each of its one type, null where the client sent none.
 * Texts are as sent; times are read; the four objects are the client's own.
 */
export interface Members {
  event: string
  distinct_id: string | null
  anonymous_id: string | null
  user_id: string | null
  session_id: string | null
  timestamp: string | number | null
  offset_ms: number | null
  url: string | null
  page_title: string | null
  referrer: string | null
  screen_name: string | null
  app_name: string | null
  app_version: string | null
  library: string | null
  library_version: string | null
  utm_source: string | null
  utm_medium: string | null
  utm_campaign: string | null
  utm_term: string | null
  utm_content: string | null
  screen_width: number | null
  screen_height: number | null
  viewport_width: number | null
  viewport_height: number | null
  locale: string | null
  timezone: string | null
  ip: string | null
  user_agent: string | null
  session_start: string | null
  session_index: number | null
  session_first_url: string | null
  session_first_referrer: string | null
  visitor_first_seen: string | null
  engaged_seconds: number | null
  page_view_id: string | null
  video_id: string | null
  content_url: string | null
  content_title: string | null
  content_authors: readonly string[] | null
  content_section: string | null
  content_tags: readonly string[] | null
  content_published: string | null
  revenue_amount: number | null
  revenue_currency: string | null
}

/** Longest event name, characters; the same as in the configuration of schemas and filters. */
export const EVENT_NAME_CHARACTERS_MAX = 200

export type MemberFaultCode = 'missing_field' | 'invalid_type' | 'text_too_long'

export interface MemberFaults {
  readonly code: MemberFaultCode
  readonly details: readonly string[]
}

/**
 * Checks the type of every native member; null counts as not sent, nothing is converted. All faults are told, in
 * the order of this list, so that the same event is always refused with the same words.
 *
 * @param event the client's event, plain values
 */
export function readMembers(event: JsonObject): Members | MemberFaults {
  const faults: string[] = []
  const name = event.event
  if (name === undefined || name === null || name === '')
    return { code: 'missing_field', details: ['event: is missing'] }
  if (typeof name !== 'string') faults.push(`event: must be text, not ${kindOf(name)}`)
  else if (name.length > EVENT_NAME_CHARACTERS_MAX)
    return {
      code: 'text_too_long',
      details: [`event: is ${name.length} characters long; at most ${EVENT_NAME_CHARACTERS_MAX} are allowed`],
    }

  const text = (value: unknown, path: string): string | null => {
    if (typeof value === 'string') return value
    if (value !== undefined && value !== null) faults.push(`${path}: must be text, not ${kindOf(value)}`)
    return null
  }
  const number = (value: unknown, path: string): number | null => {
    if (value === undefined || value === null) return null
    if (typeof value === 'number' && Number.isFinite(value)) return value
    faults.push(
      `${path}: must be a number${typeof value === 'number' ? ' that a double can hold' : `, not ${kindOf(value)}`}`,
    )
    return null
  }
  const integer = (value: unknown, path: string): number | null => {
    const read = number(value, path)
    if (read === null || Number.isSafeInteger(read)) return read
    faults.push(`${path}: must be a whole number below 2^53`)
    return null
  }
  const object = (value: unknown, path: string): JsonObject => {
    if (isObject(value)) return value
    if (value !== undefined && value !== null) faults.push(`${path}: must be an object, not ${kindOf(value)}`)
    return NOTHING
  }
  const texts = (value: unknown, path: string): readonly string[] | null => {
    if (value === undefined || value === null) return null
    if (!Array.isArray(value)) {
      faults.push(`${path}: must be a list of texts, not ${kindOf(value)}`)
      return null
    }
    const wrong = value.findIndex((item) => typeof item !== 'string')
    if (wrong < 0) return value
    faults.push(`${path}[${wrong}]: must be text, not ${kindOf(value[wrong])}`)
    return null
  }
  const time = (value: unknown, path: string): string | null => {
    if (value === undefined || value === null) return null
    if (typeof value !== 'string' && typeof value !== 'number') {
      faults.push(`${path}: must be ISO 8601 text or epoch milliseconds, not ${kindOf(value)}`)
      return null
    }
    const ms = readTime(value)
    if (ms !== null) return writeTime(ms)
    faults.push(`${path}: is no ISO 8601 time or epoch milliseconds from 1900 to 2299`)
    return null
  }

  const context = object(event.context, 'context')
  const page = object(context.page, 'context.page')
  const view = object(context.screen_view, 'context.screen_view')
  const app = object(context.app, 'context.app')
  const library = object(context.library, 'context.library')
  const campaign = object(context.campaign, 'context.campaign')
  const screen = object(context.screen, 'context.screen')
  const session = object(event.session, 'session')
  const engagement = object(event.engagement, 'engagement')
  const content = object(event.content, 'content')
  const revenue = object(event.revenue, 'revenue')
  object(event.properties, 'properties')
  object(event.groups, 'groups')
  object(event.set, 'set')
  object(event.set_once, 'set_once')

  const members: Members = {
    event: name as string,
    distinct_id: text(event.distinct_id, 'distinct_id'),
    anonymous_id: text(event.anonymous_id, 'anonymous_id'),
    user_id: text(event.user_id, 'user_id'),
    session_id: text(event.session_id, 'session_id'),
    timestamp:
      typeof event.timestamp === 'number'
        ? number(event.timestamp, 'timestamp')
        : text(event.timestamp, 'timestamp'),
    offset_ms: number(event.offset_ms, 'offset_ms'),
    url: text(page.url, 'context.page.url'),
    page_title: text(page.title, 'context.page.title'),
    referrer: text(page.referrer, 'context.page.referrer'),
    screen_name: text(view.name, 'context.screen_view.name'),
    app_name: text(app.name, 'context.app.name'),
    app_version: text(app.version, 'context.app.version'),
    library: text(library.name, 'context.library.name'),
    library_version: text(library.version, 'context.library.version'),
    utm_source: text(campaign.source, 'context.campaign.source'),
    utm_medium: text(campaign.medium, 'context.campaign.medium'),
    utm_campaign: text(campaign.name, 'context.campaign.name'),
    utm_term: text(campaign.term, 'context.campaign.term'),
    utm_content: text(campaign.content, 'context.campaign.content'),
    screen_width: integer(screen.width, 'context.screen.width'),
    screen_height: integer(screen.height, 'context.screen.height'),
    viewport_width: integer(screen.innerWidth, 'context.screen.innerWidth'),
    viewport_height: integer(screen.innerHeight, 'context.screen.innerHeight'),
    locale: text(context.locale, 'context.locale'),
    timezone: text(context.timezone, 'context.timezone'),
    ip: text(context.ip, 'context.ip'),
    user_agent: text(context.userAgent, 'context.userAgent'),
    session_start: time(session.start, 'session.start'),
    session_index: integer(session.index, 'session.index'),
    session_first_url: text(session.first_url, 'session.first_url'),
    session_first_referrer: text(session.first_referrer, 'session.first_referrer'),
    visitor_first_seen: time(session.visitor_first_seen, 'session.visitor_first_seen'),
    engaged_seconds: number(engagement.engaged_seconds, 'engagement.engaged_seconds'),
    page_view_id: text(engagement.page_view_id, 'engagement.page_view_id'),
    video_id: text(engagement.video_id, 'engagement.video_id'),
    content_url: text(content.url, 'content.url'),
    content_title: text(content.title, 'content.title'),
    content_authors: texts(content.authors, 'content.authors'),
    content_section: text(content.section, 'content.section'),
    content_tags: texts(content.tags, 'content.tags'),
    content_published: time(content.published, 'content.published'),
    revenue_amount: number(revenue.amount, 'revenue.amount'),
    revenue_currency: text(revenue.currency, 'revenue.currency'),
  }
  return faults.length === 0 ? members : { code: 'invalid_type', details: faults }
}

const NOTHING: JsonObject = Object.freeze(Object.create(null))

function kindOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'a list'
  return { string: 'text', number: 'a number', boolean: 'true or false', object: 'an object' }[
    typeof value as 'string' | 'number' | 'boolean' | 'object'
  ]
}

/** Members that have a column of their own, by the object they stand in. `true`: the whole value has. */
const PLACED: PlacedMembers = {
  event: true,
  distinct_id: true,
  anonymous_id: true,
  user_id: true,
  session_id: true,
  timestamp: true,
  offset_ms: true,
  properties: true,
  groups: true,
  set: true,
  set_once: true,
  // The envelope carries these two for every protocol.
  event_id: true,
  sent_at: true,
  context: {
    page: { url: true, title: true, referrer: true },
    screen_view: { name: true },
    app: { name: true, version: true },
    library: { name: true, version: true },
    campaign: { source: true, medium: true, name: true, term: true, content: true },
    screen: { width: true, height: true, innerWidth: true, innerHeight: true },
    locale: true,
    timezone: true,
    ip: true,
    userAgent: true,
  },
  session: { start: true, index: true, first_url: true, first_referrer: true, visitor_first_seen: true },
  engagement: { engaged_seconds: true, page_view_id: true, video_id: true },
  content: { url: true, title: true, authors: true, section: true, tags: true, published: true },
  revenue: { amount: true, currency: true },
}
interface PlacedMembers {
  readonly [name: string]: true | PlacedMembers
}

/**
 * What the client sent beyond the native members, under the same path; null when there is nothing. Nothing that was
 * accepted disappears only because there is no column for it.
 */
export function unplacedMembers(event: JsonObject): JsonObject | null {
  return unplaced(event, PLACED)
}

function unplaced(value: JsonObject, placed: PlacedMembers): JsonObject | null {
  let rest: JsonObject | null = null
  for (const name in value) {
    const place = Object.hasOwn(placed, name) ? placed[name] : undefined
    if (place === true) continue
    const member = value[name]
    const kept = place === undefined ? member : isObject(member) ? unplaced(member, place) : null
    if (place !== undefined && kept === null) continue
    // No prototype: a member called __proto__ is data here and must stay it.
    rest ??= Object.create(null) as JsonObject
    rest[name] = kept
  }
  return rest
}
