/**
 * Primitive types of Kafka's protocol (https://kafka.apache.org/protocol#protocol_types) in their "flexible" forms:
 * lengths are unsigned varints of length + 1 where 0 stands for null, and every structure ends with tagged fields.
 *
 * 64-bit integers are numbers here: offsets, timestamps and producer ids stay far below 2^53.
 */
const UINT32 = 4_294_967_296

/** Appends to a buffer that grows. */
export class WireWriter {
  #bytes: Buffer
  #end = 0

  constructor(sizeHint = 256) {
    this.#bytes = Buffer.allocUnsafe(sizeHint)
  }

  get length(): number {
    return this.#end
  }

  /** What was written so far, as a view. */
  get written(): Buffer {
    return this.#bytes.subarray(0, this.#end)
  }

  /** Makes room for `size` more bytes. @returns where they start */
  #take(size: number): number {
    const start = this.#end
    this.#end += size
    if (this.#end > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(this.#end, this.#bytes.length * 2))
      this.#bytes.copy(larger, 0, 0, start)
      this.#bytes = larger
    }
    return start
  }

  int8(value: number): this {
    const at = this.#take(1)
    this.#bytes.writeInt8(value, at)
    return this
  }

  int16(value: number): this {
    const at = this.#take(2)
    this.#bytes.writeInt16BE(value, at)
    return this
  }

  int32(value: number): this {
    const at = this.#take(4)
    this.#bytes.writeInt32BE(value, at)
    return this
  }

  int64(value: number): this {
    const at = this.#take(8)
    int64To(this.#bytes, at, value)
    return this
  }

  boolean(value: boolean): this {
    return this.int8(value ? 1 : 0)
  }

  /** @param value below 2^32 */
  uvarint(value: number): this {
    let rest = value >>> 0
    while (rest > 0x7f) {
      const at = this.#take(1)
      this.#bytes[at] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    const at = this.#take(1)
    this.#bytes[at] = rest
    return this
  }

  string(value: string | null): this {
    if (value === null) return this.uvarint(0)
    const size = Buffer.byteLength(value)
    this.uvarint(size + 1)
    const at = this.#take(size)
    this.#bytes.write(value, at, size)
    return this
  }

  /** With the two-byte length of the older form; request headers still have it. */
  shortString(value: string): this {
    const size = Buffer.byteLength(value)
    this.int16(size)
    const at = this.#take(size)
    this.#bytes.write(value, at, size)
    return this
  }

  bytes(value: Uint8Array): this {
    return this.uvarint(value.length + 1).raw(value)
  }

  raw(value: Uint8Array): this {
    const at = this.#take(value.length)
    this.#bytes.set(value, at)
    return this
  }

  array<T>(values: readonly T[], write: (value: T) => void): this {
    this.uvarint(values.length + 1)
    for (const value of values) write(value)
    return this
  }

  /** Ends a structure: no tagged fields. */
  noTags(): this {
    return this.uvarint(0)
  }
}

/** An answer ended before its last field, or holds what cannot be: the peer does not speak this protocol. */
export class WireFormatError extends Error {
  /** None of Kafka's. */
  readonly code = -1
}

/** Reads from a buffer it does not copy. @throws WireFormatError past its end */
export class WireReader {
  readonly bytes: Buffer
  position: number

  constructor(bytes: Buffer, position = 0) {
    this.bytes = bytes
    this.position = position
  }

  get left(): number {
    return this.bytes.length - this.position
  }

  /** Moves past `size` bytes. @returns where they start */
  skip(size: number): number {
    const start = this.position
    if (size < 0 || size > this.bytes.length - start)
      throw new WireFormatError(`${size} bytes wanted at ${start} of ${this.bytes.length}`)
    this.position = start + size
    return start
  }

  int8(): number {
    return this.bytes.readInt8(this.skip(1))
  }

  int16(): number {
    return this.bytes.readInt16BE(this.skip(2))
  }

  int32(): number {
    return this.bytes.readInt32BE(this.skip(4))
  }

  int64(): number {
    return int64At(this.bytes, this.skip(8))
  }

  boolean(): boolean {
    return this.int8() !== 0
  }

  uvarint(): number {
    let value = 0
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.bytes[this.skip(1)] as number
      value += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) return value
    }
    throw new WireFormatError('a varint of more than five bytes')
  }

  nullableString(): string | null {
    const size = this.uvarint() - 1
    if (size < 0) return null
    const start = this.skip(size)
    return this.bytes.toString('utf8', start, start + size)
  }

  string(): string {
    return this.nullableString() ?? ''
  }

  /** With a two-byte length. */
  shortString(): string {
    const size = this.int16()
    if (size < 0) return ''
    const start = this.skip(size)
    return this.bytes.toString('utf8', start, start + size)
  }

  /** A view; empty for null. */
  bytesView(): Buffer {
    const size = Math.max(0, this.uvarint() - 1)
    const start = this.skip(size)
    return this.bytes.subarray(start, start + size)
  }

  array<T>(read: () => T): T[] {
    return this.#items(this.uvarint() - 1, read)
  }

  /** With a four-byte length. */
  longArray<T>(read: () => T): T[] {
    return this.#items(this.int32(), read)
  }

  #items<T>(count: number, read: () => T): T[] {
    // No item is smaller than a byte: a count beyond that would only fill memory.
    if (count > this.left) throw new WireFormatError(`${count} items in ${this.left} bytes`)
    const values: T[] = []
    for (let n = 0; n < count; n++) values.push(read())
    return values
  }

  /** 16 bytes, a view. */
  uuid(): Buffer {
    const start = this.skip(16)
    return this.bytes.subarray(start, start + 16)
  }

  /** Skips a structure's tagged fields. */
  tags(): void {
    for (let count = this.uvarint(); count > 0; count--) {
      this.uvarint()
      this.skip(this.uvarint())
    }
  }
}

export function int64At(bytes: Buffer, at: number): number {
  return bytes.readInt32BE(at) * UINT32 + bytes.readUInt32BE(at + 4)
}

export function int64To(bytes: Buffer, at: number, value: number): void {
  const high = Math.floor(value / UINT32)
  bytes.writeInt32BE(high, at)
  bytes.writeUInt32BE(value - high * UINT32, at + 4)
}
