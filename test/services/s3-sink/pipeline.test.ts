import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { expect, onTestFinished, test, vi } from 'vitest'
import type { Delivery } from '../../../schemas/control/v1.ts'
import type { Manifest } from '../../../schemas/manifest/v1.ts'
import type { GroupConsumer } from '../../../services/core/kafka/log.ts'
import { kafkaNames } from '../../../services/core/kafka/topics.ts'
import { systemClock } from '../../../services/core/runtime/clock.ts'
import { DependencyError } from '../../../services/core/runtime/errors.ts'
import { Health } from '../../../services/core/runtime/health.ts'
import { createLogger } from '../../../services/core/runtime/logger.ts'
import { createMetrics } from '../../../services/core/runtime/metrics.ts'
import { PLANNED_FAIL_POINTS } from '../../../services/core/stream/planned-batch.ts'
import { DELIVERY_FAIL_POINTS } from '../../../services/s3-sink/deliver-batch.ts'
import { nodeDisk } from '../../../services/s3-sink/node-disk.ts'
import { runS3Sink } from '../../../services/s3-sink/pipeline.ts'
import type { TableEncoder } from '../../../services/s3-sink/table-encoder.ts'
import { controlView } from '../../helpers/memory-control.ts'
import { createMemoryLog } from '../../helpers/memory-log.ts'
import { createMemoryObjectStore } from '../../helpers/memory-object-store.ts'
import { delivery, SIGNING_KEY } from './delivery-world.ts'
import { enrichedRecord } from './enriched-rows.ts'

const names = kafkaNames('')
const rotate = { rows: 10, age: '1s' }
const noTables: TableEncoder = {
  id: 'none',
  encode: () => Promise.reject(new Error('these deliveries need no table encoder')),
  close: () => {},
}

/** The whole stage over a log, a store and a configuration in memory, which outlive its processes. */
async function sinkWorld(deliveries: readonly Delivery[]) {
  /** How far the brokers' clock is ahead. */
  const brokers = { aheadMs: 0 }
  const log = createMemoryLog({
    clock: { ...systemClock, now: () => systemClock.now() + brokers.aheadMs },
  })
  await log.admin.createTopics(
    [names.enriched, names.rejected].map((topic) => ({
      topic,
      partitions: 2,
      replicationFactor: -1,
      config: {},
    })),
  )
  const store = createMemoryObjectStore()
  await store.createBucket('lake')
  const control = controlView({ deliveries })
  const producer = await log.openProducer({ clientId: 'test', lingerMs: 0, deliveryTimeoutMs: 1000 })
  let produced = 0

  async function produce(count: number, topic = names.enriched): Promise<void> {
    const records = Array.from({ length: count }, (_, index) => {
      const { value, headers } = enrichedRecord(produced + index)
      return { topic, partition: (produced + index) % 2, key: null, value, headers }
    })
    produced += count
    await producer.produce(records)
  }

  /** One process of the stage. */
  function start(failPoint: (name: string) => void = () => {}) {
    const spoolDir = mkdtempSync(join(tmpdir(), 's3-sink-'))
    const stop = new AbortController()
    const health = new Health()
    const metrics = createMetrics()
    const consumers: GroupConsumer[] = []
    const done = runS3Sink(
      {
        log: {
          ...log,
          async openGroupConsumer(options) {
            const consumer = await log.openGroupConsumer(options)
            consumers.push(consumer)
            return consumer
          },
        },
        names,
        control,
        store,
        disk: nodeDisk(),
        encoder: noTables,
        signingKey: SIGNING_KEY,
        spoolDir,
        bounds: { spoolBytesMax: 1e9, encodingsMax: 2, pathsMax: 100, queueBytesMax: 1e7, closeEveryMs: 50 },
        group: { sessionTimeoutMs: 1000, pollRecordsMax: 7, prefetchBytesMax: 1e7 },
        destinations: { of: () => store, close() {} },
        bucketDefault: 'lake',
        clock: systemClock,
        random: () => 0.1,
        nonce: () => String(Math.random()),
        failPoint,
        logger: createLogger('test', 'error', { write() {} }),
        metrics,
        health,
      },
      stop.signal,
    )
    done.catch(() => {})
    onTestFinished(async () => {
      stop.abort()
      await done.catch(() => {})
      rmSync(spoolDir, { recursive: true })
    })
    const finish = async () => {
      stop.abort()
      await done
    }
    /** Takes what is left of a process that died out of its groups, as their session timeout would. */
    const bury = async () => {
      stop.abort()
      for (const consumer of consumers) await consumer.close().catch(() => {})
    }
    return { done, health, metrics, finish, bury }
  }

  const manifests = (id: string, bucket = 'lake'): Manifest[] =>
    [...(store.buckets.get(bucket) ?? [])]
      .filter(([key]) => key.startsWith(`_manifests/${id}/`))
      .map(([, { bytes }]) => JSON.parse(bytes.toString()))
  const eventIds = (id: string, bucket = 'lake'): string[] =>
    manifests(id, bucket)
      .flatMap(({ objects }) => objects)
      .flatMap(({ key }) => {
        const { bytes } = store.buckets.get(bucket)!.get(key)!
        return gunzipSync(bytes).toString().trimEnd().split('\n')
      })
      .map((line) => JSON.parse(line).event_id)
  const expectDelivered = (id: string, bucket = 'lake') =>
    vi.waitFor(
      () =>
        expect(eventIds(id, bucket).toSorted()).toEqual(
          Array.from({ length: produced }, (_, index) => `event-${index}`).toSorted(),
        ),
      { timeout: 15_000, interval: 50 },
    )
  return { store, control, brokers, produce, start, manifests, eventIds, expectDelivered }
}

