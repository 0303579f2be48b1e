/** Where ids take their time and randomness from. */
export interface EventIdEnvironment {
  /** Epoch milliseconds. */
  readonly now: () => number
  /** Fills the whole array with random bytes. */
  readonly randomFill: (bytes: Uint8Array) => void
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))
const POOL_IDS = 128
const BYTES_PER_ID = 10

/**
 * Makes version 7 UUIDs: ids that sort by the time they were made.
 *
 * Within one generator they go up strictly, also when many are made in one millisecond or the clock steps back:
 * the 12 bits after the time are a counter that starts at a random place in its lower half, and when it is full the
 * time moves on by a millisecond.
 *
 * @returns a function that makes the next one, lower-case hex with dashes
 * @see https://www.rfc-editor.org/rfc/rfc9562#section-5.7 and section 6.2, method 1
 */
export function uuidv7Generator(env: EventIdEnvironment): () => string {
  const pool = new Uint8Array(POOL_IDS * BYTES_PER_ID)
  let used = pool.length
  let lastMs = -1
  let counter = 0

  return () => {
    if (used === pool.length) {
      env.randomFill(pool)
      used = 0
    }
    const at = used
    used += BYTES_PER_ID
    const now = env.now()
    if (now > lastMs) {
      lastMs = now
      counter = ((pool[at]! << 8) | pool[at + 1]!) & 0x7ff
    } else if (++counter > 0xfff) {
      lastMs++
      counter = 0
    }
    const high = Math.floor(lastMs / 0x1_0000_0000)
    const low = lastMs >>> 0
    return (
      `${HEX[(high >>> 8) & 0xff]}${HEX[high & 0xff]}${HEX[low >>> 24]}${HEX[(low >>> 16) & 0xff]}-` +
      `${HEX[(low >>> 8) & 0xff]}${HEX[low & 0xff]}-${HEX[0x70 | (counter >>> 8)]}${HEX[counter & 0xff]}-` +
      `${HEX[0x80 | (pool[at + 2]! & 0x3f)]}${HEX[pool[at + 3]!]}-${HEX[pool[at + 4]!]}${HEX[pool[at + 5]!]}` +
      `${HEX[pool[at + 6]!]}${HEX[pool[at + 7]!]}${HEX[pool[at + 8]!]}${HEX[pool[at + 9]!]}`
    )
  }
}

/**
 * A version 8 UUID made of a hash, for ids that must come out the same when a request is sent again.
 *
 * @param digest at least 16 bytes
 * @see https://www.rfc-editor.org/rfc/rfc9562#section-5.8
 */
export function uuidFromDigest(digest: Uint8Array): string {
  let text = ''
  for (let i = 0; i < 16; i++) {
    let byte = digest[i]!
    if (i === 6) byte = 0x80 | (byte & 0x0f)
    if (i === 8) byte = 0x80 | (byte & 0x3f)
    if (i === 4 || i === 6 || i === 8 || i === 10) text += '-'
    text += HEX[byte]
  }
  return text
}
