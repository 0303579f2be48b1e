import type { ClientEvent } from '../../../schemas/raw-event/v1.ts'
import { drawArrival } from './arrivals.ts'
import { BOTS } from './browsers.ts'
import type { Person } from './person.ts'
import type { Random } from './random.ts'
import { type Profile, SITE_HOSTS, visitScript } from './visit-script.ts'

export interface Visit {
  readonly profile: Profile
  readonly person: Person
  readonly isBot: boolean
  /** True time, epoch milliseconds. */
  readonly startMs: number
  /** Nothing happens later than this. */
  readonly untilMs: number
  /** 1 for the first visit of this person in the run. */
  readonly index: number
  readonly firstSeenMs: number
}

/**
 * The events of one visit, without ids, in order. Timestamps are those of the person's own clock, which may be
 * wrong; a few clients send no timestamp at all but an age in `offset_ms`, and a few one that nobody can read.
 */
export function* visitEvents(visit: Visit, random: Random): Iterable<ClientEvent> {
  const { person, profile } = visit
  const browser = visit.isBot ? random.pick(BOTS) : person.browser
  const host = SITE_HOSTS[profile]
  const arrival = drawArrival(random)
  const sessionId = random.hex()
  const clock = visit.isBot ? 0 : person.clockErrorMs
  const timing = random.weighted([
    [96, 'timestamp'],
    [3, 'offset'],
    [1, 'unreadable'],
  ] as const)
  let atMs = visit.startMs
  let firstUrl: string | null = null
  let before: string | null = arrival.referrer
  let pageViewId = ''
  for (const step of visitScript(profile, random)) {
    atMs = Math.min(atMs + (visit.isBot ? Math.min(step.afterMs, 400) : step.afterMs), visit.untilMs)
    const landing: boolean = firstUrl === null
    const url: string = `https://${host}${step.path}${landing && arrival.query ? `?${arrival.query}` : ''}`
    firstUrl ??= url
    if (step.event === 'page_view' || step.event === 'product_view') pageViewId = random.hex().slice(0, 16)
    const known = !visit.isBot && person.userId !== null
    yield {
      event: step.event,
      distinct_id: person.distinctId,
      anonymous_id: person.anonymousId,
      ...(known ? { user_id: person.userId as string } : {}),
      session_id: sessionId,
      ...(timing === 'timestamp' ? { timestamp: new Date(atMs + clock).toISOString() } : {}),
      ...(timing === 'offset' ? { offset_ms: visit.untilMs - atMs } : {}),
      ...(timing === 'unreadable' ? { timestamp: 'yesterday, about noon' } : {}),
      properties: step.properties,
      ...(known && step.event === 'purchase' ? { set: { customer: true } } : {}),
      ...(landing ? { set_once: { first_referrer: arrival.referrer } } : {}),
      context: {
        page: { url, title: step.title, ...(before === null ? {} : { referrer: before }) },
        library: { name: 'millrace-generate', version: '1' },
        ...(landing && arrival.campaign ? { campaign: arrival.campaign } : {}),
        screen: {
          width: browser.screen[0],
          height: browser.screen[1],
          innerWidth: browser.viewport[0],
          innerHeight: browser.viewport[1],
        },
        locale: person.locale,
        timezone: person.timezone,
        ip: person.ip,
        userAgent: browser.userAgent,
      },
      session: {
        start: new Date(visit.startMs + clock).toISOString(),
        index: visit.index,
        first_url: firstUrl,
        first_referrer: arrival.referrer,
        visitor_first_seen: new Date(visit.firstSeenMs + clock).toISOString(),
      },
      engagement: { page_view_id: pageViewId, engaged_seconds: step.engagedSeconds ?? 0 },
      ...(step.content ? { content: step.content } : {}),
      ...(step.revenue ? { revenue: step.revenue } : {}),
    }
    before = url
  }
}