const ready = (health: Health) => health.ready().checks.deliveries

test('a delivery that fails holds up no other, and catches up', async () => {
  const world = await sinkWorld([
    delivery({ id: 'fine', rotate }),
    delivery({ id: 'shut', rotate, bucket: 'shut' }),
  ])
  await world.produce(50)
  const sink = world.start()
  await world.expectDelivered('fine')
  await vi.waitFor(
    () => expect(ready(sink.health)).toMatch(/^Delivery shut: There is no bucket shut/),
    15_000,
  )
  await world.store.createBucket('shut')
  await world.expectDelivered('shut', 'shut')
  await vi.waitFor(() => expect(ready(sink.health)).toBe('ok'), 15_000)
  await sink.finish()
})

test('deliveries come, change and go without a restart', async () => {
  const world = await sinkWorld([delivery({ id: 'first', rotate })])
  const sink = world.start()
  await world.produce(20)
  await world.expectDelivered('first')

  const changed = delivery({ id: 'first', rotate, prefix: 'elsewhere' })
  world.control.update({ deliveries: [changed, delivery({ id: 'second', rotate })] })
  await world.produce(20)
  await world.expectDelivered('first')
  await world.expectDelivered('second')
  const prefixes = world
    .manifests('first')
    .flatMap(({ objects }) => objects.map(({ key }) => key.split('/')[0]))
  expect(new Set(prefixes)).toEqual(new Set(['first', 'elsewhere']))

  world.control.update({ deliveries: [delivery({ id: 'second', rotate })] })
  await world.produce(20)
  await world.expectDelivered('second')
  expect(world.eventIds('first')).toHaveLength(40)

  world.control.update({ deliveries: [changed] })
  await world.expectDelivered('first')
  await sink.finish()
})

test('an hour that every partition has gone past is closed', async () => {
  const world = await sinkWorld([delivery({ id: 'fine', rotate })])
  await world.produce(20)
  const sink = world.start()
  await world.expectDelivered('fine')
  const closed = () =>
    [...world.store.buckets.get('lake')!.keys()].filter((key) => key.startsWith('_closed/'))
  expect(closed()).toEqual([])
  const firstHour = new Date().toISOString().slice(0, 13)
  world.brokers.aheadMs = 3_600_000
  await world.produce(20)
  await vi.waitFor(() => expect(closed()).toEqual([`_closed/fine/events.enriched/${firstHour}.json`]), 10_000)
  await sink.finish()
})

test('a delivery of rejected events reads their topic', async () => {
  const world = await sinkWorld([delivery({ id: 'refused', rotate, source: 'rejected' })])
  await world.produce(20, names.rejected)
  const sink = world.start()
  await world.expectDelivered('refused')
  expect(world.manifests('refused')[0]).toMatchObject({
    schema: 'rejected-event/1',
    source: { topic: 'events.rejected' },
  })
  await sink.finish()
})

test('the key that signs is published in every bucket', async () => {
  const world = await sinkWorld([delivery({ id: 'fine', rotate })])
  const sink = world.start()
  const stored = () => world.store.buckets.get('lake')!.get(`_keys/${SIGNING_KEY.keyId}.pem`)
  await vi.waitFor(() => expect(stored()?.bytes.toString()).toBe(SIGNING_KEY.publicPem), 15_000)
  await sink.finish()
})

test('what is counted adds up: read = delivered + filtered + rejected + control', async () => {
  const world = await sinkWorld([delivery({ id: 'fine', rotate, where: 'revenue_amount >= 1' })])
  await world.produce(40)
  const sink = world.start()
  const count = async (outcome: string) => {
    const exposed = await sink.metrics.expose()
    const line = new RegExp(`^millrace_s3_sink_${outcome}_records_total\\{delivery="fine"\\} (\\d+)`, 'm')
    return Number(line.exec(exposed)?.[1])
  }
  await vi.waitFor(async () => expect(await count('read')).toBe(40), { timeout: 10_000 })
  expect(await Promise.all(['delivered', 'filtered', 'rejected', 'control'].map(count))).toEqual([
    32, 8, 0, 0,
  ])
  await sink.finish()
})

for (const point of [...PLANNED_FAIL_POINTS, ...DELIVERY_FAIL_POINTS]) {
  test(`a process that dies at ${point} is followed by one that delivers every row exactly once`, async () => {
    const world = await sinkWorld([delivery({ id: 'fine', rotate }), delivery({ id: 'other', rotate })])
    await world.produce(45)
    let passes = 3
    const first = world.start((name) => {
      if (name === point && --passes === 0) throw new Error(`killed at ${name}`)
    })
    await expect(first.done).rejects.toThrow(`killed at ${point}`)
    await first.bury()
    const second = world.start()
    await world.expectDelivered('fine')
    await world.expectDelivered('other')
    await second.finish()
  })
}

test('an answer of the store that was lost is not a second row', async () => {
  const world = await sinkWorld([delivery({ id: 'fine', rotate })])
  await world.produce(60)
  let puts = 0
  world.store.afterPut = () => {
    puts++
    if (puts % 3 === 0) throw new DependencyError('s3', 'timeout', 'the answer was lost')
  }
  const sink = world.start()
  await world.expectDelivered('fine')
  await sink.finish()
})
