import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { freePort } from '../../infra/engines/engine-process.ts'
import { type KafkaEngine, startKafka } from '../../infra/engines/kafka.ts'
import { openKafkaLog } from '../../services/core/kafka/kafka-log.ts'
import { KAFKA_SETTINGS } from '../../services/core/kafka/kafka-settings.ts'
import type { GroupConsumer, Log, Reader } from '../../services/core/kafka/log.ts'
import { createLogger } from '../../services/core/runtime/logger.ts'
import { parseSettings } from '../../services/core/runtime/settings.ts'

/** A broker of this file's own: it is killed. */
const stateDir = mkdtempSync(join(tmpdir(), 'millrace-crash-'))
let port: number
let broker: KafkaEngine
let log: Log

beforeAll(async () => {
  port = await freePort()
  broker = await startKafka({ stateDir, port })
  const settings = parseSettings(KAFKA_SETTINGS, { MILLRACE_KAFKA_BROKERS: broker.brokers })
  log = await openKafkaLog(settings, createLogger('test', 'error', { write: () => {} }))
})
afterAll(async () => {
  await log.close()
  await broker.stop()
  rmSync(stateDir, { recursive: true, force: true })
})

async function crashAndRestart(): Promise<void> {
  await broker.kill()
  broker = await startKafka({ stateDir, port })
}

async function newTopic(topic: string): Promise<string> {
  await log.admin.createTopics([{ topic, partitions: 1, replicationFactor: -1, config: {} }])
  return topic
}

async function allValues(topic: string): Promise<string[]> {
  let end = -1
  // A transaction that ended may have its marker still to come.
  for (;;) {
    const [range] = await log.admin.offsetRanges(topic, 'read_committed')
    const [all] = await log.admin.offsetRanges(topic, 'read_uncommitted')
    end = range!.end
    if (end === all!.end) break
  }
  const where = { topic, partition: 0, offset: 0 }
  const reader: Reader = await log.openReader([where])
  const values: string[] = []
  while (reader.position(where) < end)
    for (const batch of await reader.read(200))
      for (let n = 0; n < batch.length; n++) values.push(`${batch.value(n)}`)
  await reader.close()
  return values
}

const record = (topic: string, value: string) => ({
  topic,
  partition: 0,
  key: null,
  value: Buffer.from(value),
})

test('the very first producer of a cluster is fenced like every other one', async () => {
  // The first producer id is 0, which clients have taken for "none".
  const topic = await newTopic('first')
  const options = { clientId: 'test', transactionTimeoutMs: 20_000 }
  const older = await log.openTransactionalProducer('first', options)
  await older.begin()
  await older.send([record(topic, 'older')])
  const newer = await log.openTransactionalProducer('first', options)
  await expect(older.commit()).rejects.toMatchObject({ code: 'fenced' })
  await newer.begin()
  await newer.send([record(topic, 'newer')])
  await newer.commit()
  await Promise.all([older.close(), newer.close()])
  expect(await allValues(topic)).toEqual(['newer'])
})

test('a broker killed and restarted while records are sent loses none, doubles none and keeps their order', async () => {
  const topic = await newTopic('plain')
  const producer = await log.openProducer({ clientId: 'test', lingerMs: 2, deliveryTimeoutMs: 120_000 })
  const sent: string[] = []
  let acknowledged = 0
  let sending = true
  const calls: Promise<void>[] = []
  const sender = (async () => {
    while (sending) {
      const values = Array.from({ length: 100 }, (_, n) => `${sent.length + n}`)
      sent.push(...values)
      const call = producer.produce(values.map((value) => record(topic, value))).then(() => {
        acknowledged += values.length
      })
      calls.push(call)
      // At most ten calls wait for their answers.
      if (calls.length >= 10) await calls[calls.length - 10]
    }
  })()
  const reach = async (count: number) => {
    while (acknowledged < count) await Promise.race(calls.slice(-10))
  }
  await reach(5_000)
  for (let crash = 1; crash <= 2; crash++) {
    const before = acknowledged
    await crashAndRestart()
    await reach(before + 5_000)
  }
  sending = false
  await sender
  await Promise.all(calls)
  await producer.close()
  const found = await allValues(topic)
  expect(acknowledged).toBe(sent.length)
  expect(found.length).toBe(sent.length)
  expect(found).toEqual(sent)
})

test('transactions under a broker that is killed show each input once, whatever their outcome was told', async () => {
  const [input, output] = [await newTopic('input'), await newTopic('output')]
  const producer = await log.openProducer({ clientId: 'test', lingerMs: 2, deliveryTimeoutMs: 60_000 })
  const count = 3_000
  await producer.produce(Array.from({ length: count }, (_, n) => record(input, `${n}`)))
  const where = { topic: input, partition: 0 }
  const openTransactional = async () => {
    for (;;) {
      const opened = await log
        .openTransactionalProducer('copy', { clientId: 'test', transactionTimeoutMs: 20_000 })
        .catch(() => null)
      if (opened) return opened
    }
  }
  const committedOffset = async (consumer: GroupConsumer) => {
    for (;;) {
      const answer = await consumer.committed([where]).catch(() => null)
      if (answer) return answer[0]!.offset ?? 0
    }
  }
  let transactional = await openTransactional()
  const consumer = await log.openGroupConsumer({
    groupId: 'copy',
    clientId: 'test',
    topics: [input],
    sessionTimeoutMs: 10_000,
    maxPollIntervalMs: 60_000,
    pollRecordsMax: 50,
    pollWaitMs: 100,
    prefetchBytesMax: 1_000_000,
    onAssigned: async (_, own) => [{ ...where, offset: await committedOffset(own) }],
    onRevoked: async () => {},
  })
  let done = 0
  let crash: Promise<void> | null = null
  const failures: string[] = []
  while (done < count) {
    for (const batch of await consumer.poll()) {
      // A kill leaves one transaction or another open.
      if (crash === null && done > count / 3) crash = crashAndRestart()
      try {
        await transactional.begin()
        await transactional.send(
          Array.from({ length: batch.length }, (_, n) => record(output, `${batch.value(n)}`)),
        )
        const offset = batch.offset(batch.length - 1) + 1
        await transactional.sendOffset(consumer, { ...where, offset }, `to ${offset}`)
        await transactional.commit()
        done = offset
      } catch (error) {
        failures.push((error as { code: string }).code)
        await transactional.close()
        transactional = await openTransactional()
        done = await committedOffset(consumer)
        if (consumer.assigned(where)) await consumer.seek({ ...where, offset: done })
        break
      }
    }
  }
  await crash
  await consumer.close()
  await transactional.close()
  await producer.close()
  expect(await allValues(output)).toEqual(Array.from({ length: count }, (_, n) => `${n}`))
  expect(failures.every((code) => code !== undefined)).toBe(true)
})
