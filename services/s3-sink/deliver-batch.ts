import { batchName, type Manifest, manifestKey, type RejectedObject } from '../../schemas/manifest/v1.ts'
import type { TopicPartition } from '../core/kafka/log.ts'
import type { SigningKey } from '../core/manifest/manifest-signature.ts'
import type { ObjectStore } from '../core/object-store/object-store.ts'
import type { Plan } from '../core/stream/planned-plan.ts'
import { commitManifest, decodeLink, encodeLink, type ManifestContent } from './commit-manifest.ts'
import { type CompiledDelivery, encoderId } from './compiled-delivery.ts'
import type { Disk, WrittenFile } from './disk.ts'
import { putRows } from './put-rows.ts'
import { REJECTED_PATH, rejectedLine } from './rejected-line.ts'
import type { RowStats } from './row-stats.ts'
import type { Spool, SpooledPath } from './spool.ts'
import type { TableEncoder } from './table-encoder.ts'
import { isoTime, topLevelText } from './top-level-text.ts'
import { keepWritableRows } from './writable-rows.ts'

/** Where a test may kill the process within a delivery, in the order they are passed. */
export const DELIVERY_FAIL_POINTS = [
  'mid_encode',
  'mid_put',
  'after_first_object',
  'after_objects',
  'after_manifest',
] as const
export type DeliveryFailPoint = (typeof DELIVERY_FAIL_POINTS)[number]

export interface DeliverEnvironment {
  readonly store: ObjectStore
  readonly disk: Disk
  readonly encoder: TableEncoder
  readonly signingKey: SigningKey
  /** Runs work that takes a core and disk; only so many at a time. */
  readonly encodingSlot: <T>(work: () => Promise<T>) => Promise<T>
  readonly failPoint: (name: DeliveryFailPoint) => Promise<void> | void
  /** Told of every batch once its manifest is stored. */
  readonly observeBatch: (delivery: string, manifest: ManifestContent) => void
}

/** What was counted while the batch was filled. */
export interface BatchCounts {
  readonly read: number
  readonly filtered: number
  readonly control: number
  /** Sorted. */
  readonly recipes: readonly string[]
}

/**
 * The effect of one plan: encodes the spool path by path, writes the objects, then the manifest that names them.
 * Every name and, with the same encoder, every byte is a function of the plan, so that a second try finds what the
 * first one left and goes on from there.
 *
 * @returns what the next batch chains on
 */
export async function deliverBatch(
  env: DeliverEnvironment,
  delivery: CompiledDelivery,
  partition: TopicPartition,
  plan: Plan,
  spool: Spool,
  counts: BatchCounts,
): Promise<string> {
  const name = batchName(delivery.id, { ...partition, start: plan.start, end: plan.end })
  const objects: Manifest['objects'] = []
  for (const path of spool.paths()) {
    if (path.path === REJECTED_PATH) continue
    const key = `${delivery.prefix}/${path.path}/${name}.${delivery.extension}`
    const object = await env.encodingSlot(() => writeObject(env, delivery, spool, path, key))
    if (object === null) continue
    objects.push(object)
    if (objects.length === 1) await env.failPoint('after_first_object')
  }
  await spool.flush() // The encoder may have refused rows.
  const rejectedKey = `${delivery.prefix}/_rejected/${name}.jsonl.gz`
  const rejected = await env.encodingSlot(() => writeRejected(env, delivery, spool, rejectedKey))
  await env.failPoint('after_objects')

  const content = manifestOf(delivery, partition, plan, counts, objects, rejected)
  const link = await commitManifest(env.store, content, env.signingKey)
  await env.failPoint('after_manifest')
  env.observeBatch(delivery.id, content)
  return encodeLink(link)
}

/** @returns null when none of the path's rows can be written */
async function writeObject(
  env: DeliverEnvironment,
  delivery: CompiledDelivery,
  spool: Spool,
  path: SpooledPath,
  key: string,
): Promise<Manifest['objects'][number] | null> {
  const out = `${spool.file}.out`
  try {
    await env.failPoint('mid_encode')
    const encoded = await encodePath(env, delivery, spool, path, out)
    if (encoded === null) return null
    const { stats, written } = encoded
    const rowDigest = stats.digest()
    const encoder = encoderId(delivery, env)
    await env.failPoint('mid_put')
    const stored = await putRows(env.store, delivery.bucket, key, out, delivery.contentType, stats.rows, {
      ...written,
      rowDigest,
      encoder,
    })
    return {
      key,
      rows: stats.rows,
      bytes: stored.bytes,
      sha256: stored.sha256,
      row_digest: rowDigest,
      encoder: stored.encoder,
      datasets: stats.datasets,
      min_time: stats.minTime,
      max_time: stats.maxTime,
    }
  } finally {
    await env.disk.remove(out)
  }
}

