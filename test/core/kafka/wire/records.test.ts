import { gzipSync, zstdCompressSync } from 'node:zlib'
import { snappyCompress } from '@platformatic/wasm-utils'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { ProduceRecord } from '../../../../services/core/kafka/log.ts'
import { int64To } from '../../../../services/core/kafka/wire/codec.ts'
import {
  BATCH,
  endOfRecords,
  LENGTH_END,
  RecordColumns,
  RecordsReader,
} from '../../../../services/core/kafka/wire/records.ts'
import { encodeRecordBatch } from '../../../helpers/record-batch.ts'

const CONTROL = 1 << 5
const TIMESTAMP = 1_790_000_000_000

interface Written {
  readonly offset: number
  readonly key: string | null
  readonly value: string | null
  readonly headers: Readonly<Record<string, string>>
}

/** A batch as a broker would hold it. */
function stored(
  records: readonly ProduceRecord[],
  baseOffset: number,
  producer: { id: number; isTransactional: boolean } = { id: 7, isTransactional: false },
): Buffer {
  const batch = encodeRecordBatch(records, TIMESTAMP, {
    producerId: producer.id,
    producerEpoch: 0,
    firstSequence: 0,
    isTransactional: producer.isTransactional,
  })
  int64To(batch, BATCH.baseOffset, baseOffset)
  return batch
}

function marker(baseOffset: number, producerId: number, kind: 'abort' | 'commit'): Buffer {
  const key = Buffer.from([0, 0, 0, kind === 'commit' ? 1 : 0])
  const batch = stored([record(key, Buffer.alloc(6))], baseOffset, { id: producerId, isTransactional: true })
  batch.writeInt16BE(batch.readInt16BE(BATCH.attributes) | CONTROL, BATCH.attributes)
  return batch
}

/** The same records under another compression. */
function recompressed(batch: Buffer, codec: number, compress: (bytes: Buffer) => Buffer): Buffer {
  const body = compress(batch.subarray(BATCH.records))
  const other = Buffer.concat([batch.subarray(0, BATCH.records), body])
  other.writeInt32BE(other.length - LENGTH_END, BATCH.length)
  other.writeInt16BE(codec, BATCH.attributes)
  return other
}

function record(
  key: Uint8Array | string | null,
  value: Uint8Array | null,
  headers?: Record<string, string>,
): ProduceRecord {
  return { topic: 't', partition: 0, key, value, ...(headers && { headers }) }
}

const valued = (...values: readonly string[]) => values.map((value) => record(null, Buffer.from(value)))

function read(
  bytes: Buffer,
  from = 0,
  aborted: { producerId: number; firstOffset: number }[] = [],
  atATime = 1_000,
): { offset: number; key: string | null; value: string | null; timestamp: number }[] {
  const reader = new RecordsReader({ bytes, aborted }, from)
  const found = []
  for (let isRead = false; !isRead; ) {
    const columns = new RecordColumns('t', 0)
    isRead = reader.read(columns, atATime)
    expect(columns.length).toBeLessThanOrEqual(atATime)
    for (let index = 0; index < columns.length; index++)
      found.push({
        offset: columns.offset(index),
        key: columns.key(index)?.toString() ?? null,
        value: columns.value(index)?.toString() ?? null,
        timestamp: columns.timestamp(index),
      })
  }
  return found
}
const valuesRead = (...args: Parameters<typeof read>) => read(...args).map(({ value }) => value)

test('records of any content, in batches of any size, are read as they were written, however few at a time', () => {
  const text = fc.string({ unit: 'binary', maxLength: 40 })
  const one = fc.record({
    key: fc.option(text),
    value: fc.option(fc.oneof(text, fc.string({ minLength: 600, maxLength: 700 }))),
    headers: fc.dictionary(fc.string({ minLength: 1, maxLength: 5 }), text, { maxKeys: 3 }),
  })
  fc.assert(
    fc.property(
      fc.array(fc.array(one, { minLength: 1, maxLength: 70 }), { maxLength: 4 }),
      fc.integer({ min: 1, max: 60 }),
      fc.nat({ max: 2 ** 40 }),
      (batches, atATime, start) => {
        const expected: Written[] = []
        const bytes = Buffer.concat(
          batches.map((records) => {
            const base = start + expected.length
            for (const each of records) expected.push({ ...each, offset: start + expected.length })
            return stored(
              records.map(({ key, value, headers }) =>
                record(key, value === null ? null : Buffer.from(value), headers),
              ),
              base,
            )
          }),
        )
        const reader = new RecordsReader({ bytes, aborted: [] }, start)
        const found: Written[] = []
        for (let isRead = false; !isRead; ) {
          const columns = new RecordColumns('t', 0)
          isRead = reader.read(columns, atATime)
          let size = 0
          for (let index = 0; index < columns.length; index++) {
            const { headers } = expected[found.length] as Written
            size += columns.value(index)?.length ?? 0
            found.push({
              offset: columns.offset(index),
              key: columns.key(index)?.toString() ?? null,
              value: columns.value(index)?.toString() ?? null,
              headers: Object.fromEntries(
                Object.keys(headers).map((name) => [name, columns.header(index, name) as string]),
              ),
            })
            expect(columns.timestamp(index)).toBe(TIMESTAMP)
            expect(columns.header(index, 'no such header')).toBeNull()
          }
          expect(columns.byteLength).toBe(size)
        }
        expect(found).toEqual(expected)
        expect(endOfRecords(bytes, start)).toBe(start + expected.length)
      },
    ),
  )
})

