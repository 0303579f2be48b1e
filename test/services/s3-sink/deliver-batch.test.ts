import { createHash } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib'
import { parquetMetadata, parquetReadObjects } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { expect, test } from 'vitest'
import type { Delivery } from '../../../schemas/control/v1.ts'
import { DependencyError } from '../../../services/core/runtime/errors.ts'
import { DELIVERY_FAIL_POINTS } from '../../../services/s3-sink/deliver-batch.ts'
import { openDuckdbEncoder } from '../../../services/s3-sink/duckdb-encoder.ts'
import { delivery, deliveryWorld, START } from './delivery-world.ts'
import { enrichedRecord, LANDED_MS, tickRecord } from './enriched-rows.ts'

const records = Array.from({ length: 50 }, (_, index) => enrichedRecord(index))
const FORMATS: readonly Partial<Delivery>[] = [
  { format: 'parquet' },
  { format: 'jsonl', compression: 'gzip' },
  { format: 'jsonl', compression: 'zstd' },
  { format: 'csv', compression: 'gzip' },
  { format: 'csv', compression: 'zstd' },
  { format: 'csv', compression: 'brotli' },
]
const named = ({ format, compression }: Partial<Delivery>) => [format, compression].filter(Boolean).join(' ')

const code = (run: Promise<unknown>) =>
  run.then(
    () => 'no error',
    (error: unknown) => (error instanceof DependencyError ? error.code : String(error)),
  )

for (const format of FORMATS) {
  test(`the same plan has the same bytes whoever writes it: ${named(format)}`, async () => {
    const [first, second] = [await deliveryWorld(delivery(format)), await deliveryWorld(delivery(format))]
    await first.deliver(records)
    await second.deliver(records)
    expect(first.keys()).toHaveLength(2)
    expect(second.keys()).toEqual(first.keys())
    for (const [key, { bytes }] of first.objects())
      expect(second.objects().get(key)!.bytes.equals(bytes)).toBe(true)
  })
}

test('objects and manifests lie where the contract says', async () => {
  const world = await deliveryWorld(delivery({ prefix: 'lake/v1' }))
  await world.deliver(records)
  expect(world.keys()).toEqual([
    '_manifests/warehouse/events.enriched-3/00000000000000000000.json',
    'lake/v1/dataset=shop/dt=2026-01-31/hour=10/warehouse-events.enriched-3-00000000000000000000-00000000000000000049.jsonl.gz',
  ])
  const [manifest] = world.manifests()
  const object = world.objects().get(manifest!.objects[0]!.key)!
  expect(manifest).toMatchObject({
    receipt: { read: 50, delivered: 50, filtered: 0, rejected: 0, control: 0 },
    entries: [
      {
        url: `s3://lake/${manifest!.objects[0]!.key}`,
        mandatory: true,
        meta: { content_length: object.bytes.length },
      },
    ],
    recipes: ['recipe-1'],
    previous: null,
  })
  expect(manifest!.objects[0]).toMatchObject({
    rows: 50,
    bytes: object.bytes.length,
    sha256: createHash('sha256').update(object.bytes).digest('hex'),
    datasets: { shop: 50 },
    min_time: '2026-01-31T09:59:00.000Z',
    max_time: '2026-01-31T09:59:00.049Z',
  })
})

test('JSON Lines are the records’ own bytes', async () => {
  for (const [compression, unpack] of [
    ['gzip', gunzipSync],
    ['zstd', zstdDecompressSync],
    ['brotli', brotliDecompressSync],
  ] as const) {
    const world = await deliveryWorld(delivery({ compression }))
    await world.deliver(records)
    const object = world.objects().get(world.manifests()[0]!.objects[0]!.key)!
    expect(unpack(object.bytes).toString()).toBe(records.map(({ value }) => `${value}\n`).join(''))
  }
})

test.each([
  [undefined, 'ZSTD'],
  ['zstd', 'ZSTD'],
  ['gzip', 'GZIP'],
  ['brotli', 'BROTLI'],
  ['lz4', 'LZ4_RAW'],
  ['snappy', 'SNAPPY'],
] as const)('pages of a Parquet file compressed with %s are %s', async (compression, codec) => {
  const world = await deliveryWorld(
    delivery({ format: 'parquet', ...(compression === undefined ? {} : { compression }) }),
  )
  await world.deliver(records)
  const [object] = world.manifests()[0]!.objects
  const { bytes } = world.objects().get(object!.key)!
  const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer
  const columns = parquetMetadata(file).row_groups.flatMap((group) => group.columns)
  expect(new Set(columns.map(({ meta_data }) => meta_data!.codec))).toEqual(new Set([codec]))
  const rows = await parquetReadObjects({ file, compressors, columns: ['event_id'] })
  expect(rows.map(({ event_id }) => event_id)).toEqual(records.map((_, index) => `event-${index}`))
  expect(object!.key).toMatch(/\.parquet$/)
  expect(object!.encoder).toBe(
    ['parquet', world.env.encoder.id, ...(codec === 'ZSTD' ? [] : [compression])].join(' '),
  )
})

