import { parse } from 'tldts'
import { NO_URL, type UrlParts, urlParts } from './url.ts'

export type ReferrerCategory = 'direct' | 'internal' | 'search' | 'social' | 'email' | 'paid' | 'ai' | 'other'

export interface Referrer {
  readonly parts: UrlParts
  /** Null where there is neither a page nor a referrer: nobody came from anywhere. */
  readonly category: ReferrerCategory | null
  /** Search engine, network, mail service or assistant. */
  readonly name: string | null
}

export const NO_REFERRER: Referrer = { parts: NO_URL, category: null, name: null }

interface Known {
  readonly category: ReferrerCategory
  readonly name: string
}

/** A table of hosts made ready for looking up. */
export interface ReferrerTable {
  /** Hosts and packages; a host covers its subdomains. */
  readonly hosts: ReadonlyMap<string, Known>
  /** Names that stand for themselves under every public suffix. */
  readonly names: ReadonlyMap<string, Known>
}

/**
 * @param table category → name → hosts, `name.*` for any public suffix
 * @throws Error when a host stands there twice
 */
export function referrerTable(
  table: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>,
): ReferrerTable {
  const hosts = new Map<string, Known>()
  const names = new Map<string, Known>()
  for (const [category, named] of Object.entries(table)) {
    for (const [name, entries] of Object.entries(named)) {
      const known = { category: category as ReferrerCategory, name }
      for (const entry of entries) {
        const wild = entry.endsWith('.*')
        const [into, key] = wild ? [names, entry.slice(0, -2)] : [hosts, entry.toLowerCase()]
        if (into.has(key) && into.get(key)?.name !== name)
          throw new Error(`The referrer ${entry} stands there twice.`)
        into.set(key, known)
      }
    }
  }
  return { hosts, names }
}

/**
 * Where did this visit come from?
 *
 * A referrer of the page's own registrable domain is internal whatever the table says: inside a search engine's own
 * site, the engine is no source. An address that cannot be read, and a host that is not in the table, are `other`.
 *
 * @param page parts of the page's url
 */
export function referrer(
  address: string | null,
  page: Pick<UrlParts, 'host' | 'domain'>,
  hasPage: boolean,
  table: ReferrerTable,
): Referrer {
  if (address === null || address === '') return hasPage ? DIRECT : NO_REFERRER
  const parts = urlParts(address)
  if (parts.host === null) return { parts, category: 'other', name: null }
  const internal = parts.host === page.host || (parts.domain !== null && parts.domain === page.domain)
  if (internal) return { parts, category: 'internal', name: null }
  const known = lookUp(parts.host, table)
  return { parts, category: known?.category ?? 'other', name: known?.name ?? null }
}

/** Longest name that DNS has. A longer host is no one's, and 60,000 dots would be 60,000 look-ups. */
const HOST_CHARACTERS_MAX = 253

const DIRECT: Referrer = { parts: NO_URL, category: 'direct', name: null }

/** The longest known end of the host, label by label; then its name under any suffix. */
function lookUp(host: string, table: ReferrerTable): Known | null {
  if (host.length > HOST_CHARACTERS_MAX) return null
  const lower = host.toLowerCase()
  for (let rest = lower; ; ) {
    const known = table.hosts.get(rest)
    if (known) return known
    const dot = rest.indexOf('.')
    if (dot < 0) break
    rest = rest.slice(dot + 1)
  }
  const { domainWithoutSuffix } = parse(lower, { extractHostname: false, validateHostname: false })
  return (domainWithoutSuffix && table.names.get(domainWithoutSuffix)) || null
}
