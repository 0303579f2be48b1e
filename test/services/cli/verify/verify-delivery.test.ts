import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { expect, onTestFinished, test } from 'vitest'
import type { ClosedHourContent } from '../../../../schemas/closed-hour/v1.ts'
import type { Delivery } from '../../../../schemas/control/v1.ts'
import type { Manifest } from '../../../../schemas/manifest/v1.ts'
import { reportText } from '../../../../services/cli/commands/verify.ts'
import { objectChecker } from '../../../../services/cli/verify/check-object.ts'
import { openParquetRowCount } from '../../../../services/cli/verify/duckdb-row-count.ts'
import { publishedKeys } from '../../../../services/cli/verify/public-keys.ts'
import { verifyDelivery } from '../../../../services/cli/verify/verify-delivery.ts'
import { sha256Hex, signContent, signingKey } from '../../../../services/core/manifest/manifest-signature.ts'
import {
  BUCKET,
  type DeliveryWorld,
  delivery,
  deliveryWorld,
  SIGNING_KEY,
} from '../../s3-sink/delivery-world.ts'
import { enrichedRecord } from '../../s3-sink/enriched-rows.ts'

const MANIFESTS = '_manifests/warehouse/events.enriched-3'
const manifestAt = (start: number) => `${MANIFESTS}/${String(start).padStart(20, '0')}.json`

/** Three batches of ten rows, of which the second has a row that cannot be written. */
async function delivered(format: Partial<Delivery> = {}): Promise<DeliveryWorld> {
  const world = await deliveryWorld(delivery(format))
  let after = { offset: 0, src: -1, landed: 0, carry: '' }
  for (const from of [0, 10, 20]) {
    const records = Array.from({ length: 10 }, (_, index) => enrichedRecord(from + index))
    if (from === 10) records[4] = { ...records[4]!, value: Buffer.from('{"broken"') }
    after = await world.deliver(records, after)
  }
  return world
}

async function verify(
  world: DeliveryWorld,
  publicKeys = new Map([[SIGNING_KEY.keyId, createPublicKey(SIGNING_KEY.publicPem)]]),
) {
  const tempDir = mkdtempSync(join(tmpdir(), 'verify-'))
  const parquet = await openParquetRowCount()
  onTestFinished(() => {
    parquet.close()
    rmSync(tempDir, { recursive: true })
  })
  return verifyDelivery(
    {
      store: world.store,
      publicKeys,
      checkObject: objectChecker(world.store, parquet.count, tempDir),
      progress: () => {},
    },
    BUCKET,
    'warehouse',
  )
}

const dataKeys = (world: DeliveryWorld) => world.keys().filter((key) => key.startsWith('warehouse/dataset='))

/** Replaces a manifest by one that says something else, signed by somebody who has the key. */
function resign(world: DeliveryWorld, key: string, change: (manifest: Manifest) => void): void {
  const stored = world.objects().get(key)!
  const { signature: _, ...manifest } = JSON.parse(stored.bytes.toString()) as Manifest
  change(manifest as Manifest)
  stored.bytes = signContent(manifest, SIGNING_KEY)
}

for (const format of [
  { format: 'parquet' },
  { format: 'jsonl' },
  { format: 'jsonl', compression: 'zstd' },
  { format: 'csv' },
  { format: 'csv', compression: 'zstd' },
  { format: 'csv', compression: 'brotli' },
  { format: 'parquet', compression: 'snappy' },
] as const satisfies readonly Partial<Delivery>[]) {
  test(`what was delivered as ${Object.values(format).join(' ')} verifies`, async () => {
    const report = await verify(await delivered(format))
    expect(report.faults).toEqual([])
    expect(report).toMatchObject({ ok: true, notes: [], keyIds: [SIGNING_KEY.keyId] })
    expect(report.partitions).toMatchObject([
      { topic: 'events.enriched', partition: 3, start: 0, end: 29, manifests: 3, objects: 4, rows: 29 },
    ])
    expect(reportText(report, true)).toContain('29 rows, everything is as the manifests say')
  })
}

test('a deleted object is named', async () => {
  const world = await delivered()
  const [key] = dataKeys(world)
  world.objects().delete(key!)
  expect((await verify(world)).faults).toEqual([{ key, message: 'The object is missing.' }])
})

