/**
 * Which partition a record belongs to. Millrace computes this itself and passes the number, so that a client's
 * retry lands on the same partition whatever adapter sends it. The same rule as Kafka's Java client: murmur2 of the
 * key, sign bit cleared, modulo the partition count.
 *
 * @param key          UTF-8 bytes of the record key
 * @param partitions   partition count of the topic, > 0
 * @see https://github.com/apache/kafka/blob/trunk/clients/src/main/java/org/apache/kafka/common/utils/Utils.java
 */
export function partitionOf(key: Uint8Array, partitions: number): number {
  return (murmur2(key) & 0x7fffffff) % partitions
}

const SEED = 0x9747b28c
const M = 0x5bd1e995

/** 32-bit murmur2 with Kafka's seed; the result is a signed 32-bit integer. */
export function murmur2(data: Uint8Array): number {
  const length = data.length
  let h = SEED ^ length
  let i = 0
  for (; i + 4 <= length; i += 4) {
    let k = data[i]! | (data[i + 1]! << 8) | (data[i + 2]! << 16) | (data[i + 3]! << 24)
    k = Math.imul(k, M)
    k ^= k >>> 24
    k = Math.imul(k, M)
    h = Math.imul(h, M) ^ k
  }
  const left = length - i
  if (left === 3) h ^= data[i + 2]! << 16
  if (left >= 2) h ^= data[i + 1]! << 8
  if (left >= 1) h = Math.imul(h ^ data[i]!, M)
  h ^= h >>> 13
  h = Math.imul(h, M)
  h ^= h >>> 15
  return h
}

/** The key of an event's records: its dataset and who did it, or the event's own id when nobody is named. */
export function recordKey(datasetId: string, distinctId: string | null | undefined, eventId: string): Buffer {
  return Buffer.from(`${datasetId}:${distinctId || eventId}`)
}
