import { LRUCache } from 'lru-cache'
import type { IdentityEvent } from '../../../schemas/identity-record/v1.ts'
import { initialBits } from '../persons/initial-properties.ts'

/**
 * Who was seen lately, and what they have given: most events say nothing new of their person and need not be sent on.
 * It may forget, and then something is said twice, which changes nothing. What is only remembered here, until the
 * transaction that told it is committed, is no memory at all; hence the batches.
 */
export interface Sightings {
  begin(): SightingBatch
}

export interface SightingBatch {
  /**
   * Does the event show somebody who was not seen today, a first-touch property that they had not given, or a kind
   * of group? It counts as told from now on.
   *
   * @returns null when there is nothing new; else the kinds of groups that are
   */
  news(event: IdentityEvent): readonly string[] | null
  /** What was told is committed. */
  keep(): void
}

const DAY_MS = 86_400_000
/** Bits of first-touch properties; above them stands the day. */
const BITS = 16

/**
 * @param max ids and kinds of groups that are remembered, about 200 bytes each
 */
export function createSightings(max: number): Sightings {
  const known = new LRUCache<string, number>({ max })
  return {
    begin() {
      const told = new Map<string, number>()
      const lookUp = (name: string) => told.get(name) ?? known.get(name) ?? 0
      return {
        news(event) {
          const groupTypes = (event.group_types ?? []).filter((type) => {
            const name = `${event.dataset_id}\u0001${type}`
            if (lookUp(name) !== 0) return false
            told.set(name, 1)
            return true
          })
          const name = `${event.dataset_id}\u0000${event.distinct_id}`
          const day = Math.floor(event.collector_time / DAY_MS)
          const before = lookUp(name)
          const bits = initialBits(event.initial)
          const [dayBefore, bitsBefore] = [Math.floor(before / 2 ** BITS), before % 2 ** BITS]
          const isNew = day > dayBefore || (bits & ~bitsBefore) !== 0
          if (isNew) told.set(name, Math.max(day, dayBefore) * 2 ** BITS + (bits | bitsBefore))
          return isNew || groupTypes.length > 0 ? groupTypes : null
        },
        keep() {
          for (const [name, value] of told) known.set(name, value)
        },
      }
    },
  }
}
