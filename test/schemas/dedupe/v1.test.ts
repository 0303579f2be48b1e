import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  type DedupeRecord,
  decodeDedupeRecord,
  ENTRY_BYTES,
  encodeDedupeRecord,
  packEntries,
} from '../../../schemas/dedupe/v1.ts'

const bytes = (length: number) =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((array) => Buffer.from(array))
const offset = fc.maxSafeNat()
const time = fc.integer({ min: 0, max: 2 ** 48 - 1 })
const record: fc.Arbitrary<DedupeRecord> = fc.oneof(
  fc.record({
    kind: fc.constant('entries' as const),
    nextOffset: offset,
    appendTimeMax: time,
    entries: fc
      .array(fc.record({ key: bytes(16), payload: bytes(8), time }), { maxLength: 20 })
      .map(packEntries),
  }),
  fc.record({ kind: fc.constant('sentinel' as const), mark: bytes(16), absolves: fc.boolean() }),
  fc.record({ kind: fc.constant('attempt' as const), from: offset, to: offset }),
)

test('what is written is read back', () => {
  fc.assert(
    fc.property(record, (each) => {
      expect(decodeDedupeRecord(encodeDedupeRecord(each))).toEqual(each)
    }),
  )
})

test('a changed byte, a missing end or an extra one is corrupt, never another record', () => {
  fc.assert(
    fc.property(record, fc.nat(), fc.integer({ min: 1, max: 255 }), (each, where, change) => {
      const value = encodeDedupeRecord(each)
      const changed = Buffer.from(value)
      changed[where % value.length]! ^= change
      for (const wrong of [
        changed,
        value.subarray(0, where % value.length),
        Buffer.concat([value, Buffer.of(0)]),
      ])
        expect(() => decodeDedupeRecord(wrong)).toThrow(expect.objectContaining({ code: 'corrupt' }))
    }),
  )
})

test('a tombstone is corrupt', () => {
  expect(() => decodeDedupeRecord(null)).toThrow(expect.objectContaining({ code: 'corrupt' }))
})

test('the largest transaction fits into one Kafka record', () => {
  expect(20_000 * ENTRY_BYTES).toBeLessThan(1_000_000)
})
