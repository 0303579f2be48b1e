import { expect, test } from 'vitest'
import type { Dataset, Delivery, Subscription } from '../../../../schemas/control/v1.ts'
import { manifestKey } from '../../../../schemas/manifest/v1.ts'
import { partitionOf, recordKey } from '../../../../services/core/kafka/partition.ts'
import { kafkaNames } from '../../../../services/core/kafka/topics.ts'
import { createFindInDelivery } from '../../../../services/query-api/trace/delivery-search.ts'
import { type TraceInput, traceOf } from '../../../../services/query-api/trace/event-trace.ts'
import { createFindInLog } from '../../../../services/query-api/trace/log-search.ts'
import { createManualClock } from '../../../helpers/manual-clock.ts'
import { createMemoryLog } from '../../../helpers/memory-log.ts'
import { createMemoryObjectStore } from '../../../helpers/memory-object-store.ts'

const names = kafkaNames('')
const dataset: Dataset = { id: 'shop', account: 'acme' }
const subscription = (id: string, over: Partial<Subscription> = {}): Subscription => ({
  id,
  account: 'acme',
  datasets: ['shop'],
  ...over,
})
const delivery = (id: string, over: Partial<Delivery> = {}): Delivery => ({
  id,
  account: 'acme',
  datasets: ['shop'],
  format: 'jsonl',
  ...over,
})
const record = (over: object = {}) => ({
  event_id: 'e1',
  dataset_id: 'shop',
  event: 'purchase',
  event_time: '2026-11-22T12:00:00.000Z',
  collector_time: '2026-11-22T12:00:00.000Z',
  src_partition: 1,
  src_offset: 10,
  ...over,
})
const hit = (topic: string, offset: number, srcOffset = 10) => ({
  topic,
  partition: 1,
  offset,
  src: { partition: 1, offset: srcOffset },
})

const trace = (over: Partial<TraceInput> = {}) =>
  traceOf({
    dataset,
    eventId: 'e1',
    names,
    stored: [],
    inLog: { hits: [], decidedTo: new Map(), complete: true },
    subscriptions: [],
    deliveries: [],
    findInDelivery: async () => null,
    ...over,
  })

test('an event that is nowhere says so, and whether everything was searched', async () => {
  expect(await trace()).toMatchObject({ arrivals: [], explanation: expect.stringContaining('ever accepted') })
  const inLog = { hits: [], decidedTo: new Map(), complete: false }
  expect((await trace({ inLog })).explanation).toContain('older than what was searched')
})

test('a raw record that a receipt covers and nothing came of is a duplicate; past the receipts it waits', async () => {
  const inLog = {
    hits: [hit(names.raw, 10), hit(names.enriched, 4), hit(names.raw, 20, 20), hit(names.raw, 30, 30)],
    decidedTo: new Map([[1, 25]]),
    complete: true,
  }
  const found = await trace({ inLog })
  expect(found.arrivals.map(({ raw, verdict }) => [raw.offset, verdict])).toEqual([
    [10, 'enriched'],
    [20, 'duplicate'],
    [30, 'waiting'],
  ])
  expect(found.explanation).toBe('It arrived 3 times: 1 enriched, 1 duplicate, 1 waiting.')
})

test('without a receipt the verdict on a raw record is not guessed', async () => {
  const inLog = { hits: [hit(names.raw, 10)], decidedTo: new Map(), complete: true }
  expect((await trace({ inLog })).arrivals[0]).toMatchObject({ verdict: 'unknown' })
})

test('a rejected event tells who refused it and why, and goes to deliveries of rejected events only', async () => {
  const row = record({ stage: 'enricher', code: 'schema_violation' })
  const [arrival] = (
    await trace({
      stored: [{ table: 'rejected_events', record: row }],
      deliveries: [delivery('good'), delivery('bad', { source: 'rejected' })],
      subscriptions: [subscription('all')],
    })
  ).arrivals
  expect(arrival).toMatchObject({
    verdict: 'rejected',
    explanation: 'It was refused by the enricher: schema_violation.',
    deliveries: [{ delivery: 'bad', status: 'not_yet' }],
    subscriptions: [],
  })
})

test('subscriptions and deliveries of other accounts and datasets are never named', async () => {
  const found = await trace({
    stored: [{ table: 'events', record: record() }],
    inLog: { hits: [hit('sub.a', 7)], decidedTo: new Map(), complete: true },
    subscriptions: [
      subscription('a'),
      subscription('b', { events: ['page_view'] }),
      subscription('c'),
      subscription('theirs', { account: 'other' }),
      subscription('elsewhere', { datasets: ['blog'] }),
    ],
    deliveries: [delivery('d', { where: "event = 'page_view'" }), delivery('theirs', { account: 'other' })],
  })
  expect(found.arrivals[0]?.subscriptions).toEqual([
    {
      subscription: 'a',
      topic: 'sub.a',
      status: 'written',
      position: { topic: 'sub.a', partition: 1, offset: 7 },
    },
    { subscription: 'b', topic: 'sub.b', status: 'not_asked_for', position: null },
    { subscription: 'c', topic: 'sub.c', status: 'entitled', position: null },
  ])
  expect(found.arrivals[0]?.deliveries).toEqual([{ delivery: 'd', status: 'not_asked_for', place: null }])
})

