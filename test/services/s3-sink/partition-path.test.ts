import fc from 'fast-check'
import { expect, test } from 'vitest'
import { partitionPath, pathValue } from '../../../services/s3-sink/partition-path.ts'

const row = {
  dataset: 'shop',
  event: 'page view',
  landedMs: Date.parse('2026-01-31T23:59:59.999Z'),
  eventTime: '2025-12-31T07:08:09.000Z',
  collectorTime: '2026-02-01T00:00:00.000Z',
}

test('a template names folders over dataset, event and three times', () => {
  const template =
    'd={dataset}/e={event}/l={landed:yyyy-MM-dd}-{landed:HH}/t={event_time:yyyy}/{event_time:MM.dd_HH}/{collector_time:yyyyMMdd}'
  expect(partitionPath(template).of(row)).toBe(
    'd=shop/e=page%20view/l=2026-01-31-23/t=2025/12.31_07/20260201',
  )
  expect(partitionPath(template).needs).toEqual({ eventTime: true, collectorTime: true })
})

test('landed time goes over to the next hour with its row', () => {
  const path = partitionPath('{landed:yyyy-MM-dd}/{landed:HH}')
  expect(path.of(row)).toBe('2026-01-31/23')
  expect(path.of({ ...row, landedMs: row.landedMs + 1 })).toBe('2026-02-01/00')
  expect(path.of(row)).toBe('2026-01-31/23')
})

test('a value that a row lacks has the name that warehouses know', () => {
  expect(partitionPath('{event}/{event_time:yyyy}').of({ ...row, event: null, eventTime: null })).toBe(
    '__HIVE_DEFAULT_PARTITION__/__HIVE_DEFAULT_PARTITION__',
  )
})

test('a template with a fault says where', () => {
  expect(() => partitionPath('a/{nonsense}')).toThrow('partition_by is wrong at 2')
})

test('no value leaves its folder, hides it, or is too long for a key', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 0x10ffff }), { maxLength: 150 }), (codePoints) => {
      const name = pathValue(String.fromCodePoint(...codePoints))
      expect(name).toMatch(/^[A-Za-z0-9_%-][A-Za-z0-9_.%~-]*$/)
      expect(name.length).toBeLessThanOrEqual(120)
    }),
  )
})

test('different values have different folders', () => {
  const tricky = fc.string({ unit: fc.constantFrom('a', '.', '/', '%', '2', 'F', 'ü', '~'), maxLength: 60 })
  fc.assert(
    fc.property(tricky, tricky, (a, b) => {
      if (a !== b) expect(pathValue(a)).not.toBe(pathValue(b))
    }),
    { numRuns: 2000 },
  )
  const long = 'x'.repeat(200)
  expect(pathValue(`${long}a`)).not.toBe(pathValue(`${long}b`))
})
