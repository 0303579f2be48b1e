import type { RecordBatch } from '../log.ts'
import { int64At } from './codec.ts'
import { decompress } from './compression.ts'

/**
 * Kafka's record batches, format 2 (https://kafka.apache.org/documentation/#recordbatch), read without an object per
 * record: what a record is made of is kept as positions in the fetched or decompressed bytes.
 *
 * Where each field of a batch begins:
 */
export const BATCH = {
  baseOffset: 0,
  /** Bytes that follow this field. */
  length: 8,
  leaderEpoch: 12,
  magic: 16,
  /** CRC-32C of everything after it. */
  crc: 17,
  attributes: 21,
  lastOffsetDelta: 23,
  baseTimestamp: 27,
  maxTimestamp: 35,
  producerId: 43,
  producerEpoch: 51,
  firstSequence: 53,
  count: 57,
  records: 61,
} as const
/** Bytes before those that `length` counts. */
export const LENGTH_END = 12
export const COMPRESSION = 0b111
export const LZ4 = 3
const LOG_APPEND_TIME = 1 << 3
export const TRANSACTIONAL = 1 << 4
const CONTROL = 1 << 5
export const MAGIC = 2
const ABORT_MARKER = 0

export interface AbortedTransaction {
  readonly producerId: number
  readonly firstOffset: number
}

/** The answer for one partition: whole record batches, perhaps a cut one at the end, and whose records do not count. */
export interface FetchedRecords {
  readonly bytes: Buffer
  /** In any order: brokers name them by when they ended. */
  readonly aborted: readonly AbortedTransaction[]
}

/** @returns the offset after the last whole batch; `from` when there is none */
export function endOfRecords(bytes: Buffer, from: number): number {
  let next = from
  for (let at = 0; ; ) {
    const size = wholeBatchSize(bytes, at)
    if (size === 0) return next
    next = Math.max(next, int64At(bytes, at) + bytes.readInt32BE(at + BATCH.lastOffsetDelta) + 1)
    at += size
  }
}

/** @returns its size in bytes; 0 when the batch at `at` is cut off, or none begins there */
function wholeBatchSize(bytes: Buffer, at: number): number {
  if (bytes.length - at < BATCH.records) return 0
  const size = LENGTH_END + bytes.readInt32BE(at + BATCH.length)
  return size >= BATCH.records && size <= bytes.length - at ? size : 0
}

/** Numbers kept per record in {@link RecordColumns}. */
const COLUMNS = 6
const [BUFFER, KEY, KEY_SIZE, VALUE, VALUE_SIZE, HEADERS] = [0, 1, 2, 3, 4, 5] as const

/** Records of one partition, collected across record batches. */
export class RecordColumns implements RecordBatch {
  readonly topic: string
  readonly partition: number
  length = 0
  byteLength = 0
  readonly #buffers: Buffer[] = []
  #columns = new Int32Array(64 * COLUMNS)
  /** Offset and timestamp in turn. */
  #numbers = new Float64Array(64 * 2)
  #viewedIndex = -1
  #viewed: Buffer | null = null

  constructor(topic: string, partition: number) {
    this.topic = topic
    this.partition = partition
  }

  offset(index: number): number {
    return this.#numbers[index * 2] as number
  }

  timestamp(index: number): number {
    return this.#numbers[index * 2 + 1] as number
  }

  key(index: number): Buffer | null {
    return this.#view(index, KEY, KEY_SIZE)
  }

  value(index: number): Buffer | null {
    // Whoever goes through a batch asks for the same value several times before the next one.
    if (index !== this.#viewedIndex) {
      this.#viewed = this.#view(index, VALUE, VALUE_SIZE)
      this.#viewedIndex = index
    }
    return this.#viewed
  }

  header(index: number, name: string): string | null {
    const wanted = knownHeader(name)
    const at = index * COLUMNS
    const bytes = this.#buffers[this.#columns[at + BUFFER] as number] as Buffer
    cursor.bytes = bytes
    cursor.at = this.#columns[at + HEADERS] as number
    for (let left = varint(); left > 0; left--) {
      const nameSize = varint()
      const nameAt = cursor.at
      cursor.at += nameSize
      const valueSize = varint()
      const valueAt = cursor.at
      if (valueSize > 0) cursor.at += valueSize
      if (matches(bytes, nameAt, nameSize, wanted.name))
        return valueSize <= 0 ? '' : headerText(wanted, bytes, valueAt, valueSize)
    }
    return null
  }

  /** @returns the number that `add` takes for records in these bytes */
  buffer(bytes: Buffer): number {
    return this.#buffers.push(bytes) - 1
  }

