import { isIPv6 } from 'node:net'
import type { Identity } from './rate-limiter.ts'

/**
 * An address as one that counts for itself: of IPv6 the network of 64 bits, for everybody has billions of addresses in
 * one.
 *
 * @param address null when the client has gone
 */
export function addressIdentity(address: string | null): Identity {
  if (address === null || !isIPv6(address)) return { kind: 'address', id: address ?? 'unknown' }
  return { kind: 'address', id: `${groupsOf(address).slice(0, 4).join(':')}::/64` }
}

/** The eight groups of an IPv6 address, without leading zeros. */
function groupsOf(address: string): string[] {
  const [head = '', tail = ''] = (address.split('%')[0] as string).split('::')
  const [first, last] = [groups(head), groups(tail)]
  const missing = Math.max(0, 8 - first.length - last.length)
  return [...first, ...Array<string>(missing).fill('0'), ...last].map((group) =>
    Number.parseInt(group, 16).toString(16),
  )
}

function groups(part: string): string[] {
  return part === '' ? [] : part.split(':')
}
