import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import type { Receipt } from '../../schemas/receipt/v1.ts'
import { rawHeaders } from '../../services/core/event/raw-event.ts'
import { openKafkaLog } from '../../services/core/kafka/kafka-log.ts'
import { KAFKA_SETTINGS } from '../../services/core/kafka/kafka-settings.ts'
import type { Log, ProduceRecord } from '../../services/core/kafka/log.ts'
import { partitionOf, recordKey } from '../../services/core/kafka/partition.ts'
import { ensureTopics } from '../../services/core/kafka/topic-specs.ts'
import { HEADERS, kafkaNames } from '../../services/core/kafka/topics.ts'
import { createLogger } from '../../services/core/runtime/logger.ts'
import { parseSettings } from '../../services/core/runtime/settings.ts'
import { encodeRawEvent } from '../helpers/encode-raw-event.ts'
import { startStageProcess } from '../helpers/stage-process.ts'

const PARTITIONS = 3
const prefix = `t-${randomUUID().slice(0, 8)}.`
const names = kafkaNames(prefix)
const settings = parseSettings(KAFKA_SETTINGS, { MILLRACE_KAFKA_BROKERS: inject('kafkaBrokers') })
const directory = mkdtempSync(join(tmpdir(), 'millrace-enricher-'))
const environment = {
  MILLRACE_KAFKA_BROKERS: inject('kafkaBrokers'),
  MILLRACE_KAFKA_PREFIX: prefix,
  MILLRACE_KAFKA_PARTITIONS: String(PARTITIONS),
  // What a dead member held goes to the next one soon.
  MILLRACE_KAFKA_SESSION_TIMEOUT: '6s',
  // Many small transactions: a kill rarely falls between two.
  MILLRACE_ENRICHER_BATCH_ROWS_MAX: '200',
  MILLRACE_ENRICHER_LINGER: '0ms',
  MILLRACE_ENRICHER_TICK: '1s',
  MILLRACE_DRAIN_TIMEOUT: '20s',
}
let log: Log

beforeAll(async () => {
  log = await openKafkaLog(settings, createLogger('test', 'error'))
  await ensureTopics(log.admin, names, {
    partitions: PARTITIONS,
    replicationFactor: 1,
    dedupeWindowMs: 3_600_000,
  })
})

afterAll(async () => {
  await log.close()
  rmSync(directory, { recursive: true, force: true })
})

function raw(eventId: string, person: string, event: object): ProduceRecord {
  const key = recordKey('shop', person, eventId)
  const value = encodeRawEvent({
    v: 1,
    event_id: eventId,
    dataset_id: 'shop',
    collector_time: Date.now(),
    protocol: 'native',
    ip: '203.0.113.9',
    user_agent: 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/119.0.0.0 Safari/537.36',
    sent_at: null,
    event: { event: 'page_view', distinct_id: person, ...event },
  })
  return {
    topic: names.raw,
    partition: partitionOf(key, PARTITIONS),
    key,
    value,
    headers: rawHeaders(eventId, 'shop', ''),
  }
}

interface Output {
  readonly partition: number
  readonly offset: number
  readonly eventId: string | null
  readonly tick: boolean
  readonly value: Buffer | null
}

/** Everything that a read_committed reader finds in a topic up to its end. */
async function readAll(topic: string): Promise<Output[]> {
  const ranges = await log.admin.offsetRanges(topic, 'read_committed')
  const reader = await log.openReader(
    ranges.map(({ partition, start }) => ({ topic, partition, offset: start })),
  )
  const found: Output[] = []
  for (let silent = 0; silent < 2; ) {
    const batches = await reader.read(1_000)
    silent = batches.length === 0 ? silent + 1 : 0
    for (const batch of batches)
      for (let index = 0; index < batch.length; index++)
        found.push({
          partition: batch.partition,
          offset: batch.offset(index),
          eventId: batch.header(index, HEADERS.eventId),
          tick: batch.header(index, HEADERS.tick) !== null,
          value: batch.value(index),
        })
  }
  await reader.close()
  return found
}

/** Waits for a tick in the idle topic of enriched events. */
async function untilTick(): Promise<void> {
  const ranges = await log.admin.offsetRanges(names.enriched, 'read_committed')
  const reader = await log.openReader(
    ranges.map(({ partition, end }) => ({ topic: names.enriched, partition, offset: end })),
  )
  await until(
    async () => (await reader.read(100)).some((batch) => batch.header(0, HEADERS.tick) !== null),
    30_000,
    'an idle partition gets a tick',
  )
  await reader.close()
}

/** An open transaction keeps the last stable offset of its partitions behind their end. */
async function transactionIsOpen(): Promise<boolean> {
  const stable = await log.admin.offsetRanges(names.enriched, 'read_committed')
  const all = await log.admin.offsetRanges(names.enriched, 'read_uncommitted')
  return all.some(({ end }, partition) => end > (stable[partition]?.end ?? 0))
}

