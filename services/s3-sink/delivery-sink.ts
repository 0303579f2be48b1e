import { join } from 'node:path'
import type { Delivery } from '../../schemas/control/v1.ts'
import { manifestKey, manifestPrefix } from '../../schemas/manifest/v1.ts'
import type { ControlView } from '../core/control/control-view.ts'
import type { TopicPartition } from '../core/kafka/log.ts'
import { sha256Hex } from '../core/manifest/manifest-signature.ts'
import { readManifest } from '../core/manifest/read-manifest.ts'
import type { ObjectStore } from '../core/object-store/object-store.ts'
import { DependencyError } from '../core/runtime/errors.ts'
import type { Progress } from '../core/stream/planned-plan.ts'
import type { Delivered, PlannedSink } from '../core/stream/planned-sink.ts'
import { decodeLink, encodeLink } from './commit-manifest.ts'
import { type CompiledDelivery, compileDelivery, encoderId } from './compiled-delivery.ts'
import type { DeliverEnvironment } from './deliver-batch.ts'
import { openDeliveryBatch } from './delivery-batch.ts'
import { getStored } from './get-stored.ts'
import { openSpool } from './spool.ts'
import type { SpoolBudget } from './spool-budget.ts'

export interface DeliverySinkEnvironment extends DeliverEnvironment {
  readonly control: Pick<ControlView, 'snapshot' | 'pinned'>
  readonly bucketDefault: string
  readonly spoolDir: string
  readonly spoolBudget: SpoolBudget
  readonly pathsMax: number
}

/** One partition of one delivery, as the planned batch drives it. */
export function deliverySink(
  env: DeliverySinkEnvironment,
  deliveryId: string,
  partition: TopicPartition,
): PlannedSink {
  const compiled = new Map<string, CompiledDelivery>()
  let opened = 0

  const compile = (delivery: Delivery, hash: string): CompiledDelivery => {
    const known = compiled.get(hash)
    if (known) return known
    compiled.clear() // One configuration is in force at a time.
    const made = compileDelivery(delivery, hash, env.bucketDefault)
    compiled.set(hash, made)
    return made
  }

  const inForce = (): CompiledDelivery => {
    const found = env.control.snapshot.deliveries.get(deliveryId)
    // The pipeline ends this consumer as soon as it hears of it.
    if (!found) throw new DependencyError('control', 'unavailable', `Delivery ${deliveryId} was removed.`)
    return compile(found.object, found.hash)
  }

  const asPinned = (hash: string): CompiledDelivery => {
    const found = env.control.pinned('delivery', hash)
    if (!found)
      throw new DependencyError(
        'control',
        'corrupt',
        `Delivery ${deliveryId} has an open plan under configuration ${hash}, which millrace.control does not have.`,
      )
    return compile(found.object, hash)
  }

  return {
    async open(_, pinned) {
      const delivery = pinned ? asPinned(pinned.config) : inForce()
      const file = join(
        env.spoolDir,
        `${deliveryId}-${partition.topic}-${partition.partition}-${opened++}.ndjson`,
      )
      const under = pinned ?? {
        config: delivery.hash,
        settings: encoderId(delivery, env),
        controlOffset: env.control.snapshot.offset,
      }
      return openDeliveryBatch(
        env,
        delivery,
        partition,
        under,
        openSpool(env.disk, file),
        env.spoolBudget.open(),
      )
    },

    async delivered(from) {
      const { bucket, ranges } = inForce()
      const held = await deliveredRanges(env.store, bucket, deliveryId, partition, from)
      if (held !== null || from !== null) return held
      // Nothing was ever delivered: what lies before the first range need not be read.
      const offset = ranges?.[partition.partition]?.[0]?.[0] ?? 0
      return offset === 0
        ? null
        : { firstEnd: offset - 1, progress: { offset, src: -1, landed: 0, carry: '' } }
    },
  }
}

/**
 * What manifests say is delivered: those from the committed position on, which must follow one another; before it the
 * one that the position was carried from.
 */
export async function deliveredRanges(
  store: ObjectStore,
  bucket: string,
  delivery: string,
  { topic, partition }: TopicPartition,
  from: Progress | null,
): Promise<Delivered | null> {
  const prefix = manifestPrefix(delivery, topic, partition)
  if (from !== null) await checkCarried(store, delivery, { topic, partition }, from)
  const startAfter =
    from === null ? undefined : manifestKey(delivery, topic, partition, from.offset).slice(0, -5)
  const keys: string[] = []
  for await (const { key } of store.list(bucket, prefix, startAfter)) keys.push(key)
  const [firstKey, lastKey] = [keys[0], keys.at(-1)]
  if (firstKey === undefined || lastKey === undefined) return null

  const first = await getStored(store, bucket, firstKey, readManifest)
  if (from !== null && first.value.source.start !== from.offset)
    throw new DependencyError(
      's3',
      'corrupt',
      `${bucket}/${firstKey} begins at ${first.value.source.start}, but the position before it is ${from.offset}.`,
    )
  // From an expired position all manifests count: millrace verify reads every one, here the ends must do.
  let last = first
  if (from === null) last = await getStored(store, bucket, lastKey, readManifest)
  else
    for (const key of keys.slice(1)) {
      const next = await getStored(store, bucket, key, readManifest)
      if (next.value.source.start !== last.value.source.end + 1)
        throw new DependencyError(
          's3',
          'corrupt',
          `${bucket}/${key} does not follow ${last.value.source.end}, where the manifest before it ends.`,
        )
      last = next
    }
  const { source } = last.value
  return {
    firstEnd: first.value.source.end,
    progress: {
      offset: source.end + 1,
      src: source.src,
      landed: source.landed,
      carry: encodeLink({ bucket, start: source.start, sha256: last.sha256 }),
    },
  }
}

/** The manifest that the committed position chains on must be there, unchanged. */
async function checkCarried(
  store: ObjectStore,
  delivery: string,
  { topic, partition }: TopicPartition,
  { carry }: Progress,
): Promise<void> {
  const link = decodeLink(carry)
  if (link === null) return
  const key = manifestKey(delivery, topic, partition, link.start)
  const stored = await store.get(link.bucket, key)
  if (stored === null || sha256Hex(stored) !== link.sha256)
    throw new DependencyError(
      's3',
      'corrupt',
      `${link.bucket}/${key}, the last manifest that was committed, ${stored === null ? 'is not there' : 'has changed'}.`,
    )
}
