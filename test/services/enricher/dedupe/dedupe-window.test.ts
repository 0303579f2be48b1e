import { hash } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createDedupeWindow, createIdBudget } from '../../../../services/enricher/dedupe/dedupe-window.ts'

const HOUR = 3_600_000
const T0 = Date.UTC(2026, 0, 31)
const payload = Buffer.alloc(8)
const keyOf = (id: unknown) => hash('sha256', String(id), 'buffer').subarray(0, 16)
const entry = (id: unknown, time: number) => ({ key: keyOf(id), payload, time })

function open(idsMax = 1_000_000, windowMs = 24 * HOUR) {
  const budget = createIdBudget(idsMax)
  budget.join()
  return { budget, window: createDedupeWindow(windowMs, budget) }
}

test('an id is known for the whole window, and forgotten at most a slice after it', () => {
  const { window } = open()
  window.advance(T0)
  window.add([entry('a', T0)])
  window.advance(T0 + 24 * HOUR)
  expect(window.find(keyOf('a'), payload)).toBe('equal')
  window.advance(T0 + 25 * HOUR)
  expect(window.find(keyOf('a'), payload)).toBe('absent')
  expect(window.ids).toBe(0)
})

test('append time that steps back moves nothing', () => {
  const { window } = open()
  window.advance(T0)
  window.add([entry('a', T0)])
  window.advance(T0 - 100 * HOUR)
  expect(window.appendTimeMax).toBe(T0)
  expect(window.find(keyOf('a'), payload)).toBe('equal')
})

test('past the ids that a process may hold, the oldest go and the window says how much is left', () => {
  const { window } = open(1_000)
  for (let n = 0; n < 3_000; n++) {
    window.advance(T0 + n * 1_000)
    window.add([entry(n, T0 + n * 1_000)])
    expect(window.ids).toBeLessThanOrEqual(1_000)
  }
  expect(window.find(keyOf(0), payload)).toBe('absent')
  expect(window.find(keyOf(2_999), payload)).toBe('equal')
  // At least fifteen sixteenths of the share are used, one id a second.
  expect(window.heldMs()).toBeGreaterThan(900_000)
  expect(window.heldMs()).toBeLessThanOrEqual(1_000_000)
})

test('a repetition past the window is taken as new and counted, one within it is not', () => {
  const { window } = open()
  expect(window.add([entry('a', T0), entry('b', T0)])).toBe(0)
  window.advance(T0 + 24 * HOUR)
  expect(window.takeForgotten()).toEqual({ expired: 0, early: 0 })
  window.advance(T0 + 25 * HOUR)
  expect(window.takeForgotten()).toEqual({ expired: 2, early: 0 })
  expect(window.takeForgotten()).toEqual({ expired: 0, early: 0 })
  expect(window.add([entry('a', T0 + 25 * HOUR), entry('c', T0 + 25 * HOUR)])).toBe(1)
  expect(window.ids).toBe(2)
  expect(window.add([entry('b', T0 + 25 * HOUR)])).toBe(1)
})

test('ids that went early are counted apart, and their repetitions too', () => {
  const { window } = open(1_000)
  for (let n = 0; n < 1_500; n++) window.add([entry(n, T0)])
  expect(window.takeForgotten()).toEqual({ expired: 0, early: 1_500 - window.ids })
  let exceeded = 0
  for (let n = 0; n < 100; n++) exceeded += window.add([entry(n, T0)])
  // Some of their places were used again, and then nobody knows.
  expect(exceeded).toBeGreaterThan(0)
  expect(exceeded).toBeLessThanOrEqual(100)
})

test('partitions share the ids: one more owner halves what each may hold', () => {
  const { budget, window } = open(1_000)
  for (let n = 0; n < 1_000; n++) window.add([entry(n, T0)])
  expect(window.ids).toBe(1_000)
  budget.join()
  window.add([entry('next', T0)])
  expect(window.ids).toBeLessThanOrEqual(500)
  budget.leave()
  expect(budget.share()).toBe(1_000)
})

test('a window rebuilt from what was added in transactions knows the same ids', () => {
  const transaction = fc.record({ minutes: fc.nat(600), ids: fc.array(fc.nat(50), { maxLength: 10 }) })
  fc.assert(
    fc.property(fc.array(transaction, { maxLength: 40 }), (transactions) => {
      const lived = open().window
      const rebuilt = open().window
      let time = T0
      for (const { minutes, ids } of transactions) {
        time += minutes * 60_000
        lived.advance(time)
        const entries = [...new Set(ids)]
          .filter((id) => lived.find(keyOf(id), payload) === 'absent')
          .map((id) => entry(id, time))
        lived.add(entries)
        // As the changelog is read: first the entries, then the time after them.
        rebuilt.add(entries)
        rebuilt.advance(time)
      }
      for (let id = 0; id <= 50; id++)
        expect(rebuilt.find(keyOf(id), payload)).toBe(lived.find(keyOf(id), payload))
      expect(rebuilt.ids).toBe(lived.ids)
    }),
    { numRuns: 60 },
  )
})