async function until(condition: () => Promise<boolean>, ms: number, what: string): Promise<void> {
  const deadline = performance.now() + ms
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`Not within ${ms} ms: ${what}.`)
    await pause(20)
  }
}

test('killed in the middle of transactions again and again, every raw offset has one receipt and every event one result', async () => {
  const KILLS = 3
  const WAVE = 4_000
  const producer = await log.openProducer({ clientId: 'test', lingerMs: 5, deliveryTimeoutMs: 30_000 })
  const sent = { good: new Set<string>(), bad: new Set<string>(), records: 0, again: 0 }
  const wave = async (number: number) => {
    const records: ProduceRecord[] = []
    for (let n = 0; n < WAVE; n++) {
      const id = `${number}-${n}`
      const person = `p${n % 500}`
      // One in fifty has a wrong type, one in five comes a second time.
      const bad = n % 50 === 7
      const record = raw(id, person, bad ? { user_id: 5 } : { properties: { n } })
      ;(bad ? sent.bad : sent.good).add(id)
      records.push(record)
      if (n % 5 === 0) {
        records.push(record)
        sent.again++
      }
    }
    await producer.produce(records)
    sent.records += records.length
  }
  /** Raw offsets that receipts cover so far, read as they come. */
  const receiptReader = await log.openReader(
    Array.from({ length: PARTITIONS }, (_, partition) => ({ topic: names.receipts, partition, offset: 0 })),
  )
  let covered = 0
  const doneWith = async () => {
    for (const batch of await receiptReader.read(20)) {
      for (let index = 0; index < batch.length; index++) {
        const { from, to } = JSON.parse(batch.value(index)!.toString()) as Receipt
        covered += to - from + 1
      }
    }
    return covered
  }

  let done = 0
  for (let kill = 0; kill < KILLS; kill++) {
    await wave(kill)
    const stage = await startStageProcess('enricher', environment, join(directory, 'enricher.log'))
    await until(async () => (await doneWith()) > done, 40_000, 'it goes on')
    done = await doneWith()
    await until(transactionIsOpen, 20_000, 'a transaction is open')
    await stage.kill()
  }
  await wave(KILLS)
  const stage = await startStageProcess('enricher', environment, join(directory, 'enricher.log'))
  await until(async () => (await doneWith()) === sent.records, 60_000, 'everything is done')
  await untilTick()
  expect(await stage.stop()).toBe(0)
  await Promise.all([producer.close(), receiptReader.close()])

  const [enriched, rejected, receipts] = await Promise.all([
    readAll(names.enriched),
    readAll(names.rejected),
    readAll(names.receipts),
  ])
  const events = (outputs: readonly Output[]) => outputs.filter(({ tick }) => !tick)
  expect(events(enriched)).toHaveLength(sent.good.size)
  expect(new Set(events(enriched).map(({ eventId }) => eventId))).toEqual(sent.good)
  expect(events(rejected)).toHaveLength(sent.bad.size)
  expect(new Set(events(rejected).map(({ eventId }) => eventId))).toEqual(sent.bad)
  expect(enriched.filter(({ tick }) => tick).length).toBeGreaterThan(0)

  // Order of every partition holds: the offsets of the raw records only grow.
  const lastSource = new Map<number, number>()
  for (const { partition, value } of events(enriched)) {
    const event = JSON.parse(value!.toString()) as { src_partition: number; src_offset: number }
    expect(event.src_partition).toBe(partition)
    expect(event.src_offset).toBeGreaterThan(lastSource.get(partition) ?? -1)
    lastSource.set(partition, event.src_offset)
  }

  const next = new Map<number, number>()
  const sum = { enriched: 0, rejected: 0, duplicate: 0, control: 0 }
  for (const { value } of receipts) {
    const receipt = JSON.parse(value!.toString()) as Receipt
    expect(receipt.from).toBe(next.get(receipt.partition) ?? 0)
    next.set(receipt.partition, receipt.to + 1)
    for (const what of ['enriched', 'rejected', 'duplicate', 'control'] as const) sum[what] += receipt[what]
  }
  expect(sum).toEqual({
    enriched: sent.good.size,
    rejected: sent.bad.size,
    duplicate: sent.again,
    control: 0,
  })
  for (const { partition, end } of await log.admin.offsetRanges(names.raw, 'read_committed'))
    expect(next.get(partition) ?? 0).toBe(end)

  // The kills did fall into transactions: something was written that nobody may read.
  const written = (await log.admin.offsetRanges(names.enriched, 'read_uncommitted')).reduce(
    (offsets, { start, end }) => offsets + end - start,
    0,
  )
  const markersAtMost = receipts.length + enriched.filter(({ tick }) => tick).length + KILLS * PARTITIONS
  expect(written - enriched.length).toBeGreaterThan(markersAtMost)
})
