import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createByteBudget } from '../../../services/collector/byte-budget.ts'

const owned = (budget: ReturnType<typeof createByteBudget>, id: string) => {
  const lease = budget.lease()
  lease.belongsTo(id)
  return lease
}

test('one alone may hold four fifths, and what he leaves is for others', () => {
  const budget = createByteBudget(1_000, () => {})
  const hog = owned(budget, 'hog')
  let taken = 0
  while (hog.take(10)) taken += 10
  expect(taken).toBe(800)
  const small = owned(budget, 'shop')
  expect(small.take(100)).toBe(true)
  expect(hog.take(10)).toBe(false)
  hog.release()
  expect(owned(budget, 'hog').take(10)).toBe(true)
})

test('what is held before the dataset is known counts as its own afterwards', () => {
  const budget = createByteBudget(1_000, () => {})
  const unknown = budget.lease()
  expect(unknown.take(700)).toBe(true)
  unknown.belongsTo('hog')
  expect(owned(budget, 'hog').take(200)).toBe(false)
  expect(owned(budget, 'shop').take(200)).toBe(true)
})

test('nothing is ever held past the bound, and everything comes back', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(4), fc.integer({ min: 1, max: 300 }), fc.boolean())), (steps) => {
      let seen = 0
      const budget = createByteBudget(1_000, (used) => {
        seen = used
      })
      const leases = steps.map(([who, bytes, ends]) => {
        const lease = who === 0 ? budget.lease() : owned(budget, `d${who}`)
        lease.take(bytes)
        expect(budget.usedBytes).toBeLessThanOrEqual(1_000)
        if (ends) lease.release()
        return ends ? null : lease
      })
      for (const lease of leases) lease?.release()
      expect([budget.usedBytes, seen === 0 || steps.length === 0]).toEqual([0, true])
      expect(owned(budget, 'd1').take(800)).toBe(true)
    }),
  )
})
