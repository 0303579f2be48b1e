import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { sha256Hex } from '../../services/core/manifest/manifest-signature.ts'
import { readClosedHour } from '../../services/core/manifest/read-manifest.ts'
import type { ObjectStore } from '../../services/core/object-store/object-store.ts'
import { S3_SETTINGS } from '../../services/core/object-store/s3-settings.ts'
import { openS3Store } from '../../services/core/object-store/s3-store.ts'
import { parseSettings } from '../../services/core/runtime/settings.ts'
import { hourCloser } from '../../services/s3-sink/close-hours.ts'
import { SIGNING_KEY } from '../services/s3-sink/delivery-world.ts'
import { HOUR, hourManifest, OTHER_KEY, TEN } from '../services/s3-sink/hour-manifest.ts'

const s3 = inject('s3')
const bucket = `closed-${randomUUID()}`
const OF = { delivery: 'warehouse', bucket, topic: 'events.enriched', partitions: 2 }
const PROCESSES = 4
let stores: readonly ObjectStore[]

beforeAll(async () => {
  const settings = parseSettings(S3_SETTINGS, {
    MILLRACE_S3_ENDPOINT: s3.endpoint,
    AWS_ACCESS_KEY_ID: s3.accessKeyId,
    AWS_SECRET_ACCESS_KEY: s3.secretAccessKey,
  })
  stores = Array.from({ length: PROCESSES }, () => openS3Store(settings))
  await stores[0]!.createBucket(bucket)
})
afterAll(() => {
  for (const store of stores) store.close()
})

test('processes that close the same hours at once agree on one chain, whoever wins which', async () => {
  const [store] = stores as [ObjectStore]
  const put = async (partition: number, start: number, landed: number) => {
    const { key, bytes } = hourManifest(OF, partition, start, landed)
    await store.putIfAbsent(bucket, key, { bytes }, { contentType: 'application/json' })
    return { start, sha256: sha256Hex(bytes) }
  }
  // Two of them sign with a key of their own, so that the loser of a race has other bytes than those that are stored.
  const open = (index: number) => hourCloser(stores[index]!, index % 2 === 0 ? SIGNING_KEY : OTHER_KEY, OF)
  const closers = stores.map((_, index) => open(index))
  const listed: { start: number; sha256: string }[][] = []
  for (let hour = 0; hour < 6; hour++) {
    const manifests = await Promise.all(
      [0, 1].map((partition) => put(partition, hour * 10, TEN + hour * HOUR)),
    )
    listed.push(manifests)
    // One of them begins anew each time, as after a kill.
    closers[hour % PROCESSES] = open(hour % PROCESSES)
    const closed = await Promise.all(closers.map((closer) => closer.step()))
    const ours = hour === 0 ? [] : [new Date(TEN + (hour - 1) * HOUR).toISOString()]
    expect(closed.flat().filter((each) => !ours.includes(each))).toEqual([])
  }

  const found = await Array.fromAsync(store.list(bucket, '_closed/'))
  expect(found).toHaveLength(5)
  let previous: { key: string; sha256: string } | null = null
  for (const [hour, { key }] of found.entries()) {
    const bytes = (await store.get(bucket, key)) as Buffer
    const closed = readClosedHour(bytes)
    expect(closed).toMatchObject({
      hour: new Date(TEN + hour * HOUR).toISOString(),
      partitions: [0, 1].map((partition) => ({ partition, manifests: [listed[hour]![partition]] })),
      receipt: { read: 20, delivered: 20 },
      previous,
    })
    previous = { key, sha256: sha256Hex(bytes) }
  }
})