test('the manifest of a row is the first one that reaches its raw offset, its objects those that can hold it', async () => {
  const store = createMemoryObjectStore()
  await store.createBucket('b')
  const reached = [5, 5, 12, 40, 41]
  for (const [i, src] of reached.entries()) {
    const object = (key: string, datasets: object, min_time: string, max_time: string) => ({
      key,
      datasets,
      min_time,
      max_time,
    })
    const manifest = {
      source: { src },
      objects: [
        object(`early-${i}`, { shop: 1 }, '2026-11-22T10:00:00Z', '2026-11-22T10:59:59Z'),
        object(`right-${i}`, { shop: 3, blog: 1 }, '2026-11-22T11:00:00Z', '2026-11-22T12:00:00Z'),
        object(`blog-${i}`, { blog: 2 }, '2026-11-22T11:00:00Z', '2026-11-22T13:00:00Z'),
      ],
    }
    const bytes = Buffer.from(JSON.stringify(manifest))
    const key = manifestKey('d', names.enriched, 1, i * 100)
    await store.putIfAbsent('b', key, { bytes }, { contentType: 'application/json' })
  }
  const find = createFindInDelivery(store, 'b')
  const at = (srcOffset: number, timeMs: number | null = Date.parse('2026-11-22T12:00:00Z')) =>
    find(
      delivery('d'),
      { dataset: 'shop', topic: names.enriched, srcPartition: 1, srcOffset, timeMs },
      new AbortController().signal,
    )
  expect(await at(42)).toBe(null)
  for (const [srcOffset, index] of [
    [0, 0],
    [5, 0],
    [6, 2],
    [12, 2],
    [13, 3],
    [41, 4],
  ] as const)
    expect(await at(srcOffset)).toEqual({
      bucket: 'b',
      manifest: manifestKey('d', names.enriched, 1, index * 100),
      objects: [`right-${index}`],
    })
  expect((await at(12, null))?.objects).toEqual(['early-2', 'right-2'])
})

async function logWithEvents() {
  const log = createMemoryLog({ clock: createManualClock() })
  const partitions = 3
  const topics = [names.raw, names.enriched, names.rejected, names.receipts, 'sub.a']
  await log.admin.createTopics(
    topics.map((topic) => ({ topic, partitions, replicationFactor: 1, config: {} })),
  )
  const producer = await log.openProducer({ clientId: 't', lingerMs: 0, deliveryTimeoutMs: 1000 })
  const put = (topic: string, partition: number, headers: Record<string, string>, value: unknown = {}) =>
    producer.produce([{ topic, partition, key: null, value: Buffer.from(JSON.stringify(value)), headers }])
  return { log, put, partition: partitionOf(recordKey('shop', 'd1', 'e1'), partitions) }
}
const search = { dataset: 'shop', eventId: 'e1', distinctId: 'd1', topics: ['sub.a', 'sub.none'] }
const signal = new AbortController().signal

test('the log is searched by headers, in all topics, for this dataset alone', async () => {
  const { log, put, partition } = await logWithEvents()
  const mine = { event_id: 'e1', dataset_id: 'shop' }
  await put(names.raw, partition, { event_id: 'e0', dataset_id: 'shop' })
  await put(names.raw, partition, mine)
  await put(names.raw, partition, { event_id: 'e1', dataset_id: 'other' })
  await put(names.enriched, partition, { ...mine, src: `${partition}:1` })
  await put('sub.a', (partition + 1) % 3, { ...mine, src: `${partition}:1` })
  await put(names.receipts, partition, {}, { v: 1, partition, from: 0, to: 2 })
  const found = await createFindInLog(log, names, createManualClock(), 100)({ ...search, signal })
  expect(found.complete).toBe(true)
  expect(found.decidedTo).toEqual(new Map([[partition, 3]]))
  expect(found.hits.map(({ topic, offset, src }) => [topic, offset, src.offset]).sort()).toEqual([
    [names.enriched, 0, 1],
    [names.raw, 1, 1],
    ['sub.a', 0, 1],
  ])
})

test('older records than it may look at make the search incomplete', async () => {
  const { log, put, partition } = await logWithEvents()
  await put(names.raw, partition, { event_id: 'e1', dataset_id: 'shop' })
  for (let i = 0; i < 5; i++) await put(names.raw, partition, { event_id: `x${i}`, dataset_id: 'shop' })
  const of = (recordsMax: number) =>
    createFindInLog(log, names, createManualClock(), recordsMax)({ ...search, signal })
  expect(await of(5)).toMatchObject({ hits: [], complete: false })
  expect((await of(6)).hits).toHaveLength(1)
  expect(await of(0)).toMatchObject({ hits: [], complete: false })
})
