import { type Static, Type } from '@sinclair/typebox'
import { ManifestReceipt, Signature } from '../manifest/v1.ts'

/**
 * Says that an hour of `landed` time of a delivery is final: an object `closedHourKey(…)` that lists the manifests of
 * that hour, all of them. Stored as canonical JSON and signed like a manifest, and a pure function of the manifests, so
 * whoever writes it writes the same.
 *
 * Nothing can come later for a closed hour: `landed` is the running maximum of append times within a partition, and
 * batches end at the hour. New members may come; none goes or changes.
 */
const Sha256 = Type.String({ pattern: '^[0-9a-f]{64}$' })
const Count = Type.Integer({ minimum: 0 })
const Hour = Type.String({ pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:00:00\\.000Z$' })

export const ClosedPartition = Type.Object({
  partition: Count,
  /** Last offset that manifests up to this hour cover; -1 where a partition begins later and at 0. */
  end: Type.Integer({ minimum: -1 }),
  /** The partition's manifests of this hour, in order; none when it had no batch in it. */
  manifests: Type.Array(
    Type.Object({
      /** First offset of the range; names the manifest. */
      start: Count,
      /** Of the manifest's stored bytes. */
      sha256: Sha256,
    }),
  ),
})
export type ClosedPartition = Static<typeof ClosedPartition>

export const ClosedHour = Type.Object({
  v: Type.Literal(1),
  delivery: Type.String(),
  bucket: Type.String(),
  topic: Type.String(),
  /** When it begins, of `landed` time. */
  hour: Hour,
  /** Every partition of the topic, by number. */
  partitions: Type.Array(ClosedPartition),
  /** The sum of the manifests' receipts. */
  receipt: ManifestReceipt,
  /** Data objects, and the sum of their sizes. */
  objects: Count,
  bytes: Count,
  /** The closed hour before; null for the first one of a delivery and topic. Hours without any batch have no object. */
  previous: Type.Union([Type.Object({ key: Type.String(), sha256: Sha256 }), Type.Null()]),
  signature: Signature,
})
export type ClosedHour = Static<typeof ClosedHour>
export type ClosedHourContent = Omit<ClosedHour, 'signature'>

/** Under this prefix lie the closed hours of a delivery. */
export function closedHoursPrefix(delivery: string): string {
  return `_closed/${delivery}/`
}

/** Key order is time order. @param hour as the object has it */
export function closedHourKey(delivery: string, topic: string, hour: string): string {
  return `${closedHoursPrefix(delivery)}${topic}/${hour.slice(0, 13)}.json`
}
