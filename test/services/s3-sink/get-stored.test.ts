import { expect, test } from 'vitest'
import { sha256Hex } from '../../../services/core/manifest/manifest-signature.ts'
import { readManifest } from '../../../services/core/manifest/read-manifest.ts'
import { getStored } from '../../../services/s3-sink/get-stored.ts'
import { createMemoryObjectStore } from '../../helpers/memory-object-store.ts'
import { hourManifest, TEN } from './hour-manifest.ts'

const OF = { delivery: 'warehouse', bucket: 'lake', topic: 'events.enriched', partitions: 1 }
const { key, bytes } = hourManifest(OF, 0, 0, TEN)

async function storeWith(stored: Buffer | null) {
  const store = createMemoryObjectStore()
  await store.createBucket('lake')
  if (stored) store.buckets.get('lake')!.set(key, { bytes: stored, metadata: {} })
  return store
}

test('an object that went since it was listed is looked for again, not called wrong', async () => {
  await expect(getStored(await storeWith(null), 'lake', key, readManifest)).rejects.toMatchObject({
    code: 'unavailable',
    message: `lake/${key} was there, and is gone.`,
  })
})

test('an object that cannot be read stops whoever needs it, and says why', async () => {
  const store = await storeWith(bytes.subarray(0, -9))
  await expect(getStored(store, 'lake', key, readManifest)).rejects.toMatchObject({
    code: 'corrupt',
    message: `lake/${key}: It is not JSON.`,
  })
})

test('the hash is that of the bytes as they lie there', async () => {
  const spaced = Buffer.concat([bytes, Buffer.from('\n')])
  const { value, sha256 } = await getStored(await storeWith(spaced), 'lake', key, readManifest)
  expect(value.source.start).toBe(0)
  expect(sha256).toBe(sha256Hex(spaced))
})
