import type { Delivery } from '../../../schemas/control/v1.ts'
import { type Manifest, manifestPrefix } from '../../../schemas/manifest/v1.ts'
import type { ObjectStore } from '../../core/object-store/object-store.ts'

/** Where a row comes from, and when its event was. */
export interface DeliveredPlace {
  readonly dataset: string
  readonly topic: string
  readonly srcPartition: number
  readonly srcOffset: number
  /** Epoch ms of `event_time`, of `collector_time` for a rejected event; null when it is not known. */
  readonly timeMs: number | null
}

export interface DeliveredIn {
  readonly bucket: string
  readonly manifest: string
  /** Objects of that batch that can hold the row: of its dataset, with its time in their range. Mostly one. */
  readonly objects: readonly string[]
}

/** Null when no manifest covers the row: its batch is still open, or the delivery started after it. */
export type FindInDelivery = (
  delivery: Delivery,
  place: DeliveredPlace,
  signal: AbortSignal,
) => Promise<DeliveredIn | null>

/** Manifests of one partition that are looked through; a year of one every five minutes. */
const MANIFESTS_MAX = 110_000

/**
 * Finds the batch of a row by its raw offset: in every manifest stands the highest raw offset met so far, and that
 * only grows, so the first manifest that reaches the offset is the one, found by halving.
 */
export function createFindInDelivery(store: ObjectStore, defaultBucket: string): FindInDelivery {
  return async (delivery, place, signal) => {
    const bucket = delivery.bucket ?? defaultBucket
    const keys: string[] = []
    const prefix = manifestPrefix(delivery.id, place.topic, place.srcPartition)
    for await (const { key } of store.list(bucket, prefix)) {
      if (signal.aborted || keys.length >= MANIFESTS_MAX) break
      keys.push(key)
    }
    let [low, high] = [0, keys.length]
    let found: { readonly key: string; readonly manifest: Manifest } | null = null
    while (low < high) {
      const middle = (low + high) >> 1
      const key = keys[middle]!
      const bytes = await store.get(bucket, key)
      if (bytes === null) return null
      const manifest = JSON.parse(bytes.toString('utf8')) as Manifest
      if (manifest.source.src >= place.srcOffset) {
        found = { key, manifest }
        high = middle
      } else low = middle + 1
    }
    if (found === null) return null
    const objects = found.manifest.objects.filter(
      ({ datasets, min_time, max_time }) =>
        place.dataset in datasets &&
        (place.timeMs === null ||
          (Date.parse(min_time) <= place.timeMs && place.timeMs <= Date.parse(max_time))),
    )
    return { bucket, manifest: found.key, objects: objects.map(({ key }) => key) }
  }
}
