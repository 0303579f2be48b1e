import { randomUUID } from 'node:crypto'
import { lz4Decompress } from '@platformatic/wasm-utils'
import kafkajs from 'kafkajs'
import { afterAll, afterEach, beforeAll, expect, inject, test, vi } from 'vitest'
import { openKafkaLog } from '../../services/core/kafka/kafka-log.ts'
import { KAFKA_SETTINGS } from '../../services/core/kafka/kafka-settings.ts'
import type { Log, Producer } from '../../services/core/kafka/log.ts'
import { openCluster } from '../../services/core/kafka/wire/cluster.ts'
import { createLogger } from '../../services/core/runtime/logger.ts'
import { parseSettings } from '../../services/core/runtime/settings.ts'

const settings = parseSettings(KAFKA_SETTINGS, { MILLRACE_KAFKA_BROKERS: inject('kafkaBrokers') })
let log: Log
let producer: Producer
beforeAll(async () => {
  log = await openKafkaLog(settings, createLogger('test', 'error'))
  producer = await log.openProducer({ clientId: 'test', lingerMs: 2, deliveryTimeoutMs: 20_000 })
})
afterAll(() => log.close())

async function newTopic(partitions: number, config: Record<string, string> = {}): Promise<string> {
  const topic = `producer-${randomUUID()}`
  await log.admin.createTopics([{ topic, partitions, replicationFactor: -1, config }])
  return topic
}

async function valuesOf(topic: string, count: number): Promise<string[]> {
  const reader = await log.openReader([{ topic, partition: 0, offset: 0 }])
  const values: string[] = []
  while (values.length < count)
    for (const batch of await reader.read(1_000))
      for (let n = 0; n < batch.length; n++) values.push(`${batch.value(n)}`)
  await reader.close()
  return values
}

test('another client reads records, keys, headers and times as they were sent', async () => {
  const topic = await newTopic(2)
  const before = Date.now()
  const sent = Array.from({ length: 500 }, (_, n) => ({
    topic,
    partition: n % 2,
    key: n % 7 === 0 ? null : `kéy-${n}`,
    value: n % 11 === 0 ? null : Buffer.from(`value ${n} `.repeat(n % 50)),
    headers: { number: `${n}`, größe: 'zwölf' },
  }))
  await producer.produce(sent)
  kafkajs.CompressionCodecs[kafkajs.CompressionTypes.LZ4] = () => ({
    compress: () => Promise.reject(new Error('not used here')),
    decompress: async (bytes: Buffer) => lz4Decompress(bytes),
  })
  const client = new kafkajs.Kafka({
    brokers: settings.kafkaBrokers.split(','),
    logLevel: kafkajs.logLevel.NOTHING,
  })
  const consumer = client.consumer({ groupId: topic })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  const read = new Map<string, unknown>()
  const all = Promise.withResolvers<void>()
  await consumer.run({
    eachMessage: async ({ partition, message: { key, value, headers, timestamp } }) => {
      expect(Number(timestamp)).toBeGreaterThanOrEqual(before)
      expect(Number(timestamp)).toBeLessThanOrEqual(Date.now())
      expect(`${headers?.größe}`).toBe('zwölf')
      read.set(`${headers?.number}`, {
        topic,
        partition,
        key: key && `${key}`,
        value: value && `${value}`,
      })
      if (read.size === sent.length) all.resolve()
    },
  })
  await all.promise
  await consumer.disconnect()
  expect([...read].sort(([a], [b]) => Number(a) - Number(b)).map(([, each]) => each)).toEqual(
    sent.map(({ headers: _, value, ...each }) => ({ ...each, value: value && `${value}` })),
  )
})

test('a topic that takes less than a batch has gets smaller ones, and refuses only what is larger by itself', async () => {
  const topic = await newTopic(1, { 'max.message.bytes': '3000' })
  // Random text does not compress.
  const value = (size: number) =>
    Array.from({ length: Math.ceil(size / 36) }, () => randomUUID())
      .join('')
      .slice(0, size)
  const values = Array.from({ length: 40 }, (_, n) => (n === 17 ? value(9_000) : value(500)))
  const calls = await Promise.allSettled(
    values.map((each) => producer.produce([{ topic, partition: 0, key: null, value: Buffer.from(each) }])),
  )
  expect(calls.flatMap(({ status }, n) => (status === 'rejected' ? [n] : []))).toEqual([17])
  expect((calls[17] as PromiseRejectedResult).reason).toMatchObject({ code: 'rejected' })
  expect(await valuesOf(topic, 39)).toEqual(values.filter((_, n) => n !== 17))
})

test('transactions here have an epoch each, so both ways of making them are tested', async () => {
  const cluster = openCluster(settings, 'test')
  const [described] = await cluster.metadata([await newTopic(1)])
  expect(await cluster.feature(described!.leaders[0]!, 'transaction.version')).toBeGreaterThanOrEqual(2)
  cluster.close()
})

afterEach(() => void vi.useRealTimers())

test('a clock that is hours ahead stops no topic in the brokers’ time, and passes where records carry their sender’s', async () => {
  const inOurs = await newTopic(1)
  const inTheirs = await newTopic(1, { 'message.timestamp.type': 'LogAppendTime' })
  const to = (topic: string) => ({ topic, partition: 0, key: null, value: Buffer.from('x') })
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 3 * 3_600_000 })
  await producer.produce([to(inTheirs)])
  await expect(producer.produce([to(inOurs)])).rejects.toMatchObject({ dependency: 'kafka', retriable: true })
  vi.useRealTimers()
  await producer.produce([to(inOurs)])
  expect(await valuesOf(inOurs, 1)).toEqual(['x'])
})
