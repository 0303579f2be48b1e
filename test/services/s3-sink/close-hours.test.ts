import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { ClosedHour } from '../../../schemas/closed-hour/v1.ts'
import { sha256Hex, signContent } from '../../../services/core/manifest/manifest-signature.ts'
import { DependencyError } from '../../../services/core/runtime/errors.ts'
import { hourCloser } from '../../../services/s3-sink/close-hours.ts'
import { createMemoryObjectStore, type MemoryObjectStore } from '../../helpers/memory-object-store.ts'
import { SIGNING_KEY } from './delivery-world.ts'
import { HOUR, hourManifest, OTHER_KEY, TEN } from './hour-manifest.ts'

const OF = { delivery: 'warehouse', bucket: 'lake', topic: 'events.enriched', partitions: 2 }
async function emptyStore(): Promise<MemoryObjectStore> {
  const store = createMemoryObjectStore()
  await store.createBucket('lake')
  return store
}

function putManifest(store: MemoryObjectStore, partition: number, start: number, landed: number): string {
  const { key, bytes } = hourManifest(OF, partition, start, landed)
  store.buckets.get('lake')!.set(key, { bytes, metadata: {} })
  return sha256Hex(bytes)
}

const closedKeys = (store: MemoryObjectStore) =>
  [...store.buckets.get('lake')!.keys()].filter((key) => key.startsWith('_closed/')).sort()
const closedHour = (store: MemoryObjectStore, hour: string): ClosedHour =>
  JSON.parse(
    store.buckets.get('lake')!.get(`_closed/warehouse/events.enriched/${hour}.json`)!.bytes.toString(),
  )

test('a manifest that a listing passed over is found by the next one', async () => {
  const store = await emptyStore()
  for (const partition of [0, 1])
    for (const start of [0, 10, 20]) putManifest(store, partition, start, start === 20 ? TEN + HOUR : TEN)
  const closer = hourCloser(passingOver(store, hourManifest(OF, 0, 10, TEN).key), SIGNING_KEY, OF)
  expect(await closer.step()).toEqual([])
  expect(await closer.step()).toEqual(['2026-01-31T10:00:00.000Z'])
})

/** The first listing does not have the key. */
function passingOver(store: MemoryObjectStore, key: string): MemoryObjectStore {
  let isFirst = true
  return {
    ...store,
    async *list(bucket, prefix, startAfter) {
      for await (const object of store.list(bucket, prefix, startAfter))
        if (isFirst && object.key === key) isFirst = false
        else yield object
    },
  }
}

describe('what stops it', () => {
  test('a manifest that does not follow the one before it is named, and its hour stays open', async () => {
    const store = await emptyStore()
    putManifest(store, 0, 0, TEN)
    putManifest(store, 0, 20, TEN + HOUR)
    putManifest(store, 1, 0, TEN + HOUR)
    await expect(hourCloser(store, SIGNING_KEY, OF).step()).rejects.toThrow(
      /00020\.json: It begins at 20 where 10 must follow\./,
    )
    expect(closedKeys(store)).toEqual([])
  })

  test('a closed hour that says something else is never taken for ours', async () => {
    const store = await emptyStore()
    for (const partition of [0, 1]) {
      putManifest(store, partition, 0, TEN)
      putManifest(store, partition, 10, TEN + HOUR)
    }
    await hourCloser(store, SIGNING_KEY, OF).step()
    const key = closedKeys(store)[0]!
    const object = store.buckets.get('lake')!.get(key)!
    const { signature: _, ...content } = JSON.parse(object.bytes.toString()) as ClosedHour
    const closer = hourCloser(store, SIGNING_KEY, OF)
    store.buckets.get('lake')!.delete(key)
    store.onRequest = (verb) => {
      // Between the look at what is closed and the write.
      if (verb === 'put')
        store.buckets.get('lake')!.set(key, {
          bytes: signContent({ ...content, objects: 7 }, SIGNING_KEY),
          metadata: {},
        })
    }
    await expect(closer.step()).rejects.toThrow(/lists other manifests/)
  })

  test('a store that fails leaves the rest to the next step', async () => {
    const store = await emptyStore()
    for (const partition of [0, 1]) {
      putManifest(store, partition, 0, TEN)
      putManifest(store, partition, 10, TEN + HOUR)
    }
    const closer = hourCloser(store, SIGNING_KEY, OF)
    store.afterPut = () => {
      throw new DependencyError('s3', 'timeout', 'the answer was lost')
    }
    await expect(closer.step()).rejects.toThrow('the answer was lost')
    store.afterPut = null
    expect(await closer.step()).toEqual(['2026-01-31T10:00:00.000Z'])
    expect(closedKeys(store)).toHaveLength(1)
  })
})

