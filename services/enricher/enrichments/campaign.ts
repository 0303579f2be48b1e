import type { Members } from '../members.ts'

export interface Campaign {
  readonly source: string | null
  readonly medium: string | null
  readonly name: string | null
  readonly term: string | null
  readonly content: string | null
  readonly clickId: string | null
  readonly clickIdType: string | null
}

/** Parameters by which advertising networks recognise a click; the first of this list that is present counts. */
export const CLICK_ID_PARAMETERS = [
  'gclid',
  'gbraid',
  'wbraid',
  'dclid',
  'fbclid',
  'msclkid',
  'ttclid',
  'twclid',
  'li_fat_id',
  'epik',
  'ScCid',
  'rdt_cid',
  'yclid',
  'qclid',
  'obclid',
  'tblci',
  'irclickid',
  'mc_eid',
  'igshid',
] as const

type Sent = Pick<Members, 'utm_source' | 'utm_medium' | 'utm_campaign' | 'utm_term' | 'utm_content'>

/**
 * Campaign members that the client names itself win; the page's query fills in the rest. Of a parameter that stands
 * there twice the first counts, and an empty one counts as absent.
 *
 * @param query without the question mark
 */
export function campaign(sent: Sent, query: string | null): Campaign {
  const found = query !== null && MAY_MATTER.test(query) ? wanted(query) : NONE
  const clickIdType = CLICK_ID_PARAMETERS.find((name) => found.has(name)) ?? null
  return {
    source: sent.utm_source ?? found.get('utm_source') ?? null,
    medium: sent.utm_medium ?? found.get('utm_medium') ?? null,
    name: sent.utm_campaign ?? found.get('utm_campaign') ?? null,
    term: sent.utm_term ?? found.get('utm_term') ?? null,
    content: sent.utm_content ?? found.get('utm_content') ?? null,
    clickId: clickIdType === null ? null : (found.get(clickIdType) ?? null),
    clickIdType,
  }
}

/** What a client sent under these names when the enrichment is off. */
export function campaignAsSent(sent: Sent): Campaign {
  return campaign(sent, null)
}

const WANTED: ReadonlySet<string> = new Set([
  'utm_source',
  'utm_medium',
  'utm_campaign',
  'utm_term',
  'utm_content',
  ...CLICK_ID_PARAMETERS,
])
const NONE: ReadonlyMap<string, string> = new Map()
/** Spares most queries the split; percent signs are let through because names may be written with them. */
const MAY_MATTER = /utm_|cl(?:ic)?k?id|braid|li_fat_id|epik|ScCid|rdt_cid|tblci|mc_eid|igshid|%/

/** Characters of a query that are looked at: decoding is slow, and no campaign needs more. */
const QUERY_CHARACTERS_MAX = 8_192

function wanted(query: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  for (const [name, value] of new URLSearchParams(query.slice(0, QUERY_CHARACTERS_MAX))) {
    if (value !== '' && WANTED.has(name) && !found.has(name)) found.set(name, value)
  }
  return found
}
