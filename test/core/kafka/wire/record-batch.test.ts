import { crc32c } from '@platformatic/wasm-utils'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { ProduceRecord } from '../../../../services/core/kafka/log.ts'
import {
  RecordBatchWriter,
  signRecordBatch,
  splitRecordBatch,
} from '../../../../services/core/kafka/wire/record-batch.ts'
import { BATCH, RecordColumns, RecordsReader } from '../../../../services/core/kafka/wire/records.ts'

const NOW = 1_790_000_000_000
const AUTHOR = { producerId: 2 ** 40 + 1, producerEpoch: 3, firstSequence: 17, isTransactional: true }

function sealedOf(records: readonly ProduceRecord[], timestamps: readonly number[] = []): Buffer {
  const writer = new RecordBatchWriter(timestamps[0] ?? NOW)
  records.forEach((each, n) => {
    expect(writer.append(each, timestamps[n] ?? NOW, Number.POSITIVE_INFINITY)).toBeGreaterThan(0)
  })
  return writer.seal()
}

function read(batch: Buffer, names: readonly string[] = []) {
  const columns = new RecordColumns('t', 0)
  new RecordsReader({ bytes: batch, aborted: [] }, 0).read(columns, Number.POSITIVE_INFINITY)
  return Array.from({ length: columns.length }, (_, n) => ({
    offset: columns.offset(n),
    timestamp: columns.timestamp(n),
    key: columns.key(n)?.toString('hex') ?? null,
    value: columns.value(n)?.toString('hex') ?? null,
    headers: names.map((name) => columns.header(n, name)),
  }))
}

const hex = (content: Uint8Array | string | null) => content && Buffer.from(content).toString('hex')
const record = (value: string): ProduceRecord => ({
  topic: 't',
  partition: 0,
  key: null,
  value: Buffer.from(value),
})

const anyRecord: fc.Arbitrary<ProduceRecord> = fc.record({
  topic: fc.constant('t'),
  partition: fc.constant(0),
  key: fc.option(fc.oneof(fc.uint8Array({ maxLength: 90 }), fc.string({ unit: 'grapheme', maxLength: 90 }))),
  value: fc.option(fc.uint8Array({ maxLength: 3_000 })),
  headers: fc.dictionary(
    fc.string({ unit: 'grapheme', maxLength: 20 }).filter((name) => name !== '__proto__'),
    fc.string({ unit: 'grapheme', maxLength: 80 }),
    { maxKeys: 5, noNullPrototype: true },
  ),
})

test('what a batch was cut into at any place is what it was, numbered anew', () => {
  fc.assert(
    fc.property(fc.array(anyRecord, { minLength: 2, maxLength: 200 }), fc.nat(), (records, anywhere) => {
      const names = [...new Set(records.flatMap(({ headers }) => Object.keys(headers ?? {})))].slice(0, 10)
      const count = 1 + (anywhere % (records.length - 1))
      const whole = sealedOf(records)
      const expected = records.map(({ key, value, headers }) => ({
        key: hex(key),
        value: hex(value),
        headers: names.map((name) => (Object.hasOwn(headers ?? {}, name) ? headers?.[name] : null)),
      }))
      const plain = (batch: Buffer) =>
        read(batch, names).map(({ key, value, headers }) => ({ key, value, headers }))
      expect(plain(whole)).toEqual(expected)
      const [first, second] = splitRecordBatch(whole, count)
      expect([...plain(first), ...plain(second)]).toEqual(expected)
      expect(read(second).map(({ offset }) => offset)).toEqual(
        Array.from({ length: records.length - count }, (_, n) => n),
      )
      expect([first, second].map((batch) => batch.readInt32BE(BATCH.count))).toEqual([
        count,
        records.length - count,
      ])
    }),
    { numRuns: 60 },
  )
})

test('a signed batch names its author, and its checksum covers that', () => {
  const batch = sealedOf([record('a'), record('b')])
  signRecordBatch(batch, AUTHOR)
  expect(batch.readBigInt64BE(BATCH.producerId)).toBe(2n ** 40n + 1n)
  expect([batch.readInt16BE(BATCH.producerEpoch), batch.readInt32BE(BATCH.firstSequence)]).toEqual([3, 17])
  expect(batch.readUInt32BE(BATCH.crc)).toBe(crc32c(batch.subarray(BATCH.attributes)))
  const again = Buffer.from(batch)
  signRecordBatch(again, AUTHOR)
  expect(again.equals(batch)).toBe(true)
})

test('what does not fit is not written, and what is written never exceeds the bound', () => {
  for (const bytesMax of [1_000, 50_000]) {
    const writer = new RecordBatchWriter(NOW)
    let written = 0
    while (writer.append(record('x'.repeat(50)), NOW, bytesMax) > 0) written++
    expect(written).toBeGreaterThan(bytesMax / 100)
    expect(writer.count).toBe(written)
    expect(writer.size).toBeLessThanOrEqual(bytesMax)
    expect(read(writer.seal())).toHaveLength(written)
  }
})

test('a clock that goes back counts as standing still, and one that runs on is kept', () => {
  const batch = sealedOf([record('a'), record('b'), record('c')], [NOW, NOW - 5_000, NOW + 70])
  expect(read(batch).map(({ timestamp }) => timestamp - NOW)).toEqual([0, 0, 70])
  expect(Number(batch.readBigInt64BE(BATCH.maxTimestamp)) - NOW).toBe(70)
})

test('more headers than one byte counts, and texts of every length, are read again', () => {
  const headers = Object.fromEntries(
    Array.from({ length: 200 }, (_, n) => [`name-${n}`, `${n % 3 === 0 ? 'ü' : 'u'}`.repeat(n)]),
  )
  const names = Object.keys(headers)
  const [found] = read(sealedOf([{ ...record('v'), headers }]), names)
  expect(found?.headers).toEqual(Object.values(headers))
})

test('buffers that are used again show nothing of the batch before', () => {
  const before = sealedOf(Array.from({ length: 40 }, () => record('secret'.repeat(20))))
  const bytes = Buffer.from(before)
  const after = sealedOf([record('new')])
  expect(read(after).map(({ value }) => value)).toEqual([hex('new')])
  expect(before.equals(bytes)).toBe(true)
})
