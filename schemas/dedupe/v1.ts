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
 *   2..17        a random mark, by which it knows its own
 *   18           1 when attempts before it do not count: what ended them was no crash
 * attempt:       committed by a new owner before its first batch, and before each record while it is careful
 *   2..9         first raw offset                                   u64
 *   10..17       last raw offset                                    u64
 *                a first one past the last: the attempt before it, of one record, came through judging
 * last 4 bytes   CRC-32 of everything before
 * ```
 */
export type DedupeRecord =
  | {
      readonly kind: 'entries'
      readonly nextOffset: number
      readonly appendTimeMax: number
      /** Remembered events as {@link packEntries} lays them out. */
      readonly entries: Buffer
    }
  | { readonly kind: 'sentinel'; readonly mark: Buffer; readonly absolves: boolean }
  | { readonly kind: 'attempt'; readonly from: number; readonly to: number }

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
const SENTINEL_BYTES = 2 + MARK_BYTES + 1
const ATTEMPT_BYTES = 18
const CRC_BYTES = 4

/** One after the other, {@link ENTRY_BYTES} each; millions of them are read at a takeover, without an object for each. */
export function packEntries(entries: readonly DedupeEntry[]): Buffer {
  const out = Buffer.alloc(entries.length * ENTRY_BYTES)
  let at = 0
  for (const { key, payload, time } of entries) {
    key.copy(out, at, 0, KEY_BYTES)
    payload.copy(out, at + KEY_BYTES, 0, PAYLOAD_BYTES)
    out.writeUIntBE(time, at + KEY_BYTES + PAYLOAD_BYTES, 6)
    at += ENTRY_BYTES
  }
  return out
}

/** @param at where in packed entries one begins */
export function entryTime(entries: DataView, at: number): number {
  const time = at + KEY_BYTES + PAYLOAD_BYTES
  return entries.getUint16(time) * 2 ** 32 + entries.getUint32(time + 2)
}

export function encodeDedupeRecord(record: DedupeRecord): Buffer {
  const out = Buffer.alloc(lengthOf(record) + CRC_BYTES)
  out[0] = DEDUPE_VERSION
  out[1] = KINDS.indexOf(record.kind) + 1
  switch (record.kind) {
    case 'sentinel':
      record.mark.copy(out, 2)
      out[2 + MARK_BYTES] = record.absolves ? 1 : 0
      break
    case 'attempt':
      out.writeBigUInt64BE(BigInt(record.from), 2)
      out.writeBigUInt64BE(BigInt(record.to), 10)
      break
    case 'entries': {
      out.writeBigUInt64BE(BigInt(record.nextOffset), 2)
      out.writeUIntBE(record.appendTimeMax, 10, 6)
      out.writeUInt32BE(record.entries.length / ENTRY_BYTES, 16)
      record.entries.copy(out, HEAD_BYTES)
    }
  }
  const end = out.length - CRC_BYTES
  out.writeUInt32BE(crc32(out.subarray(0, end)), end)
  return out
}

/**
 * Marks and entries are views of `value`.
 *
 * @throws DependencyError('kafka', 'corrupt') for anything that {@link encodeDedupeRecord} did not write: a
 * changelog with a hole in it must not be trusted
 */
export function decodeDedupeRecord(value: Buffer | null): DedupeRecord {
  if (value === null || value.length < 2 + CRC_BYTES) throw corrupt('it is too short')
  const end = value.length - CRC_BYTES
  if (crc32(value.subarray(0, end)) !== value.readUInt32BE(end)) throw corrupt('its checksum is wrong')
  if (value[0] !== DEDUPE_VERSION) throw corrupt(`its version is ${value[0]}, not ${DEDUPE_VERSION}`)
  const kind = KINDS[(value[1] as number) - 1]
  if (kind === 'attempt' && end === ATTEMPT_BYTES)
    return { kind, from: Number(value.readBigUInt64BE(2)), to: Number(value.readBigUInt64BE(10)) }
  if (kind === 'sentinel' && end === SENTINEL_BYTES)
    return { kind, mark: value.subarray(2, 2 + MARK_BYTES), absolves: value[2 + MARK_BYTES] === 1 }
  if (kind === 'entries' && end >= HEAD_BYTES) {
    const count = value.readUInt32BE(16)
    if (end !== HEAD_BYTES + count * ENTRY_BYTES)
      throw corrupt('its length does not match its number of entries')
    const nextOffset = Number(value.readBigUInt64BE(2))
    return {
      kind,
      nextOffset,
      appendTimeMax: value.readUIntBE(10, 6),
      entries: value.subarray(HEAD_BYTES, end),
    }
  }
  throw corrupt(`its kind ${value[1]} and length ${value.length} do not belong together`)
}

function lengthOf(record: DedupeRecord): number {
  if (record.kind === 'entries') return HEAD_BYTES + record.entries.length
  return record.kind === 'sentinel' ? SENTINEL_BYTES : ATTEMPT_BYTES
}

function corrupt(what: string): DependencyError {
  return new DependencyError('kafka', 'corrupt', `A record of the dedupe changelog cannot be read: ${what}.`)
}
