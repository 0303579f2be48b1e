import { expect, test } from 'vitest'
import { differenceOf } from './timing-difference.ts'

/** Numbers in [0, 1), the same in every run. */
function generator(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 48_271) % 2_147_483_647
    return state / 2_147_483_647
  }
}

function samples(count: number, shift: number, random: () => number): number[] {
  // A long tail, as times have.
  return Array.from({ length: count }, () => 100 + shift - 20 * Math.log(1 - random()))
}

test('two samples of one kind are within the noise, and a shift of a third of their spread is not', () => {
  const random = generator(7)
  const same = differenceOf(samples(1_000, 0, random), samples(1_000, 0, random), random)
  expect(Math.abs(same.difference)).toBeLessThanOrEqual(same.noise)
  const apart = differenceOf(samples(1_000, 7, random), samples(1_000, 0, random), random)
  expect(apart.difference).toBeGreaterThan(apart.noise)
  expect(apart.difference).toBeCloseTo(7, -1)
  expect(apart.medians[0] - apart.medians[1]).toBe(apart.difference)
})
