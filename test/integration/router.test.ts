import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { Kafka, logLevel } from 'kafkajs'
import { afterAll, afterEach, expect, inject, test } from 'vitest'
import type { Dataset, Subscription } from '../../schemas/control/v1.ts'
import { openControlPublisher } from '../../services/core/control/control-publisher.ts'
import { openKafkaLog } from '../../services/core/kafka/kafka-log.ts'
import { KAFKA_SETTINGS } from '../../services/core/kafka/kafka-settings.ts'
import type { ProduceRecord } from '../../services/core/kafka/log.ts'
import { partitionOf, recordKey } from '../../services/core/kafka/partition.ts'
import { HEADERS, type KafkaNames, kafkaNames } from '../../services/core/kafka/topics.ts'
import { systemClock } from '../../services/core/runtime/clock.ts'
import { isDependencyError } from '../../services/core/runtime/errors.ts'
import { createLogger } from '../../services/core/runtime/logger.ts'
import { parseSettings } from '../../services/core/runtime/settings.ts'
import { putChange } from '../helpers/put-change.ts'

const brokers = inject('kafkaBrokers')
const settings = parseSettings(KAFKA_SETTINGS, { MILLRACE_KAFKA_BROKERS: brokers })
const logger = createLogger('test', 'error')
const log = await openKafkaLog(settings, logger)
const PARTITIONS = 2

const children: ChildProcess[] = []
afterEach(() => {
  for (const child of children.splice(0)) if (child.exitCode === null) child.kill('SIGKILL')
})
afterAll(() => log.close())