test('every compression that Kafka has is undone', () => {
  const values = Array.from({ length: 40 }, (_, n) => `value ${n} ${'x'.repeat(n % 7)}`)
  const plain = stored(valued(...values), 5)
  // Small enough not to be compressed by us: otherwise the other codecs would hold lz4.
  const small = stored(valued('a', 'b'), 5)
  expect(plain.readInt16BE(BATCH.attributes) & 7).toBe(3)
  expect(small.readInt16BE(BATCH.attributes) & 7).toBe(0)
  expect(valuesRead(plain)).toEqual(values)
  expect(valuesRead(recompressed(small, 1, gzipSync))).toEqual(['a', 'b'])
  expect(valuesRead(recompressed(small, 2, snappyCompress))).toEqual(['a', 'b'])
  expect(valuesRead(recompressed(small, 2, xerial))).toEqual(['a', 'b'])
  expect(valuesRead(recompressed(small, 4, zstdCompressSync))).toEqual(['a', 'b'])
  expect(() => read(recompressed(small, 5, (bytes) => bytes))).toThrow('compression 5')
  expect(() => read(recompressed(small, 4, (bytes) => bytes))).toThrow()
})

/** As snappy-java writes it: a header, then blocks with their sizes. */
function xerial(bytes: Buffer): Buffer {
  const header = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1])
  const blocks = [bytes.subarray(0, 9), bytes.subarray(9)].flatMap((part) => {
    const block = snappyCompress(part)
    const size = Buffer.alloc(4)
    size.writeUInt32BE(block.length)
    return [size, block]
  })
  return Buffer.concat([header, ...blocks])
}

test('a cut batch at the end is left for the next fetch', () => {
  const first = stored(valued('a', 'b'), 0)
  const second = stored(valued('c'), 2)
  const whole = Buffer.concat([first, second])
  for (let cut = 0; cut < second.length; cut++) {
    const bytes = whole.subarray(0, first.length + cut)
    expect(valuesRead(bytes)).toEqual(['a', 'b'])
    expect(endOfRecords(bytes, 0)).toBe(2)
  }
  expect(endOfRecords(first.subarray(0, 30), 0)).toBe(0)
})

test('records before the wanted offset, which come with their batch, are left out', () => {
  const bytes = Buffer.concat([stored(valued('a', 'b', 'c'), 10), stored(valued('d'), 13)])
  expect(valuesRead(bytes, 12)).toEqual(['c', 'd'])
  expect(valuesRead(bytes, 13)).toEqual(['d'])
})

test('aborted transactions do not show, nor do markers; other producers’ records between them do', () => {
  const [one, two] = [
    { id: 1, isTransactional: true },
    { id: 2, isTransactional: true },
  ]
  const bytes = Buffer.concat([
    stored(valued('aborted 0'), 0, one),
    stored(valued('kept 1'), 1, two),
    stored(valued('aborted 2'), 2, one),
    stored(valued('plain 3'), 3),
    marker(4, 1, 'abort'),
    stored(valued('kept 5'), 5, one),
    marker(6, 2, 'commit'),
    stored(valued('aborted 7'), 7, two),
    marker(8, 1, 'commit'),
    marker(9, 2, 'abort'),
  ])
  const aborted = [
    { producerId: 1, firstOffset: 0 },
    { producerId: 2, firstOffset: 7 },
  ]
  for (const atATime of [1, 2, 100])
    for (const inAnyOrder of [aborted, aborted.toReversed()])
      expect(valuesRead(bytes, 0, inAnyOrder, atATime)).toEqual(['kept 1', 'plain 3', 'kept 5'])
  expect(endOfRecords(bytes, 0)).toBe(10)
})

test('records appended in the log’s time have that one', () => {
  const batch = stored(valued('a', 'b'), 0)
  batch.writeInt16BE(1 << 3, BATCH.attributes)
  int64To(batch, BATCH.maxTimestamp, 42)
  expect(read(batch).map(({ timestamp }) => timestamp)).toEqual([42, 42])
})

test('bytes that are no records are an error, not records', () => {
  const older = stored(valued('a'), 0)
  older[BATCH.magic] = 1
  expect(() => read(older)).toThrow('format 1')
  const overlong = stored(valued('a'), 3)
  overlong[BATCH.records] = 0x7e
  expect(() => read(overlong)).toThrow()
})

test('offsets keep their gaps, as compaction leaves them', () => {
  const batch = stored(valued('a', 'b'), 100)
  batch.writeInt32BE(40, BATCH.lastOffsetDelta)
  expect(read(batch).map(({ offset }) => offset)).toEqual([100, 101])
  expect(endOfRecords(batch, 100)).toBe(141)
})
