import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'

/**
 * Access keys: `mr_<w|r|p|a>_` + 30 random base62 characters (178 bits) + 6 base62 characters of CRC-32 over
 * everything before them. The prefix lets secret scanners find a leaked key; the checksum refuses a mistyped one
 * without a look-up. Only the SHA-256 of a key is ever stored, and one round is enough for a secret of this entropy.
 */
export type KeyScope = 'write' | 'read'
/** Keys of `millrace.control` by their scope; personal ones lie in the metadata database, the administrator's in a setting. */
export type KeyKind = KeyScope | 'personal' | 'admin'

export interface AccessKey {
  readonly kind: KeyKind
  /** Lower-case hex SHA-256 of the whole key text; the name that a key of `ControlSnapshot.keys` has. */
  readonly hash: string
}

/** What a scanner for leaked secrets looks for. */
export const ACCESS_KEY_PATTERN = /^mr_([wrpa])_[0-9A-Za-z]{36}$/

const LETTERS: Readonly<Record<KeyKind, string>> = { write: 'w', read: 'r', personal: 'p', admin: 'a' }
const KINDS = new Map(Object.entries(LETTERS).map(([kind, letter]) => [letter, kind as KeyKind]))
const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const SECRET_LENGTH = 30
const CHECKSUM_LENGTH = 6
const KEY_LENGTH = 'mr_w_'.length + SECRET_LENGTH + CHECKSUM_LENGTH

/** @param randomBytes a cryptographic source: `crypto.randomBytes` */
export function generateAccessKey(kind: KeyKind, randomBytes: (size: number) => Uint8Array): string {
  let secret = ''
  while (secret.length < SECRET_LENGTH) {
    for (const byte of randomBytes(SECRET_LENGTH)) {
      // 248 = 4 × 62: bytes past it would make the first characters of the alphabet likelier than the rest.
      if (byte < 248 && secret.length < SECRET_LENGTH) secret += DIGITS[byte % 62]
    }
  }
  const body = `mr_${LETTERS[kind]}_${secret}`
  return body + checksumOf(body)
}

/** Null for anything that cannot be a key: wrong form or wrong checksum. Costs no look-up, whatever is sent. */
export function parseAccessKey(text: string): AccessKey | null {
  if (text.length !== KEY_LENGTH) return null
  const match = ACCESS_KEY_PATTERN.exec(text)
  if (!match) return null
  if (checksumOf(text.slice(0, -CHECKSUM_LENGTH)) !== text.slice(-CHECKSUM_LENGTH)) return null
  return { kind: KINDS.get(match[1] as string) as KeyKind, hash: accessKeyHash(text) }
}

export function accessKeyHash(key: string): string {
  return createHash('sha256').update(key).digest('hex')
}

function checksumOf(body: string): string {
  let rest = crc32(body)
  let text = ''
  for (let i = 0; i < CHECKSUM_LENGTH; i++) {
    text = DIGITS[rest % 62] + text
    rest = Math.floor(rest / 62)
  }
  return text
}
