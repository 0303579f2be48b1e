import fc from 'fast-check'
import { expect, test } from 'vitest'
import { WireFormatError, WireReader, WireWriter } from '../../../../services/core/kafka/wire/codec.ts'

test('what was written is read again', () => {
  const long = fc.integer({ min: -(2 ** 52), max: 2 ** 52 })
  fc.assert(
    fc.property(
      fc.record({
        short: fc.integer({ min: -32_768, max: 32_767 }),
        int: fc.integer(),
        long,
        count: fc.nat({ max: 2 ** 32 - 1 }),
        text: fc.option(fc.string({ unit: 'binary', maxLength: 300 })),
        bytes: fc.uint8Array({ maxLength: 300 }),
        list: fc.array(long, { maxLength: 200 }),
      }),
      (fields) => {
        const writer = new WireWriter(1)
        writer.int16(fields.short).int32(fields.int).int64(fields.long).uvarint(fields.count)
        writer
          .string(fields.text)
          .bytes(fields.bytes)
          .array(fields.list, (value) => writer.int64(value))
        writer.noTags()
        const reader = new WireReader(writer.written)
        expect({
          short: reader.int16(),
          int: reader.int32(),
          long: reader.int64(),
          count: reader.uvarint(),
          text: reader.nullableString(),
          bytes: new Uint8Array(reader.bytesView()),
          list: reader.array(() => reader.int64()),
        }).toEqual(fields)
        reader.tags()
        expect(reader.left).toBe(0)
      },
    ),
  )
})

test('numbers lie as the protocol has them', () => {
  expect(new WireWriter().int64(-2).written.toString('hex')).toBe('fffffffffffffffe')
  expect(new WireWriter().int64(2 ** 40 + 5).written.toString('hex')).toBe('0000010000000005')
  expect(new WireWriter().uvarint(300).written.toString('hex')).toBe('ac02')
  expect(new WireWriter().string('ab').string(null).written.toString('hex')).toBe('03616200')
})

test('tagged fields of later versions are passed over', () => {
  const reader = new WireReader(Buffer.from([2, 0, 1, 0xff, 7, 2, 0xfe, 0xfe, 42]))
  reader.tags()
  expect(reader.int8()).toBe(42)
})

test('an answer that ends early, or counts more than it holds, is no answer', () => {
  const whole = new WireWriter().string('topic').array([1, 2, 3], () => {}).written
  for (let size = 0; size < whole.length; size++) {
    const reader = new WireReader(whole.subarray(0, size))
    expect(() => {
      reader.string()
      reader.array(() => 0)
    }).toThrow(WireFormatError)
  }
  const countless = new WireReader(new WireWriter().uvarint(2 ** 31).int32(1).written)
  expect(() => countless.array(() => countless.int8())).toThrow(WireFormatError)
})
