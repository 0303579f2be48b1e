import { createHash } from 'node:crypto'
import { gunzipSync } from 'node:zlib'
import type { Delivery } from '../../schemas/control/v1.ts'
import { isAsked } from './asked.ts'
import type { World } from './world.ts'
import { BUCKET, names } from './world-config.ts'

export interface DeliveredRows {
  readonly rows: readonly { readonly [name: string]: unknown }[]
  /** One sentence each. */
  readonly problems: readonly string[]
}

/**
 * Rows of the objects that a delivery's manifests name. The manifests must follow one another from the first offset
 * on, each chained on the bytes of the one before, describe what is stored, and count what their range holds.
 */
export function deliveredRows(world: World, delivery: Delivery): DeliveredRows {
  const problems: string[] = []
  const rows: { readonly [name: string]: unknown }[] = []
  const objects = world.store.buckets.get(BUCKET)!
  const before = new Map<number, { readonly end: number; readonly key: string; readonly sha256: string }>()
  const keys = [...objects.keys()].filter((key) => key.startsWith(`_manifests/${delivery.id}/`)).sort()
  for (const key of keys) {
    const { bytes } = objects.get(key)!
    const manifest = JSON.parse(bytes.toString())
    const { partition, start, end } = manifest.source
    const previous = before.get(partition) ?? null
    const next = previous === null ? 0 : previous.end + 1
    if (start !== next) problems.push(`${key} begins at ${start} where ${next} must follow.`)
    const chained = previous && { bucket: BUCKET, key: previous.key, sha256: previous.sha256 }
    if (JSON.stringify(manifest.previous) !== JSON.stringify(chained))
      problems.push(`${key} chains on ${JSON.stringify(manifest.previous)}, not on what is stored before it.`)
    before.set(partition, { end, key, sha256: sha256(bytes) })

    const counted = countRange(world, delivery, partition, start, end)
    const { read, delivered, filtered, rejected, control } = manifest.receipt
    const said = { read, delivered, filtered, rejected, control }
    if (JSON.stringify(said) !== JSON.stringify(counted))
      problems.push(`${key} says ${JSON.stringify(said)}, its range holds ${JSON.stringify(counted)}.`)
    let found = 0
    for (const object of manifest.objects) {
      const stored = objects.get(object.key)
      if (!stored) {
        problems.push(`${object.key}, which ${key} names, is not there.`)
        continue
      }
      if (stored.bytes.length !== object.bytes || sha256(stored.bytes) !== object.sha256)
        problems.push(`${object.key} is not as ${key} describes it.`)
      const plain = delivery.format === 'parquet' ? stored.bytes : gunzipSync(stored.bytes)
      const lines = plain
        .toString()
        .split('\n')
        .filter((line) => line.trim() !== '')
      found += lines.length
      for (const line of lines) rows.push(JSON.parse(line))
    }
    if (found !== delivered) problems.push(`${key} says ${delivered} delivered, its objects hold ${found}.`)
  }
  return { rows, problems: [...problems, ...closedHourProblems(world, delivery, keys)] }
}

function closedHourProblems(world: World, delivery: Delivery, manifests: readonly string[]): string[] {
  const objects = world.store.buckets.get(BUCKET)!
  const problems: string[] = []
  for (const key of [...objects.keys()].filter((name) => name.startsWith(`_closed/${delivery.id}/`)))
    for (const { partition, manifests: listed } of JSON.parse(objects.get(key)!.bytes.toString()).partitions)
      for (const { start } of listed)
        if (!manifests.some((name) => name.endsWith(`-${partition}/${String(start).padStart(20, '0')}.json`)))
          problems.push(`${key} lists a manifest of partition ${partition} at ${start} that is not there.`)
  return problems
}

/** What a receipt of this range must say. */
function countRange(world: World, delivery: Delivery, partition: number, start: number, end: number) {
  const topic = delivery.source === 'rejected' ? names.rejected : names.enriched
  const records = world.log.controls.records(topic, partition)
  const counts = { read: 0, delivered: 0, filtered: 0, rejected: 0, control: 0 }
  for (let index = 0; index < (records?.length ?? 0); index++) {
    const offset = records!.offset(index)
    if (offset < start || offset > end) continue
    counts.read++
    const value = records!.value(index)
    if (value === null || records!.header(index, 'tick') !== null) counts.control++
    else if (isAsked(JSON.parse(value.toString()), delivery.datasets, delivery.where)) counts.delivered++
    else counts.filtered++
  }
  return counts
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
