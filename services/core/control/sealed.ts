import { createCipheriv, createDecipheriv } from 'node:crypto'
import { optional, text } from '../runtime/settings.ts'

const ALGORITHM = 'aes-256-gcm'
const NONCE_BYTES = 12
const TAG_BYTES = 16

export const SECRET_KEY_SETTING = {
  secretKey: optional({
    ...text('MILLRACE_SECRET_KEY', {
      secret: true,
      doc: 'Key that credentials of destinations are sealed with, 64 hex digits: openssl rand -hex 32. The same for query API and S3 sink. Left out: no destination with credentials of its own can be made.',
    }),
    parse: (value: string) => {
      if (!/^[0-9a-f]{64}$/i.test(value)) throw new Error('must be 64 hex digits')
      return Buffer.from(value, 'hex')
    },
  }),
} as const

/**
 * Seals text with AES-256-GCM, so that whoever reads it without the key learns its length and nothing else.
 *
 * @param purpose what it may be opened for: under another one it stays shut
 */
export function seal(
  plain: string,
  purpose: string,
  key: Uint8Array,
  randomBytes: (size: number) => Uint8Array,
): string {
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv(ALGORITHM, key, nonce)
  cipher.setAAD(Buffer.from(purpose))
  const sealed = Buffer.concat([nonce, cipher.update(plain, 'utf8'), cipher.final(), cipher.getAuthTag()])
  return `v1.${sealed.toString('base64url')}`
}

/** @returns null when it was sealed with another key or for something else, or was changed */
export function unseal(sealed: string, purpose: string, key: Uint8Array): string | null {
  const bytes = Buffer.from(sealed.replace(/^v1\./, ''), 'base64url')
  if (!sealed.startsWith('v1.') || bytes.length < NONCE_BYTES + TAG_BYTES) return null
  const decipher = createDecipheriv(ALGORITHM, key, bytes.subarray(0, NONCE_BYTES))
  decipher.setAAD(Buffer.from(purpose))
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES))
  try {
    const plain = decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES))
    return Buffer.concat([plain, decipher.final()]).toString('utf8')
  } catch {
    return null
  }
}

/** What credentials of a destination are sealed for. */
export function credentialsPurpose(dataset: string): string {
  return `destination of ${dataset}`
}
