import { crc32c, lz4Compress } from '@platformatic/wasm-utils'
import type { ProduceRecord } from '../log.ts'
import { int64At, int64To } from './codec.ts'
import { decompress } from './compression.ts'
import { BATCH, COMPRESSION, LENGTH_END, LZ4, MAGIC, TRANSACTIONAL } from './records.ts'

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
/** Size and offset of a record, attributes, lengths of key and value: what no measuring can know or need know. */
const RECORD_OVERHEAD_MAX = 5 * VARINT_MAX + 1
const FIRST_BYTES = 4 * 1024

/**
 * Gathers records of one partition as the bytes of a record batch, format 2
 * (https://kafka.apache.org/documentation/#recordbatch): each record is copied once, as it comes.
 */
export class RecordBatchWriter {
  count = 0
  #bytes: Buffer
  #end: number = BATCH.records
  readonly #baseTimestamp: number
  #maxTimestamp: number

  /** @param baseTimestamp of the first record, epoch milliseconds */
  constructor(baseTimestamp: number, sizeHint = FIRST_BYTES) {
    this.#bytes = takeBytes(Math.max(sizeHint, FIRST_BYTES))
    this.#baseTimestamp = baseTimestamp
    this.#maxTimestamp = baseTimestamp
  }

  /** Bytes of the batch so far, uncompressed. */
  get size(): number {
    return this.#end
  }

