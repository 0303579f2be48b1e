const SHORT_ID_BYTES = 6
export const SHORT_ID_PATTERN = /^[A-Za-z0-9_-]{8}$/

/**
 * A new id for addresses that people pass on. It is never a number, for a number in an address is that of an object.
 *
 * @param randomBytes a cryptographic source: nobody guesses an id
 */
export function newShortId(randomBytes: (size: number) => Uint8Array): string {
  for (;;) {
    const id = Buffer.from(randomBytes(SHORT_ID_BYTES)).toString('base64url')
    if (!/^\d+$/.test(id)) return id
  }
}
