import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createResultCache } from '../../../../services/query-api/results/result-cache.ts'
import { createManualClock } from '../../../helpers/manual-clock.ts'

const result = (json: string) => ({ json, computedMs: 0, seen: [] })
const sized = (length: number) => result('x'.repeat(length))

test('what was not asked for longest makes room', () => {
  const cache = createResultCache(10_000, 60_000, createManualClock())
  for (const key of ['a', 'b', 'c']) cache.set(key, sized(1_200))
  expect(cache.get('a')).not.toBe(null)
  cache.set('d', sized(1_200))
  expect(['a', 'b', 'c', 'd'].map((key) => cache.get(key) !== null)).toEqual([true, false, true, true])
})

test('one that is too large is not kept, and takes nobody’s room', () => {
  const cache = createResultCache(5_000, 60_000, createManualClock())
  cache.set('a', sized(100))
  cache.set('b', sized(3_000))
  expect([cache.get('a') !== null, cache.get('b')]).toEqual([true, null])
  cache.set('a', sized(3_000))
  expect([cache.get('a'), cache.bytes]).toEqual([null, 0])
})

test('what is older than it may be is gone, however often it was asked for', async () => {
  const clock = createManualClock()
  const cache = createResultCache(10_000, 60_000, clock)
  cache.set('a', sized(10))
  await clock.advance(59_999)
  expect(cache.get('a')).not.toBe(null)
  await clock.advance(1)
  expect([cache.get('a'), cache.bytes]).toEqual([null, 0])
})

test('it never holds more than it may, and counts what it holds', () => {
  const step = fc.record({
    key: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
    length: fc.nat(2_000),
    drop: fc.boolean(),
  })
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const cache = createResultCache(8_000, 60_000, createManualClock())
      for (const { key, length, drop } of steps) {
        if (drop) cache.delete(key)
        else cache.set(key, sized(length))
        expect(cache.bytes).toBeLessThanOrEqual(8_000)
      }
      const held = ['a', 'b', 'c', 'd', 'e'].map((key) => cache.get(key)?.json.length)
      const sizes = held.map((length) => (length === undefined ? 0 : (length + 1) * 2 + 512))
      expect(cache.bytes).toBe(sizes.reduce((sum, size) => sum + size, 0))
    }),
  )
})
