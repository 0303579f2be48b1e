import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import { GetObjectCommand, ListObjectsV2Command, NoSuchKey, S3Client } from '@aws-sdk/client-s3'
import { parse as parseCsv } from 'csv-parse/sync'
import { parquetReadObjects } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { countEvent } from './reconcile.ts'

/**
 * What a delivery left in its bucket, read the way a stranger would: S3's own client for the objects, and for each
 * format a reader that had no part in writing it. Nothing of the sink's or of `verify`'s code is used.
 */
export interface DeliveryContent {
  /** Rows per dataset, as the manifests say. */
  readonly manifestRows: ReadonlyMap<string, number>
  /** Events in the files that manifests name. */
  readonly events: ReadonlyMap<string, number>
  readonly faults: readonly string[]
}

export interface Bucket {
  readonly client: S3Client
  readonly bucket: string
}

export interface DeliveryReading {
  readonly id: string
  readonly prefix: string
  /** Manifests that were there before, left out of the counts; the chain is followed through them all the same. */
  readonly before: ReadonlySet<string>
  /** Where the delivery's sink stands, per `<topic>-<partition>`, as the broker holds it: there its manifests must end. */
  readonly positions: ReadonlyMap<string, number>
  /** Rows of other events are left out of both counts. */
  readonly concerns: (event: string) => boolean
}

/** The members of a manifest that counting needs. */
interface ManifestFacts {
  readonly source: {
    readonly topic: string
    readonly partition: number
    readonly start: number
    readonly end: number
  }
  readonly objects: readonly {
    readonly key: string
    readonly rows: number
    readonly datasets: Record<string, number>
  }[]
  /** Rows that the format could not hold; named, but no rows of the delivery. */
  readonly rejected_object: { readonly key: string } | null
}

/** Objects read at once. */
const CONCURRENCY = 4

export interface BucketAddress {
  /** Null for AWS. */
  readonly endpoint: string | null
  readonly region: string
  readonly bucket: string
  /** Null for what the AWS SDK finds by itself. */
  readonly accessKeyId: string | null
  readonly secretAccessKey: string | null
}

export function openBucket({
  endpoint,
  region,
  bucket,
  accessKeyId,
  secretAccessKey,
}: BucketAddress): Bucket {
  const client = new S3Client({
    region,
    ...(endpoint === null ? {} : { endpoint, forcePathStyle: true }),
    ...(accessKeyId === null || secretAccessKey === null
      ? {}
      : { credentials: { accessKeyId, secretAccessKey } }),
  })
  return { client, bucket }
}

export async function listKeys({ client, bucket }: Bucket, prefix: string): Promise<string[]> {
  const keys: string[] = []
  for (let token: string | undefined; ; ) {
    const page = await client.send(
      new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix, ContinuationToken: token }),
    )
    keys.push(...(page.Contents ?? []).map(({ Key }) => Key as string))
    token = page.NextContinuationToken
    if (token === undefined) return keys
  }
}

async function getObject({ client, bucket }: Bucket, key: string): Promise<Buffer | null> {
  try {
    const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }))
    return Buffer.from(await Body!.transformToByteArray())
  } catch (error) {
    if (error instanceof NoSuchKey) return null
    throw error
  }
}

export function manifestsOf(deliveryId: string): string {
  return `_manifests/${deliveryId}/`
}

export async function readDelivery(
  bucket: Bucket,
  { id, prefix, before, positions, concerns }: DeliveryReading,
): Promise<DeliveryContent> {
  const faults: string[] = []
  const manifestKeys = await listKeys(bucket, manifestsOf(id))
  const manifests: { key: string; facts: ManifestFacts }[] = []
  await inParallel(manifestKeys, async (key) => {
    const bytes = await getObject(bucket, key)
    if (bytes === null) faults.push(`delivery ${id}: the manifest ${key} went away while it was read.`)
    else manifests.push({ key, facts: JSON.parse(bytes.toString('utf8')) })
  })
  manifests.sort((a, b) => (a.key < b.key ? -1 : 1))
  faults.push(
    ...chainFaults(
      id,
      manifests.map(({ facts }) => facts),
      positions,
    ),
  )

  const named = new Set(
    manifests.flatMap(({ facts }) => [...facts.objects, facts.rejected_object]).map((object) => object?.key),
  )
  for (const key of await listKeys(bucket, `${prefix}/`)) {
    if (!named.has(key)) faults.push(`delivery ${id}: no manifest names the object ${key}.`)
  }

  const manifestRows = new Map<string, number>()
  const add = (dataset: string, rows: number) =>
    manifestRows.set(dataset, (manifestRows.get(dataset) ?? 0) + rows)
  const events = new Map<string, number>()
  const objects = manifests.filter(({ key }) => !before.has(key)).flatMap(({ facts }) => facts.objects)
  await inParallel(objects, async ({ key, rows, datasets }) => {
    for (const [dataset, count] of Object.entries(datasets)) add(dataset, count)
    const bytes = await getObject(bucket, key)
    if (bytes === null) {
      faults.push(`delivery ${id}: the object ${key} is missing, a manifest says that it holds ${rows} rows.`)
      return
    }
    const found = await readRows(key, bytes)
    if (found.length !== rows)
      faults.push(`delivery ${id}: the object ${key} holds ${found.length} rows, its manifest says ${rows}.`)
    for (const { dataset_id, event_id } of found) {
      if (concerns(`${dataset_id}/${event_id}`)) countEvent(events, dataset_id, event_id)
      else add(dataset_id, -1)
    }
  })
  return { manifestRows, events, faults }
}

/**
 * Ranges of one partition must follow each other without a gap, from its first offset to where the sink stands. Manifests
 * come sorted by key.
 */
function chainFaults(
  id: string,
  manifests: readonly ManifestFacts[],
  positions: ReadonlyMap<string, number>,
): string[] {
  const faults: string[] = []
  const next = new Map([...positions.keys()].map((partition) => [partition, 0]))
  const missing = (partition: string, start: number, goesOn: number) =>
    faults.push(
      `delivery ${id}: the manifest ${manifestsOf(id)}${partition}/${String(start).padStart(20, '0')}.json is missing; ${partition} goes on at offset ${goesOn}.`,
    )
  for (const { source } of manifests) {
    const partition = `${source.topic}-${source.partition}`
    const expected = next.get(partition) ?? 0
    if (expected !== source.start) missing(partition, expected, source.start)
    next.set(partition, source.end + 1)
  }
  for (const [partition, position] of positions) {
    const end = next.get(partition)!
    if (end < position) missing(partition, end, position)
  }
  return faults
}

interface Row {
  readonly dataset_id: string
  readonly event_id: string
}

async function readRows(key: string, bytes: Buffer): Promise<readonly Row[]> {
  if (key.endsWith('.parquet')) {
    const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer
    return (await parquetReadObjects({
      file,
      columns: ['dataset_id', 'event_id'],
      compressors,
    })) as unknown as Row[]
  }
  const plain = key.endsWith('.zst')
    ? zstdDecompressSync(bytes)
    : key.endsWith('.gz')
      ? gunzipSync(bytes)
      : bytes
  if (key.includes('.jsonl')) {
    const lines = plain.toString('utf8').split('\n')
    return lines.filter((line) => line !== '').map((line) => JSON.parse(line))
  }
  return parseCsv(plain, { columns: true })
}

async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items]
  const worker = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item)
  }
  await Promise.all(Array.from({ length: CONCURRENCY }, worker))
}
