import { createHash } from 'node:crypto'

/**
 * A version 5 UUID: the same for the same name everywhere and always.
 *
 * @param namespace 16 bytes that are ours, one for each kind of name
 * @see https://www.rfc-editor.org/rfc/rfc9562#name-uuid-version-5
 */
export function uuidOfName(namespace: Uint8Array, name: string): string {
  const hash = createHash('sha1').update(namespace).update(name).digest()
  hash[6] = (hash[6]! & 0x0f) | 0x50
  hash[8] = (hash[8]! & 0x3f) | 0x80
  const hex = hash.toString('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join(
    '-',
  )
}
