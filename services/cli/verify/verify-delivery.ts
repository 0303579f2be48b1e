import type { KeyObject } from 'node:crypto'
import { type Manifest, manifestKey, manifestsPrefix } from '../../../schemas/manifest/v1.ts'
import { sha256Hex } from '../../core/manifest/manifest-signature.ts'
import { readManifest } from '../../core/manifest/read-manifest.ts'
import type { ObjectStore } from '../../core/object-store/object-store.ts'
import { checkClosedHours, type SeenManifest, seenManifest } from './check-closed-hours.ts'
import type { CheckObject } from './check-object.ts'
import { signatureFault } from './signature-fault.ts'

/** Something that is not as it must be. */
export interface Fault {
  /** The object at fault, a key in the bucket. */
  readonly key: string
  readonly message: string
}

export interface VerifyReport {
  readonly delivery: string
  readonly bucket: string
  readonly ok: boolean
  readonly keyIds: readonly string[]
  readonly partitions: readonly PartitionReport[]
  /** Hours that are closed. */
  readonly closedHours: number
  readonly faults: readonly Fault[]
  /** What is worth knowing and no fault, one sentence each. */
  readonly notes: readonly string[]
}

export interface PartitionReport {
  readonly topic: string
  readonly partition: number
  /** Offsets that the chain covers, both included. */
  readonly start: number
  readonly end: number
  readonly manifests: number
  readonly objects: number
  readonly rows: number
  readonly bytes: number
}

export interface VerifyEnvironment {
  readonly store: ObjectStore
  /** Keys that signatures are accepted from, by their id. */
  readonly publicKeys: ReadonlyMap<string, KeyObject>
  readonly checkObject: CheckObject
  /** Told of every manifest that could be read, in the order of their keys. */
  readonly onManifest?: (manifest: SeenManifest) => void
  readonly progress: (done: {
    readonly manifests: number
    readonly objects: number
    readonly bytes: number
  }) => void
}

/**
 * Recomputes everything that a delivery's manifests say, from the bucket alone: signature, chain, contiguous ranges,
 * balanced receipts, and of each object size, hash and rows; and that closed hours list the manifests that are there.
 * What it cannot see is a tail that was taken away whole and of no closed hour: compare the last offset with what the
 * source has.
 */
export async function verifyDelivery(
  env: VerifyEnvironment,
  bucket: string,
  delivery: string,
): Promise<VerifyReport> {
  const faults: Fault[] = []
  const notes: string[] = []
  const keyIds = new Set<string>()
  const named = new Set<string>()
  const prefixes = new Set<string>()
  const partitions: PartitionReport[] = []
  const seen: SeenManifest[] = []
  const done = { manifests: 0, objects: 0, bytes: 0 }

  let chain: { readonly report: PartitionReport; readonly last: ChainEnd } | null = null
  for await (const { key } of env.store.list(bucket, manifestsPrefix(delivery))) {
    const stored = await env.store.get(bucket, key)
    const manifest = stored === null ? 'It was removed meanwhile.' : readManifest(stored)
    if (stored === null || typeof manifest === 'string') {
      faults.push({ key, message: `This is not a manifest. ${manifest}` })
      continue
    }
    const fault = (message: string) => faults.push({ key, message })
    const { source } = manifest
    const sameChain: boolean =
      chain !== null && chain.report.topic === source.topic && chain.report.partition === source.partition
    const last: ChainEnd | null = sameChain ? chain!.last : null
    for (const message of checkManifest(env.publicKeys, bucket, delivery, key, manifest, last)) fault(message)
    if (last === null && manifest.previous !== null && manifest.previous.bucket !== bucket)
      notes.push(`${key} goes on from ${manifest.previous.bucket}/${manifest.previous.key}.`)

    const sha256 = sha256Hex(stored)
    const facts = seenManifest(manifest, sha256)
    seen.push(facts)
    env.onManifest?.(facts)
    keyIds.add(manifest.signature.key_id)
    const objects = [...manifest.objects, ...(manifest.rejected_object ? [manifest.rejected_object] : [])]
    for (const object of objects) {
      named.add(object.key)
      prefixes.add(object.key.split('/', 1)[0] as string)
      const isData = object !== manifest.rejected_object
      const message = await env.checkObject(bucket, object, isData ? manifest.format : 'jsonl')
      if (message !== null) faults.push({ key: object.key, message })
      done.objects++
      done.bytes += object.bytes
      env.progress(done)
    }
    done.manifests++
    env.progress(done)

    const report: PartitionReport = {
      topic: source.topic,
      partition: source.partition,
      start: last === null ? source.start : chain!.report.start,
      end: source.end,
      manifests: (last === null ? 0 : chain!.report.manifests) + 1,
      objects: (last === null ? 0 : chain!.report.objects) + objects.length,
      rows: (last === null ? 0 : chain!.report.rows) + manifest.receipt.delivered,
      bytes: (last === null ? 0 : chain!.report.bytes) + objects.reduce((sum, { bytes }) => sum + bytes, 0),
    }
    if (last === null) partitions.push(report)
    else partitions[partitions.length - 1] = report
    chain = { report, last: { end: source.end, key, sha256 } }
  }

  const unnamed = await unnamedObjects(env.store, bucket, delivery, prefixes, named)
  for (const key of unnamed) {
    const covered = partitions.some((partition) => isWithin(key, delivery, partition))
    if (covered)
      faults.push({ key, message: 'No manifest names this object, though its range is delivered.' })
    else notes.push(`${key} is not named by a manifest: its batch is under way, or its manifest was removed.`)
  }
  const closed = await checkClosedHours(env.store, env.publicKeys, bucket, delivery, seen)
  faults.push(...closed.faults)
  if (partitions.length === 0)
    faults.push({ key: manifestsPrefix(delivery), message: 'There is no manifest.' })
  return {
    delivery,
    bucket,
    ok: faults.length === 0,
    keyIds: [...keyIds].sort(),
    partitions,
    closedHours: closed.hours,
    faults,
    notes,
  }
}

