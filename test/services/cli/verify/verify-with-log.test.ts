import { beforeEach, expect, test } from 'vitest'
import type { Receipt } from '../../../../schemas/receipt/v1.ts'
import type { SeenManifest } from '../../../../services/cli/verify/check-closed-hours.ts'
import { verifyWithLog } from '../../../../services/cli/verify/verify-with-log.ts'
import type { Producer } from '../../../../services/core/kafka/log.ts'
import { topicSpecs } from '../../../../services/core/kafka/topic-specs.ts'
import { kafkaNames } from '../../../../services/core/kafka/topics.ts'
import { systemClock } from '../../../../services/core/runtime/clock.ts'
import { createMemoryLog, type MemoryLog } from '../../../helpers/memory-log.ts'

const names = kafkaNames('')
let log: MemoryLog
let producer: Producer

/** One raw partition of twelve offsets: ten enriched, one rejected, one duplicate; a tick lies among the records. */
beforeEach(async () => {
  log = createMemoryLog({ clock: systemClock })
  await log.admin.createTopics(
    topicSpecs(names, { partitions: 1, replicationFactor: -1, dedupeWindowMs: 1_000 }),
  )
  producer = await log.openProducer({ clientId: 'test', lingerMs: 0, deliveryTimeoutMs: 1_000 })
})

async function enriched(...sources: readonly (number | 'tick')[]): Promise<void> {
  await producer.produce(
    sources.map((source) => ({
      topic: names.enriched,
      partition: 0,
      key: null,
      value: Buffer.from('{}'),
      headers: source === 'tick' ? { tick: '1' } : { src: `0:${source}` },
    })),
  )
}

async function receipt(from: number, to: number, counts: Partial<Receipt>): Promise<void> {
  const value: Receipt = {
    v: 1,
    partition: 0,
    from,
    to,
    enriched: 0,
    rejected: 0,
    duplicate: 0,
    control: 0,
    recipe: 'r',
    control_offset: 0,
    ...counts,
  }
  await producer.produce([
    { topic: names.receipts, partition: 0, key: '0', value: Buffer.from(JSON.stringify(value)) },
  ])
}

const manifest = (start: number, end: number, read = end - start + 1): SeenManifest => ({
  topic: names.enriched,
  partition: 0,
  start,
  end,
  hour: 1,
  sha256: 'a'.repeat(64),
  read,
  delivered: read,
})

const verify = (...manifests: readonly SeenManifest[]) => verifyWithLog(log, names, 'warehouse', manifests)
const messages = async (...manifests: readonly SeenManifest[]) =>
  (await verify(...manifests)).faults.map(({ key, message }) => `${key}: ${message}`)

async function sound(): Promise<void> {
  await enriched(0, 1, 3, 4, 'tick', 6, 7, 8, 9, 10, 11)
  await receipt(0, 4, { enriched: 4, duplicate: 1 })
  await receipt(5, 11, { enriched: 6, rejected: 1 })
}

test('what adds up is told in numbers', async () => {
  await sound()
  expect(await verify(manifest(0, 5), manifest(6, 10))).toEqual({
    partitions: [
      { partition: 0, from: 0, to: 11, enriched: 10, rejected: 1, duplicate: 1, control: 0, counted: 11 },
    ],
    faults: [],
    notes: [],
  })
})

test('a manifest that says another count than its range holds is named', async () => {
  await sound()
  expect(await messages(manifest(0, 5, 7), manifest(6, 10))).toEqual([
    '_manifests/warehouse/events.enriched-0/00000000000000000000.json: It says that 7 records were read, its range holds 6.',
  ])
})

test('a hole between receipts, an overlap, and one that does not add up are named', async () => {
  await receipt(0, 4, { enriched: 4 })
  await receipt(6, 9, { enriched: 4 })
  await receipt(8, 9, { enriched: 2 })
  await enriched(0, 1, 3, 4)
  expect((await messages(manifest(0, 3))).filter((message) => message.startsWith(names.receipts))).toEqual([
    'events.receipts-0: The receipt of raw offsets 0–4 does not add up: 4 + 0 + 0 + 0.',
    'events.receipts-0: Raw offsets 5–5 are in no receipt.',
    'events.receipts-0: Raw offsets 8–9 are in two.',
  ])
})

test('a record that a receipt speaks of and that is not there is named', async () => {
  await enriched(0, 1, 3, 4, 6, 7, 9, 10, 12)
  await receipt(0, 4, { enriched: 4, duplicate: 1 })
  await receipt(5, 10, { enriched: 5, rejected: 1 })
  await receipt(11, 12, { enriched: 1, rejected: 1 })
  expect(await messages(manifest(0, 8))).toEqual([
    'events.enriched-0: The receipt of raw offsets 5–10 says 5 enriched, 4 are there.',
  ])
})

test('a raw offset that comes twice is named', async () => {
  await enriched(0, 1, 1)
  await receipt(0, 1, { enriched: 2 })
  expect(await messages(manifest(0, 2))).toEqual([
    'events.enriched-0: Offset 2 is of raw offset 1, which came at or before 1.',
  ])
})

test('what retention has taken is said, and not counted against anybody', async () => {
  await sound()
  log.controls.truncate({ topic: names.enriched, partition: 0, offset: 4 })
  const { faults, notes, partitions } = await verify(manifest(0, 5), manifest(6, 10))
  expect(faults).toEqual([])
  expect(notes).toEqual([
    'events.enriched-0 holds nothing before offset 4 any more; what lies before is not counted.',
  ])
  expect(partitions[0]?.counted).toBe(7)
})

test('a topic of another installation is said', async () => {
  const { notes } = await verify({ ...manifest(0, 1), topic: 'other.events.enriched' })
  expect(notes).toEqual([
    'other.events.enriched is not a topic of this installation, so its records are not counted.',
  ])
})