/** The stage as it runs everywhere: a process of its own. */
function startRouter(prefix: string): ChildProcess {
  const main = join(import.meta.dirname, '../../services/cli/main.ts')
  const child = spawn(process.execPath, [main, 'run', 'subscriber-router'], {
    env: {
      ...process.env,
      UV_THREADPOOL_SIZE: '32',
      MILLRACE_KAFKA_BROKERS: brokers,
      MILLRACE_KAFKA_PREFIX: prefix,
      MILLRACE_KAFKA_SESSION_TIMEOUT: '6s',
      MILLRACE_LOG_LEVEL: 'warn',
      MILLRACE_ROUTER_BATCH_RECORDS: '500',
      MILLRACE_ROUTER_SLOW_COMMIT: '2s',
    },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  children.push(child)
  return child
}

async function stop(child: ChildProcess): Promise<void> {
  child.kill('SIGTERM')
  const [status] = await once(child, 'exit')
  expect(status).toBe(0)
}

async function setUp(subscriptions: readonly Subscription[]): Promise<{ prefix: string; names: KafkaNames }> {
  const prefix = `t-${randomUUID()}.`
  const names = kafkaNames(prefix)
  await log.admin.createTopics([
    { topic: names.enriched, partitions: PARTITIONS, replicationFactor: 1, config: {} },
  ])
  const datasets: Dataset[] = [
    { id: 'shop', account: 'acme' },
    { id: 'blog', account: 'acme' },
  ]
  const publisher = await openControlPublisher({ log, names, clock: systemClock, logger })
  await publisher.publish([
    ...datasets.map((dataset) => putChange('dataset', dataset, 'config')),
    ...subscriptions.map((subscription) => putChange('subscription', subscription, 'config')),
  ])
  await publisher.close()
  return { prefix, names }
}

/** Events `e<from>` on: every tenth a purchase, a hundred people, two datasets. */
function events(names: KafkaNames, from: number, count: number): ProduceRecord[] {
  return Array.from({ length: count }, (_, i) => {
    const n = from + i
    const [id, dataset, event] = [`e${n}`, n % 4 === 0 ? 'blog' : 'shop', n % 10 === 0 ? 'purchase' : 'view']
    const key = recordKey(dataset, `person-${n % 100}`, id)
    const partition = partitionOf(key, PARTITIONS)
    return {
      topic: names.enriched,
      partition,
      key,
      value: Buffer.from(
        `{"event_id":"${id}","dataset_id":"${dataset}","event":"${event}","session_id":"s${n % 7}","ip":"1.2.3.4","properties":{"n":${n}.50,"pad":"${'x'.repeat(300)}"}}`,
      ),
      headers: {
        [HEADERS.eventId]: id,
        [HEADERS.datasetId]: dataset,
        [HEADERS.event]: event,
        [HEADERS.schema]: '1',
        [HEADERS.source]: `${partition}:${n}`,
        [HEADERS.recipe]: 'r',
      },
    }
  })
}

async function write(records: readonly ProduceRecord[]): Promise<void> {
  const producer = await log.openProducer({ clientId: 'test', lingerMs: 5, deliveryTimeoutMs: 30_000 })
  await producer.produce(records)
  await producer.close()
}

const all: Subscription = { id: 'all', account: 'acme', datasets: ['shop', 'blog'] }
const masked: Subscription = {
  id: 'masked',
  account: 'acme',
  datasets: ['shop'],
  events: ['purchase'],
  where: 'properties.n >= 100',
  fields: { exclude: ['ip', 'properties.pad'] },
  key: 'session_id',
  topic: { partitions: 3 },
}

const idOf = (record: ProduceRecord) => record.headers?.[HEADERS.eventId] ?? ''
const isMasked = (record: ProduceRecord) => {
  const n = Number(idOf(record).slice(1))
  return n % 10 === 0 && n % 4 !== 0 && n >= 100
}

interface Seen {
  readonly partition: number
  readonly id: string
  readonly value: string
  readonly key: string
}

/** What is committed in a topic, by our own client, which the broker's fencing and aborts were proved on. */
async function committed(topic: string): Promise<Seen[]> {
  const ranges = await log.admin.offsetRanges(topic, 'read_committed')
  const reader = await log.openReader(
    ranges.map(({ partition, start }) => ({ topic, partition, offset: start })),
  )
  const seen: Seen[] = []
  while (ranges.some(({ partition, end }) => reader.position({ topic, partition }) < end)) {
    for (const batch of await reader.read(200)) {
      for (let i = 0; i < batch.length; i++)
        seen.push({
          partition: batch.partition,
          id: batch.header(i, HEADERS.eventId) ?? '',
          value: batch.value(i)?.toString() ?? '',
          key: batch.key(i)?.toString() ?? '',
        })
    }
  }
  await reader.close()
  return seen
}

/** Waits until the router has committed everything that lies in events.enriched now. */
async function settled(names: KafkaNames): Promise<void> {
  const ends = await log.admin.offsetRanges(names.enriched, 'read_committed')
  for (;;) {
    // While a transaction is open the coordinator refuses to tell.
    const positions = await log.admin
      .groupPositions(names.group('subscriber-router'), names.enriched)
      .catch((error) => {
        if (isDependencyError(error) && error.retriable) return []
        throw error
      })
    if (ends.every(({ partition, end }) => end === 0 || (positions[partition]?.offset ?? 0) >= end)) return
    await pause(100)
  }
}

test('a stock consumer of another library reads the bytes, keys and headers that were enriched', async () => {
  const { prefix, names } = await setUp([all, masked])
  // The router takes a topic as it finds it. This library cannot read lz4, so here the broker compresses anew.
  const gzip = { replicationFactor: 1, config: { 'compression.type': 'gzip' } }
  await log.admin.createTopics([
    { topic: names.subscriber('all'), partitions: PARTITIONS, ...gzip },
    { topic: names.subscriber('masked'), partitions: 3, ...gzip },
  ])
  const records = events(names, 1, 2_000)
  await write(records)
  const router = startRouter(prefix)
  await settled(names)
  await stop(router)

  const kafka = new Kafka({ brokers: [brokers], logLevel: logLevel.NOTHING })
  const consumer = kafka.consumer({ groupId: `${prefix}reader`, readUncommitted: false })
  await consumer.connect()
  await consumer.subscribe({
    topics: [names.subscriber('all'), names.subscriber('masked')],
    fromBeginning: true,
  })
  const expected = records.length + records.filter(isMasked).length
  const seen: { topic: string; partition: number; key: string; value: string; headers: string }[] = []
  await consumer.run({
    eachMessage: async ({ topic, partition, message }) => {
      const headers = Object.entries(message.headers ?? {}).map(([name, value]) => `${name}=${value}`)
      seen.push({
        topic,
        partition,
        key: String(message.key),
        value: String(message.value),
        headers: headers.sort().join(),
      })
    },
  })
  while (seen.length < expected) await pause(50)
  await pause(500)
  await consumer.disconnect()

  const sorted = (rows: readonly object[]) => rows.map((row) => JSON.stringify(row)).sort()
  const passed = seen.filter(({ topic }) => topic === names.subscriber('all'))
  expect(sorted(passed)).toEqual(
    sorted(
      records.map(({ partition, key, value, headers }) => ({
        topic: names.subscriber('all'),
        partition,
        key: String(key),
        value: String(value),
        headers: Object.entries(headers ?? {})
          .map(([name, text]) => `${name}=${text}`)
          .sort()
          .join(),
      })),
    ),
  )
  const cut = seen.filter(({ topic }) => topic === names.subscriber('masked'))
  expect(sorted(cut.map(({ key, value, partition }) => ({ key, value, partition })))).toEqual(
    sorted(
      records.filter(isMasked).map((record) => {
        const n = Number(idOf(record).slice(1))
        const key = `s${n % 7}`
        return {
          key,
          value: `{"event_id":"e${n}","dataset_id":"shop","event":"purchase","session_id":"${key}","properties":{"n":${n}.50}}`,
          partition: partitionOf(Buffer.from(key), 3),
        }
      }),
    ),
  )
})

test('killed again and again with a transaction open, it delivers every event once and in order', async () => {
  const { prefix, names } = await setUp([all, masked])
  const records = events(names, 1, 20_000)
  await write(records)
  const topic = names.subscriber('all')

  /** Kills the process while what it wrote is not committed yet. @returns whether it was so */
  async function killInTransaction(child: ChildProcess): Promise<boolean> {
    for (;;) {
      try {
        const [open, stable] = await Promise.all([
          log.admin.offsetRanges(topic, 'read_uncommitted'),
          log.admin.offsetRanges(topic, 'read_committed'),
        ])
        if (open.some(({ end }, i) => end > (stable[i]?.end ?? 0))) {
          child.kill('SIGKILL')
          await once(child, 'exit')
          const [after, committedEnd] = await Promise.all([
            log.admin.offsetRanges(topic, 'read_uncommitted'),
            log.admin.offsetRanges(topic, 'read_committed'),
          ])
          return after.some(({ end }, i) => end > (committedEnd[i]?.end ?? 0))
        }
      } catch {
        // The topic is not there yet.
      }
      await pause(2)
    }
  }
  let openAtKill = 0
  for (let kill = 0; kill < 3; kill++) if (await killInTransaction(startRouter(prefix))) openAtKill++
  const router = startRouter(prefix)
  await settled(names)
  await stop(router)

  expect(openAtKill).toBeGreaterThan(0)
  const seen = await committed(topic)
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const ids = seen.filter((each) => each.partition === partition).map(({ id }) => id)
    expect(ids).toEqual(records.filter((record) => record.partition === partition).map(idOf))
  }
  const cut = await committed(names.subscriber('masked'))
  expect(cut.map(({ id }) => id).sort()).toEqual(records.filter(isMasked).map(idOf).sort())
})

test('a subscriber’s topic is deleted under load: the others go on, it is made again and gets the rest once', async () => {
  const { prefix, names } = await setUp([all, { ...all, id: 'second' }])
  const before = events(names, 1, 1_000)
  await write(before)
  const router = startRouter(prefix)
  await settled(names)
  await log.admin.deleteTopics([names.subscriber('second')])
  const after = events(names, 1_001, 3_000)
  await write(after)
  await settled(names)
  const everything = [...before, ...after].map(idOf).sort()
  expect((await committed(names.subscriber('all'))).map(({ id }) => id).sort()).toEqual(everything)
  let again: string[] = []
  while (again.length < after.length) {
    await pause(500)
    again = await committed(names.subscriber('second')).then(
      (seen) => seen.map(({ id }) => id),
      () => [],
    )
  }
  await stop(router)
  expect(again.sort()).toEqual(after.map(idOf).sort())
})
