import type { KeyObject } from 'node:crypto'
import { type ClosedHour, closedHourKey, closedHoursPrefix } from '../../../schemas/closed-hour/v1.ts'
import { hourText, landedHour, type Manifest, manifestKey } from '../../../schemas/manifest/v1.ts'
import { sha256Hex } from '../../core/manifest/manifest-signature.ts'
import { readClosedHour } from '../../core/manifest/read-manifest.ts'
import type { ObjectStore } from '../../core/object-store/object-store.ts'
import { signatureFault } from './signature-fault.ts'
import type { Fault } from './verify-delivery.ts'

/** What of a manifest that lies in the bucket the closed hours must agree with. */
export interface SeenManifest {
  readonly topic: string
  readonly partition: number
  readonly start: number
  readonly end: number
  /** Hours since 1970. */
  readonly hour: number
  readonly sha256: string
  readonly read: number
  readonly delivered: number
}

export function seenManifest({ source, receipt }: Manifest, sha256: string): SeenManifest {
  const { topic, partition, start, end } = source
  const { read, delivered } = receipt
  return { topic, partition, start, end, hour: landedHour(source.landed), sha256, read, delivered }
}

/**
 * Compares the closed hours of a delivery with the manifests that lie there: each must list the manifests of its hour,
 * all of them and no other. So a batch that was taken out of a closed hour shows, also at the end of the chain.
 *
 * @returns the count of closed hours, and what is wrong
 */
export async function checkClosedHours(
  store: ObjectStore,
  publicKeys: ReadonlyMap<string, KeyObject>,
  bucket: string,
  delivery: string,
  seen: readonly SeenManifest[],
): Promise<{ readonly hours: number; readonly faults: readonly Fault[] }> {
  const faults: Fault[] = []
  const byHour = new Map<string, SeenManifest[]>()
  for (const manifest of seen) {
    const name = `${manifest.topic} ${manifest.hour}`
    const found = byHour.get(name)
    if (found) found.push(manifest)
    else byHour.set(name, [manifest])
  }
  let hours = 0
  let last: { readonly key: string; readonly sha256: string; readonly closed: ClosedHour } | null = null
  for await (const { key } of store.list(bucket, closedHoursPrefix(delivery))) {
    hours++
    const fault = (message: string) => faults.push({ key, message })
    const stored = await store.get(bucket, key)
    const closed = stored === null ? 'It was removed meanwhile.' : readClosedHour(stored)
    if (stored === null || typeof closed === 'string') {
      fault(`This is not a closed hour. ${closed}`)
      continue
    }
    const own = closedHourKey(closed.delivery, closed.topic, closed.hour)
    if (closed.delivery !== delivery || closed.bucket !== bucket || own !== key)
      fault(`It belongs to ${closed.bucket}/${own}.`)
    const unsigned = signatureFault(closed, publicKeys)
    if (unsigned !== null) fault(unsigned)

    if (last?.closed.topic !== closed.topic) last = null
    if (closed.previous?.key !== last?.key || closed.previous?.sha256 !== last?.sha256)
      fault(
        closed.previous === null
          ? `It follows no closed hour, though ${last?.key} lies before it.`
          : last === null
            ? `The closed hour before it, ${closed.previous.key}, is missing.`
            : `It does not follow ${last.key}.`,
      )
    const hour = landedHour(Date.parse(closed.hour))
    const name = `${closed.topic} ${hour}`
    for (const message of compare(delivery, closed, byHour.get(name) ?? [])) fault(message)
    byHour.delete(name)
    last = { key, sha256: sha256Hex(stored), closed }
  }
  // What is left must be of hours after the last closed one of its topic.
  if (last !== null) {
    const [topic, end] = [last.closed.topic, landedHour(Date.parse(last.closed.hour))]
    for (const [first] of byHour.values())
      if (first && first.topic === topic && first.hour < end)
        faults.push({
          key: manifestKey(delivery, topic, first.partition, first.start),
          message: `It belongs to the hour ${hourText(first.hour)}, which has no closed hour, though later ones have.`,
        })
  }
  return { hours, faults }
}

function* compare(delivery: string, closed: ClosedHour, seen: readonly SeenManifest[]): Generator<string> {
  const there = new Map(seen.map((manifest) => [`${manifest.partition} ${manifest.start}`, manifest]))
  for (const { partition, end, manifests } of closed.partitions) {
    const key = (start: number) => manifestKey(delivery, closed.topic, partition, start)
    for (const { start, sha256 } of manifests) {
      const found = there.get(`${partition} ${start}`)
      if (!found) yield `It lists ${key(start)}, which is missing or of another hour.`
      else if (found.sha256 !== sha256) yield `It lists ${key(start)} with another hash.`
      there.delete(`${partition} ${start}`)
    }
    const last = seen.findLast((manifest) => manifest.partition === partition)
    if (last && last.end !== end)
      yield `It says that partition ${partition} ends at ${end}, its manifests end at ${last.end}.`
  }
  for (const { partition, start } of there.values())
    yield `It does not list ${manifestKey(delivery, closed.topic, partition, start)}.`
  const read = seen.reduce((sum, manifest) => sum + manifest.read, 0)
  const delivered = seen.reduce((sum, manifest) => sum + manifest.delivered, 0)
  if (read !== closed.receipt.read || delivered !== closed.receipt.delivered)
    yield `Its receipt says ${closed.receipt.read} read and ${closed.receipt.delivered} delivered, its manifests ${read} and ${delivered}.`
}
