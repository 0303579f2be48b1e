import { createHash, createPublicKey, type KeyObject, sign, verify } from 'node:crypto'
import type { Signature } from '../../../schemas/manifest/v1.ts'
import { canonicalJson } from '../control/canonical-json.ts'

/** A private Ed25519 key with the public half's name. */
export interface SigningKey {
  readonly keyId: string
  readonly privateKey: KeyObject
  /** SubjectPublicKeyInfo in PEM. */
  readonly publicPem: string
}

export function signingKey(privateKey: KeyObject): SigningKey {
  const publicKey = createPublicKey(privateKey)
  return {
    keyId: keyIdOf(publicKey),
    privateKey,
    publicPem: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
  }
}

/** First 16 hex digits of the SHA-256 of the public key's DER. */
export function keyIdOf(publicKey: KeyObject): string {
  return createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex')
    .slice(0, 16)
}

/**
 * The bytes of a manifest or a closed hour as they are stored. Ed25519 signatures are deterministic, so the same
 * content has the same bytes.
 */
export function signContent(content: object, key: SigningKey): Buffer {
  const value = sign(null, Buffer.from(canonicalJson(content)), key.privateKey).toString('base64')
  const signature: Signature = { algorithm: 'ed25519', key_id: key.keyId, value }
  return Buffer.from(`${canonicalJson({ ...content, signature })}\n`)
}

export function hasValidSignature(signed: { readonly signature: Signature }, publicKey: KeyObject): boolean {
  const { signature, ...content } = signed
  return verify(null, Buffer.from(canonicalJson(content)), publicKey, Buffer.from(signature.value, 'base64'))
}

export function sha256Hex(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
