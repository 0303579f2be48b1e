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

/** Frame of a record: offset, timestamp, size of the value. */
const FRAME_BYTES = 20
/** Records are gathered so that hashing costs one native call for many of them; a longer value goes by itself. */
const GATHERED_BYTES = 64 * 1024

/** @param srcBefore highest raw offset before the range */
export function openRangeDigest(srcBefore: number): RangeDigest {
  const hash = createHash('sha256')
  const gathered = new Uint8Array(GATHERED_BYTES)
  const view = new DataView(gathered.buffer)
  let used = 0
  let rows = 0
  let bytes = 0
  let src = srcBefore
  const flush = () => {
    hash.update(gathered.subarray(0, used))
    used = 0
  }
  return {
    add(records, index) {
      const value = records.value(index)
      if (used + FRAME_BYTES > GATHERED_BYTES) flush()
      view.setFloat64(used, records.offset(index), true)
      view.setFloat64(used + 8, records.timestamp(index), true)
      // A tombstone is not the same as an empty value.
      view.setInt32(used + 16, value === null ? -1 : value.length, true)
      used += FRAME_BYTES
      if (value !== null) {
        if (used + value.length > GATHERED_BYTES) flush()
        if (value.length > GATHERED_BYTES) hash.update(value)
        else {
          gathered.set(value, used)
          used += value.length
        }
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
    finish() {
      flush()
      return hash.digest('hex')
    },
  }
}

/** Offset of a `<partition>:<offset>` source header; -1 when the record has none. */
export function sourceOffset(header: string | null): number {
  if (header === null) return -1
  const offset = Number(header.slice(header.indexOf(':') + 1))
  return Number.isSafeInteger(offset) ? offset : -1
}
