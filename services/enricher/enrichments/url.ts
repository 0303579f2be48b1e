import { getDomain } from 'tldts'

/** Parts of an address; all null when it has none or cannot be read. */
export interface UrlParts {
  readonly scheme: string | null
  readonly host: string | null
  readonly domain: string | null
  readonly path: string | null
  readonly query: string | null
  readonly fragment: string | null
}

export const NO_URL: UrlParts = {
  scheme: null,
  host: null,
  domain: null,
  path: null,
  query: null,
  fragment: null,
}

/**
 * Splits an address as a browser does (WHATWG): host in lower case and punycode and without port, user and password
 * left out, `..` resolved. Relative addresses have no parts, because nothing says what they are relative to.
 *
 * @see https://url.spec.whatwg.org/
 */
export function urlParts(address: string | null): UrlParts {
  if (address === null) return NO_URL
  const url = URL.parse(address)
  if (url === null) return NO_URL
  const host = url.hostname === '' ? null : url.hostname
  return {
    scheme: url.protocol.slice(0, -1),
    host,
    domain: host === null ? null : registrableDomain(host),
    path: url.pathname === '' ? null : url.pathname,
    query: url.search === '' ? null : url.search.slice(1),
    fragment: url.hash === '' ? null : url.hash.slice(1),
  }
}

/**
 * The part of a host that somebody registered: `shop.example.co.uk` → `example.co.uk`. Null for addresses, for
 * `localhost`, and for a public suffix itself. Only ICANN's suffixes count: two sites on one hosting provider share
 * its domain.
 */
export function registrableDomain(host: string): string | null {
  return getDomain(host, { extractHostname: false, validateHostname: false })
}
