import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { RecordBatch } from '../../../services/core/kafka/log.ts'
import { openRangeDigest } from '../../../services/core/stream/planned-digest.ts'

/** Open plans of an earlier version hold digests: what is hashed is written down here a second time. */
function hashedOneByOne(values: readonly (Buffer | null)[]): string {
  const hash = createHash('sha256')
  for (const [index, value] of values.entries()) {
    const frame = Buffer.alloc(20)
    frame.writeDoubleLE(offsetOf(index), 0)
    frame.writeDoubleLE(timestampOf(index), 8)
    frame.writeInt32LE(value === null ? -1 : value.length, 16)
    hash.update(frame)
    if (value !== null) hash.update(value)
  }
  return hash.digest('hex')
}

const offsetOf = (index: number) => 1_000 + 3 * index
const timestampOf = (index: number) => 1_767_225_600_000 + index

function batchOf(values: readonly (Buffer | null)[]): RecordBatch {
  return {
    topic: 't',
    partition: 0,
    length: values.length,
    byteLength: values.reduce((sum, value) => sum + (value?.length ?? 0), 0),
    offset: offsetOf,
    timestamp: timestampOf,
    key: () => null,
    value: (index) => values[index] ?? null,
    header: (index, name) => (name === 'src' ? `0:${50 + index}` : null),
  }
}

function digestOf(values: readonly (Buffer | null)[]) {
  const digest = openRangeDigest(7)
  const batch = batchOf(values)
  for (let index = 0; index < values.length; index++) digest.add(batch, index)
  const { rows, bytes, src } = digest
  return { rows, bytes, src, hex: digest.finish() }
}

test('the digest is that of every record’s frame and value in turn, whatever their sizes', () => {
  const size = fc.oneof(fc.nat({ max: 40 }), fc.integer({ min: 65_000, max: 66_000 }))
  const value = fc.option(
    fc.tuple(size, fc.nat({ max: 255 })).map(([length, fill]) => Buffer.alloc(length, fill)),
  )
  fc.assert(
    fc.property(fc.array(value, { maxLength: 12 }), (values) => {
      expect(digestOf(values)).toEqual({
        rows: values.length,
        bytes: values.reduce((sum, each) => sum + (each?.length ?? 0), 0),
        src: values.length === 0 ? 7 : 49 + values.length,
        hex: hashedOneByOne(values),
      })
    }),
  )
})

test('a tombstone and an empty value are not the same', () => {
  expect(digestOf([null]).hex).not.toBe(digestOf([Buffer.alloc(0)]).hex)
})
