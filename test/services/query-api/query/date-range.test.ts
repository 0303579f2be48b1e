import { expect, test } from 'vitest'
import { parseDateRange } from '../../../../services/query-api/query/date-range.ts'
import { type TimeZone, timeZone } from '../../../../services/query-api/query/zoned-time.ts'

const berlin = timeZone('Europe/Berlin') as TimeZone
/** A Sunday, 13:30 in Berlin. */
const nowMs = Date.parse('2026-11-22T12:30:00Z')
const range = (from: string | null, to: string | null = null) => {
  const { fromMs, toMs } = parseDateRange(from, to, nowMs, berlin)
  return [fromMs === null ? null : new Date(fromMs).toISOString(), new Date(toMs).toISOString()]
}
const NOW = '2026-11-22T12:30:00.000Z'

test.each([
  [null, null, '2026-11-14T23:00:00.000Z', NOW],
  ['-24h', null, '2026-11-21T12:00:00.000Z', NOW],
  ['-1w', null, '2026-11-14T23:00:00.000Z', NOW],
  ['-1m', null, '2026-10-21T22:00:00.000Z', NOW],
  ['-1q', null, '2026-08-21T22:00:00.000Z', NOW],
  ['-1y', null, '2025-11-21T23:00:00.000Z', NOW],
  ['dStart', null, '2026-11-21T23:00:00.000Z', NOW],
  ['mStart', null, '2026-10-31T23:00:00.000Z', NOW],
  ['yStart', null, '2025-12-31T23:00:00.000Z', NOW],
  ['-1mStart', '-1mEnd', '2026-09-30T22:00:00.000Z', '2026-10-31T23:00:00.000Z'],
  ['-1qStart', '-1qEnd', '2026-06-30T22:00:00.000Z', '2026-09-30T22:00:00.000Z'],
  ['-1dStart', '-1dEnd', '2026-11-20T23:00:00.000Z', '2026-11-21T23:00:00.000Z'],
  ['-3d', '-1d', '2026-11-18T23:00:00.000Z', '2026-11-21T23:00:00.000Z'],
  ['2026-11-01', '2026-11-02', '2026-10-31T23:00:00.000Z', '2026-11-02T23:00:00.000Z'],
  ['2026-11-01T10:00:00', null, '2026-11-01T09:00:00.000Z', NOW],
  ['2026-11-01T10:00:00+02:00', null, '2026-11-01T08:00:00.000Z', NOW],
  ['all', null, null, NOW],
])('from %s to %s', (from, to, expectedFrom, expectedTo) => {
  expect(range(from, to)).toEqual([expectedFrom, expectedTo])
})

test.each([
  ['7d', null],
  ['-99999d', null],
  ['-7D', null],
  ['-7d', '-8d'],
  ['dEnd', null],
])('from %s to %s is refused', (from, to) => {
  expect(() => range(from, to)).toThrow()
})
