import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  READABLE_TIME_MAX_MS,
  READABLE_TIME_MIN_MS,
  readTime,
} from '../../../services/enricher/timestamps.ts'

test.each([
  ['2026-01-31T23:59:59.123Z', '2026-01-31T23:59:59.123Z'],
  ['2026-01-31t23:59:59.123456789z', '2026-01-31T23:59:59.123Z'],
  ['2026-01-31 23:59:59,5', '2026-01-31T23:59:59.500Z'],
  ['2026-01-31T23:59', '2026-01-31T23:59:00.000Z'],
  ['2026-01-31', '2026-01-31T00:00:00.000Z'],
  ['2026-01-31T23:59:59+02:00', '2026-01-31T21:59:59.000Z'],
  ['2026-01-31T23:59:59-0530', '2026-02-01T05:29:59.000Z'],
  ['2026-01-31T23:59:59 +02', '2026-01-31T21:59:59.000Z'],
  ['2026-01-31T24:00:00Z', '2026-02-01T00:00:00.000Z'],
  ['2016-12-31T23:59:60Z', '2017-01-01T00:00:00.000Z'],
  ['2024-02-29', '2024-02-29T00:00:00.000Z'],
  ['1700000000000', '2023-11-14T22:13:20.000Z'],
])('%s is read', (text, iso) => {
  expect(readTime(text)).toBe(Date.parse(iso))
})

test.each([
  '',
  ' ',
  'now',
  '2026-02-29',
  '2026-13-01',
  '2026-00-01',
  '2026-01-32',
  '2026-01-31T25:00',
  '2026-01-31T24:01',
  '2026-01-31T10:60',
  '2026-01-31T10:00:61',
  '2026-01-31T10:00:00+25:00',
  '31.01.2026',
  'Sat, 31 Jan 2026 10:00:00 GMT',
  '1899-12-31',
  '2300-01-01',
  '0001-01-01',
  '2026-1-1',
  '17',
  `2026-01-31T10:00:00.${'1'.repeat(60)}`,
])('%j is not read', (text) => {
  expect(readTime(text)).toBeNull()
})

test.each([Number.NaN, Infinity, -Infinity, 8.64e15, -1e15])('%d is no time', (number) => {
  expect(readTime(number)).toBeNull()
})

test('every time that is written is read back', () => {
  fc.assert(
    fc.property(fc.integer({ min: READABLE_TIME_MIN_MS, max: READABLE_TIME_MAX_MS }), (ms) => {
      expect(readTime(new Date(ms).toISOString())).toBe(ms)
      expect(readTime(ms)).toBe(ms)
    }),
  )
})