/** Writes the rows of one path to the file `out`, or as many of them as can be written. */
async function encodePath(
  env: DeliverEnvironment,
  delivery: CompiledDelivery,
  spool: Spool,
  path: SpooledPath,
  out: string,
): Promise<{ readonly stats: RowStats; readonly written: WrittenFile } | null> {
  const { table, codec, fields } = delivery
  // Lines are JSON Lines already; that each is one object on one line was seen when it was added.
  if (table === null)
    return { stats: path.stats, written: await env.disk.compress(spool.read(path), codec ?? 'gzip', out) }

  const plain = codec === null ? out : `${out}.table`
  const tryEncode = (file: string, rows: number) => env.encoder.encode(file, rows, fields, table, plain)
  const kept = `${spool.file}.kept`
  try {
    let stats = path.stats
    if ((await tryEncode(await spool.fileOf(path), stats.rows)) !== null) {
      stats = await keepWritableRows(
        env.disk,
        spool.read(path),
        kept,
        tryEncode,
        (line) => ({
          dataset: topLevelText(line, 'dataset_id') ?? '',
          time: isoTime(line, delivery.timeColumn) ?? '',
        }),
        (line, reason) =>
          spool.add(REJECTED_PATH, rejectedLine(line, reason), topLevelText(line, 'dataset_id') ?? '', ''),
      )
      if (stats.rows === 0) return null
      const still = await tryEncode(kept, stats.rows)
      if (still !== null) throw new Error(`Rows that can each be written cannot be together: ${still}`)
    }
    const written =
      codec === null ? await env.disk.measure(out) : await env.disk.compress(env.disk.read(plain), codec, out)
    return { stats, written }
  } finally {
    await env.disk.remove(`${out}.table`, kept)
  }
}

async function writeRejected(
  env: DeliverEnvironment,
  delivery: CompiledDelivery,
  spool: Spool,
  key: string,
): Promise<RejectedObject | null> {
  const path = spool.paths().find((found) => found.path === REJECTED_PATH)
  if (!path) return null
  const out = `${spool.file}.out`
  try {
    const written = await env.disk.compress(spool.read(path), 'gzip', out)
    const { rows } = path.stats
    const rowDigest = path.stats.digest()
    const encoder = `jsonl ${env.disk.codecId('gzip')}`
    const stored = await putRows(env.store, delivery.bucket, key, out, 'application/gzip', rows, {
      ...written,
      rowDigest,
      encoder,
    })
    const { bytes, sha256 } = stored
    return { key, rows, bytes, sha256, row_digest: rowDigest, encoder: stored.encoder }
  } finally {
    await env.disk.remove(out)
  }
}

function manifestOf(
  delivery: CompiledDelivery,
  { topic, partition }: TopicPartition,
  plan: Plan,
  counts: BatchCounts,
  objects: Manifest['objects'],
  rejected: RejectedObject | null,
): ManifestContent {
  const { read, filtered, control } = counts
  const delivered = objects.reduce((sum, object) => sum + object.rows, 0)
  const receipt = { read, delivered, filtered, rejected: rejected?.rows ?? 0, control }
  if (read !== plan.rows || read !== delivered + filtered + receipt.rejected + control)
    throw new Error(`The receipt does not balance with ${plan.rows} planned: ${JSON.stringify(receipt)}`)
  const link = decodeLink(plan.carry)
  return {
    v: 1,
    delivery: delivery.id,
    config: delivery.hash,
    bucket: delivery.bucket,
    format: delivery.format,
    schema: delivery.schema,
    recipes: [...counts.recipes],
    source: {
      topic,
      topic_id: plan.topicId,
      partition,
      start: plan.start,
      end: plan.end,
      digest: plan.digest,
      src: plan.src,
      landed_before: plan.landedBefore,
      landed: plan.landed,
    },
    control_offset: plan.controlOffset,
    receipt,
    objects,
    rejected_object: rejected,
    entries: objects.map(({ key, bytes }) => ({
      url: `s3://${delivery.bucket}/${key}`,
      mandatory: true as const,
      meta: { content_length: bytes },
    })),
    previous: link && {
      bucket: link.bucket,
      key: manifestKey(delivery.id, topic, partition, link.start),
      sha256: link.sha256,
    },
  }
}
