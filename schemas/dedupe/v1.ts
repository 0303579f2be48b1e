import { crc32 } from 'node:zlib'
import { DependencyError } from '../../services/core/runtime/errors.ts'

/**
 * Values of `events.dedupe`: the changelog from which the owner of a raw partition rebuilds what it knows. Packed
 * binary, big-endian, one record per transaction:
 *
 * ```
 * byte   0       version, 1
 * byte   1       kind: 1 entries, 2 sentinel, 3 attempt
 * entries:
 *   2..9         next raw offset: everything below is done          u64
 *   10..15       running maximum of raw append time, epoch ms       u48
 *   16..19       number of entries                                  u32
 *   then each    16 bytes key, 8 bytes payload hash, time (u48, epoch ms)
 * sentinel:      committed by a new owner once it has fenced the one before; it reads up to here
 *   2..9         raw offset at which it will go on                  u64
 *   10..25       a random mark, by which it knows its own
 * attempt:       committed before a record that may be what kills the process is looked at again
 *   2..9         its raw offset                                     u64
 * last 4 bytes   CRC-32 of everything before
 * ```
 */
export type DedupeRecord =
  | {
      readonly kind: 'entries'
      readonly nextOffset: number
      readonly appendTimeMax: number
      readonly entries: readonly DedupeEntry[]
    }
  | { readonly kind: 'sentinel'; readonly nextOffset: number; readonly mark: Buffer }
  | { readonly kind: 'attempt'; readonly offset: number }

/** One remembered event. */
export interface DedupeEntry {
  /** {@link KEY_BYTES} bytes. */
  readonly key: Buffer
  /** {@link PAYLOAD_BYTES} bytes; zeros for a refused event, whose key contains its payload. */
  readonly payload: Buffer
  /** Running maximum of raw append time when it was taken in, epoch milliseconds. */
  readonly time: number
}

export const KEY_BYTES = 16
export const PAYLOAD_BYTES = 8
export const MARK_BYTES = 16
export const ENTRY_BYTES = KEY_BYTES + PAYLOAD_BYTES + 6
export const DEDUPE_VERSION = 1

const KINDS = ['entries', 'sentinel', 'attempt'] as const
const HEAD_BYTES = 20
const CRC_BYTES = 4

export function encodeDedupeRecord(record: DedupeRecord): Buffer {
  const out = Buffer.alloc(lengthOf(record))
  out[0] = DEDUPE_VERSION
  out[1] = KINDS.indexOf(record.kind) + 1
  out.writeBigUInt64BE(BigInt(record.kind === 'attempt' ? record.offset : record.nextOffset), 2)
  if (record.kind === 'sentinel') record.mark.copy(out, 10)
  if (record.kind === 'entries') {
    out.writeUIntBE(record.appendTimeMax, 10, 6)
    out.writeUInt32BE(record.entries.length, 16)
    let at = HEAD_BYTES
    for (const { key, payload, time } of record.entries) {
      key.copy(out, at, 0, KEY_BYTES)
      payload.copy(out, at + KEY_BYTES, 0, PAYLOAD_BYTES)
      out.writeUIntBE(time, at + KEY_BYTES + PAYLOAD_BYTES, 6)
      at += ENTRY_BYTES
    }
  }
  const end = out.length - CRC_BYTES
  out.writeUInt32BE(crc32(out.subarray(0, end)), end)
  return out
}

/**
 * Keys and payload hashes are views of `value`.
 *
 * @throws DependencyError('kafka', 'corrupt') for anything that {@link encodeDedupeRecord} did not write: a
 * changelog with a hole in it must not be trusted
 */
export function decodeDedupeRecord(value: Buffer | null): DedupeRecord {
  if (value === null || value.length < 10 + CRC_BYTES) throw corrupt('it is too short')
  const end = value.length - CRC_BYTES
  if (crc32(value.subarray(0, end)) !== value.readUInt32BE(end)) throw corrupt('its checksum is wrong')
  if (value[0] !== DEDUPE_VERSION) throw corrupt(`its version is ${value[0]}, not ${DEDUPE_VERSION}`)
  const kind = KINDS[(value[1] as number) - 1]
  const offset = Number(value.readBigUInt64BE(2))
  if (kind === 'attempt' && value.length === 10 + CRC_BYTES) return { kind, offset }
  if (kind === 'sentinel' && value.length === 10 + MARK_BYTES + CRC_BYTES)
    return { kind, nextOffset: offset, mark: value.subarray(10, 10 + MARK_BYTES) }
  if (kind === 'entries' && value.length >= HEAD_BYTES + CRC_BYTES) {
    const count = value.readUInt32BE(16)
    if (value.length !== HEAD_BYTES + count * ENTRY_BYTES + CRC_BYTES)
      throw corrupt('its length does not match its number of entries')
    const entries = Array.from({ length: count }, (_, index) => {
      const at = HEAD_BYTES + index * ENTRY_BYTES
      return {
        key: value.subarray(at, at + KEY_BYTES),
        payload: value.subarray(at + KEY_BYTES, at + KEY_BYTES + PAYLOAD_BYTES),
        time: value.readUIntBE(at + KEY_BYTES + PAYLOAD_BYTES, 6),
      }
    })
    return { kind, nextOffset: offset, appendTimeMax: value.readUIntBE(10, 6), entries }
  }
  throw corrupt(`its kind ${value[1]} and length ${value.length} do not belong together`)
}

function lengthOf(record: DedupeRecord): number {
  if (record.kind === 'entries') return HEAD_BYTES + record.entries.length * ENTRY_BYTES + CRC_BYTES
  return 10 + (record.kind === 'sentinel' ? MARK_BYTES : 0) + CRC_BYTES
}

function corrupt(what: string): DependencyError {
  return new DependencyError('kafka', 'corrupt', `A record of the dedupe changelog cannot be read: ${what}.`)
}
