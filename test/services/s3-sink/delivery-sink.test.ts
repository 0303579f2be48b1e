import { expect, test } from 'vitest'
import { DependencyError } from '../../../services/core/runtime/errors.ts'
import type { Progress } from '../../../services/core/stream/planned-plan.ts'
import type { TableEncoder } from '../../../services/s3-sink/table-encoder.ts'
import { delivery, deliveryWorld, START } from './delivery-world.ts'
import { enrichedRecord, LANDED_MS, recordBatch, tickRecord } from './enriched-rows.ts'

const encoder: TableEncoder = {
  id: 'none',
  encode: () => Promise.reject(new Error('not needed')),
  close: () => {},
}
const ten = Array.from({ length: 10 }, (_, index) => enrichedRecord(index))
const code = (run: Promise<unknown>) =>
  run.then(
    () => 'no error',
    (error: unknown) => (error instanceof DependencyError ? error.code : String(error)),
  )

/** Three batches of ten, and where each left off. */
async function threeBatches() {
  const world = await deliveryWorld(delivery(), { encoder })
  const ends: Progress[] = [START]
  for (let batch = 0; batch < 3; batch++) ends.push(await world.deliver(ten, ends.at(-1)))
  return { world, ends }
}
const manifestAt = (start: number) =>
  `_manifests/warehouse/events.enriched-3/${String(start).padStart(20, '0')}.json`

test('from a committed position it holds what manifests say from there on', async () => {
  const { world, ends } = await threeBatches()
  expect(await world.sink.delivered(ends[3]!)).toBeNull()
  expect(await world.sink.delivered(ends[1]!)).toEqual({ firstEnd: 19, progress: ends[3] })
  expect(await world.sink.delivered(ends[2]!)).toEqual({ firstEnd: 29, progress: ends[3] })
})

test('without a position it goes on after its last manifest', async () => {
  const { world, ends } = await threeBatches()
  expect(await world.sink.delivered(null)).toEqual({ firstEnd: 9, progress: ends[3] })
  world.objects().clear()
  expect(await world.sink.delivered(null)).toBeNull()
})

test('a hole between manifests, or before them, stops the partition', async () => {
  const { world, ends } = await threeBatches()
  world.objects().delete(manifestAt(10))
  expect(await code(world.sink.delivered(START))).toBe('corrupt')
  expect(await code(world.sink.delivered({ ...ends[1]!, carry: '' }))).toBe('corrupt')
})

test('a committed batch whose manifest is gone or was changed stops the partition', async () => {
  const { world, ends } = await threeBatches()
  world.objects().get(manifestAt(20))!.bytes[10]! ^= 1
  expect(await code(world.sink.delivered(ends[3]!))).toBe('corrupt')
  world.objects().delete(manifestAt(20))
  expect(await code(world.sink.delivered(ends[3]!))).toBe('corrupt')
})

test('manifests of another partition or delivery with a longer name are not taken for its own', async () => {
  const { world, ends } = await threeBatches()
  const last = world.objects().get(manifestAt(20))!
  world.objects().set(manifestAt(99).replace('enriched-3/', 'enriched-31/'), last)
  world.objects().set(manifestAt(99).replace('warehouse/', 'warehouse-2/'), last)
  expect(await world.sink.delivered(ends[3]!)).toBeNull()
  expect((await world.sink.delivered(null))?.progress).toEqual(ends[3])
})

test('a batch closes at the hour of landed time, also by a tick', async () => {
  const world = await deliveryWorld(delivery(), { encoder })
  const batch = await world.sink.open(START, null)
  const nextHour = LANDED_MS + 3_600_000
  expect(batch.closesBefore(nextHour, 1)).toBe(false)
  batch.add(recordBatch([tickRecord(LANDED_MS)]), 0, LANDED_MS)
  expect(batch.closesBefore(nextHour - 1, 1)).toBe(false)
  expect(batch.closesBefore(nextHour, 1)).toBe(true)
  await batch.discard()
})

test('a batch with as many partition paths as are allowed closes', async () => {
  const world = await deliveryWorld(delivery({ partition_by: '{event}' }), { encoder })
  Object.assign(world.env, { pathsMax: 2 })
  const batch = await world.sink.open(START, null)
  const records = recordBatch([enrichedRecord(0, { event: 'a' }), enrichedRecord(1, { event: 'b' })])
  batch.add(records, 0, LANDED_MS)
  expect(batch.closesNow()).toBe(false)
  batch.add(records, 1, LANDED_MS)
  expect(batch.closesNow()).toBe(true)
  await batch.discard()
})

test('an open batch keeps the configuration it began with, and a replay the one that was pinned', async () => {
  const world = await deliveryWorld(delivery(), { encoder })
  const old = await world.sink.open(START, null)
  world.control.update({ deliveries: [delivery({ rotate: { rows: 5 } })] })
  const fresh = await world.sink.open(START, null)
  const replay = await world.sink.open(START, old.pinned)
  expect([old, fresh, replay].map(({ limits }) => limits.rows)).toEqual([1_000_000, 5, 1_000_000])
  expect(fresh.pinned.config).not.toBe(old.pinned.config)
  for (const batch of [old, fresh, replay]) await batch.discard()
  expect(await code(world.sink.open(START, { ...old.pinned, config: 'f'.repeat(64) }))).toBe('corrupt')
})

test('rotation limits are read as they are written', async () => {
  const world = await deliveryWorld(delivery({ rotate: { rows: 7, bytes: '2MB', age: '90s' } }), { encoder })
  const batch = await world.sink.open(START, null)
  expect(batch.limits).toEqual({ rows: 7, bytes: 2 * 1024 * 1024, ageMs: 90_000 })
  await batch.discard()
})
