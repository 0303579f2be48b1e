import {
  type ClosedHour,
  type ClosedHourContent,
  closedHourKey,
  closedHoursPrefix,
} from '../../schemas/closed-hour/v1.ts'
import { type Manifest, manifestKey, manifestPrefix } from '../../schemas/manifest/v1.ts'
import { canonicalJson } from '../core/control/canonical-json.ts'
import { type SigningKey, sha256Hex, signContent } from '../core/manifest/manifest-signature.ts'
import { readClosedHour, readManifest } from '../core/manifest/read-manifest.ts'
import type { ObjectStore } from '../core/object-store/object-store.ts'
import { putOnce } from '../core/object-store/put-once.ts'
import { DependencyError } from '../core/runtime/errors.ts'
import { type ClosingHours, closingHours } from './closing-hours.ts'
import { getStored } from './get-stored.ts'

/** Manifests that one step reads of one partition at most, so that a long backlog is gone through in pieces. */
const MANIFESTS_PER_STEP_MAX = 500

/** Which hours: those of one delivery's manifests of one topic. */
export interface HoursOf {
  readonly delivery: string
  readonly bucket: string
  readonly topic: string
  readonly partitions: number
}

export interface HourCloser {
  /**
   * Reads the manifests that are new and writes a closed hour for every hour that every partition has gone past.
   * Safe in any number of processes at once: what is written follows from the manifests alone.
   *
   * @returns the hours closed, as the objects have them
   * @throws DependencyError as the store has them; `corrupt` when a manifest does not follow the one before it, or a
   *   closed hour lies there that says something else
   */
  step(): Promise<readonly string[]>
}

/**
 * A step lists, per partition, the manifests after the last one read, and gets each of them once; the first step also
 * lists the delivery's closed hours, to go on after the last. Nothing else of the bucket is looked at.
 */
export function hourCloser(store: ObjectStore, signingKey: SigningKey, of: HoursOf): HourCloser {
  let state: { readonly hours: ClosingHours; previous: ClosedHour['previous'] } | null = null

  async function open(): Promise<NonNullable<typeof state>> {
    const last = await lastClosed(store, of)
    return {
      hours: closingHours(of, of.partitions, last?.closed ?? null),
      previous: last && { key: last.key, sha256: last.sha256 },
    }
  }

  /** Whether the manifest that must come before this one is there, although the listing left it out. */
  async function isPassedOver(
    hours: ClosingHours,
    { partition, start }: Manifest['source'],
  ): Promise<boolean> {
    const expected = hours.next(partition)
    if (expected === null || start <= expected) return false
    const key = manifestKey(of.delivery, of.topic, partition, expected)
    return (await store.head(of.bucket, key)) !== null
  }

  async function readPartition(hours: ClosingHours, partition: number): Promise<void> {
    const prefix = manifestPrefix(of.delivery, of.topic, partition)
    const next = hours.next(partition)
    // Manifests are named by their start, and whatever follows the last one begins at exactly this offset or is wrong.
    const after =
      next === null || next === 0 ? undefined : manifestKey(of.delivery, of.topic, partition, next - 1)
    let read = 0
    for await (const { key } of store.list(of.bucket, prefix, after)) {
      if (read++ === MANIFESTS_PER_STEP_MAX) return
      const { value, sha256 } = await getStored(store, of.bucket, key, readManifest)
      // A listing is no snapshot: of two that were written while it was made it may have the later one alone.
      if (await isPassedOver(hours, value.source)) return
      const fault = hours.add(value, sha256)
      if (fault !== null) throw new DependencyError('s3', 'corrupt', `${of.bucket}/${key}: ${fault}`)
    }
  }

  return {
    async step() {
      state ??= await open()
      const { hours } = state
      const written: string[] = []
      for (let partition = 0; partition < of.partitions; partition++) await readPartition(hours, partition)
      for (let content = hours.complete(); content !== null; content = hours.complete()) {
        state.previous = await writeClosed(store, signingKey, { ...content, previous: state.previous })
        hours.close()
        written.push(content.hour)
      }
      return written
    },
  }
}

async function lastClosed(
  store: ObjectStore,
  { bucket, delivery, topic }: HoursOf,
): Promise<{ readonly closed: ClosedHour; readonly key: string; readonly sha256: string } | null> {
  let key: string | null = null
  for await (const object of store.list(bucket, `${closedHoursPrefix(delivery)}${topic}/`)) key = object.key
  if (key === null) return null
  const { value: closed, sha256 } = await getStored(store, bucket, key, readClosedHour)
  return { closed, key, sha256 }
}

/** Writes the object, or takes the one that another process wrote when it says the same. @returns what the next chains on */
async function writeClosed(
  store: ObjectStore,
  signingKey: SigningKey,
  content: ClosedHourContent,
): Promise<NonNullable<ClosedHour['previous']>> {
  const { bucket } = content
  const key = closedHourKey(content.delivery, content.topic, content.hour)
  const bytes = signContent(content, signingKey)
  if (await putOnce(store, bucket, key, { bytes }, { contentType: 'application/json' }))
    return { key, sha256: sha256Hex(bytes) }
  const { value: found, sha256 } = await getStored(store, bucket, key, readClosedHour)
  // Another process may sign with another key.
  const { signature: _, ...said } = found
  if (canonicalJson(said) !== canonicalJson(content))
    throw new DependencyError(
      's3',
      'corrupt',
      `${bucket}/${key} exists and lists other manifests than those that lie there. Check it with millrace verify ${content.delivery}.`,
    )
  return { key, sha256 }
}
