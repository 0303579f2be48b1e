import { crc32c } from './crc32c.ts'

/**
 * A segment file: a header, then records, back to back.
 *
 * ```
 *  header   magic "MRSTORE1" | crc | length | JSON {topic, created, marker}
 *  record   marker           | crc | length | payload
 *           8 bytes            4     4        length bytes, big endian
 * ```
 *
 * The CRC is CRC-32C over length and payload. The marker is eight random bytes that whoever wrote the file chose:
 * after a damaged record the next one is found by it. It must be a secret of the file, since payloads come from
 * clients: one who knew it could put bytes into an event that read as a record of somebody else's dataset once the
 * record around them is damaged.
 */
export interface SegmentHeader {
  /** Where its records go. */
  readonly topic: string
  /** Epoch milliseconds. */
  readonly createdMs: number
  readonly marker: Buffer
}

const MAGIC = Buffer.from('MRSTORE1')
export const MARKER_BYTES = 8
const CRC_AT = MARKER_BYTES
const LENGTH_AT = CRC_AT + 4
/** What a record takes beside its payload, bytes. */
export const FRAME_BYTES = LENGTH_AT + 4
/** A topic's name has 249 characters at most. */
export const HEADER_BYTES_MAX = 1024

/** A record is not looked for past this: a damaged length must not ask for gigabytes. */
export const PAYLOAD_BYTES_MAX = 64 * 1024 * 1024

export function encodeHeader({ topic, createdMs, marker }: SegmentHeader): Buffer {
  const json = JSON.stringify({ topic, created: createdMs, marker: marker.toString('hex') })
  return frameRecord(MAGIC, Buffer.from(json))
}

export function frameRecord(marker: Uint8Array, payload: Uint8Array): Buffer {
  if (payload.length > PAYLOAD_BYTES_MAX)
    throw new Error(`A payload of ${payload.length} bytes is not stored.`)
  const frame = Buffer.allocUnsafe(FRAME_BYTES + payload.length)
  frame.set(marker, 0)
  frame.writeUInt32BE(payload.length, LENGTH_AT)
  frame.set(payload, FRAME_BYTES)
  frame.writeUInt32BE(crc32c(frame.subarray(LENGTH_AT)), CRC_AT)
  return frame
}

/**
 * What stands at a position.
 * - `record`: a whole one; the next begins at `end`
 * - `partial`: perhaps the beginning of one that ends at `end`, past these bytes
 * - `damaged`: none
 */
export type Frame =
  | { readonly kind: 'record'; readonly payload: Buffer; readonly end: number }
  | { readonly kind: 'partial'; readonly end: number }
  | { readonly kind: 'damaged' }

const DAMAGED: Frame = { kind: 'damaged' }

/** Never throws; the payload is a view of `bytes`. */
export function frameAt(bytes: Buffer, at: number, marker: Uint8Array): Frame {
  const there = Math.min(MARKER_BYTES, bytes.length - at)
  if (bytes.compare(marker, 0, there, at, at + there) !== 0) return DAMAGED
  if (bytes.length - at < FRAME_BYTES) return { kind: 'partial', end: at + FRAME_BYTES }
  const length = bytes.readUInt32BE(at + LENGTH_AT)
  if (length > PAYLOAD_BYTES_MAX) return DAMAGED
  const end = at + FRAME_BYTES + length
  if (end > bytes.length) return { kind: 'partial', end }
  if (crc32c(bytes.subarray(at + LENGTH_AT, end)) !== bytes.readUInt32BE(at + CRC_AT)) return DAMAGED
  return { kind: 'record', payload: bytes.subarray(at + FRAME_BYTES, end), end }
}

/** The header and where records begin; null when there is no whole header. */
export function decodeHeader(bytes: Buffer): { readonly header: SegmentHeader; readonly end: number } | null {
  const frame = frameAt(bytes, 0, MAGIC)
  if (frame.kind !== 'record') return null
  try {
    const { topic, created, marker } = JSON.parse(frame.payload.toString()) as Record<string, unknown>
    if (typeof topic !== 'string' || !Number.isSafeInteger(created) || typeof marker !== 'string') return null
    const bytesOfMarker = Buffer.from(marker, 'hex')
    if (bytesOfMarker.length !== MARKER_BYTES) return null
    return { header: { topic, createdMs: created as number, marker: bytesOfMarker }, end: frame.end }
  } catch {
    return null
  }
}

/**
 * Is this file what a power cut leaves of one whose header was never synced? Nothing of such a file was answered,
 * since its first records are synced together with the header. A header that is whole in length is damaged instead,
 * and so is one of zeros with something behind it.
 *
 * @param bytes all of the file
 */
export function isTornHeader(bytes: Buffer): boolean {
  const frame = frameAt(bytes, 0, MAGIC)
  return (frame.kind === 'partial' && frame.end <= HEADER_BYTES_MAX) || bytes.every((byte) => byte === 0)
}

export interface Scan {
  readonly payloads: readonly Buffer[]
  /** Where reading goes on. */
  readonly next: number
  /** Bytes before `next` that belong to no whole record. */
  readonly damagedBytes: number
}

/**
 * Reads records from `at` on, over damaged stretches. Stops before a record that may go on past `bytes`: with more
 * of the file, reading goes on at `next`. Where `bytes` end with the file, what is left then is no record either.
 *
 * @param isEnd the file ends with these bytes
 */
export function scanRecords(bytes: Buffer, at: number, marker: Uint8Array, isEnd: boolean): Scan {
  const payloads: Buffer[] = []
  let damagedBytes = 0
  let next = at
  while (next < bytes.length) {
    const frame = frameAt(bytes, next, marker)
    if (frame.kind === 'record') {
      payloads.push(frame.payload)
      next = frame.end
      continue
    }
    if (frame.kind === 'partial' && !isEnd) break
    const found = bytes.indexOf(marker, next + 1)
    // Without one, the last bytes may still be the beginning of a marker.
    const to = found >= 0 ? found : isEnd ? bytes.length : Math.max(next + 1, bytes.length - MARKER_BYTES + 1)
    damagedBytes += to - next
    next = to
    if (found < 0) break
  }
  return { payloads, next, damagedBytes }
}

/** Where the whole records end that stand together from `at` on; past it there may be others after damage. */
export function wholeRecordsEnd(bytes: Buffer, at: number, marker: Uint8Array): number {
  for (let end = at; ; ) {
    const frame = frameAt(bytes, end, marker)
    if (frame.kind !== 'record') return end
    end = frame.end
  }
}
