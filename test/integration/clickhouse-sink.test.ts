import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, inject, test, vi } from 'vitest'
import { type ClickHouseEngine, startClickHouse } from '../../infra/engines/clickhouse.ts'
import { freePort } from '../../infra/engines/ports.ts'
import type { ClickHouse } from '../../services/core/clickhouse/clickhouse.ts'
import { CLICKHOUSE_SETTINGS } from '../../services/core/clickhouse/clickhouse-settings.ts'
import { openClickHouse } from '../../services/core/clickhouse/http-clickhouse.ts'
import { openKafkaLog } from '../../services/core/kafka/kafka-log.ts'
import { KAFKA_SETTINGS } from '../../services/core/kafka/kafka-settings.ts'
import type { Log, ProduceRecord, TransactionalProducer } from '../../services/core/kafka/log.ts'
import { ensureTopics } from '../../services/core/kafka/topic-specs.ts'
import { kafkaNames } from '../../services/core/kafka/topics.ts'
import { createLogger } from '../../services/core/runtime/logger.ts'
import { parseSettings } from '../../services/core/runtime/settings.ts'
import { needs } from '../helpers/needs.ts'
import { enrichedEvent } from '../services/s3-sink/enriched-rows.ts'

const PARTITIONS = 2
const prefix = `t-${randomUUID()}.`
const names = kafkaNames(prefix)
const group = names.group('clickhouse-sink', 'events')
const root = join(import.meta.dirname, '../..')
const dir = mkdtempSync(join(tmpdir(), 'clickhouse-sink-'))
const environment: Record<string, string> = {
  PATH: process.env.PATH ?? '',
  MILLRACE_KAFKA_BROKERS: inject('kafkaBrokers'),
  MILLRACE_KAFKA_PREFIX: prefix,
  // A killed process is given up by its group after this.
  MILLRACE_KAFKA_SESSION_TIMEOUT: '1500ms',
  MILLRACE_CLICKHOUSE_SINK_BATCH_ROWS: '20',
  MILLRACE_CLICKHOUSE_SINK_BATCH_AGE: '200ms',
}

interface SinkProcess {
  readonly child: ChildProcess
  readonly output: () => string
  /** Resolves to the signal or status that it ended with. */
  readonly ended: Promise<string | number | null>
}

const running = new Set<ChildProcess>()

function startSink(failPoint: string | null): SinkProcess {
  const child = spawn(process.execPath, ['services/cli/main.ts', 'run', 'clickhouse-sink'], {
    cwd: root,
    env: { ...environment, ...(failPoint !== null && { MILLRACE_FAIL_POINT: failPoint }) },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      output += chunk
    })
  running.add(child)
  const ended = new Promise<string | number | null>((resolve) =>
    child.once('exit', (status, signal) => resolve(signal ?? status)),
  )
  return { child, output: () => output, ended }
}

