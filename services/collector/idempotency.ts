import { hash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { uuidFromDigest } from '../core/event/event-id.ts'
import type { Clock } from '../core/runtime/clock.ts'

const KEY_BYTES_MAX = 200
const DAY_MS = 24 * 3_600_000
const DIGEST_BYTES = 16
/** What an entry costs beside its digests, roughly: map slot, key, buffer object. */
const ENTRY_BYTES = 200

/** Null when the header may serve as a key: 1 to 200 bytes. */
export function idempotencyKeyFault(key: string): string | null {
  const length = Buffer.byteLength(key)
  return length >= 1 && length <= KEY_BYTES_MAX
    ? null
    : `Idempotency-Key has 1 to ${KEY_BYTES_MAX} bytes, not ${length}.`
}

/**
 * One digest per event, of (dataset, key, the event's bytes, how many equal events came before it in the request):
 * the ids of events that bring none. A retry of a part of the request, in any order, gets the same ids.
 */
export function eventDigests(datasetId: string, key: string, events: readonly Uint8Array[]): Buffer[] {
  const seen = new Map<string, number>()
  return events.map((event) => {
    const content = hash('sha256', event, 'base64')
    const nth = seen.get(content) ?? 0
    seen.set(content, nth + 1)
    return hash('sha256', `${datasetId}\n${key.length}\n${key}\n${nth}\n${content}`, 'buffer')
  })
}

export function idempotentEventId(digest: Buffer): string {
  return uuidFromDigest(digest)
}

export interface IdempotencyCache {
  /**
   * Is this a first request under its key, a repeat of it, or of a part of it? Then true, and it is remembered.
   * False when the key was used for a request that has not all of these events.
   */
  admit(datasetId: string, key: string, digests: readonly Buffer[]): boolean
}

/**
 * Remembers which events came under which key, for 24 hours and within a bound of memory. Past the bound the keys
 * used longest ago are forgotten: a key used for two things is then no longer noticed, while ids still come out the
 * same, because they are computed and not looked up.
 */
export function createIdempotencyCache(bytesMax: number, clock: Clock): IdempotencyCache {
  const cache = new LRUCache<string, Buffer>({
    maxSize: Math.max(1, bytesMax),
    sizeCalculation: (digests, key) => ENTRY_BYTES + key.length + digests.length,
    ttl: DAY_MS,
    ttlResolution: 0,
    perf: { now: () => clock.monotonic() },
  })
  return {
    admit(datasetId, key, digests) {
      const name = `${datasetId}\n${key}`
      const known = cache.get(name)
      if (known === undefined) {
        cache.set(name, Buffer.concat(digests.map((digest) => digest.subarray(0, DIGEST_BYTES))))
        return true
      }
      const events = new Set<string>()
      for (let at = 0; at < known.length; at += DIGEST_BYTES)
        events.add(known.toString('latin1', at, at + DIGEST_BYTES))
      return digests.every((digest) => events.has(digest.toString('latin1', 0, DIGEST_BYTES)))
    },
  }
}