test('every record is counted once: delivered, filtered, rejected or control', async () => {
  const world = await deliveryWorld(delivery({ events: ['page_view'], where: 'revenue_amount > 1' }))
  await world.deliver([
    enrichedRecord(80),
    enrichedRecord(1), // The condition refuses it.
    enrichedRecord(81, { event: 'click' }), // The headers do.
    enrichedRecord(82, { dataset_id: 'someone-else' }),
    { ...enrichedRecord(83), value: Buffer.from('{"half":') },
    { ...enrichedRecord(84), value: Buffer.from('{"half":}') },
    { ...enrichedRecord(85), value: null },
    tickRecord(LANDED_MS),
    enrichedRecord(86, { event_time: 'yesterday' }),
  ])
  const [manifest] = world.manifests()
  expect(manifest!.receipt).toEqual({ read: 9, delivered: 1, filtered: 3, rejected: 3, control: 2 })
  const rejected = gunzipSync(world.objects().get(manifest!.rejected_object!.key)!.bytes).toString()
  expect(
    rejected
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).reason),
  ).toEqual([
    'It is not one JSON object on one line.',
    'It is not JSON.',
    'Its event_time is missing or is not a time in UTC.',
  ])
})

for (const format of ['parquet', 'csv'] as const) {
  test(`rows that cannot be written as ${format} go to a rejected object and the others through`, async () => {
    const world = await deliveryWorld(delivery({ format }))
    const bad = new Set([3, 17, 18, 49])
    const mixed = records.map((record, index) =>
      bad.has(index)
        ? { ...record, value: Buffer.from(String(record.value).replace('"url":"', '"url":"\\ud800')) }
        : record,
    )
    await world.deliver(mixed)
    const [manifest] = world.manifests()
    expect(manifest!.receipt).toMatchObject({ delivered: 46, rejected: 4 })
    expect(manifest!.objects[0]).toMatchObject({ rows: 46, datasets: { shop: 46 } })
    const rejected = gunzipSync(world.objects().get(manifest!.rejected_object!.key)!.bytes).toString()
    const rows = rejected
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(rows.map(({ row }) => /"event_id":"event-(\d+)"/.exec(row)![1])).toEqual(['3', '17', '18', '49'])
    expect(rows[0].reason).toMatch(/surrogate/)
  })
}

test('a batch of which nothing can be written has a manifest and a rejected object', async () => {
  const world = await deliveryWorld(delivery({ format: 'parquet' }))
  await world.deliver([
    {
      ...enrichedRecord(1),
      value: Buffer.from(String(enrichedRecord(1).value).replace('"url":"', '"url":"\\ud800')),
    },
  ])
  expect(world.manifests()[0]).toMatchObject({
    objects: [],
    entries: [],
    receipt: { read: 1, delivered: 0, rejected: 1 },
  })
})

test('a batch without a row of the delivery still has a manifest, or the chain would have a hole', async () => {
  const world = await deliveryWorld(delivery({ events: ['purchase'] }))
  const after = await world.deliver(records)
  await world.deliver(records, after)
  expect(world.keys()).toEqual([
    '_manifests/warehouse/events.enriched-3/00000000000000000000.json',
    '_manifests/warehouse/events.enriched-3/00000000000000000050.json',
  ])
})

test('a manifest names the one before it by its hash', async () => {
  const world = await deliveryWorld(delivery())
  const after = await world.deliver(records)
  await world.deliver(records, after)
  const first = world.objects().get('_manifests/warehouse/events.enriched-3/00000000000000000000.json')!
  expect(world.manifests()[1]!.previous).toEqual({
    bucket: 'lake',
    key: '_manifests/warehouse/events.enriched-3/00000000000000000000.json',
    sha256: createHash('sha256').update(first.bytes).digest('hex'),
  })
})

