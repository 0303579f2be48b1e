import { createPrivateKey } from 'node:crypto'
import { type Manifest, manifestKey } from '../../../schemas/manifest/v1.ts'
import { signContent, signingKey } from '../../../services/core/manifest/manifest-signature.ts'
import type { HoursOf } from '../../../services/s3-sink/close-hours.ts'
import { SIGNING_KEY } from './delivery-world.ts'

export const HOUR = 3_600_000
/** 2026-01-31T10:00:00Z */
export const TEN = 1_769_853_600_000

/** Another than the worlds' own. */
export const OTHER_KEY = signingKey(
  createPrivateKey({
    key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), Buffer.alloc(32, 8)]),
    format: 'der',
    type: 'pkcs8',
  }),
)

/** A manifest of ten records, all delivered in one object, that landed at `landed` (epoch ms), and where it lies. */
export function hourManifest(of: HoursOf, partition: number, start: number, landed: number) {
  const content: Omit<Manifest, 'signature'> = {
    v: 1,
    delivery: of.delivery,
    config: 'c',
    bucket: of.bucket,
    format: 'jsonl',
    schema: 'enriched-event/1',
    recipes: [],
    source: {
      topic: of.topic,
      topic_id: 't',
      partition,
      start,
      end: start + 9,
      digest: 'd'.repeat(64),
      src: start,
      landed_before: landed,
      landed,
    },
    control_offset: 0,
    receipt: { read: 10, delivered: 10, filtered: 0, rejected: 0, control: 0 },
    objects: [
      {
        key: `o/${partition}-${start}`,
        rows: 10,
        bytes: 100,
        sha256: 'a'.repeat(64),
        row_digest: 'b'.repeat(64),
        encoder: 'e',
        datasets: { shop: 10 },
        min_time: '2026-01-31T10:00:00.000Z',
        max_time: '2026-01-31T10:00:00.000Z',
      },
    ],
    rejected_object: null,
    entries: [],
    previous: null,
  }
  const bytes = signContent(content, SIGNING_KEY)
  return { key: manifestKey(of.delivery, of.topic, partition, start), bytes }
}
