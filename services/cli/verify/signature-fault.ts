import type { KeyObject } from 'node:crypto'
import type { Signature } from '../../../schemas/manifest/v1.ts'
import { hasValidSignature, keyIdOf } from '../../core/manifest/manifest-signature.ts'

/**
 * @param publicKeys keys that signatures are accepted from, by the id they were found under
 * @returns one sentence saying why the signature counts for nothing, or null
 */
export function signatureFault(
  signed: { readonly signature: Signature },
  publicKeys: ReadonlyMap<string, KeyObject>,
): string | null {
  const keyId = signed.signature.key_id
  const publicKey = publicKeys.get(keyId)
  if (!publicKey) return `It is signed with key ${keyId}, which is not known here.`
  // A key that lies under the name of another proves nothing about that name.
  if (keyIdOf(publicKey) !== keyId || !hasValidSignature(signed, publicKey))
    return 'Its signature is wrong: it was changed after it was signed.'
  return null
}