interface ChainEnd {
  readonly end: number
  readonly key: string
  readonly sha256: string
}

/** Everything about one manifest that needs no other object than the manifest before it. */
function* checkManifest(
  publicKeys: VerifyEnvironment['publicKeys'],
  bucket: string,
  delivery: string,
  key: string,
  manifest: Manifest,
  last: ChainEnd | null,
): Generator<string> {
  const { source, receipt, objects, previous } = manifest
  const unsigned = signatureFault(manifest, publicKeys)
  if (unsigned !== null) yield unsigned
  if (manifest.delivery !== delivery || manifest.bucket !== bucket || key !== keyOf(manifest))
    yield `It belongs to ${manifest.bucket}/${keyOf(manifest)}.`
  if (source.end < source.start) yield `Its range ${source.start}–${source.end} is empty.`

  if (last !== null) {
    if (source.start !== last.end + 1)
      yield `Offsets ${last.end + 1}–${source.start - 1} are missing: the manifest before it, ${last.key}, ends at ${last.end}.`
    else if (previous === null || previous.key !== last.key || previous.sha256 !== last.sha256)
      yield `It does not follow ${last.key}, which has another hash than it says.`
  } else if (previous !== null && previous.bucket === bucket)
    yield `The manifest before it, ${previous.key}, is missing.`

  const { read, delivered, filtered, rejected, control } = receipt
  if (read !== delivered + filtered + rejected + control)
    yield `Its receipt does not balance: ${read} read, but ${delivered} + ${filtered} + ${rejected} + ${control}.`
  const rows = objects.reduce((sum, object) => sum + object.rows, 0)
  if (rows !== delivered) yield `Its receipt says ${delivered} delivered, its objects have ${rows} rows.`
  if ((manifest.rejected_object?.rows ?? 0) !== rejected)
    yield `Its receipt says ${rejected} rejected, its rejected object has ${manifest.rejected_object?.rows ?? 0} rows.`
  for (const { key: object, rows: all, datasets } of objects)
    if (Object.values(datasets).reduce((sum, count) => sum + count, 0) !== all)
      yield `The rows per dataset of ${object} do not add up to ${all}.`
  const entries = manifest.entries.map(({ url, meta }) => `${url} ${meta.content_length}`)
  const expected = objects.map((object) => `s3://${bucket}/${object.key} ${object.bytes}`)
  if (entries.join('\n') !== expected.join('\n')) yield 'Its entries are not its objects.'
}

function keyOf({ delivery, source }: Manifest): string {
  return manifestKey(delivery, source.topic, source.partition, source.start)
}

/** Data objects of the delivery, by their names, that no manifest mentions. */
async function unnamedObjects(
  store: ObjectStore,
  bucket: string,
  delivery: string,
  prefixes: ReadonlySet<string>,
  named: ReadonlySet<string>,
): Promise<string[]> {
  const unnamed: string[] = []
  for (const prefix of prefixes)
    for await (const { key } of store.list(bucket, `${prefix}/`))
      if (!named.has(key) && rangeOf(key, delivery)) unnamed.push(key)
  return unnamed
}

/** What the name of a data object says: `<delivery>-<topic>-<partition>-<start>-<end>.<format>`. */
function rangeOf(key: string, delivery: string) {
  const name = key.slice(key.lastIndexOf('/') + 1)
  if (!name.startsWith(`${delivery}-`)) return null
  const match = /^(.+)-(\d+)-(\d{20})-(\d{20})\.(parquet|jsonl|csv)(\.gz|\.zst)?$/.exec(
    name.slice(delivery.length + 1),
  )
  return match && { topic: match[1], partition: Number(match[2]), start: Number(match[3]) }
}

function isWithin(key: string, delivery: string, { topic, partition, end }: PartitionReport): boolean {
  const range = rangeOf(key, delivery)
  return range !== null && range.topic === topic && range.partition === partition && range.start <= end
}
