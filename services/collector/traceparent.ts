const VALID = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/

/**
 * The trace that a request belongs to: its own header when that is valid, else a new one that is not sampled.
 *
 * @param randomBytes called with the number of bytes wanted, only when a new one is made
 * @see https://www.w3.org/TR/trace-context/#traceparent-header
 */
export function traceparentOf(header: unknown, randomBytes: (size: number) => Buffer): string {
  if (typeof header === 'string' && VALID.test(header)) return header
  const hex = randomBytes(24).toString('hex')
  return `00-${hex.slice(0, 32)}-${hex.slice(32)}-00`
}
