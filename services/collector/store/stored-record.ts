import type { ProduceRecord } from '../../core/kafka/log.ts'

/** The topic stands in the segment's header: a store holds records of one topic. */
export type StoredRecord = Omit<ProduceRecord, 'topic'>

const FIXED_BYTES = 12
/** What an absent key or value has for its length. */
const ABSENT = 0xffffffff

/**
 * A record as the payload of a stored one:
 *
 * ```
 *  partition | key length | value length | key | value | headers as a JSON object
 *  4           4            4
 * ```
 */
export function encodeStoredRecord({ partition, key, value, headers = {} }: StoredRecord): Buffer {
  const keyBytes = typeof key === 'string' ? Buffer.from(key) : key
  const headerText = JSON.stringify(headers)
  const keyEnd = FIXED_BYTES + (keyBytes?.length ?? 0)
  const valueEnd = keyEnd + (value?.length ?? 0)
  const payload = Buffer.allocUnsafe(valueEnd + Buffer.byteLength(headerText))
  payload.writeUInt32BE(partition, 0)
  payload.writeUInt32BE(keyBytes?.length ?? ABSENT, 4)
  payload.writeUInt32BE(value?.length ?? ABSENT, 8)
  if (keyBytes) payload.set(keyBytes, FIXED_BYTES)
  if (value) payload.set(value, keyEnd)
  payload.write(headerText, valueEnd)
  return payload
}

/** @param payload one whose CRC was right, so that it is what {@link encodeStoredRecord} made */
export function decodeStoredRecord(payload: Buffer): StoredRecord {
  const keyLength = payload.readUInt32BE(4)
  const valueLength = payload.readUInt32BE(8)
  const keyEnd = FIXED_BYTES + (keyLength === ABSENT ? 0 : keyLength)
  const valueEnd = keyEnd + (valueLength === ABSENT ? 0 : valueLength)
  return {
    partition: payload.readUInt32BE(0),
    key: keyLength === ABSENT ? null : payload.subarray(FIXED_BYTES, keyEnd),
    value: valueLength === ABSENT ? null : payload.subarray(keyEnd, valueEnd),
    headers: JSON.parse(payload.toString('utf8', valueEnd)) as Record<string, string>,
  }
}
