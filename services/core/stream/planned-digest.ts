import { createHash } from 'node:crypto'
import type { RecordBatch } from '../kafka/log.ts'
import { HEADERS } from '../kafka/topics.ts'

/** What a plan says about the records of its range, gathered while they are read. */
export interface RangeDigest {
  add(records: RecordBatch, index: number): void
  readonly rows: number
  /** Sum of value sizes. */
  readonly bytes: number
  /** Highest raw offset, see `Progress.src`. */
  readonly src: number
  /** Hex; ends the digest. */
  finish(): string
}

/** @param srcBefore highest raw offset before the range */
export function openRangeDigest(srcBefore: number): RangeDigest {
  const hash = createHash('sha256')
  const frame = new Uint8Array(20)
  const view = new DataView(frame.buffer)
  let rows = 0
  let bytes = 0
  let src = srcBefore
  return {
    add(records, index) {
      const value = records.value(index)
      view.setFloat64(0, records.offset(index), true)
      view.setFloat64(8, records.timestamp(index), true)
      // A tombstone is not the same as an empty value.
      view.setInt32(16, value === null ? -1 : value.length, true)
      hash.update(frame)
      if (value !== null) {
        hash.update(value)
        bytes += value.length
      }
      rows++
      src = Math.max(src, sourceOffset(records.header(index, HEADERS.source)))
    },
    get rows() {
      return rows
    },
    get bytes() {
      return bytes
    },
    get src() {
      return src
    },
    finish: () => hash.digest('hex'),
  }
}

/** Offset of a `<partition>:<offset>` source header; -1 when the record has none. */
export function sourceOffset(header: string | null): number {
  if (header === null) return -1
  const offset = Number(header.slice(header.indexOf(':') + 1))
  return Number.isSafeInteger(offset) ? offset : -1
}
