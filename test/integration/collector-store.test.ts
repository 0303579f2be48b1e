import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type KafkaEngine, startKafka } from '../../infra/engines/kafka.ts'
import { freePort } from '../../infra/engines/ports.ts'
import { generateAccessKey } from '../../services/core/control/access-key.ts'
import { openKafkaLog } from '../../services/core/kafka/kafka-log.ts'
import { KAFKA_SETTINGS } from '../../services/core/kafka/kafka-settings.ts'
import type { Log } from '../../services/core/kafka/log.ts'
import { partitionOf, recordKey } from '../../services/core/kafka/partition.ts'
import { kafkaNames } from '../../services/core/kafka/topics.ts'
import { systemClock } from '../../services/core/runtime/clock.ts'
import { createLogger } from '../../services/core/runtime/logger.ts'
import { parseSettings } from '../../services/core/runtime/settings.ts'
import { publishShop } from '../helpers/publish-shop.ts'
import { type StageProcess, startStageProcess } from '../helpers/stage-process.ts'

/** A broker of this file's own: it is killed. */
const stateDir = mkdtempSync(join(tmpdir(), 'millrace-store-'))
const storeDir = join(stateDir, 'store')
const kafkaDir = join(stateDir, 'kafka')
const PARTITIONS = 3
const names = kafkaNames('')
const writeKey = generateAccessKey('write', randomBytes)
const logger = createLogger('test', 'error', { write: () => {} })
const running: StageProcess[] = []
let port: number
let broker: KafkaEngine
let environment: Record<string, string>
let log: Log

beforeAll(async () => {
  mkdirSync(kafkaDir)
  port = await freePort()
  broker = await startKafka({ stateDir: kafkaDir, port })
  environment = {
    MILLRACE_KAFKA_BROKERS: broker.brokers,
    MILLRACE_KAFKA_PARTITIONS: String(PARTITIONS),
    MILLRACE_COLLECTOR_DRAIN_GRACE: '500ms',
    MILLRACE_COLLECTOR_STORE_DIR: storeDir,
    MILLRACE_COLLECTOR_STORE_PATIENCE: '500ms',
  }
  log = await openKafkaLog(parseSettings(KAFKA_SETTINGS, environment), logger)
  await publishShop(log, names, writeKey, logger)
})
afterAll(async () => {
  await Promise.all(running.map((stage) => stage.kill()))
  await log.close()
  await broker.stop()
  rmSync(stateDir, { recursive: true, force: true })
})

interface Collector extends StageProcess {
  readonly port: number
}

async function startCollector(more: Record<string, string> = {}): Promise<Collector> {
  const httpPort = await freePort()
  const stage = await startStageProcess(
    'collector',
    { ...environment, MILLRACE_COLLECTOR_PORT: String(httpPort), ...more },
    join(stateDir, 'collector.log'),
  )
  running.push(stage)
  return { ...stage, port: httpPort }
}

async function post(collector: Collector, id: string, who: string): Promise<number> {
  const answer = await fetch(`http://127.0.0.1:${collector.port}/v1/events`, {
    method: 'POST',
    headers: { 'x-write-key': writeKey, 'content-type': 'application/json' },
    body: JSON.stringify({ event: 'load', event_id: id, distinct_id: who }),
  })
  await answer.arrayBuffer()
  return answer.status
}

const segments = () => readdirSync(storeDir).filter((name) => name.endsWith('.segment'))

/** Sends one after the other for several people at once; answers by event id, in the order sent. */
async function send(collector: Collector, run: string, each: number): Promise<Map<string, number>> {
  const answers = new Map<string, number>()
  const person = async (who: string) => {
    for (let n = 0; n < each; n++)
      answers.set(`${who}-${run}-${n}`, await post(collector, `${who}-${run}-${n}`, who))
  }
  await Promise.all(Array.from({ length: 10 }, (_, index) => person(`p${index}`)))
  return answers
}

async function untilAnswered(collector: Collector, status: number): Promise<void> {
  for (let n = 0; n < 600; n++) {
    if ((await post(collector, `probe-${n}-${randomBytes(4).toString('hex')}`, 'probe')) === status) return
    await systemClock.sleep(50)
  }
  throw new Error(`No request was answered ${status}.`)
}

interface Arrival {
  readonly partition: number
  readonly offset: number
  readonly value: string
}

/** Everything in `events.raw` by event id, in the order of its partition. */
async function arrivals(): Promise<Map<string, Arrival[]>> {
  const ranges = await log.admin.offsetRanges(names.raw, 'read_committed')
  const reader = await log.openReader(
    ranges.map(({ topic, partition, start }) => ({ topic, partition, offset: start })),
  )
  const found = new Map<string, Arrival[]>()
  while (ranges.some((range) => reader.position(range) < range.end))
    for (const batch of await reader.read(200))
      for (let index = 0; index < batch.length; index++) {
        const id = batch.header(index, 'event_id')!
        const arrival = {
          partition: batch.partition,
          offset: batch.offset(index),
          value: `${batch.value(index)}`,
        }
        found.set(id, [...(found.get(id) ?? []), arrival])
      }
  await reader.close()
  return found
}

test('Kafka goes, the collector takes on and is killed, both come back: everything answered is there, in order', async () => {
  const first = await startCollector()
  const before = await send(first, 'a', 5)
  expect(new Set(before.values())).toEqual(new Set([200]))
  await broker.kill()
  const during = await send(first, 'b', 20)
  expect(new Set(during.values())).toEqual(new Set([202]))
  expect((await fetch(`http://127.0.0.1:${first.opsPort}/readyz`)).status).toBe(200)
  await first.kill()
  expect(segments()).toHaveLength(1)

  broker = await startKafka({ stateDir: kafkaDir, port })
  const second = await startCollector()
  const after = await send(second, 'c', 5)
  expect([...after.values()].filter((status) => status !== 200 && status !== 202)).toEqual([])
  await untilAnswered(second, 200)
  expect(await second.stop()).toBe(0)
  expect(segments()).toEqual([])

  const found = await arrivals()
  const last = new Map<string, number>()
  for (const [id, who] of [...before.keys(), ...during.keys(), ...after.keys()].map(
    (key) => [key, key.split('-')[0]!] as const,
  )) {
    const copies = found.get(id) ?? []
    // A repeat is the same bytes in the same partition, which the enricher removes by its id.
    expect(new Set(copies.map(({ value, partition }) => `${partition} ${value}`)).size).toBe(1)
    expect(copies[0]!.partition).toBe(partitionOf(recordKey('shop', who, id), PARTITIONS))
    // Each person waited for every answer, so first arrivals are in the order sent.
    expect(copies[0]!.offset).toBeGreaterThan(last.get(who) ?? -1)
    last.set(who, copies[0]!.offset)
  }
})

test('a collector that is told to stop while Kafka is away leaves the store to the next, and ends well in time', async () => {
  const first = await startCollector()
  await expect(startCollector()).rejects.toThrow(/not ready/)
  await broker.kill()
  const stored = await send(first, 'd', 3)
  const startedMs = systemClock.monotonic()
  expect(await first.stop()).toBe(0)
  expect(systemClock.monotonic() - startedMs).toBeLessThan(25_000)
  broker = await startKafka({ stateDir: kafkaDir, port })
  const second = await startCollector()
  await untilAnswered(second, 200)
  await second.stop()
  const found = await arrivals()
  expect([...stored].filter(([id, status]) => status === 202 && !found.has(id))).toEqual([])
})
