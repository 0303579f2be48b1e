import { type Static, Type } from '@sinclair/typebox'

/**
 * What one delivered batch consists of: an object `manifestKey(…)` beside the data. Its existence is the commit: a
 * data object that no manifest names does not exist for readers. Stored as canonical JSON, so that the same batch has
 * the same bytes whoever writes it, and signed over the canonical JSON of everything but `signature`.
 *
 * `entries` makes it a valid manifest for Redshift's COPY as it stands. New members may come; none goes or changes.
 */
const Sha256 = Type.String({ pattern: '^[0-9a-f]{64}$' })
const Count = Type.Integer({ minimum: 0 })
const Time = Type.String({ pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z$' })

/** Which records the batch covers: every offset from `start` to `end`, both included, and no other. */
export const ManifestSource = Type.Object({
  topic: Type.String(),
  /** Empty where the broker does not tell. */
  topic_id: Type.String(),
  partition: Count,
  start: Count,
  end: Count,
  /** SHA-256 over offset, timestamp, length and value of every record in the range. */
  digest: Sha256,
  /** Highest raw offset met up to `end`; -1 when there was none yet. */
  src: Type.Integer({ minimum: -1 }),
  /** Running maximum of the broker's append time before the range and at its end, epoch ms. */
  landed_before: Count,
  landed: Count,
})
export type ManifestSource = Static<typeof ManifestSource>

/** `read = delivered + filtered + rejected + control` always holds. */
export const ManifestReceipt = Type.Object({
  /** Records in the range. */
  read: Count,
  /** Rows in the data objects. */
  delivered: Count,
  /** Events that the delivery does not ask for. */
  filtered: Count,
  /** Rows in the rejected object. */
  rejected: Count,
  /** Records that carry no event: ticks and tombstones. */
  control: Count,
})
export type ManifestReceipt = Static<typeof ManifestReceipt>

/** An object as it is stored. */
const stored = {
  key: Type.String({ minLength: 1 }),
  rows: Count,
  /** Size of the object. */
  bytes: Count,
  /** Of the object's bytes. */
  sha256: Sha256,
  /** SHA-256 of the rows as JSON Lines: the same whatever encoder wrote them. */
  row_digest: Sha256,
  encoder: Type.String(),
}

export const ManifestObject = Type.Object({
  ...stored,
  /** Rows per dataset. */
  datasets: Type.Record(Type.String(), Count),
  /** Of `event_time` (`collector_time` for rejected events). */
  min_time: Time,
  max_time: Time,
})
export type ManifestObject = Static<typeof ManifestObject>

export const RejectedObject = Type.Object(stored)
export type RejectedObject = Static<typeof RejectedObject>

export const Signature = Type.Object({
  algorithm: Type.Literal('ed25519'),
  /** Names the public key: `publicKeyKey(key_id)` in the same bucket. */
  key_id: Type.String({ pattern: '^[0-9a-f]{16}$' }),
  /** Base64. */
  value: Type.String(),
})
export type Signature = Static<typeof Signature>

export const Manifest = Type.Object({
  v: Type.Literal(1),
  delivery: Type.String(),
  /** SHA-256 of the delivery's configuration that the batch was written under. */
  config: Type.String(),
  bucket: Type.String(),
  format: Type.Union([Type.Literal('parquet'), Type.Literal('jsonl'), Type.Literal('csv')]),
  /** Name and major version of the rows' schema: `enriched-event/1`, `rejected-event/1`. */
  schema: Type.String(),
  /** Recipes of the events, sorted: what enrichment depended on. */
  recipes: Type.Array(Type.String()),
  source: ManifestSource,
  /** Configuration in force: offset of the control topic. */
  control_offset: Count,
  receipt: ManifestReceipt,
  objects: Type.Array(ManifestObject),
  /** Rows that could not be written in the delivery's format, with the reason. */
  rejected_object: Type.Union([RejectedObject, Type.Null()]),
  /** The data objects again, as Redshift's COPY reads them. */
  entries: Type.Array(
    Type.Object({
      url: Type.String(),
      mandatory: Type.Literal(true),
      meta: Type.Object({ content_length: Count }),
    }),
  ),
  /** The manifest of the range before; null for the first one of a partition. */
  previous: Type.Union([
    Type.Object({ bucket: Type.String(), key: Type.String(), sha256: Sha256 }),
    Type.Null(),
  ]),
  signature: Signature,
})
export type Manifest = Static<typeof Manifest>

export type DeliveryFormat = Manifest['format']

/** Offsets in keys have the same width, so that key order is offset order. */
export function offsetText(offset: number): string {
  return String(offset).padStart(20, '0')
}

/** Under this prefix lie the manifests of a delivery, all partitions. */
export function manifestsPrefix(delivery: string): string {
  return `_manifests/${delivery}/`
}

/** Under this prefix lie the manifests of one partition. */
export function manifestPrefix(delivery: string, topic: string, partition: number): string {
  return `${manifestsPrefix(delivery)}${topic}-${partition}/`
}

export function manifestKey(delivery: string, topic: string, partition: number, start: number): string {
  return `${manifestPrefix(delivery, topic, partition)}${offsetText(start)}.json`
}

const HOUR_MS = 3_600_000

/**
 * Hour that a record or batch belongs to: batches end at the hour.
 *
 * @param landedMs `landed` time, or when an hour begins, epoch ms
 * @returns hours since 1970
 */
export function landedHour(landedMs: number): number {
  return Math.floor(landedMs / HOUR_MS)
}

/** When an hour begins, as closed hours say it. @param hour hours since 1970 */
export function hourText(hour: number): string {
  return new Date(hour * HOUR_MS).toISOString()
}

/** Where the public key lies that signatures name. */
export function publicKeyKey(keyId: string): string {
  return `_keys/${keyId}.pem`
}

/** Name of a batch in the keys of its objects. */
export function batchName(
  delivery: string,
  source: Pick<ManifestSource, 'topic' | 'partition' | 'start' | 'end'>,
): string {
  return `${delivery}-${source.topic}-${source.partition}-${offsetText(source.start)}-${offsetText(source.end)}`
}
