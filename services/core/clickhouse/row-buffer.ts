/** Rows of an open batch as lines of bytes, with what is needed to find single ones again. */
export interface RowBuffer {
  readonly rows: number
  readonly byteLength: number
  /** Copies the line. `srcOffset` must be higher than that of every row before. */
  add(line: Uint8Array, srcOffset: number, offset: number, landedMs: number): void
  /** Raw offset of a row. */
  srcOffset(row: number): number
  /** Offset of the record in its topic. */
  offset(row: number): number
  landedMs(row: number): number
  /** The line of a row without its newline; a view. */
  line(row: number): Buffer
  /** All lines, each with its newline; a view, valid until the next `add`. */
  bytes(): Buffer
  /** Lines of some rows, each with its newline. */
  pick(rows: readonly number[]): Buffer
}

const FIRST_BYTES = 64 * 1024
const NEWLINE = 0x0a

export function createRowBuffer(): RowBuffer {
  let buffer = Buffer.allocUnsafe(0)
  let length = 0
  const ends: number[] = []
  const srcOffsets: number[] = []
  const offsets: number[] = []
  const landed: number[] = []
  const line = (row: number) =>
    buffer.subarray(row === 0 ? 0 : (ends[row - 1] as number), (ends[row] as number) - 1)

  return {
    get rows() {
      return ends.length
    },
    get byteLength() {
      return length
    },
    add(bytes, srcOffset, offset, landedMs) {
      const needed = length + bytes.length + 1
      if (needed > buffer.length) {
        const grown = Buffer.allocUnsafe(Math.max(FIRST_BYTES, needed, buffer.length * 2))
        buffer.copy(grown, 0, 0, length)
        buffer = grown
      }
      buffer.set(bytes, length)
      buffer[needed - 1] = NEWLINE
      length = needed
      ends.push(needed)
      srcOffsets.push(srcOffset)
      offsets.push(offset)
      landed.push(landedMs)
    },
    srcOffset: (row) => srcOffsets[row] as number,
    offset: (row) => offsets[row] as number,
    landedMs: (row) => landed[row] as number,
    line,
    bytes: () => buffer.subarray(0, length),
    pick: (rows) => Buffer.concat(rows.flatMap((row) => [line(row), Buffer.from([NEWLINE])])),
  }
}
