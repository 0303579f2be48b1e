import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { summarizeChunk } from '../../../services/recordings/summarize-chunk.ts'
import { rrweb } from '../../helpers/recording-chunks.ts'

const NOW = Date.parse('2026-11-22T12:00:00.250Z')
const SECOND = Math.floor(NOW / 1000)

test('clicks, keys, console lines, pages and seconds of activity are counted', () => {
  const events = [
    rrweb.page(NOW, 'https://shop.example/a'),
    rrweb.snapshot(NOW),
    rrweb.mutation(NOW + 30_000),
    rrweb.move(NOW + 1_000),
    rrweb.move(NOW + 1_100),
    rrweb.click(NOW + 2_000),
    { type: 3, timestamp: NOW + 2_100, data: { source: 2, type: 4 } },
    rrweb.key(NOW + 5_000),
    rrweb.key(NOW + 5_100),
    rrweb.page(NOW + 6_000, 'https://shop.example/b'),
    ...['log', 'info', 'warn', 'error', 'assert', 'trace'].map((level) => rrweb.console(NOW + 7_000, level)),
  ]
  expect(summarizeChunk(events, NOW + 40_000)).toEqual({
    firstMs: NOW,
    lastMs: NOW + 30_000,
    clicks: 1,
    keypresses: 2,
    active: [SECOND + 1, SECOND + 2, SECOND + 5],
    firstUrl: 'https://shop.example/a',
    consoleLogs: 3,
    consoleWarns: 1,
    consoleErrors: 2,
  })
})

test('what cannot be looked into counts for nothing', () => {
  const events = [
    { type: 3, timestamp: NOW, data: '\u001f compressed', cv: '2024-10' },
    { type: 3, timestamp: NOW },
    { type: 4, timestamp: NOW, data: { href: 5 } },
    { type: 6, timestamp: NOW, data: { plugin: 'rrweb/console@1', payload: null } },
  ]
  expect(summarizeChunk(events, NOW)).toMatchObject({ clicks: 0, active: [], firstUrl: '', consoleLogs: 1 })
})

test('a clock that is a day off and more is replaced by the time of arrival, and the length stays', () => {
  const lengths = (shift: number) => {
    const { firstMs, lastMs, active } = summarizeChunk(
      [rrweb.click(NOW + shift), rrweb.move(NOW + shift + 5_000)],
      NOW,
    )
    return { ends: lastMs - NOW, length: lastMs - firstMs, active: active.map((second) => second - SECOND) }
  }
  expect(lengths(-3_600_000)).toEqual({ ends: -3_595_000, length: 5_000, active: [-3600, -3595] })
  for (const days of [-400, -2, 2, 10_000])
    expect(lengths(days * 86_400_000)).toEqual({ ends: 0, length: 5_000, active: [-5, 0] })
})

test('whatever the clocks say, times are about the arrival, and in order', () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 8.64e15, noNaN: true }), { minLength: 1 }), (times) => {
      const { firstMs, lastMs, active } = summarizeChunk(times.map(rrweb.move), NOW)
      expect(firstMs).toBeLessThanOrEqual(lastMs)
      expect(firstMs).toBeGreaterThanOrEqual(NOW - 2 * 86_400_000)
      expect(lastMs).toBeLessThanOrEqual(NOW + 86_400_000)
      expect(active.every((second) => second >= 0 && second < 2 ** 32)).toBe(true)
    }),
  )
})
