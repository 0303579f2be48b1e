import fc from 'fast-check'
import { expect, test } from 'vitest'
import { TokenBucket } from '../../../services/collector/token-bucket.ts'

test('over any time it gives no more than rate, burst and the last taking', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1_000 }),
      fc.integer({ min: 1, max: 500 }),
      fc.array(fc.tuple(fc.integer({ min: 0, max: 400 }), fc.integer({ min: 1, max: 300 })), {
        minLength: 1,
      }),
      (rate, burst, asks) => {
        const bucket = new TokenBucket(rate, burst, 0)
        let nowMs = 0
        let given = 0
        let largest = 0
        for (const [pauseMs, count] of asks) {
          nowMs += pauseMs
          if (bucket.tokens(nowMs) <= 0) continue
          bucket.take(count, nowMs)
          given += count
          largest = Math.max(largest, count)
        }
        expect(given).toBeLessThanOrEqual((rate * nowMs) / 1000 + burst + largest)
      },
    ),
  )
})

test('whoever asks for more than the rate without a pause gets all of it', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 900 }),
      fc.integer({ min: 1, max: 500 }),
      fc.integer({ min: 1, max: 50 }),
      (rate, burst, count) => {
        const bucket = new TokenBucket(rate, burst, 0)
        let given = 0
        for (let nowMs = 0; nowMs <= 10_000; nowMs++) {
          if (bucket.tokens(nowMs) <= 0) continue
          bucket.take(count, nowMs)
          given += count
        }
        expect(given).toBeGreaterThanOrEqual(rate * 10 - 1e-6)
      },
    ),
  )
})

test('the burst is exact, and after the wait that it names something is there again', () => {
  const bucket = new TokenBucket(10, 5, 1_000)
  for (let n = 0; n < 5; n++) {
    expect(bucket.tokens(1_000)).toBeGreaterThan(0)
    bucket.take(1, 1_000)
  }
  expect(bucket.tokens(1_000)).toBe(0)
  bucket.take(38, 1_000)
  const wait = bucket.waitSeconds(1_000)
  expect(wait).toBe(4)
  expect(bucket.tokens(1_000 + wait * 1_000 - 200)).toBeLessThanOrEqual(0)
  expect(bucket.tokens(1_000 + wait * 1_000)).toBeGreaterThan(0)
})

test('a clock that goes back gives nothing', () => {
  const bucket = new TokenBucket(10, 5, 10_000)
  bucket.take(5, 10_000)
  expect(bucket.tokens(0)).toBe(0)
  expect(bucket.tokens(10_000)).toBe(0)
  expect(bucket.tokens(10_100)).toBe(1)
})
