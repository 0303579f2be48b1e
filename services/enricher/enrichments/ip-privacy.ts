import { isIPv4, isIPv6 } from 'node:net'

export type IpPolicy = 'keep' | 'truncate' | 'remove'

/**
 * An address as it may be written. Truncated, IPv4 keeps its first 24 bits and IPv6 its first 48; text that is no
 * address cannot be truncated and is removed instead.
 */
export function applyIpPolicy(ip: string | null, policy: IpPolicy): string | null {
  if (ip === null || policy === 'remove') return null
  if (policy === 'keep') return ip
  const address = plainAddress(ip)
  if (address === null) return null
  if (isIPv4(address)) return `${address.slice(0, address.lastIndexOf('.'))}.0`
  const groups = expandIpv6(address).slice(0, 3)
  while (groups.length > 0 && groups.at(-1) === '0') groups.pop()
  return `${groups.join(':')}::`
}

/**
 * The bare address of what proxies write: without brackets, port and zone, an IPv4 address that was mapped into IPv6
 * as itself. Null for anything that is no address.
 */
export function plainAddress(text: string): string | null {
  let address = text.trim()
  const bracketed = /^\[([^\]]{2,64})\](?::\d{1,5})?$/.exec(address)
  if (bracketed) address = bracketed[1] as string
  else if (/^\d{1,3}(?:\.\d{1,3}){3}:\d{1,5}$/.test(address)) address = address.slice(0, address.indexOf(':'))
  const zone = address.indexOf('%')
  if (zone >= 0) address = address.slice(0, zone)
  const mapped = /^::ffff:(\d{1,3}(?:\.\d{1,3}){3})$/i.exec(address)
  if (mapped) address = mapped[1] as string
  return isIPv4(address) || isIPv6(address) ? address : null
}

/** The eight groups of a valid IPv6 address, lower case and without leading zeros. */
function expandIpv6(address: string): string[] {
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(address)
  const pair = (high: number, low: number) =>
    (Number(dotted?.[high]) * 256 + Number(dotted?.[low])).toString(16)
  const text = dotted ? `${dotted[1]}${pair(2, 3)}:${pair(4, 5)}` : address
  const [before = '', after] = text.split('::')
  const head = before === '' ? [] : before.split(':')
  const tail = after === undefined || after === '' ? [] : after.split(':')
  const missing = after === undefined ? 0 : 8 - head.length - tail.length
  const groups = [...head, ...Array<string>(missing).fill('0'), ...tail]
  return groups.map((group) => group.toLowerCase().replace(/^0+(?=.)/, ''))
}