test('a deleted manifest is named by the hole it leaves, and its object by being unnamed', async () => {
  const world = await delivered()
  world.objects().delete(manifestAt(10))
  const { ok, faults } = await verify(world)
  expect(ok).toBe(false)
  expect(faults.map(({ key, message }) => `${key}: ${message}`)).toEqual([
    `${manifestAt(20)}: Offsets 10–19 are missing: the manifest before it, ${manifestAt(0)}, ends at 9.`,
    expect.stringMatching(/^warehouse\/_rejected\/.*: No manifest names this object/),
    expect.stringMatching(/enriched-3-0{18}10-0{18}19.jsonl.gz: No manifest names this object/),
  ])
})

test('a deleted first manifest is named', async () => {
  const world = await delivered()
  world.objects().delete(manifestAt(0))
  const { faults } = await verify(world)
  expect(faults[0]).toEqual({
    key: manifestAt(10),
    message: `The manifest before it, ${manifestAt(0)}, is missing.`,
  })
})

test('a deleted last manifest shows as objects that no manifest names', async () => {
  const world = await delivered()
  world.objects().delete(manifestAt(20))
  const { ok, notes } = await verify(world)
  expect(ok).toBe(true)
  expect(notes).toEqual([expect.stringMatching(/0{18}20-0{18}29.jsonl.gz is not named by a manifest/)])
})

test('a flipped byte is named, in an object and in a manifest', async () => {
  const world = await delivered({ format: 'parquet' })
  const [key] = dataKeys(world)
  const object = world.objects().get(key!)!
  object.bytes[100]! ^= 1
  const manifest = world.objects().get(manifestAt(10))!
  manifest.bytes = Buffer.from(manifest.bytes.toString().replace('"control_offset":7', '"control_offset":8'))
  const { faults } = await verify(world)
  expect(faults).toContainEqual({ key, message: expect.stringMatching(/^Its bytes were changed/) })
  expect(faults).toContainEqual({
    key: manifestAt(10),
    message: 'Its signature is wrong: it was changed after it was signed.',
  })
  expect(faults).toContainEqual({
    key: manifestAt(20),
    message: `It does not follow ${manifestAt(10)}, which has another hash than it says.`,
  })
})

for (const format of ['jsonl', 'csv'] as const) {
  test(`a dropped row is named although size and hash were made to fit: ${format}`, async () => {
    const world = await delivered({ format })
    const [key] = dataKeys(world)
    const object = world.objects().get(key!)!
    const text = gunzipSync(object.bytes).toString()
    object.bytes = gzipSync(
      text.slice(0, text.lastIndexOf(format === 'csv' ? '1,event-9' : '{"schema_version"')),
    )
    resign(world, manifestAt(0), ({ objects, entries }) => {
      objects[0]!.bytes = entries[0]!.meta.content_length = object.bytes.length
      objects[0]!.sha256 = sha256Hex(object.bytes)
    })
    expect((await verify(world)).faults[0]).toEqual({
      key,
      message: 'It has 9 rows, its manifest says 10.',
    })
  })
}

test('a receipt that does not balance is named', async () => {
  const world = await delivered()
  resign(world, manifestAt(20), ({ receipt }) => {
    receipt.filtered = 1
  })
  expect((await verify(world)).faults).toEqual([
    { key: manifestAt(20), message: 'Its receipt does not balance: 10 read, but 10 + 1 + 0 + 0.' },
  ])
})

test('a manifest that was moved to another place is named', async () => {
  const world = await delivered()
  world.objects().set(manifestAt(30), world.objects().get(manifestAt(20))!)
  const { faults } = await verify(world)
  expect(faults[0]).toEqual({ key: manifestAt(30), message: `It belongs to lake/${manifestAt(20)}.` })
})

test('a key that signed but is not trusted is named', async () => {
  const world = await delivered()
  const other = signingKey(generateKeyPairSync('ed25519').privateKey)
  const { faults } = await verify(world, new Map([[other.keyId, createPublicKey(other.publicPem)]]))
  expect(faults).toHaveLength(3)
  expect(faults[0]!.message).toMatch(/is not known here/)
})

test('what is no manifest is named', async () => {
  const world = await delivered()
  world.objects().get(manifestAt(20))!.bytes = Buffer.from('{"v":1}')
  expect((await verify(world)).faults[0]).toMatchObject({
    key: manifestAt(20),
    message: expect.stringMatching(/^This is not a manifest/),
  })
})

