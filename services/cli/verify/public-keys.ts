import { createPublicKey, type KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { keyIdOf } from '../../core/manifest/manifest-signature.ts'
import type { ObjectStore } from '../../core/object-store/object-store.ts'

/** Keys that were handed over apart from the bucket: what they verify was signed by whoever holds their private half. */
export function readPublicKeys(files: readonly string[]): Map<string, KeyObject> {
  return new Map(files.map((file) => named(readFileSync(file), file)))
}

/**
 * Keys that the sink published in the bucket. They show that nothing was changed by somebody without the bucket's
 * write access; who can write there could also have replaced them.
 */
export async function publishedKeys(store: ObjectStore, bucket: string): Promise<Map<string, KeyObject>> {
  const found: [string, KeyObject][] = []
  for await (const { key } of store.list(bucket, '_keys/')) {
    const bytes = await store.get(bucket, key)
    if (bytes) found.push(named(bytes, `${bucket}/${key}`))
  }
  return new Map(found)
}

function named(pem: Buffer, where: string): [string, KeyObject] {
  try {
    const key = createPublicKey(pem)
    return [keyIdOf(key), key]
  } catch (error) {
    throw new Error(`${where} holds no public key in PEM.`, { cause: error })
  }
}