test('an hour is closed once every partition has gone past it, not before', async () => {
  const store = await emptyStore()
  const closer = hourCloser(store, SIGNING_KEY, OF)
  const first = putManifest(store, 0, 0, TEN + 1)
  const second = putManifest(store, 0, 10, TEN + HOUR - 1)
  putManifest(store, 0, 20, TEN + HOUR)
  expect(await closer.step()).toEqual([])
  const other = putManifest(store, 1, 40, TEN + 5)
  expect(await closer.step()).toEqual([])
  putManifest(store, 1, 50, TEN + 3 * HOUR)
  expect(await closer.step()).toEqual(['2026-01-31T10:00:00.000Z'])
  expect(closedHour(store, '2026-01-31T10')).toMatchObject({
    v: 1,
    partitions: [
      {
        partition: 0,
        end: 19,
        manifests: [
          { start: 0, sha256: first },
          { start: 10, sha256: second },
        ],
      },
      { partition: 1, end: 49, manifests: [{ start: 40, sha256: other }] },
    ],
    receipt: { read: 30, delivered: 30, filtered: 0, rejected: 0, control: 0 },
    objects: 3,
    bytes: 300,
    previous: null,
  })
})

test('a partition without a batch in an hour is listed with where it stands', async () => {
  const store = await emptyStore()
  const closer = hourCloser(store, SIGNING_KEY, OF)
  putManifest(store, 0, 0, TEN)
  putManifest(store, 0, 10, TEN + HOUR)
  putManifest(store, 0, 20, TEN + 2 * HOUR)
  putManifest(store, 1, 7, TEN + 2 * HOUR)
  expect(await closer.step()).toEqual(['2026-01-31T10:00:00.000Z', '2026-01-31T11:00:00.000Z'])
  expect(closedHour(store, '2026-01-31T11').partitions[1]).toEqual({ partition: 1, end: 6, manifests: [] })
})

test('another process goes on after the last closed hour, and chains on what is stored', async () => {
  const store = await emptyStore()
  for (const partition of [0, 1])
    for (const [hour, start] of [0, 10].entries()) putManifest(store, partition, start, TEN + hour * HOUR)
  await hourCloser(store, OTHER_KEY, OF).step()
  for (const partition of [0, 1]) putManifest(store, partition, 20, TEN + 2 * HOUR)
  const gets: string[] = []
  store.onRequest = (verb, name) => {
    if (verb === 'get') gets.push(name)
  }
  expect(await hourCloser(store, SIGNING_KEY, OF).step()).toEqual(['2026-01-31T11:00:00.000Z'])
  const key = '_closed/warehouse/events.enriched/2026-01-31T10.json'
  expect(closedHour(store, '2026-01-31T11').previous).toEqual({
    key,
    sha256: sha256Hex(store.buckets.get('lake')!.get(key)!.bytes),
  })
  expect(gets.filter((name) => name.endsWith('00000.json'))).toEqual([])
})

test('however many processes close whenever, each hour is closed once, with all of its manifests', async () => {
  await fc.assert(
    fc.asyncProperty(
      // Who does what: a partition writes its next batch some time later, or a process looks.
      fc.array(
        fc.oneof(
          fc.record({ partition: fc.nat({ max: 1 }), laterMs: fc.nat({ max: 2 * HOUR }) }),
          fc.record({ process: fc.nat({ max: 2 }) }),
        ),
        { maxLength: 40 },
      ),
      async (steps) => {
        const store = await emptyStore()
        const closers = [SIGNING_KEY, OTHER_KEY, SIGNING_KEY].map((key) => hourCloser(store, key, OF))
        const now = [TEN, TEN]
        const written: { partition: number; start: number; hour: number }[] = []
        const starts = [0, 0]
        for (const step of steps) {
          if ('process' in step) await closers[step.process]!.step()
          else {
            const { partition, laterMs } = step
            now[partition]! += laterMs
            putManifest(store, partition, starts[partition]!, now[partition]!)
            written.push({ partition, start: starts[partition]!, hour: Math.floor(now[partition]! / HOUR) })
            starts[partition]! += 10
          }
        }
        await Promise.all(closers.map((closer) => closer.step()))
        const past = Math.min(
          ...[0, 1].map((partition) => written.findLast((each) => each.partition === partition)?.hour ?? 0),
        )
        const hours = [...new Set(written.map(({ hour }) => hour))].filter((hour) => hour < past).sort()
        expect(closedKeys(store)).toEqual(
          hours.map(
            (hour) =>
              `_closed/warehouse/events.enriched/${new Date(hour * HOUR).toISOString().slice(0, 13)}.json`,
          ),
        )
        for (const hour of hours) {
          const closed = closedHour(store, new Date(hour * HOUR).toISOString().slice(0, 13))
          for (const { partition, manifests } of closed.partitions)
            expect(manifests.map(({ start }) => start)).toEqual(
              written
                .filter((each) => each.partition === partition && each.hour === hour)
                .map(({ start }) => start),
            )
        }
      },
    ),
  )
})
