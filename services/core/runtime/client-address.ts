import { BlockList, isIP, isIPv4 } from 'node:net'

/** Networks, as a question: does this address (an IP address in text) lie in one of them? */
export interface AddressSet {
  has(address: string): boolean
}

/**
 * @param text CIDRs or single addresses separated by commas; '' for none
 * @throws Error completing "<setting> is … but …"
 */
export function parseCidrs(text: string): AddressSet {
  const list = new BlockList()
  const parts = text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
  for (const part of parts) {
    const [address = '', prefix] = part.split('/')
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4'
    const bits = family === 'ipv6' ? 128 : 32
    const length = prefix === undefined ? bits : Number(prefix)
    if (isIP(address) === 0 || !/^\d{1,3}$/.test(prefix ?? '0') || length > bits)
      throw new Error(`${JSON.stringify(part)} is not a network like 10.0.0.0/8 or fd00::/8`)
    list.addSubnet(address, length, family)
  }
  const empty = parts.length === 0
  return { has: (address) => !empty && list.check(address, isIPv4(address) ? 'ipv4' : 'ipv6') }
}

/**
 * The address of the client: the peer's, or, while the peer and each hop before it are trusted proxies, the one that
 * such a proxy wrote to the right end of X-Forwarded-For. Whatever stands left of the first untrusted address may be
 * made up and is not read.
 *
 * @param peer      remote address of the socket; undefined when it has closed
 * @param forwarded the X-Forwarded-For header, several joined by commas
 */
export function clientAddress(
  peer: string | undefined,
  forwarded: string | undefined,
  trusted: AddressSet,
): string | null {
  if (peer === undefined) return null
  let client = plainAddress(peer)
  if (forwarded === undefined) return client
  const hops = forwarded.split(',')
  while (hops.length > 0 && trusted.has(client)) {
    const hop = plainAddress(hops.pop()!.trim())
    if (isIP(hop) === 0) break
    client = hop
  }
  return client
}

/** An IPv4 client of a dual-stack socket is shown as ::ffff:192.0.2.1. */
function plainAddress(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)
  return mapped ? mapped[1]! : address
}