  /** Sizes of -1 stand for null. */
  add(
    buffer: number,
    offset: number,
    timestamp: number,
    key: number,
    keySize: number,
    value: number,
    valueSize: number,
    headers: number,
  ): void {
    const at = this.length * COLUMNS
    if (at === this.#columns.length) this.#grow()
    const columns = this.#columns
    columns[at + BUFFER] = buffer
    columns[at + KEY] = key
    columns[at + KEY_SIZE] = keySize
    columns[at + VALUE] = value
    columns[at + VALUE_SIZE] = valueSize
    columns[at + HEADERS] = headers
    this.#numbers[this.length * 2] = offset
    this.#numbers[this.length * 2 + 1] = timestamp
    this.length++
    if (valueSize > 0) this.byteLength += valueSize
  }

  #view(index: number, start: number, size: number): Buffer | null {
    const at = index * COLUMNS
    const length = this.#columns[at + size] as number
    if (length < 0) return null
    const from = this.#columns[at + start] as number
    return (this.#buffers[this.#columns[at + BUFFER] as number] as Buffer).subarray(from, from + length)
  }

  #grow(): void {
    const columns = new Int32Array(this.#columns.length * 2)
    columns.set(this.#columns)
    this.#columns = columns
    const numbers = new Float64Array(this.#numbers.length * 2)
    numbers.set(this.#numbers)
    this.#numbers = numbers
  }
}

/** A header that somebody asks for: its name as bytes, and its last value, which is mostly the next one too. */
interface KnownHeader {
  readonly name: Buffer
  value: Buffer
  text: string
}

/** Code asks for few names; where a person's question names one, the rest is forgotten. */
const KNOWN_HEADERS_MAX = 64
const knownHeaders = new Map<string, KnownHeader>()

function knownHeader(name: string): KnownHeader {
  let known = knownHeaders.get(name)
  if (!known) {
    if (knownHeaders.size >= KNOWN_HEADERS_MAX) knownHeaders.clear()
    known = { name: Buffer.from(name), value: EMPTY, text: '' }
    knownHeaders.set(name, known)
  }
  return known
}

/** Compared byte by byte: these are short, and a call into native code costs more. */
function matches(bytes: Buffer, at: number, size: number, wanted: Buffer): boolean {
  if (size !== wanted.length) return false
  for (let i = 0; i < size; i++) if (bytes[at + i] !== wanted[i]) return false
  return true
}

function headerText(known: KnownHeader, bytes: Buffer, at: number, size: number): string {
  if (!matches(bytes, at, size, known.value)) {
    known.text = bytes.toString('utf8', at, at + size)
    known.value = Buffer.from(bytes.subarray(at, at + size))
  }
  return known.text
}

/** Reads what was fetched of a partition, record batch by record batch, from a given offset on. */
export class RecordsReader {
  readonly #bytes: Buffer
  readonly #from: number
  /** By `firstOffset`. */
  readonly #aborted: readonly AbortedTransaction[]
  #abortedSeen = 0
  /** Producers whose transaction is known to have been aborted, until their marker comes. */
  readonly #abortedProducers = new Set<number>()
  #batchAt = 0
  /** Records left of the batch under way, and where the next one is. */
  #left = 0
  #records: Buffer = EMPTY
  #recordAt = 0
  #baseOffset = 0
  #baseTimestamp = 0
  #appendTime: number | null = null

  constructor({ bytes, aborted }: FetchedRecords, from: number) {
    this.#bytes = bytes
    this.#from = from
    this.#aborted = aborted.toSorted((a, b) => a.firstOffset - b.firstOffset)
  }

  /**
   * Adds committed records to `columns` until it has `lengthMax` or none are left.
   *
   * @returns whether everything was read
   * @throws Error when the bytes are not record batches of format 2 or cannot be decompressed
   */
  read(columns: RecordColumns, lengthMax: number): boolean {
    for (;;) {
      if (this.#left > 0) this.#readRecords(columns, lengthMax)
      if (this.#left > 0) return false
      if (!this.#openBatch()) return true
      // Room is looked at after the batch was opened: what follows may be markers only, and then all is read.
      if (this.#left > 0 && columns.length >= lengthMax) return false
    }
  }

  /** Steps into the next batch with records that count. @returns false at the end */
  #openBatch(): boolean {
    const bytes = this.#bytes
    for (;;) {
      const at = this.#batchAt
      const size = wholeBatchSize(bytes, at)
      if (size === 0) return false
      this.#batchAt += size
      const baseOffset = int64At(bytes, at)
      const lastOffset = baseOffset + bytes.readInt32BE(at + BATCH.lastOffsetDelta)
      if (bytes[at + BATCH.magic] !== MAGIC)
        throw new Error(
          `the record batch at offset ${baseOffset} has format ${bytes[at + BATCH.magic]}, not 2`,
        )
      const attributes = bytes.readInt16BE(at + BATCH.attributes)
      const producerId = int64At(bytes, at + BATCH.producerId)
      this.#noteAborted(lastOffset)
      if ((attributes & CONTROL) !== 0) {
        if (isAbortMarker(bytes, at)) this.#abortedProducers.delete(producerId)
        continue
      }
      const aborted = (attributes & TRANSACTIONAL) !== 0 && this.#abortedProducers.has(producerId)
      const count = bytes.readInt32BE(at + BATCH.count)
      if (aborted || lastOffset < this.#from || count === 0) continue
      const stored = bytes.subarray(at + BATCH.records, at + size)
      this.#records = decompress(attributes & COMPRESSION, stored)
      this.#recordAt = 0
      this.#left = count
      this.#baseOffset = baseOffset
      this.#baseTimestamp = int64At(bytes, at + BATCH.baseTimestamp)
      this.#appendTime = (attributes & LOG_APPEND_TIME) === 0 ? null : int64At(bytes, at + BATCH.maxTimestamp)
      return true
    }
  }

  #noteAborted(lastOffset: number): void {
    for (; this.#abortedSeen < this.#aborted.length; this.#abortedSeen++) {
      const { producerId, firstOffset } = this.#aborted[this.#abortedSeen] as AbortedTransaction
      if (firstOffset > lastOffset) return
      this.#abortedProducers.add(producerId)
    }
  }

  #readRecords(columns: RecordColumns, lengthMax: number): void {
    const bytes = this.#records
    const buffer = columns.buffer(bytes)
    cursor.bytes = bytes
    let next = this.#recordAt
    while (this.#left > 0 && columns.length < lengthMax) {
      cursor.at = next
      const size = varint()
      next = cursor.at + size
      if (size < 0 || next > bytes.length) throw new Error(`a record beyond the end of its batch`)
      cursor.at++ // attributes, which no record has
      const timestamp = longVarint() + this.#baseTimestamp
      const offset = this.#baseOffset + varint()
      const keySize = varint()
      const key = cursor.at
      if (keySize > 0) cursor.at += keySize
      const valueSize = varint()
      const value = cursor.at
      if (valueSize > 0) cursor.at += valueSize
      if (cursor.at > next) throw new Error(`a record at offset ${offset} is longer than it says`)
      this.#left--
      if (offset >= this.#from)
        columns.add(buffer, offset, this.#appendTime ?? timestamp, key, keySize, value, valueSize, cursor.at)
    }
    this.#recordAt = next
    if (this.#left === 0) this.#records = EMPTY
  }
}

const EMPTY = Buffer.alloc(0)

/** A control batch holds one record; its key is a version and a kind, two bytes each. */
function isAbortMarker(bytes: Buffer, batchAt: number): boolean {
  cursor.bytes = bytes
  cursor.at = batchAt + BATCH.records
  varint() // size
  cursor.at++ // attributes
  longVarint() // timestamp
  varint() // offset
  return varint() >= 4 && bytes.readInt16BE(cursor.at + 2) === ABORT_MARKER
}

/** Where the two functions below read: one for all, as they never wait. */
const cursor = { bytes: EMPTY as Buffer, at: 0 }

/** A zigzag varint of 32 bits. */
function varint(): number {
  const { bytes } = cursor
  let at = cursor.at
  let byte = bytes[at++] as number
  let raw = byte & 0x7f
  for (let shift = 7; byte >= 0x80; shift += 7) {
    byte = bytes[at++] as number
    if (shift > 28 || byte === undefined) throw new Error('a varint without an end')
    raw |= (byte & 0x7f) << shift
  }
  cursor.at = at
  return (raw >>> 1) ^ -(raw & 1)
}

/** A zigzag varint of 64 bits, as a number below 2^53. */
function longVarint(): number {
  const { bytes } = cursor
  let raw = 0
  for (let factor = 1, n = 0; n < 10; n++, factor *= 128) {
    const byte = bytes[cursor.at++]
    if (byte === undefined) break
    raw += (byte & 0x7f) * factor
    if (byte < 0x80) return raw % 2 === 0 ? raw / 2 : -(raw + 1) / 2
  }
  throw new Error('a varint without an end')
}
