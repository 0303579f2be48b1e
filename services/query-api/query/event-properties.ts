import type { ENRICHED_EVENT_FIELDS } from '../../../schemas/enriched-event/v1.ts'
import { propertiesColumn } from './stored-events.ts'

type EnrichedColumn = (typeof ENRICHED_EVENT_FIELDS)[number]['name']

/**
 * Names under which clients of product-analytics APIs know what enrichment found, and the column that holds it.
 * They show in an event's properties and can be filtered and broken down by. A property of the customer's own of
 * the same name wins.
 */
export const PROPERTY_COLUMNS = {
  $current_url: 'url',
  $host: 'url_host',
  $pathname: 'url_path',
  $title: 'page_title',
  $screen_name: 'screen_name',
  $app_name: 'app_name',
  $app_version: 'app_version',
  $referrer: 'referrer',
  $referring_domain: 'referrer_host',
  $referrer_category: 'referrer_category',
  $referrer_name: 'referrer_name',
  utm_source: 'utm_source',
  utm_medium: 'utm_medium',
  utm_campaign: 'utm_campaign',
  utm_term: 'utm_term',
  utm_content: 'utm_content',
  $session_id: 'session_id',
  $user_id: 'user_id',
  $browser: 'browser',
  $browser_version: 'browser_version',
  $os: 'os',
  $os_version: 'os_version',
  $device_type: 'device_type',
  $raw_user_agent: 'user_agent',
  $screen_width: 'screen_width',
  $screen_height: 'screen_height',
  $viewport_width: 'viewport_width',
  $viewport_height: 'viewport_height',
  $locale: 'locale',
  $timezone: 'client_timezone',
  $is_bot: 'is_bot',
  $ip: 'ip',
  $geoip_continent_code: 'geo_continent',
  $geoip_country_code: 'geo_country',
  $geoip_city_name: 'geo_city',
  $lib: 'library',
  $lib_version: 'library_version',
  $engaged_seconds: 'engaged_seconds',
  $revenue: 'revenue_amount',
  $currency: 'revenue_currency',
} as const satisfies Readonly<Record<string, EnrichedColumn>>

const COLUMN_OF: ReadonlyMap<string, string> = new Map(Object.entries(PROPERTY_COLUMNS))

/** Placeholder in, SQL out: what a property is in SQL. */
export interface PropertySql {
  /** Bool: it is there and not null. */
  readonly isSet: string
  /** String: its text; numbers, booleans, lists and objects as JSON. Empty where it is not set. */
  readonly text: string
}

/**
 * A property of an event, over rows of {@link STORED_EVENTS}: the customer's own, else what enrichment found.
 *
 * @param key         property name, for looking up its column
 * @param placeholder the same name, bound
 */
export function propertySql(key: string, placeholder: string): PropertySql {
  const own = memberSql(`arrayElement(${propertiesColumn(key)}, ${placeholder})`)
  const column = COLUMN_OF.get(key)
  if (column === undefined) return own
  return {
    isSet: `(${own.isSet} OR isNotNull(${column}))`,
    text: `if(${own.isSet}, ${own.text}, ifNull(toString(${column}), ''))`,
  }
}

/**
 * A member of a JSON object.
 *
 * @param column      String column that holds the object
 * @param placeholder the member's name, bound
 */
export function jsonPropertySql(column: string, placeholder: string): PropertySql {
  return memberSql(`JSONExtractRaw(${column}, ${placeholder})`)
}

/**
 * A member by itself. An object is parsed once, whatever is asked of a member: what it is follows from its JSON.
 *
 * @param json String: the member as JSON, empty where there is none
 */
function memberSql(json: string): PropertySql {
  const isSet = `(${json} NOT IN ('', 'null'))`
  const isText = `startsWith(${json}, '"')`
  // Most texts have nothing that JSON escapes, and then stand between their quotes as they are.
  const plain = `${isText} AND position(${json}, char(92)) = 0, substring(${json}, 2, length(${json}) - 2)`
  return {
    isSet,
    text: `multiIf(NOT ${isSet}, '', ${plain}, ${isText}, JSONExtractString(${json}), ${json})`,
  }
}