test('a delivery without a manifest does not verify', async () => {
  const { faults } = await verify(await deliveryWorld(delivery()))
  expect(faults).toEqual([{ key: '_manifests/warehouse/', message: 'There is no manifest.' }])
})

const CLOSED = '_closed/warehouse/events.enriched/2026-01-31T10.json'

/** Closes the hour that the three batches are of. */
function closeHour(world: DeliveryWorld, change: (content: ClosedHourContent) => void = () => {}): void {
  const content: ClosedHourContent = {
    v: 1,
    delivery: 'warehouse',
    bucket: BUCKET,
    topic: 'events.enriched',
    hour: '2026-01-31T10:00:00.000Z',
    partitions: [
      {
        partition: 3,
        end: 29,
        manifests: [0, 10, 20].map((start) => ({
          start,
          sha256: sha256Hex(world.objects().get(manifestAt(start))!.bytes),
        })),
      },
    ],
    receipt: { read: 30, delivered: 29, filtered: 0, rejected: 1, control: 0 },
    objects: 3,
    bytes: 1,
    previous: null,
  }
  change(content)
  world.objects().set(CLOSED, { bytes: signContent(content, SIGNING_KEY), metadata: {} })
}

test('a closed hour that lists what is there verifies', async () => {
  const world = await delivered()
  closeHour(world)
  expect(await verify(world)).toMatchObject({ ok: true, closedHours: 1, faults: [] })
})

test('a batch that was taken out of a closed hour with everything it had is named', async () => {
  const world = await delivered()
  closeHour(world)
  for (const key of world.keys().filter((key) => key.includes(`${'0'.repeat(18)}20`)))
    world.objects().delete(key)
  const { faults } = await verify(world)
  expect(faults.map(({ key, message }) => `${key}: ${message}`)).toEqual([
    `${CLOSED}: It lists ${manifestAt(20)}, which is missing or of another hour.`,
    `${CLOSED}: It says that partition 3 ends at 29, its manifests end at 19.`,
    `${CLOSED}: Its receipt says 30 read and 29 delivered, its manifests 20 and 19.`,
  ])
})

for (const { what, change, message } of [
  {
    what: 'leaves a manifest out',
    change: ({ partitions }: ClosedHourContent) => void partitions[0]!.manifests.pop(),
    message: `It does not list ${manifestAt(20)}.`,
  },
  {
    what: 'has another hash',
    change: ({ partitions }: ClosedHourContent) => {
      partitions[0]!.manifests[1]!.sha256 = '0'.repeat(64)
    },
    message: `It lists ${manifestAt(10)} with another hash.`,
  },
  {
    what: 'follows one that is gone',
    change: (content: ClosedHourContent) => {
      content.previous = { key: CLOSED.replace('T10', 'T09'), sha256: '0'.repeat(64) }
    },
    message: `The closed hour before it, ${CLOSED.replace('T10', 'T09')}, is missing.`,
  },
  {
    what: 'is of another delivery',
    change: (content: ClosedHourContent) => {
      content.delivery = 'other'
    },
    message: `It belongs to lake/${CLOSED.replace('warehouse', 'other')}.`,
  },
])
  test(`a closed hour that ${what} is named`, async () => {
    const world = await delivered()
    closeHour(world, change)
    expect((await verify(world)).faults).toContainEqual({ key: CLOSED, message })
  })

test('a closed hour that was changed after it was signed is named', async () => {
  const world = await delivered()
  closeHour(world)
  const object = world.objects().get(CLOSED)!
  object.bytes = Buffer.from(object.bytes.toString().replace('"objects":3', '"objects":4'))
  expect((await verify(world)).faults).toEqual([
    { key: CLOSED, message: 'Its signature is wrong: it was changed after it was signed.' },
  ])
})

test('the keys of a bucket are found by their ids', async () => {
  const world = await deliveryWorld(delivery())
  world.objects().set(`_keys/${SIGNING_KEY.keyId}.pem`, {
    bytes: Buffer.from(SIGNING_KEY.publicPem),
    metadata: {},
  })
  expect([...(await publishedKeys(world.store, BUCKET)).keys()]).toEqual([SIGNING_KEY.keyId])
  world.objects().set('_keys/other.pem', { bytes: Buffer.from('nonsense'), metadata: {} })
  await expect(publishedKeys(world.store, BUCKET)).rejects.toThrow('lake/_keys/other.pem holds no public key')
})
