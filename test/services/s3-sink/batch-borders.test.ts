import fc from 'fast-check'
import { expect, test } from 'vitest'
import { batchBorders, type OffsetRanges } from '../../../services/s3-sink/batch-borders.ts'

const WINDOW_MS = 5 * 60_000

test('no batch lies on both sides of the border of a range, of a window or of the end', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 2, maxLength: 30 }),
      fc.array(fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 })), { maxLength: 3 }),
      fc.boolean(),
      fc.option(fc.integer({ min: 0, max: 3_000_000 })),
      (steps, gaps, isOpen, untilMs) => {
        let at = 0
        const ranges: OffsetRanges = gaps.map(([gap, length], index) => {
          const from = at + gap
          at = from + length
          return [from, isOpen && index === gaps.length - 1 ? null : at]
        })
        const isIn = (each: { offset: number; landed: number }) =>
          (untilMs === null || each.landed < untilMs) &&
          ranges.some(([from, until]) => each.offset >= from && (until === null || each.offset < until))
        let [offset, landed] = [0, 0]
        let batch: { offset: number; landed: number }[] = []
        let borders = batchBorders({ length: '5m' }, ranges, untilMs)
        for (const step of steps) {
          offset += step
          landed += step * 40_000
          if (batch.length > 0 && (borders.between(landed, offset) || borders.isReached)) {
            batch = []
            borders = batchBorders({ length: '5m' }, ranges, untilMs)
          }
          borders.passed(landed, offset)
          batch.push({ offset, landed })
          expect(borders.isIn(landed, offset)).toBe(isIn({ landed, offset }))
          expect(new Set(batch.map(isIn)).size).toBe(1)
          expect(new Set(batch.map((each) => Math.floor(each.landed / WINDOW_MS))).size).toBe(1)
        }
      },
    ),
  )
})

test('a batch ends with the last offset of a range, and knows when nothing comes after', () => {
  const borders = batchBorders(null, [[3, 5]], null)
  expect([borders.isReached, borders.isFinished]).toEqual([false, false])
  borders.passed(0, 3)
  expect(borders.isReached).toBe(false)
  borders.passed(0, 4)
  expect([borders.isReached, borders.isFinished]).toEqual([true, false])
  borders.passed(0, 5)
  expect([borders.isReached, borders.isFinished]).toEqual([false, true])
  const all = batchBorders(null, null, null)
  all.passed(0, 9)
  expect([all.isIn(1e15, 0), all.between(1e15, 10), all.isReached, all.isFinished]).toEqual([
    true,
    false,
    false,
    false,
  ])
  const ending = batchBorders(null, null, 1_000)
  ending.passed(999, 9)
  expect([ending.isFinished, ending.between(999, 10), ending.between(1_000, 10)]).toEqual([
    false,
    false,
    true,
  ])
  ending.passed(1_000, 10)
  expect([ending.isFinished, ending.between(1_001, 11)]).toEqual([true, false])
})
