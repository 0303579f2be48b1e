import fc from 'fast-check'
import { expect, test } from 'vitest'
import { cutPayload } from '../../../services/core/event/cut-payload.ts'

test('a payload that fits is kept whole, to the byte', () => {
  expect(cutPayload(Buffer.from('abcd'), 4)).toBe('abcd')
  expect(cutPayload(Buffer.from('abcd'), 3)).toBe('abc')
})

test('a cut never falls inside a character and loses less than one character', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.nat(40), (text, max) => {
      const cut = cutPayload(Buffer.from(text), max)
      expect(text.startsWith(cut)).toBe(true)
      expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(max)
      if (cut !== text) expect(Buffer.byteLength(cut)).toBeGreaterThan(max - 4)
    }),
  )
})

test('bytes that are not UTF-8 are replaced, not refused', () => {
  expect(cutPayload(Buffer.from([0x61, 0xff, 0x62]), 10)).toBe('a\ufffdb')
  expect(cutPayload(Buffer.alloc(20, 0x80), 10).length).toBeLessThanOrEqual(10)
})
