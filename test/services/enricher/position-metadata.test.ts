import { expect, test } from 'vitest'
import {
  dedupeFromOf,
  readPositionMetadata,
  writePositionMetadata,
} from '../../../services/enricher/position-metadata.ts'
import { createWorld, names, rawRecord } from './enricher-world.ts'

test('what is written is read, anything else means from the beginning', () => {
  const metadata = { dedupeFrom: 42, ids: 7 }
  expect(readPositionMetadata(writePositionMetadata(metadata))).toEqual(metadata)
  expect(readPositionMetadata('{"v":1,"dedupe_from":42}')).toEqual({ dedupeFrom: 42, ids: 0 })
  const others = [
    '{"v":2,"dedupe_from":1,"ids":1}',
    '{"v":1,"dedupe_from":-1,"ids":1}',
    '{"v":1}',
    'x'.repeat(2_000),
  ]
  for (const other of ['', ...others]) expect(readPositionMetadata(other)).toEqual({ dedupeFrom: 0, ids: 0 })
})

test('the newest checkpoint before the window is where reading begins', () => {
  const checkpoints = [
    { time: 0, offset: 0 },
    { time: 100, offset: 10 },
    { time: 200, offset: 20 },
  ]
  expect(dedupeFromOf([...checkpoints], 50)).toBe(0)
  expect(dedupeFromOf([...checkpoints], 100)).toBe(0)
  expect(dedupeFromOf([...checkpoints], 101)).toBe(10)
  expect(dedupeFromOf([...checkpoints], 1_000)).toBe(20)
  expect(dedupeFromOf([], 5)).toBe(0)
})

test('a takeover after days reads one window of the changelog, and knows every id of it', async () => {
  const HOUR = 3_600_000
  const world = await createWorld({ limits: { tickMs: 1e12 } })
  const owner = await world.join()
  for (let hour = 0; hour < 72; hour++) {
    await world.send(rawRecord(`e${hour}`, { event: 'x' }))
    await owner.drain()
    world.clock.skip(HOUR)
  }
  owner.vanish()
  const [position] = await world.log.admin.groupPositions(names.group('enricher'), names.raw)
  const { dedupeFrom: from, ids } = readPositionMetadata(position!.metadata)
  const { end } = (await world.log.admin.offsetRanges(names.dedupe, 'read_committed'))[0]!
  // A third of what is kept, and a slice or two.
  expect(from / end).toBeGreaterThan(0.55)
  expect(ids).toBeGreaterThan(20)
  expect(ids).toBeLessThan(30)
  // Everything within the last 24 hours comes again.
  for (let hour = 49; hour < 72; hour++) await world.send(rawRecord(`e${hour}`, { event: 'x' }))
  await world.drainWithRestarts()
  expect(world.enriched()).toHaveLength(72)
  // Past the window it is a new event.
  await world.send(rawRecord('e0', { event: 'x' }))
  await world.drainWithRestarts()
  expect(world.enriched()).toHaveLength(73)
})
