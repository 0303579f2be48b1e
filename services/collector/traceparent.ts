const VALID = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/
const POOL_TRACES = 128
/** 16 of the trace, 8 of the span. */
const BYTES_PER_TRACE = 24

/**
 * Makes the function that tells which trace a request belongs to: that of its own header when it is valid, else a
 * new one that is not sampled.
 *
 * @param randomFill fills the whole array with random bytes; asked for many traces at once, since asking costs more
 *   than the bytes
 * @see https://www.w3.org/TR/trace-context/#traceparent-header
 */
export function traceparents(randomFill: (bytes: Uint8Array) => void): (header: unknown) => string {
  const pool = Buffer.alloc(POOL_TRACES * BYTES_PER_TRACE)
  let used = pool.length
  return (header) => {
    if (typeof header === 'string' && VALID.test(header)) return header
    if (used === pool.length) {
      randomFill(pool)
      used = 0
    }
    const hex = pool.toString('hex', used, used + BYTES_PER_TRACE)
    used += BYTES_PER_TRACE
    return `00-${hex.slice(0, 32)}-${hex.slice(32)}-00`
  }
}