test('rows of several paths come to the object of their own path', async () => {
  const world = await deliveryWorld(
    delivery({ format: 'parquet', partition_by: '{dataset}/{event}/{event_time:yyyy-MM-dd}' }),
  )
  const names = ['page_view', '../../etc/passwd', 'a/b', 'ü', '']
  await world.deliver(
    records.map((_, index) =>
      enrichedRecord(index, {
        dataset_id: index % 2 ? 'shop' : 'blog',
        event: names[index % names.length],
      }),
    ),
  )
  const [manifest] = world.manifests()
  const paths = manifest!.objects.map(({ key }) => key.split('/').slice(1, -1).join('/'))
  expect(paths).toEqual(
    ['blog', 'shop'].flatMap((dataset) =>
      ['%', '%2E.%2F..%2Fetc%2Fpasswd', '%C3%BC', 'a%2Fb', 'page_view'].map(
        (event) => `${dataset}/${event}/2026-01-31`,
      ),
    ),
  )
  expect(manifest!.objects.every(({ rows }) => rows === 5)).toBe(true)
})

test('a second try of a plan finds what the first left, wherever it ended', async () => {
  const split = delivery({ partition_by: '{dataset}' })
  const mixed = records.map((_, index) => enrichedRecord(index, { dataset_id: index % 2 ? 'shop' : 'blog' }))
  const whole = await deliveryWorld(split)
  const carry = (await whole.deliver(mixed)).carry
  for (const verbs of [1, 2, 3]) {
    const world = await deliveryWorld(split)
    let puts = 0
    world.store.afterPut = () => {
      puts++
      if (puts === verbs) throw new DependencyError('s3', 'timeout', 'the answer was lost')
    }
    expect(await code(world.deliver(mixed))).toBe('timeout')
    expect((await world.deliver(mixed)).carry).toBe(carry)
    expect(world.keys()).toEqual(whole.keys())
  }
})

test('an object that another encoder wrote is kept when its rows are the same, and described as it is stored', async () => {
  const parquet = delivery({ format: 'parquet' })
  const world = await deliveryWorld(parquet)
  world.store.afterPut = () => {
    throw new DependencyError('s3', 'timeout', 'the answer was lost')
  }
  await code(world.deliver(records))
  world.store.afterPut = null
  const [key, stored] = [...world.objects()][0]!

  const plain = await openDuckdbEncoder(256 * 1024 * 1024, world.env.spoolDir)
  const other = await deliveryWorld(parquet, {
    encoder: {
      ...plain,
      id: 'duckdb-next',
      encode: (from, rows, fields, table, to) => plain.encode(from, rows, fields.toReversed(), table, to),
    },
  })
  other.store.buckets.set('lake', world.store.buckets.get('lake')!)
  await other.deliver(records)
  plain.close()
  expect(other.objects().get(key)!.bytes).toBe(stored.bytes)
  const object = other.manifests()[0]!.objects[0]!
  expect(object.sha256).toBe(createHash('sha256').update(stored.bytes).digest('hex'))
  expect(object.encoder).toContain(world.env.encoder.id)
})

test('other rows under the plan’s name stop the sink', async () => {
  const world = await deliveryWorld(delivery())
  const other = records.with(3, enrichedRecord(1000))
  world.store.afterPut = () => {
    throw new DependencyError('s3', 'timeout', 'the answer was lost')
  }
  await code(world.deliver(other))
  world.store.afterPut = null
  expect(await code(world.deliver(records))).toBe('corrupt')
  expect(world.manifests()).toEqual([])
})

test('another manifest of the plan’s range stops the sink', async () => {
  const world = await deliveryWorld(delivery())
  await world.deliver(records)
  world.control.update({ deliveries: [delivery({ rotate: { rows: 5 } })] })
  expect(await code(world.deliver(records))).toBe('corrupt')
})

test('a manifest of another range, by an owner who slept, is where the next start goes on', async () => {
  const world = await deliveryWorld(delivery())
  const after = await world.deliver(records.slice(0, 10))
  expect(after.offset).toBe(10)
  expect(await code(world.deliver(records.slice(0, 20)))).toBe('outcome_unknown')
  expect(await world.sink.delivered(START)).toEqual({ firstEnd: 9, progress: after })
})

test('nothing is left on disk after a batch, delivered, failed or discarded', async () => {
  const world = await deliveryWorld(delivery({ format: 'csv', partition_by: '{event}' }))
  await world.deliver(records)
  world.store.onRequest = () => {
    throw new DependencyError('s3', 'unavailable', 'away')
  }
  expect(await code(world.deliver(records, { ...START, offset: 50 }))).toBe('unavailable')
  expect(readdirSync(world.env.spoolDir)).toEqual([])
  expect(world.env.spoolBudget.usedBytes).toBe(0)
})

test('fail points are passed in the stated order', async () => {
  const world = await deliveryWorld(delivery())
  await world.deliver(records)
  expect(world.passed).toEqual([...DELIVERY_FAIL_POINTS])
})
