import type { EnrichedEvent } from '../../../schemas/enriched-event/v1.ts'

/** Columns of an event that its person keeps the first value of, with the property's name. */
const INITIAL_COLUMNS = {
  utm_source: '$initial_utm_source',
  utm_medium: '$initial_utm_medium',
  utm_campaign: '$initial_utm_campaign',
  utm_term: '$initial_utm_term',
  utm_content: '$initial_utm_content',
  referrer: '$initial_referrer',
  referrer_domain: '$initial_referring_domain',
  url: '$initial_current_url',
  url_host: '$initial_host',
  url_path: '$initial_pathname',
  browser: '$initial_browser',
  browser_version: '$initial_browser_version',
  os: '$initial_os',
  os_version: '$initial_os_version',
  device_type: '$initial_device_type',
} as const satisfies Partial<Record<keyof EnrichedEvent, string>>

const COLUMNS = Object.keys(INITIAL_COLUMNS) as (keyof typeof INITIAL_COLUMNS)[]
const BITS: ReadonlyMap<string, number> = new Map(
  COLUMNS.map((column, index) => [INITIAL_COLUMNS[column], 1 << index]),
)
/** Click ids have a name per advertiser and one bit together: the first click counts. */
const CLICK_ID_BIT = 1 << COLUMNS.length

type InitialColumns = Pick<EnrichedEvent, keyof typeof INITIAL_COLUMNS | 'click_id' | 'click_id_type'>

/**
 * First-touch properties that an event can give its person.
 *
 * @returns null when it has none of them
 */
export function initialProperties(event: Readonly<InitialColumns>): Record<string, string> | null {
  const found: Record<string, string> = {}
  for (const column of COLUMNS) {
    const value = event[column]
    if (typeof value === 'string' && value !== '') found[INITIAL_COLUMNS[column]] = value
  }
  if (event.click_id && event.click_id_type) found[`$initial_${event.click_id_type}`] = event.click_id
  return Object.keys(found).length === 0 ? null : found
}

/** Bits of these properties. */
export function initialBits(initial: Readonly<Record<string, string>> | null | undefined): number {
  let bits = 0
  for (const name of Object.keys(initial ?? {})) bits |= BITS.get(name) ?? CLICK_ID_BIT
  return bits
}

/** Those whose bit is not among `given`: a distinct id gives each once, also where the property was removed later. */
export function notYetGiven(
  initial: Readonly<Record<string, string>> | undefined,
  given: number,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(initial ?? {}).filter(([name]) => ((BITS.get(name) ?? CLICK_ID_BIT) & given) === 0),
  )
}
