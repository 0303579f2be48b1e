import { type JsonFault, scanJson } from '../core/event/scan-json.ts'
import type { EventLimits, SentRequest } from './sent-request.ts'

/** The smallest transparent GIF: 1 × 1 pixel. */
export const PIXEL_GIF = Buffer.from('R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7', 'base64')

const MEMBERS = ['event', 'event_id', 'distinct_id', 'anonymous_id', 'user_id', 'session_id', 'timestamp']
const PAGE_MEMBERS = ['url', 'title', 'referrer']

/**
 * Reads the event that a pixel's query carries. Members of an event go by their names; `url`, `title` and `referrer`
 * are the page's; `properties` is a JSON object; any other parameter is a property, as text. Of several parameters
 * of one name the last counts.
 *
 * @param query what follows the question mark, still escaped
 */
export function readPixel(query: string, limits: EventLimits): SentRequest {
  const { parameters, malformed } = parseQuery(query)
  const { write_key: key, writeKey: otherKey, sent_at: sentAt, properties: json, ...named } = parameters
  const own: [string, string][] = []
  const page: [string, string][] = []
  const event: [string, unknown][] = []
  for (const pair of Object.entries(named)) {
    if (MEMBERS.includes(pair[0])) event.push(pair)
    else if (PAGE_MEMBERS.includes(pair[0])) page.push(pair)
    else own.push(pair)
  }
  const { parsed, fault: within } = parseProperties(json ?? '{}', limits)
  // Object.fromEntries and spread define members, they never set them: `__proto__` is a name like any other.
  const properties =
    typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)
      ? { ...Object.fromEntries(own), ...parsed }
      : parsed
  if (json !== undefined || own.length > 0) event.push(['properties', properties])
  if (page.length > 0) event.push(['context', { page: Object.fromEntries(page) }])
  const value = Object.fromEntries(event)
  const sent = Buffer.from(JSON.stringify(value))
  const { fault } = scanJson(sent, 0, sent.length, limits)
  return {
    key: key ?? otherKey,
    sentAt: sentAt === undefined ? null : sentAt.slice(0, 100),
    events: [
      {
        sent,
        value,
        stored: sent,
        fault: malformed
          ? { code: 'invalid_utf8', detail: 'The query has an escape that is not UTF-8.' }
          : (within ?? fault),
      },
    ],
  }
}

/** Text that is no JSON stays text, and is refused for its type later. */
function parseProperties(json: string, limits: EventLimits): { parsed: unknown; fault: JsonFault | null } {
  const bytes = Buffer.from(json)
  const { fault } = scanJson(bytes, 0, bytes.length, limits)
  if (fault !== null) return { parsed: json, fault }
  try {
    return { parsed: JSON.parse(json), fault }
  } catch {
    return { parsed: json, fault }
  }
}

function parseQuery(query: string): { parameters: Record<string, string>; malformed: boolean } {
  let malformed = false
  const decode = (text: string) => {
    try {
      return decodeURIComponent(text.replaceAll('+', ' '))
    } catch {
      malformed = true
      return text
    }
  }
  const pairs = query
    .split('&')
    .filter((part) => part !== '')
    .map((part) => {
      const equals = part.indexOf('=')
      const [name, value] = equals < 0 ? [part, ''] : [part.slice(0, equals), part.slice(equals + 1)]
      return [decode(name), decode(value)] as const
    })
  return { parameters: Object.fromEntries(pairs), malformed }
}