  /**
   * Copies a record into the batch.
   *
   * @param timestamp epoch milliseconds; a clock that went back counts as standing still
   * @param bytesMax what the batch may come to, uncompressed
   * @returns the record's size; 0 when it does not fit and nothing was written
   */
  append(record: ProduceRecord, timestamp: number, bytesMax: number): number {
    const { key, value } = record
    const keySize = sizeOf(key)
    const headersSize = stageHeaders(record.headers)
    const valueSize = value === null ? 0 : value.length
    const start = this.#end
    const sizeMax = RECORD_OVERHEAD_MAX + VARINT_MAX + keySize + valueSize + headersSize
    if (start + sizeMax > bytesMax) return 0
    if (sizeMax > this.#bytes.length - start) this.#grow(start + sizeMax)
    const delta = Math.min(Math.max(0, timestamp - this.#baseTimestamp), DELTA_MAX)
    this.#maxTimestamp = Math.max(this.#maxTimestamp, this.#baseTimestamp + delta)
    const index = this.count++

    const size =
      1 + // attributes, which no record has
      varintSize(delta) +
      varintSize(index) +
      varintSize(key === null ? -1 : keySize) +
      keySize +
      varintSize(value === null ? -1 : valueSize) +
      valueSize +
      headersSize
    const bytes = this.#bytes
    let at = putVarint(bytes, start, size)
    bytes[at++] = 0
    at = putVarint(bytes, at, delta)
    at = putVarint(bytes, at, index)
    at = putVarint(bytes, at, key === null ? -1 : keySize)
    if (typeof key === 'string') at = putText(bytes, at, key, keySize)
    else if (key !== null) at = putBytes(bytes, at, key)
    at = putVarint(bytes, at, value === null ? -1 : valueSize)
    if (value !== null) at = putBytes(bytes, at, value)
    if (headersSize === 1) bytes[at++] = 0
    else {
      staged.bytes.copy(bytes, at, 0, headersSize)
      at += headersSize
    }
    this.#end = at
    return at - start
  }

  /**
   * The batch as it is sent, compressed with lz4 unless it is tiny, but for its author and checksum
   * ({@link signRecordBatch}). Nothing may be appended after.
   */
  seal(): Buffer {
    const plain = this.#bytes.subarray(BATCH.records, this.#end)
    const header = { count: this.count, base: this.#baseTimestamp, max: this.#maxTimestamp }
    const batch = sealed(plain, header)
    giveBack(this.#bytes)
    this.#bytes = NOTHING
    return batch
  }

  #grow(sizeMin: number): void {
    const larger = takeBytes(Math.max(sizeMin, this.#bytes.length * 2))
    this.#bytes.copy(larger, BATCH.records, BATCH.records, this.#end)
    giveBack(this.#bytes)
    this.#bytes = larger
  }
}

const NOTHING = Buffer.alloc(0)
/**
 * Buffers of batches that were sealed, for batches to come: a fresh one for each is more work for the garbage collector
 * than the batch itself.
 */
const spare: Buffer[] = []
/** How many are kept, and how large at most, bytes. */
const SPARE_MAX = 32
const SPARE_BYTES_MAX = 256 * 1024

function takeBytes(sizeMin: number): Buffer {
  const last = spare.at(-1)
  if (last === undefined || last.length < sizeMin) return Buffer.allocUnsafeSlow(sizeMin)
  spare.pop()
  return last
}

/** What was given back last lies on top: it is the likeliest to be of the size that is wanted next. */
function giveBack(bytes: Buffer): void {
  if (bytes.length > SPARE_BYTES_MAX) return
  if (spare.length === SPARE_MAX) spare.shift()
  spare.push(bytes)
}

/** Timestamps of a batch lie within what a varint of 32 bits holds, ms. */
const DELTA_MAX = 0x3fff_ffff

interface Header {
  readonly count: number
  readonly base: number
  readonly max: number
}

function sealed(plain: Buffer, { count, base, max }: Header): Buffer {
  const isCompressed = plain.length >= COMPRESS_BYTES_MIN
  const body = isCompressed ? lz4Compress(plain) : plain
  const batch = Buffer.allocUnsafe(BATCH.records + body.length)
  int64To(batch, BATCH.baseOffset, 0) // the broker sets it
  batch.writeInt32BE(batch.length - LENGTH_END, BATCH.length)
  batch.writeInt32BE(-1, BATCH.leaderEpoch)
  batch[BATCH.magic] = MAGIC
  batch.writeInt16BE(isCompressed ? LZ4 : 0, BATCH.attributes)
  batch.writeInt32BE(count - 1, BATCH.lastOffsetDelta)
  int64To(batch, BATCH.baseTimestamp, base)
  int64To(batch, BATCH.maxTimestamp, max)
  batch.writeInt32BE(count, BATCH.count)
  batch.set(body, BATCH.records)
  return batch
}

/** Writes author and checksum into a sealed batch. The same author gives the same bytes. */
export function signRecordBatch(batch: Buffer, author: BatchAuthor): void {
  const codec = batch.readInt16BE(BATCH.attributes) & COMPRESSION
  batch.writeInt16BE(codec | (author.isTransactional ? TRANSACTIONAL : 0), BATCH.attributes)
  int64To(batch, BATCH.producerId, author.producerId)
  batch.writeInt16BE(author.producerEpoch, BATCH.producerEpoch)
  batch.writeInt32BE(author.firstSequence, BATCH.firstSequence)
  batch.writeUInt32BE(crc32c(batch.subarray(BATCH.attributes)), BATCH.crc)
}

/**
 * Cuts a sealed batch in two, for a topic that takes less than the batch has.
 *
 * @param count records of the first one, at least 1 and fewer than all
 */
export function splitRecordBatch(batch: Buffer, count: number): [Buffer, Buffer] {
  const codec = batch.readInt16BE(BATCH.attributes) & COMPRESSION
  const plain = decompress(codec, batch.subarray(BATCH.records))
  const base = int64At(batch, BATCH.baseTimestamp)
  const max = int64At(batch, BATCH.maxTimestamp)
  const total = batch.readInt32BE(BATCH.count)
  const from = cursorAt(plain, 0)
  for (let n = 0; n < count; n++) {
    const size = from.varint()
    from.at += size
  }
  const first = plain.subarray(0, from.at)
  // Records say which of their batch they are, so those of the second one are numbered anew.
  const second = Buffer.allocUnsafe(plain.length - from.at)
  let to = 0
  for (let index = 0; index < total - count; index++) {
    const size = from.varint()
    const start = from.at
    from.at++ // attributes
    from.varint() // timestamp
    const headEnd = from.at
    from.varint() // number
    const rest = from.at
    const end = start + size
    to = putVarint(second, to, size - (rest - headEnd) + varintSize(index))
    to += plain.copy(second, to, start, headEnd)
    to = putVarint(second, to, index)
    to += plain.copy(second, to, rest, end)
    from.at = end
  }
  return [
    sealed(first, { count, base, max }),
    sealed(second.subarray(0, to), { count: total - count, base, max }),
  ]
}

function cursorAt(bytes: Buffer, start: number) {
  return {
    at: start,
    varint(): number {
      let raw = 0
      for (let shift = 0; ; shift += 7) {
        const byte = bytes[this.at++] as number
        raw |= (byte & 0x7f) << shift
        if (byte < 0x80) return (raw >>> 1) ^ -(raw & 1)
      }
    },
  }
}

/** Headers of the record being appended: one for all, as appending never waits. */
const staged = { bytes: Buffer.allocUnsafe(4096) }

/** Encodes headers into `staged`. @returns their size with their count; 1 when there are none */
function stageHeaders(headers: ProduceRecord['headers']): number {
  if (headers === undefined) return 1
  let count = 0
  // The count comes first and is known last: nearly always one byte.
  let at = 1
  for (const name in headers) {
    const value = headers[name] as string
    const bytesMax = name.length * 3 + value.length * 3 + 2 * VARINT_MAX
    if (at + bytesMax > staged.bytes.length) growStaged(at + bytesMax)
    at = stageText(name, at)
    at = stageText(value, at)
    count++
  }
  const countSize = varintSize(count)
  if (countSize > 1) {
    if (at + VARINT_MAX > staged.bytes.length) growStaged(at + VARINT_MAX)
    staged.bytes.copyWithin(countSize, 1, at)
    at += countSize - 1
  }
  putVarint(staged.bytes, 0, count)
  return at
}

function growStaged(sizeMin: number): void {
  const larger = Buffer.allocUnsafe(Math.max(sizeMin, staged.bytes.length * 2))
  staged.bytes.copy(larger)
  staged.bytes = larger
}

function stageText(text: string, at: number): number {
  const size = sizeOf(text)
  return putText(staged.bytes, putVarint(staged.bytes, at, size), text, size)
}

/** Longest text that a loop writes faster than a call into the runtime does, characters. */
const SHORT_TEXT = 64

/** @returns bytes of UTF-8 */
function sizeOf(content: Uint8Array | string | null): number {
  if (content === null) return 0
  if (typeof content !== 'string') return content.length
  if (content.length > SHORT_TEXT) return Buffer.byteLength(content)
  for (let n = 0; n < content.length; n++)
    if (content.charCodeAt(n) >= 0x80) return Buffer.byteLength(content)
  return content.length
}

/** @param size what `sizeOf` said @returns where the next byte goes, as do the following ones */
function putText(bytes: Buffer, at: number, text: string, size: number): number {
  if (size === text.length && size <= SHORT_TEXT)
    for (let n = 0; n < size; n++) bytes[at + n] = text.charCodeAt(n)
  else bytes.write(text, at, size)
  return at + size
}

function putBytes(bytes: Buffer, at: number, content: Uint8Array): number {
  bytes.set(content, at)
  return at + content.length
}

/** A zigzag varint of 32 bits. */
function putVarint(bytes: Buffer, start: number, value: number): number {
  let at = start
  let rest = ((value << 1) ^ (value >> 31)) >>> 0
  while (rest > 0x7f) {
    bytes[at++] = (rest & 0x7f) | 0x80
    rest >>>= 7
  }
  bytes[at++] = rest
  return at
}

function varintSize(value: number): number {
  const zigzag = ((value << 1) ^ (value >> 31)) >>> 0
  return zigzag < 0x80 ? 1 : zigzag < 0x4000 ? 2 : zigzag < 0x20_0000 ? 3 : zigzag < 0x1000_0000 ? 4 : 5
}
