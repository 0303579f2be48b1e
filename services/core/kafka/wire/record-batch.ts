import { crc32c, lz4Compress } from '@platformatic/wasm-utils'
import type { ProduceRecord } from '../log.ts'
import { int64To } from './codec.ts'
import { BATCH, LENGTH_END, LZ4, MAGIC, TRANSACTIONAL } from './records.ts'

/** Who writes a batch, for the broker to tell repetitions and fenced producers by. */
export interface BatchAuthor {
  readonly producerId: number
  readonly producerEpoch: number
  /** Number of the first record among those of this producer in this partition. */
  readonly firstSequence: number
  readonly isTransactional: boolean
}

/** Uncompressed bytes below which compressing costs more than it saves. */
const COMPRESS_BYTES_MIN = 512
/** Longest varint of 32 bits, bytes. */
const VARINT_MAX = 5

/**
 * One record batch, format 2, compressed with lz4 unless it is tiny.
 *
 * @param records of one partition, at least one
 * @param timestamp of every record, epoch milliseconds
 * @returns a buffer of its own
 */
export function encodeRecordBatch(
  records: readonly ProduceRecord[],
  timestamp: number,
  author: BatchAuthor,
): Buffer {
  let sizeMax = 0
  for (const record of records) sizeMax += recordSizeMax(record)
  const plain = Buffer.allocUnsafe(BATCH.records + sizeMax)
  out.bytes = plain
  out.at = BATCH.records
  for (let index = 0; index < records.length; index++) writeRecord(records[index] as ProduceRecord, index)
  const plainEnd = out.at
  out.bytes = NOTHING
  const isCompressed = plainEnd - BATCH.records >= COMPRESS_BYTES_MIN
  const batch = isCompressed
    ? Buffer.concat([plain.subarray(0, BATCH.records), lz4Compress(plain.subarray(BATCH.records, plainEnd))])
    : plain.subarray(0, plainEnd)

  int64To(batch, BATCH.baseOffset, 0) // the broker sets it
  batch.writeInt32BE(batch.length - LENGTH_END, BATCH.length)
  batch.writeInt32BE(-1, BATCH.leaderEpoch)
  batch[BATCH.magic] = MAGIC
  batch.writeInt16BE(
    (isCompressed ? LZ4 : 0) | (author.isTransactional ? TRANSACTIONAL : 0),
    BATCH.attributes,
  )
  batch.writeInt32BE(records.length - 1, BATCH.lastOffsetDelta)
  int64To(batch, BATCH.baseTimestamp, timestamp)
  int64To(batch, BATCH.maxTimestamp, timestamp)
  int64To(batch, BATCH.producerId, author.producerId)
  batch.writeInt16BE(author.producerEpoch, BATCH.producerEpoch)
  batch.writeInt32BE(author.firstSequence, BATCH.firstSequence)
  batch.writeInt32BE(records.length, BATCH.count)
  batch.writeUInt32BE(crc32c(batch.subarray(BATCH.attributes)), BATCH.crc)
  return batch
}

/** @returns bytes that the record takes in a batch at most, uncompressed */
export function recordSizeMax({ key, value, headers }: ProduceRecord): number {
  let size = 6 * VARINT_MAX + 1 + bytesOf(key) + (value?.length ?? 0)
  if (headers !== undefined)
    for (const name in headers)
      size += 2 * VARINT_MAX + Buffer.byteLength(name) + Buffer.byteLength(headers[name] as string)
  return size
}

function bytesOf(key: Uint8Array | string | null): number {
  if (key === null) return 0
  return typeof key === 'string' ? Buffer.byteLength(key) : key.length
}

function writeRecord({ key, value, headers }: ProduceRecord, offsetDelta: number): void {
  const keySize = bytesOf(key)
  let size =
    1 + // attributes
    1 + // timestamp, which is the batch's
    varintSize(offsetDelta) +
    varintSize(key === null ? -1 : keySize) +
    keySize +
    varintSize(value === null ? -1 : value.length) +
    (value?.length ?? 0)
  let headerCount = 0
  if (headers !== undefined)
    for (const name in headers) {
      const nameSize = Buffer.byteLength(name)
      const textSize = Buffer.byteLength(headers[name] as string)
      size += varintSize(nameSize) + nameSize + varintSize(textSize) + textSize
      headerCount++
    }
  varint(size + varintSize(headerCount))
  out.bytes[out.at++] = 0
  out.bytes[out.at++] = 0
  varint(offsetDelta)
  sized(key, keySize)
  sized(value, value?.length ?? 0)
  varint(headerCount)
  if (headers !== undefined)
    for (const name in headers) {
      sized(name, Buffer.byteLength(name))
      sized(headers[name] as string, Buffer.byteLength(headers[name] as string))
    }
}

const NOTHING = Buffer.alloc(0)
/** Where the functions below write: one for all, as they never wait. */
const out = { bytes: NOTHING as Buffer, at: 0 }

function sized(content: Uint8Array | string | null, size: number): void {
  varint(content === null ? -1 : size)
  if (content === null) return
  if (typeof content === 'string') out.bytes.write(content, out.at, size)
  else out.bytes.set(content, out.at)
  out.at += size
}

/** A zigzag varint of 32 bits. */
function varint(value: number): void {
  let rest = ((value << 1) ^ (value >> 31)) >>> 0
  while (rest > 0x7f) {
    out.bytes[out.at++] = (rest & 0x7f) | 0x80
    rest >>>= 7
  }
  out.bytes[out.at++] = rest
}

function varintSize(value: number): number {
  const zigzag = ((value << 1) ^ (value >> 31)) >>> 0
  return zigzag < 0x80 ? 1 : zigzag < 0x4000 ? 2 : zigzag < 0x20_0000 ? 3 : zigzag < 0x1000_0000 ? 4 : 5
}
