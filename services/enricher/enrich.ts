import { ENRICHED_EVENT_VERSION, type EnrichedEvent } from '../../schemas/enriched-event/v1.ts'
import type { JsonObject } from '../../schemas/field.ts'
import type { RawEvent } from '../../schemas/raw-event/v1.ts'
import { distinctIdOf } from '../core/event/raw-event.ts'
import { type Bot, NO_BOT } from './enrichments/bot.ts'
import { campaign, campaignAsSent } from './enrichments/campaign.ts'
import { eventTime } from './enrichments/event-time.ts'
import { type Geo, NO_GEO } from './enrichments/geo.ts'
import { applyIpPolicy } from './enrichments/ip-privacy.ts'
import { NO_REFERRER, type ReferrerTable, referrer } from './enrichments/referrer.ts'
import { NO_URL, urlParts } from './enrichments/url.ts'
import { NO_USER_AGENT, type UserAgent } from './enrichments/user-agent.ts'
import { isObject } from './is-object.ts'
import { type Members, unplacedMembers } from './members.ts'
import type { EffectiveSettings } from './recipe.ts'
import { writeTime } from './timestamps.ts'

/** What enrichments look things up in. All of it is named in the recipe. */
export interface Reference {
  readonly referrers: ReferrerTable
  userAgent(text: string): UserAgent
  bot(text: string): Bot
  geo(ip: string): Geo
}

/** A valid event on its way. */
export interface ValidEvent {
  readonly raw: RawEvent
  readonly members: Members
  /** As it is written: {@link withExactNumbers}. */
  readonly event: JsonObject
  readonly partition: number
  readonly offset: number
  readonly recipe: string
  readonly schemaHash: string | null
  readonly schemaFlag: 'unknown_event' | null
}

/**
 * The enriched event, its keys in the order of the schema. A function of its arguments alone: no clock, no chance, no
 * network. An enrichment that is switched off leaves null what it would have found out; what the client itself sent
 * stays.
 */
export function enrich(valid: ValidEvent, settings: EffectiveSettings, reference: Reference): EnrichedEvent {
  const { raw, members, event } = valid
  const { enrichments } = settings
  const time = eventTime(members.timestamp, members.offset_ms, raw.sent_at, raw.collector_time)
  const page = urlParts(members.url)
  const shown = enrichments.url ? page : NO_URL
  const from = enrichments.referrer
    ? referrer(members.referrer, page, members.url !== null, reference.referrers)
    : NO_REFERRER
  const utm = enrichments.campaign ? campaign(members, page.query) : campaignAsSent(members)
  const userAgent = members.user_agent ?? raw.user_agent
  const device = enrichments.user_agent && userAgent !== null ? reference.userAgent(userAgent) : NO_USER_AGENT
  const bot = enrichments.bot && userAgent !== null ? reference.bot(userAgent) : NO_BOT
  const ip = members.ip ?? raw.ip
  // Looked up before the address is cut: a truncated one lies elsewhere.
  const geo = enrichments.geo && ip !== null ? reference.geo(ip) : NO_GEO
  return {
    schema_version: ENRICHED_EVENT_VERSION,
    event_id: raw.event_id,
    dataset_id: raw.dataset_id,
    event: members.event,
    distinct_id: distinctIdOf(raw.event as NonNullable<RawEvent['event']>),
    anonymous_id: members.anonymous_id,
    user_id: members.user_id,
    session_id: members.session_id,
    groups: objectOrNull(event.groups),
    event_time: writeTime(time.eventTime),
    client_time: members.timestamp === null ? null : String(members.timestamp),
    sent_at: raw.sent_at,
    collector_time: writeTime(raw.collector_time),
    time_corrected_ms: time.correctedMs,
    time_flag: time.flag,
    protocol: raw.protocol,
    library: members.library,
    library_version: members.library_version,
    src_partition: valid.partition,
    src_offset: valid.offset,
    recipe: valid.recipe,
    event_schema: valid.schemaHash,
    schema_flag: valid.schemaFlag,
    url: members.url,
    url_scheme: shown.scheme,
    url_host: shown.host,
    url_domain: shown.domain,
    url_path: shown.path,
    url_query: shown.query,
    url_fragment: shown.fragment,
    page_title: members.page_title,
    screen_name: members.screen_name,
    app_name: members.app_name,
    app_version: members.app_version,
    referrer: members.referrer,
    referrer_host: from.parts.host,
    referrer_domain: from.parts.domain,
    referrer_path: from.parts.path,
    referrer_category: from.category,
    referrer_name: from.name,
    utm_source: utm.source,
    utm_medium: utm.medium,
    utm_campaign: utm.name,
    utm_term: utm.term,
    utm_content: utm.content,
    click_id: utm.clickId,
    click_id_type: utm.clickIdType,
    session_start: members.session_start,
    session_index: members.session_index,
    session_first_url: members.session_first_url,
    session_first_referrer: members.session_first_referrer,
    visitor_first_seen: members.visitor_first_seen,
    user_agent: userAgent,
    browser: device.browser,
    browser_version: device.browserVersion,
    os: device.os,
    os_version: device.osVersion,
    device_type: device.deviceType,
    device_vendor: device.deviceVendor,
    device_model: device.deviceModel,
    screen_width: members.screen_width,
    screen_height: members.screen_height,
    viewport_width: members.viewport_width,
    viewport_height: members.viewport_height,
    locale: members.locale,
    client_timezone: members.timezone,
    is_bot: bot.isBot,
    bot_name: bot.name,
    ip: applyIpPolicy(ip, settings.ip),
    geo_continent: geo.continent,
    geo_country: geo.country,
    geo_region: geo.region,
    geo_city: geo.city,
    geo_postal: geo.postal,
    geo_lat: geo.lat,
    geo_lon: geo.lon,
    geo_timezone: geo.timezone,
    geo_asn: geo.asn,
    geo_as_org: geo.asOrg,
    engaged_seconds: members.engaged_seconds,
    page_view_id: members.page_view_id,
    video_id: members.video_id,
    content_url: members.content_url,
    content_title: members.content_title,
    content_authors: members.content_authors,
    content_section: members.content_section,
    content_tags: members.content_tags,
    content_published: members.content_published,
    revenue_amount: members.revenue_amount,
    revenue_currency: members.revenue_currency,
    properties: objectOrNull(event.properties) ?? {},
    set: objectOrNull(event.set),
    set_once: objectOrNull(event.set_once),
    extra: unplacedMembers(event),
  }
}

function objectOrNull(value: unknown): JsonObject | null {
  return isObject(value) ? value : null
}
