import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  type ClosedRange,
  common,
  merged,
  without,
} from '../../../../services/query-api/batch-exports/offset-ranges.ts'
import { backfillRanges } from '../../../../services/query-api/batch-exports/plan-backfill.ts'

const LENGTH = 40
const range = fc.tuple(fc.nat({ max: LENGTH }), fc.nat({ max: LENGTH })) as fc.Arbitrary<ClosedRange>
const ranges = fc.array(range, { maxLength: 6 })
const points = (some: readonly ClosedRange[]) =>
  Array.from({ length: LENGTH }, (_, at) => at).filter((at) => some.some(([a, b]) => at >= a && at < b))

test('ranges are sets of offsets', () => {
  fc.assert(
    fc.property(ranges, ranges, (some, others) => {
      const [a, b] = [points(some), points(others)]
      expect(points(merged(some))).toEqual(a)
      expect(points(common(some, others))).toEqual(a.filter((at) => b.includes(at)))
      expect(points(without(some, others))).toEqual(a.filter((at) => !b.includes(at)))
      const found = merged(some)
      expect(found.every(([, until], i) => until < (found[i + 1]?.[0] ?? Number.POSITIVE_INFINITY))).toBe(
        true,
      )
    }),
  )
})

test('schedule and backfills share out the offsets: each to one of them, none to two', () => {
  fc.assert(
    fc.property(
      fc.nat({ max: 15 }),
      fc.array(fc.boolean(), { minLength: LENGTH, maxLength: LENGTH }),
      fc.nat({ max: LENGTH }),
      fc.nat({ max: LENGTH }),
      fc.array(range, { maxLength: 4 }),
      fc.boolean(),
      (scheduleStart, asks, readTo, from, backfills, isEnded) => {
        const read = Math.max(readTo, scheduleStart)
        const offsets = Array.from({ length: LENGTH }, (_, at) => at)
        // What its manifests say up to `read`, and what it does with the rest.
        const scheduled = offsets.filter(
          (at) => at >= scheduleStart && (at < read ? asks[at] === true : !isEnded && at >= from),
        )
        const skipped = offsets
          .filter((at) => at >= scheduleStart && at < read && asks[at] === false)
          .map((at): ClosedRange => [at, at + 1])
        const decided: ClosedRange[] = []
        for (const asked of [...backfills, [0, LENGTH] as const]) {
          const found = backfillRanges({
            asked,
            scheduleStart,
            scheduleFrom: from,
            readTo: read,
            isEnded,
            skipped,
            others: decided,
          })
          if (found === null) expect([isEnded, read < from]).toEqual([false, true])
          else {
            expect(
              points(found).filter((at) => scheduled.includes(at) || points(decided).includes(at)),
            ).toEqual([])
            decided.push(...found)
          }
        }
        if (isEnded || read >= from)
          expect([...scheduled, ...points(decided)].toSorted((a, b) => a - b)).toEqual(offsets)
      },
    ),
  )
})
