import { sha256Hex } from '../core/manifest/manifest-signature.ts'
import type { ObjectStore } from '../core/object-store/object-store.ts'
import { DependencyError } from '../core/runtime/errors.ts'

/**
 * Gets a manifest or a closed hour that the store listed, or said to exist.
 *
 * @param read its value, or one sentence saying why it has none
 * @returns the value, and the hash of the stored bytes, which whatever follows chains on
 * @throws DependencyError as the store has them; `unavailable` when it is gone, so that the next try looks again;
 *   `corrupt` when it cannot be read
 */
export async function getStored<T extends object>(
  store: ObjectStore,
  bucket: string,
  key: string,
  read: (bytes: Uint8Array) => T | string,
): Promise<{ readonly value: T; readonly sha256: string }> {
  const bytes = await store.get(bucket, key)
  if (bytes === null)
    throw new DependencyError('s3', 'unavailable', `${bucket}/${key} was there, and is gone.`)
  const value = read(bytes)
  if (typeof value === 'string') throw new DependencyError('s3', 'corrupt', `${bucket}/${key}: ${value}`)
  return { value, sha256: sha256Hex(bytes) }
}
