import { createHash } from 'node:crypto'

/** Where the ids of persons are names in, as RFC 9562 means it: a UUID of our own, never to be changed. */
export const PERSON_NAMESPACE_HEX = '6d1c2f1e9a0b4b7e8f3a52c7d90e41aa'
const NAMESPACE = Buffer.from(PERSON_NAMESPACE_HEX, 'hex')

/**
 * The id that the API gives away for a person: a version 5 UUID of its dataset and key, the same everywhere and always.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9562#name-uuid-version-5
 */
export function personIdOf(datasetId: string, personKey: string): string {
  const hash = createHash('sha1').update(NAMESPACE).update(`${datasetId}\u0000${personKey}`).digest()
  hash[6] = (hash[6]! & 0x0f) | 0x50
  hash[8] = (hash[8]! & 0x3f) | 0x80
  const hex = hash.toString('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join(
    '-',
  )
}