describe('events into ClickHouse, with processes that die', { timeout: 180_000, ...needs('chdb') }, () => {
  let engine: ClickHouseEngine
  let port: number
  let clickhouse: ClickHouse
  let log: Log
  let producer: TransactionalProducer
  let produced = 0

  beforeAll(async () => {
    port = await freePort()
    engine = await startClickHouse({ stateDir: dir, port })
    environment.MILLRACE_CLICKHOUSE_URL = engine.url
    clickhouse = openClickHouse(parseSettings(CLICKHOUSE_SETTINGS, environment))
    log = await openKafkaLog(parseSettings(KAFKA_SETTINGS, environment), createLogger('test', 'error'))
    await ensureTopics(log.admin, names, {
      partitions: PARTITIONS,
      replicationFactor: -1,
      dedupeWindowMs: 1000,
    })
    producer = await log.openTransactionalProducer(`${prefix}test`, {
      clientId: 'test',
      transactionTimeoutMs: 30_000,
    })
  })
  afterEach(() => {
    // What a failed test left behind must not help the next one.
    for (const child of running) child.kill('SIGKILL')
    running.clear()
  })
  afterAll(async () => {
    await producer.close()
    await log.close()
    await clickhouse.close()
    await engine.stop()
    rmSync(dir, { recursive: true, force: true })
  })

  async function commit(records: readonly ProduceRecord[]): Promise<void> {
    await producer.begin()
    await producer.send(records)
    await producer.commit()
  }
  /** Every third raw record became no enriched event, so that sources have gaps. */
  const sourceOf = (index: number) => ({
    partition: index % PARTITIONS,
    offset: Math.floor(index / PARTITIONS) * 3,
  })

  function eventRecord(index: number): ProduceRecord {
    const { partition, offset } = sourceOf(index)
    const event = enrichedEvent(index, { src_partition: partition, src_offset: offset })
    return {
      topic: names.enriched,
      partition,
      key: null,
      value: Buffer.from(JSON.stringify(event)),
      headers: { event_id: event.event_id, dataset_id: 'shop', src: `${partition}:${offset}`, schema: '1' },
    }
  }
  /** Events in transactions of ten: offsets have gaps where the markers lie. */
  async function produce(count: number): Promise<void> {
    for (const last = produced + count; produced < last; produced += 10)
      await commit(Array.from({ length: 10 }, (_, n) => eventRecord(produced + n)))
  }
  const counts = async () => {
    const [row] = await clickhouse.query<{ rows: number; sources: number; ids: number }>(
      `SELECT toUInt32(count()) AS rows, toUInt32(uniqExact(src_partition, src_offset)) AS sources,
              toUInt32(uniqExact(event_id)) AS ids FROM events`,
    )
    return row
  }
  const everyRowOnce = () => ({ rows: produced, sources: produced, ids: produced })
  const drained = () =>
    vi.waitFor(async () => expect(await counts()).toEqual(everyRowOnce()), {
      timeout: 100_000,
      interval: 300,
    })
  async function openPlans(): Promise<number> {
    const positions = await log.admin.groupPositions(group, names.enriched)
    return positions.filter(({ metadata }) => metadata.includes('"plan"')).length
  }
  async function stopped(sink: SinkProcess): Promise<void> {
    sink.child.kill('SIGTERM')
    expect(await sink.ended, sink.output()).toBe(0)
  }

  test('killed at every fail point, every event is there once', async () => {
    const points = ['before_plan', 'after_plan', 'after_insert', 'after_effect', 'after_commit']
    const replayedAfter: string[] = []
    let open = 0
    for (const [index, point] of [...points, null].entries()) {
      await produce(60)
      const sink = startSink(point)
      if (point === null) {
        await drained()
        await vi.waitFor(async () => expect(await openPlans()).toBe(0), { timeout: 30_000, interval: 100 })
        await stopped(sink)
      } else expect(await sink.ended, sink.output()).toBe('SIGKILL')
      const replayed = sink.output().includes('Replaying an open plan')
      expect(replayed, `${point}\n${sink.output()}`).toBe(open > 0)
      if (replayed) replayedAfter.push(points[index - 1] as string)
      open = await openPlans()
    }
    expect(open).toBe(0)
    expect(replayedAfter).toEqual(expect.arrayContaining(['after_plan', 'after_insert', 'after_effect']))
    expect(await counts()).toEqual(everyRowOnce())

    const [row] = await clickhouse.query<Record<string, unknown>>(
      `SELECT *, toUnixTimestamp64Milli(event_time) AS event_ms FROM events WHERE event_id = 'event-9'`,
    )
    const sent = enrichedEvent(9, { src_partition: 1, src_offset: 12 })
    expect(row).toMatchObject({
      distinct_id: sent.distinct_id,
      page_title: sent.page_title,
      content_tags: sent.content_tags,
      content_authors: [],
      is_bot: false,
      revenue_amount: sent.revenue_amount,
      user_id: null,
      properties: JSON.stringify(sent.properties),
    })
    expect(Number(row?.event_ms)).toBe(Date.parse(sent.event_time))
  })

  test('the ledger covers every partition without a gap, and its counts are those of the table', async () => {
    const ledger = await clickhouse.query<{
      partition: number
      start: number
      end: number
      inserted: number
    }>(
      `SELECT DISTINCT partition, start, end, records, inserted, skipped, rejected FROM batches
       WHERE topic = {topic:String} ORDER BY partition, start`,
      { topic: names.enriched },
      { settings: { output_format_json_quote_64bit_integers: 0 } },
    )
    for (const partition of [0, 1]) {
      const ranges = ledger.filter((row) => row.partition === partition)
      expect(ranges[0]?.start).toBe(0)
      ranges.slice(1).forEach((row, n) => {
        expect(row.start).toBe((ranges[n]?.end as number) + 1)
      })
    }
    expect(ledger.reduce((sum, { inserted }) => sum + inserted, 0)).toBe(produced)
  })

  test('a token that is known while rows are missing does not hide them', async () => {
    await produce(40)
    expect(await startSink('after_insert').ended).toBe('SIGKILL')
    const before = (await counts())?.rows as number
    // As a server leaves it that was killed between the token and the part: DELETE keeps tokens.
    await clickhouse.command(
      `ALTER TABLE events DELETE WHERE src_partition = 0 AND src_offset >= {from:Int64}`,
      { from: sourceOf(produced - 40).offset },
      { settings: { mutations_sync: 2 } },
    )
    await clickhouse.command(
      `ALTER TABLE events DELETE WHERE src_partition = 1 AND src_offset >= {from:Int64}`,
      { from: sourceOf(produced - 40).offset },
      { settings: { mutations_sync: 2 } },
    )
    expect((await counts())?.rows).toBeLessThan(before)
    const sink = startSink(null)
    await drained()
    await stopped(sink)
  })

  test('where the positions of the group are gone, the ledger says where to go on', async () => {
    const { Kafka, logLevel } = (await import('kafkajs')).default
    const admin = new Kafka({ brokers: [inject('kafkaBrokers')], logLevel: logLevel.NOTHING }).admin()
    await admin.connect()
    await vi.waitFor(() => admin.deleteGroups([group]), { timeout: 30_000, interval: 300 })
    await admin.disconnect()
    expect((await log.admin.groupPositions(group, names.enriched)).map(({ offset }) => offset)).toEqual([
      null,
      null,
    ])
    const before = await counts()
    await produce(20)
    const sink = startSink(null)
    await drained()
    await stopped(sink)
    expect(sink.output()).toContain('Resuming from the sink')
    expect(before?.rows).toBe(produced - 20)
  })

  test('ClickHouse killed again and again while it is written to: every event is there once', async () => {
    const sink = startSink(null)
    let killing = true
    const kills = (async () => {
      for (let n = 0; n < 4; n++) {
        await pause(400 + n * 350)
        await engine.kill()
        engine = await startClickHouse({ stateDir: dir, port })
      }
      killing = false
    })()
    while (killing) {
      await produce(20)
      await pause(200)
    }
    await kills
    await drained()
    await stopped(sink)
  })

  test('rejected events, ticks and records that are none: each has its place, and nothing stops for them', async () => {
    const raw = (
      value: string | Buffer,
      headers: Record<string, string>,
      topic = names.enriched,
    ): ProduceRecord => ({
      topic,
      partition: 0,
      key: null,
      value: Buffer.from(value),
      headers,
    })
    const source = sourceOf(produced).offset
    const unreadable = {
      ...enrichedEvent(1, { src_partition: 0, src_offset: source }),
      event_time: 'yesterday',
    }
    const rejected = {
      schema_version: 1,
      event_id: 'r1',
      dataset_id: 'shop',
      event: null,
      distinct_id: null,
      collector_time: '2026-01-31T10:00:00.000Z',
      stage: 'enricher',
      code: 'schema_violation',
      details: ['properties.x must be a number.'],
      payload: '{"x":',
      payload_bytes: 5,
      protocol: 'native',
      ip: null,
      user_agent: null,
      src_partition: 0,
      src_offset: 7,
      recipe: 'recipe-1',
    }
    await commit([
      raw('{"tick":true}', { tick: '1' }),
      raw(Buffer.from([0xff, 0xfe]), {}),
      raw(JSON.stringify(unreadable), { src: `0:${source}`, schema: '1' }),
      raw('{"x":1}', { src: `0:${source + 1}`, schema: '2' }),
      raw(JSON.stringify(rejected), { src: '0:7', schema: '1' }, names.rejected),
    ])
    produced += 2 // Their sources are used up.
    await produce(10)
    const sink = startSink(null)
    await vi.waitFor(
      async () =>
        expect(
          await clickhouse.query('SELECT encoding, value, reason FROM undecodable_records ORDER BY offset'),
        ).toMatchObject([
          { encoding: 'base64', value: '//4=', reason: expect.stringContaining('source') },
          {
            encoding: 'text',
            value: expect.stringContaining('yesterday'),
            reason: expect.stringContaining('Code:'),
          },
          { encoding: 'text', value: '{"x":1}', reason: expect.stringContaining('shape is 2') },
        ]),
      { timeout: 100_000, interval: 300 },
    )
    await vi.waitFor(
      async () => {
        expect((await counts())?.rows).toBe(produced - 2)
        expect(await clickhouse.query('SELECT code, details, payload FROM rejected_events')).toEqual([
          { code: 'schema_violation', details: rejected.details, payload: rejected.payload },
        ])
      },
      { timeout: 60_000, interval: 300 },
    )
    await stopped(sink)
  })
})
