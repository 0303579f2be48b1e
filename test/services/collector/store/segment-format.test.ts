import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  decodeHeader,
  encodeHeader,
  FRAME_BYTES,
  frameAt,
  frameRecord,
  MARKER_BYTES,
  scanRecords,
  wholeRecordsEnd,
} from '../../../../services/collector/store/segment-format.ts'
import { decodeStoredRecord, encodeStoredRecord } from '../../../../services/collector/store/stored-record.ts'

const MARKER = Buffer.from('a1b2c3d4e5f60718', 'hex')
const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map((array) => Buffer.from(array))
const payloads = fc.array(bytes(80), { maxLength: 12 })
const fileOf = (list: readonly Buffer[]) => Buffer.concat(list.map((payload) => frameRecord(MARKER, payload)))
const hex = (list: readonly Buffer[]) => list.map((payload) => payload.toString('hex'))

test('any truncation yields the records that are whole, and nothing else', () => {
  fc.assert(
    fc.property(payloads, fc.nat(), (list, cut) => {
      const file = fileOf(list)
      const kept = file.subarray(0, cut % (file.length + 1))
      const scan = scanRecords(kept, 0, MARKER, true)
      expect(hex(scan.payloads)).toEqual(hex(list.slice(0, scan.payloads.length)))
      const end = fileOf(list.slice(0, scan.payloads.length)).length
      expect(wholeRecordsEnd(kept, 0, MARKER)).toBe(end)
      expect(scan.damagedBytes).toBe(kept.length - end)
      // The next record, if there is one, does not fit.
      const following = list[scan.payloads.length]
      if (following) expect(end + FRAME_BYTES + following.length).toBeGreaterThan(kept.length)
    }),
  )
})

test('a flipped bit is found, costs the record that it is in, and no other', () => {
  fc.assert(
    fc.property(fc.array(bytes(80), { minLength: 1, maxLength: 12 }), fc.nat(), (list, where) => {
      const file = fileOf(list)
      const bit = where % (file.length * 8)
      const at = bit >> 3
      file[at] = file[at]! ^ (1 << (bit & 7))
      const ends = list.map((_, index) => fileOf(list.slice(0, index + 1)).length)
      const hit = ends.findIndex((end) => at < end)
      const scan = scanRecords(file, 0, MARKER, true)
      expect(hex(scan.payloads)).toEqual(hex(list.filter((_, index) => index !== hit)))
      expect(scan.damagedBytes).toBe(FRAME_BYTES + list[hit]!.length)
      expect(wholeRecordsEnd(file, 0, MARKER)).toBe(hit === 0 ? 0 : ends[hit - 1])
    }),
    { numRuns: 1000 },
  )
})

test('read in pieces of any size, over any damage, a file gives what it gives in one', () => {
  fc.assert(
    fc.property(
      payloads,
      fc.array(fc.nat(), { maxLength: 4 }),
      fc.integer({ min: 1, max: 60 }),
      (list, hits, step) => {
        const file = fileOf(list)
        for (const hit of hits) if (file.length > 0) file[hit % file.length] = 0xff
        const whole = scanRecords(file, 0, MARKER, true)
        const found: Buffer[] = []
        let damaged = 0
        let size = step
        for (let at = 0; at < file.length; ) {
          const end = Math.min(file.length, at + size)
          const piece = scanRecords(file.subarray(at, end), 0, MARKER, end === file.length)
          found.push(...piece.payloads)
          damaged += piece.damagedBytes
          at += piece.next
          size = piece.next === 0 ? size + step : step
        }
        expect(hex(found)).toEqual(hex(whole.payloads))
        expect(damaged).toBe(whole.damagedBytes)
      },
    ),
  )
})

test('a damaged length asks for no more than a record may have', () => {
  const file = fileOf([Buffer.from('one'), Buffer.from('two')])
  file.writeUInt32BE(0xfffffff0, MARKER_BYTES + 4)
  expect(frameAt(file, 0, MARKER).kind).toBe('damaged')
  expect(hex(scanRecords(file, 0, MARKER, true).payloads)).toEqual(hex([Buffer.from('two')]))
})

test('bytes of a client that look like a record are none without the marker', () => {
  const forged = frameRecord(Buffer.from('0102030405060708', 'hex'), Buffer.from('forged'))
  const file = fileOf([Buffer.concat([Buffer.from('x'), forged]), Buffer.from('after')])
  file[FRAME_BYTES] = 0
  expect(hex(scanRecords(file, 0, MARKER, true).payloads)).toEqual(hex([Buffer.from('after')]))
})

test('a header is read back, and is none once a byte of it is lost or changed', () => {
  const header = { topic: 'acme.events.raw', createdMs: 1_700_000_000_000, marker: MARKER }
  const file = encodeHeader(header)
  expect(decodeHeader(Buffer.concat([file, Buffer.from('more')]))).toEqual({ header, end: file.length })
  for (let at = 0; at < file.length; at++) {
    expect(decodeHeader(file.subarray(0, at))).toBe(null)
    const changed = Buffer.from(file)
    changed[at] = changed[at]! ^ 1
    expect(decodeHeader(changed)).toBe(null)
  }
})

test('a record comes back as it was, absent key and value told from empty ones', () => {
  const part = fc.option(bytes(40))
  fc.assert(
    fc.property(
      fc.nat({ max: 2 ** 31 - 1 }),
      part,
      part,
      fc.dictionary(fc.string(), fc.string(), { noNullPrototype: true }),
      (partition, key, value, headers) => {
        const record = { partition, key, value, headers }
        expect(decodeStoredRecord(encodeStoredRecord(record))).toEqual(record)
      },
    ),
  )
  const text = decodeStoredRecord(encodeStoredRecord({ partition: 1, key: 'ä', value: null }))
  expect([`${text.key}`, text.headers]).toEqual(['ä', {}])
})
