import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  addIntervals,
  INTERVALS,
  intervalStarts,
  localTime,
  parseInstant,
  startOf,
  type TimeZone,
  timeZone,
} from '../../../../services/query-api/query/zoned-time.ts'

const zoneOf = (name: string) => timeZone(name) as TimeZone
/** Half-hour offsets, a summer time of half an hour, days without a midnight, a day that never was. */
const ZONES = [
  'UTC',
  'Europe/Berlin',
  'America/Sao_Paulo',
  'Asia/Kolkata',
  'Australia/Lord_Howe',
  'Africa/Cairo',
  'Pacific/Apia',
  'Asia/Beirut',
].map(zoneOf)
const anyZone = fc.constantFrom(...ZONES)
const anyMs = fc.integer({ min: Date.parse('2005-01-01'), max: Date.parse('2035-01-01') })

test('local time is what Intl shows', () => {
  fc.assert(
    fc.property(anyZone, anyMs, (zone, ms) => {
      const shown = new Intl.DateTimeFormat('sv-SE', {
        timeZone: zone,
        dateStyle: 'short',
        timeStyle: 'medium',
      })
      const { year, month, day, hour, minute, second } = localTime(ms, zone)
      const two = (n: number) => String(n).padStart(2, '0')
      expect(`${year}-${two(month)}-${two(day)} ${two(hour)}:${two(minute)}:${two(second)}`).toBe(
        shown.format(ms),
      )
    }),
  )
})

test('a day starts at the first instant of its local date', () => {
  const date = (ms: number, zone: TimeZone) => {
    const { year, month, day } = localTime(ms, zone)
    return Date.UTC(year, month - 1, day)
  }
  fc.assert(
    fc.property(anyZone, anyMs, (zone, ms) => {
      const start = startOf('day', ms, zone)
      expect(start).toBeLessThanOrEqual(ms)
      expect(date(start, zone)).toBe(date(ms, zone))
      expect(date(start - 1, zone)).toBeLessThan(date(ms, zone))
    }),
    { numRuns: 400 },
  )
})

test('intervals follow each other without gap or overlap, and every instant lies in the one that starts before it', () => {
  fc.assert(
    fc.property(
      anyZone,
      anyMs,
      fc.constantFrom(...INTERVALS),
      fc.integer({ min: 1, max: 90 }),
      (zone, from, by, days) => {
        const to = from + days * 86_400_000 * (by === 'month' ? 5 : 1)
        const starts = intervalStarts(by, from, to, zone, 10_000)
        expect(starts[0]).toBeLessThanOrEqual(from)
        expect(starts).toEqual([...new Set(starts)].sort((a, b) => a - b))
        if (by === 'hour') return
        for (const start of starts) expect(startOf(by, start, zone)).toBe(start)
        const probe = from + Math.floor((to - from) / 2)
        expect(starts).toContain(startOf(by, probe, zone))
      },
    ),
    { numRuns: 200 },
  )
})

test('a day of 23 hours and one of 25 are each one day', () => {
  const zone = zoneOf('Europe/Berlin')
  const lengthOf = (day: string) => {
    const { startMs, endMs } = parseInstant(day, zone)!
    return (endMs - startMs) / 3_600_000
  }
  expect(['2026-03-29', '2026-10-25', '2026-06-01'].map(lengthOf)).toEqual([23, 25, 24])
})

test('a month later keeps the day, or takes the last one there is', () => {
  const zone = zoneOf('Europe/Berlin')
  const at = (text: string) => parseInstant(text, zone)!.startMs
  expect(addIntervals(at('2026-01-31T10:00:00'), 'month', 1, zone)).toBe(at('2026-02-28T10:00:00'))
  expect(addIntervals(at('2026-03-28T10:00:00'), 'day', 1, zone)).toBe(at('2026-03-29T10:00:00'))
})

test('names that are no zones are refused, also those that only Intl knows', () => {
  for (const name of ['', 'Nowhere/City', "Europe/Paris'", '+05:30', 'UTC; DROP'])
    expect(timeZone(name)).toBe(null)
})

test.each([
  '2026-02-31',
  '2026-13-01',
  '2026-1-1',
  'now',
  '',
  '2026-01-01T25:00:00Z',
  '2026-01-01T10:00'.slice(0, 12),
])('%j is no time', (text) => {
  expect(parseInstant(text, zoneOf('UTC'))).toBe(null)
})
