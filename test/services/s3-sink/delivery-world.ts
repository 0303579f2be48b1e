import { createPrivateKey } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { Delivery } from '../../../schemas/control/v1.ts'
import type { Manifest } from '../../../schemas/manifest/v1.ts'
import { signingKey } from '../../../services/core/manifest/manifest-signature.ts'
import type { Plan, Progress } from '../../../services/core/stream/planned-plan.ts'
import type { DeliveryFailPoint } from '../../../services/s3-sink/deliver-batch.ts'
import { type DeliverySinkEnvironment, deliverySink } from '../../../services/s3-sink/delivery-sink.ts'
import { openDuckdbEncoder } from '../../../services/s3-sink/duckdb-encoder.ts'
import { nodeDisk } from '../../../services/s3-sink/node-disk.ts'
import { spoolBudget } from '../../../services/s3-sink/spool-budget.ts'
import type { TableEncoder } from '../../../services/s3-sink/table-encoder.ts'
import { controlView } from '../../helpers/memory-control.ts'
import { createMemoryObjectStore } from '../../helpers/memory-object-store.ts'
import { LANDED_MS, PARTITION, recordBatch, type SourceRecord } from './enriched-rows.ts'

export const BUCKET = 'lake'

/** Keys that every run has, so that signed bytes can be compared between runs. */
const keyOf = (byte: number) =>
  signingKey(
    createPrivateKey({
      // The fixed head of an Ed25519 key in PKCS #8, and thirty-two bytes that anybody may know.
      key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), Buffer.alloc(32, byte)]),
      format: 'der',
      type: 'pkcs8',
    }),
  )

export const SIGNING_KEY = keyOf(7)
/** The one that comes after it. */
export const NEXT_SIGNING_KEY = keyOf(8)

export const START: Progress = { offset: 0, src: -1, landed: 0, carry: '' }

export function delivery(given: Partial<Delivery> = {}): Delivery {
  return { id: 'warehouse', account: 'acme', datasets: ['shop', 'blog'], format: 'jsonl', ...given }
}

/** A delivery's sink over an object store in memory and the real encoder, without the log around it. */
export async function deliveryWorld(configured: Delivery, given: { readonly encoder?: TableEncoder } = {}) {
  const spoolDir = mkdtempSync(join(tmpdir(), 's3-sink-'))
  const store = createMemoryObjectStore()
  await store.createBucket(BUCKET)
  const control = controlView({ deliveries: [configured] })
  const encoder = given.encoder ?? (await openDuckdbEncoder(256 * 1024 * 1024, spoolDir))
  onTestFinished(() => {
    if (!given.encoder) encoder.close()
    rmSync(spoolDir, { recursive: true })
  })
  const failed: DeliveryFailPoint[] = []
  const env: DeliverySinkEnvironment = {
    store,
    disk: nodeDisk(),
    encoder,
    signingKey: SIGNING_KEY,
    encodingSlot: (work) => work(),
    failPoint: (name) => {
      failed.push(name)
    },
    observeBatch: () => {},
    control,
    bucketDefault: BUCKET,
    spoolDir,
    spoolBudget: spoolBudget(1024 * 1024 * 1024),
    pathsMax: 1000,
  }
  const sink = deliverySink(env, configured.id, PARTITION)

  function planOf(records: readonly SourceRecord[], after: Progress, pinned: Partial<Plan> = {}): Plan {
    return {
      config: control.snapshot.deliveries.get(configured.id)!.hash,
      settings: 'test',
      controlOffset: 7,
      start: after.offset,
      end: after.offset + records.length - 1,
      nonce: 'n',
      topicId: 'topic-1',
      rows: records.length,
      digest: 'd'.repeat(64),
      src: 41,
      landed: LANDED_MS + records.length - 1,
      srcBefore: after.src,
      landedBefore: after.landed,
      carry: after.carry,
      ...pinned,
    }
  }

  /** Delivers the records as one batch. @returns where it left off, to hand on */
  async function deliver(records: readonly SourceRecord[], after = START): Promise<Progress> {
    const batch = await sink.open(after, null)
    const source = recordBatch(records, after.offset)
    for (let index = 0; index < records.length; index++) batch.add(source, index, source.timestamp(index))
    await batch.flush()
    const plan = planOf(records, after)
    try {
      const hold = { confirm: async () => {}, requireFresh: () => {} }
      const carry = await batch.deliver(plan, { replayed: false, hold })
      return { offset: plan.end + 1, src: plan.src, landed: plan.landed, carry }
    } finally {
      await batch.discard()
    }
  }

  const objects = () => store.buckets.get(BUCKET)!
  return {
    env,
    sink,
    store,
    control,
    deliver,
    passed: failed,
    objects,
    keys: () => [...objects().keys()].sort(),
    manifests: (): Manifest[] =>
      [...objects()]
        .filter(([key]) => key.startsWith('_manifests/'))
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([, { bytes }]) => JSON.parse(bytes.toString())),
  }
}

export type DeliveryWorld = Awaited<ReturnType<typeof deliveryWorld>>
