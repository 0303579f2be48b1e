import { hash } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { packEntries } from '../../../../schemas/dedupe/v1.ts'
import { createDedupeWindow, createIdBudget } from '../../../../services/enricher/dedupe/dedupe-window.ts'

const HOUR = 3_600_000
const T0 = Date.UTC(2026, 0, 31)
const payload = Buffer.alloc(8)
const keyOf = (id: unknown) => hash('sha256', String(id), 'buffer').subarray(0, 16)
const entry = (id: unknown, time: number) => ({ key: keyOf(id), payload, time })
const entries = (ids: readonly unknown[], time: number) => packEntries(ids.map((id) => entry(id, time)))

function open(idsMax = 1_000_000, windowMs = 24 * HOUR) {
  const budget = createIdBudget(idsMax)
  return { budget, window: createDedupeWindow(windowMs, budget) }
}

test('an id is known for the whole window, and forgotten at most a slice after it', () => {
  const { window } = open()
  window.advance(T0)
  window.add(entries(['a'], T0))
  window.advance(T0 + 24 * HOUR)
  expect(window.find(keyOf('a'), payload)).toBe('equal')
  window.advance(T0 + 25 * HOUR)
  expect(window.find(keyOf('a'), payload)).toBe('absent')
  expect(window.ids).toBe(0)
})

test('append time that steps back moves nothing', () => {
  const { window } = open()
  window.advance(T0)
  window.add(entries(['a'], T0))
  window.advance(T0 - 100 * HOUR)
  expect(window.appendTimeMax).toBe(T0)
  expect(window.find(keyOf('a'), payload)).toBe('equal')
})

test('past the ids that a process may hold, the oldest go and the window says how much is left', () => {
  const { window } = open(1_000)
  for (let n = 0; n < 3_000; n++) {
    window.advance(T0 + n * 1_000)
    window.add(entries([n], T0 + n * 1_000))
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
  expect(window.add(entries(['a', 'b'], T0))).toBe(0)
  window.advance(T0 + 24 * HOUR)
  expect(window.takeForgotten()).toEqual({ expired: 0, early: 0 })
  window.advance(T0 + 25 * HOUR)
  expect(window.takeForgotten()).toEqual({ expired: 2, early: 0 })
  expect(window.takeForgotten()).toEqual({ expired: 0, early: 0 })
  expect(window.add(entries(['a', 'c'], T0 + 25 * HOUR))).toBe(1)
  expect(window.ids).toBe(2)
  expect(window.add(entries(['b'], T0 + 25 * HOUR))).toBe(1)
})

test('ids that went early are counted apart, and their repetitions too', () => {
  const { window } = open(1_000)
  for (let n = 0; n < 1_500; n++) window.add(entries([n], T0))
  expect(window.takeForgotten()).toEqual({ expired: 0, early: 1_500 - window.ids })
  let exceeded = 0
  for (let n = 0; n < 100; n++) exceeded += window.add(entries([n], T0))
  // Some of their places were used again, and then nobody knows.
  expect(exceeded).toBeGreaterThan(0)
  expect(exceeded).toBeLessThanOrEqual(100)
})

test('partitions share the ids: together they never hold more, and all reach back equally far', () => {
  const { budget, window: first } = open(1_000)
  for (let second = 0; second < 1_000; second++) {
    first.advance(T0 + second * 1_000)
    first.add(entries([second], T0 + second * 1_000))
  }
  expect(first.ids).toBe(1_000)
  // A partition comes that has three events for each of the first one's, and begins with its oldest.
  const next = createDedupeWindow(24 * HOUR, budget)
  for (let second = 0; second < 1_000; second++) {
    const time = T0 + second * 1_000
    next.add(entries([`${second} a`, `${second} b`, `${second} c`], time))
    next.advance(time)
    expect(first.ids + next.ids).toBeLessThanOrEqual(1_000)
  }
  expect(first.ids + next.ids).toBeGreaterThan(900)
  expect(first.find(keyOf(999), payload)).toBe('equal')
  expect(Math.abs(first.heldMs() - next.heldMs())).toBeLessThan(60_000)
  expect(first.takeForgotten().early).toBe(1_000 - first.ids)
  next.close()
  first.add(
    entries(
      Array.from({ length: 1_000 }, (_, n) => `more ${n}`),
      T0 + 1_000_000,
    ),
  )
  expect(first.ids).toBeGreaterThan(900)
})

test('one transaction larger than all ids leaves no more than may be held', () => {
  const { window } = open(1_000)
  window.add(
    entries(
      Array.from({ length: 2_500 }, (_, n) => n),
      T0,
    ),
  )
  expect(window.ids).toBeLessThanOrEqual(1_000)
  expect(window.find(keyOf(2_499), payload)).toBe('equal')
})

test('a partition that lags, or whose broker is behind, keeps as long a window as the others', () => {
  const { budget, window: late } = open(1_000)
  const punctual = createDedupeWindow(24 * HOUR, budget)
  for (let second = 0; second < 3_000; second++) {
    for (const [window, time] of [
      [late, T0 - 30 * HOUR + second * 1_000],
      [punctual, T0 + second * 1_000],
    ] as const) {
      window.advance(time)
      window.add(entries([second], time))
    }
  }
  expect(late.ids).toBeGreaterThan(450)
  expect(punctual.ids).toBeGreaterThan(450)
})

test('ids that pass from one partition to another take their memory with them', () => {
  const idsMax = 20_000
  const { budget, window: first } = open(idsMax)
  const second = createDedupeWindow(24 * HOUR, budget)
  let ids = 0
  let most = 0
  for (const window of [first, second, first, second]) {
    for (let n = 0; n < idsMax; n += 100) {
      window.add(
        entries(
          Array.from({ length: 100 }, () => ids++),
          T0 + ids,
        ),
      )
      most = Math.max(most, first.bytes + second.bytes)
    }
  }
  expect(first.ids + second.ids).toBeLessThanOrEqual(idsMax)
  expect(most / idsMax).toBeLessThan(56)
})

test('memory that was reserved holds the ids without growing, and never more than there is room for', () => {
  const { budget, window } = open(10_000)
  window.reserve(8_000)
  const reserved = window.bytes
  window.add(
    entries(
      Array.from({ length: 8_000 }, (_, n) => n),
      T0,
    ),
  )
  expect(window.bytes).toBeLessThan(1.2 * reserved)
  const next = createDedupeWindow(24 * HOUR, budget)
  next.reserve(1_000_000)
  expect(next.bytes).toBeLessThan(reserved / 2)
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
        const fresh = [...new Set(ids)]
          .filter((id) => lived.find(keyOf(id), payload) === 'absent')
          .map((id) => entry(id, time))
        lived.add(packEntries(fresh))
        // As the changelog is read: first the entries, then the time after them.
        rebuilt.add(packEntries(fresh))
        rebuilt.advance(time)
      }
      for (let id = 0; id <= 50; id++)
        expect(rebuilt.find(keyOf(id), payload)).toBe(lived.find(keyOf(id), payload))
      expect(rebuilt.ids).toBe(lived.ids)
    }),
    { numRuns: 60 },
  )
})
