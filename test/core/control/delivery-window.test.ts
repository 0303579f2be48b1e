import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { DeliveryWindow } from '../../../schemas/control/v1.ts'
import { windowAt } from '../../../services/core/control/delivery-window.ts'

const window: fc.Arbitrary<DeliveryWindow> = fc.record({
  length: fc.constantFrom('5m' as const, '15m' as const, '1h' as const, '1d' as const, '1w' as const),
  timezone: fc.constantFrom(
    'UTC',
    'Europe/Berlin',
    'America/Sao_Paulo',
    'Asia/Kolkata',
    'Australia/Lord_Howe',
    'Pacific/Apia',
  ),
  day_begins: fc.integer({ min: 0, max: 23 }),
  week_begins: fc.integer({ min: 1, max: 7 }),
})
const instant = fc.integer({ min: Date.UTC(2010, 0, 1), max: Date.UTC(2035, 0, 1) })

test('every instant is in one window, and windows follow one another without a gap', () => {
  fc.assert(
    fc.property(window, instant, (given, ms) => {
      const { startMs, endMs } = windowAt(given, ms)
      expect(startMs <= ms && ms < endMs).toBe(true)
      expect(windowAt(given, startMs)).toEqual({ startMs, endMs })
      expect(windowAt(given, endMs - 1)).toEqual({ startMs, endMs })
      expect(windowAt(given, endMs).startMs).toBe(endMs)
      expect(windowAt(given, startMs - 1).endMs).toBe(startMs)
    }),
    { numRuns: 300 },
  )
})

test('days begin when the clocks of the zone say so, also when they change', () => {
  const berlin = { length: '1d', timezone: 'Europe/Berlin' } as const
  const of = (text: string, given: DeliveryWindow = berlin) => {
    const { startMs, endMs } = windowAt(given, Date.parse(text))
    return [new Date(startMs).toISOString(), (endMs - startMs) / 3_600_000]
  }
  expect(of('2026-03-29T12:00:00Z')).toEqual(['2026-03-28T23:00:00.000Z', 23])
  expect(of('2026-10-25T12:00:00Z')).toEqual(['2026-10-24T22:00:00.000Z', 25])
  expect(of('2026-11-22T02:59:59Z', { ...berlin, day_begins: 4 })).toEqual(['2026-11-21T03:00:00.000Z', 24])
  expect(of('2026-11-22T20:00:00Z', { length: '1d', timezone: 'Asia/Kolkata' })).toEqual([
    '2026-11-22T18:30:00.000Z',
    24,
  ])
})

test('weeks begin on Mondays, or on the day that is asked for, and have 167 or 169 hours where clocks change', () => {
  const berlin = { length: '1w', timezone: 'Europe/Berlin' } as const
  const of = (text: string, given: DeliveryWindow = berlin) => {
    const { startMs, endMs } = windowAt(given, Date.parse(text))
    return [new Date(startMs).toISOString(), (endMs - startMs) / 3_600_000]
  }
  expect(of('2026-11-22T22:59:59Z')).toEqual(['2026-11-15T23:00:00.000Z', 168])
  expect(of('2026-11-22T23:00:00Z')).toEqual(['2026-11-22T23:00:00.000Z', 168])
  expect(of('2026-03-29T12:00:00Z')).toEqual(['2026-03-22T23:00:00.000Z', 167])
  expect(of('2026-10-25T12:00:00Z')).toEqual(['2026-10-18T22:00:00.000Z', 169])
  const sunday = { length: '1w', timezone: 'UTC', week_begins: 7, day_begins: 6 } as const
  expect(of('2026-11-22T05:59:59Z', sunday)).toEqual(['2026-11-15T06:00:00.000Z', 168])
  expect(of('2026-11-22T06:00:00Z', sunday)).toEqual(['2026-11-22T06:00:00.000Z', 168])
  expect(of('1969-12-31T12:00:00Z', { length: '1w' })).toEqual(['1969-12-29T00:00:00.000Z', 168])
})
