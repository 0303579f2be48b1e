import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterAll, afterEach, beforeAll, describe, expect, inject, test, vi } from 'vitest'
import { openKafkaLog } from '../../services/core/kafka/kafka-log.ts'
import { KAFKA_SETTINGS } from '../../services/core/kafka/kafka-settings.ts'
import type { Log, Producer } from '../../services/core/kafka/log.ts'
import { recordingsTopicSpec } from '../../services/core/kafka/topic-specs.ts'
import { kafkaNames } from '../../services/core/kafka/topics.ts'
import {
  deleteSession,
  removeDeleted,
  removeExpired,
} from '../../services/core/recordings/remove-recordings.ts'
import { createLogger } from '../../services/core/runtime/logger.ts'
import { parseSettings } from '../../services/core/runtime/settings.ts'
import { needs } from '../helpers/needs.ts'
import { recordingRecord, rrweb, type SentRecording } from '../helpers/recording-chunks.ts'
import { openRecordingsEngine, type RecordingsEngine } from '../helpers/recordings-engine.ts'

const PARTITIONS = 2
const prefix = `t-${randomUUID()}.`
const names = kafkaNames(prefix)
const root = join(import.meta.dirname, '../..')
const T0 = Date.now() - 3_600_000

interface StageProcess {
  readonly child: ChildProcess
  readonly output: () => string
  readonly ended: Promise<string | number | null>
}

const running = new Set<ChildProcess>()

describe('recordings, with processes that die', { timeout: 300_000, ...needs('chdb') }, () => {
  let engine: RecordingsEngine
  let environment: Record<string, string>
  let log: Log
  let producer: Producer
  const sent: (SentRecording & { readonly partition: number })[] = []

  beforeAll(async () => {
    engine = await openRecordingsEngine()
    environment = {
      PATH: process.env.PATH ?? '',
      ...engine.environment,
      MILLRACE_KAFKA_BROKERS: inject('kafkaBrokers'),
      MILLRACE_KAFKA_PREFIX: prefix,
      // A killed process is given up by its group after this.
      MILLRACE_KAFKA_SESSION_TIMEOUT: '1500ms',
      MILLRACE_RECORDINGS_BATCH_CHUNKS: '7',
      MILLRACE_RECORDINGS_BATCH_AGE: '200ms',
      MILLRACE_RECORDINGS_CLEAN_UP_INTERVAL: '1h',
      MILLRACE_OPS_PORT: '0',
    }
    log = await openKafkaLog(parseSettings(KAFKA_SETTINGS, environment), createLogger('test', 'error'))
    await log.admin.createTopics([
      recordingsTopicSpec(names, { partitions: PARTITIONS, replicationFactor: -1 }),
    ])
    producer = await log.openProducer({ clientId: 'test', lingerMs: 0, deliveryTimeoutMs: 30_000 })
  })
  afterEach(() => {
    // What a failed test left behind must not help the next one.
    for (const child of running) child.kill('SIGKILL')
    running.clear()
  })
  afterAll(async () => {
    await producer.close()
    await log.close()
    await engine.close()
  })

  function start(failPoint: string | null, more: Record<string, string> = {}): StageProcess {
    const child = spawn(process.execPath, ['services/cli/main.ts', 'run', 'recordings'], {
      cwd: root,
      env: { ...environment, ...more, ...(failPoint !== null && { MILLRACE_FAIL_POINT: failPoint }) },
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
  async function stopped(stage: StageProcess): Promise<void> {
    stage.child.kill('SIGTERM')
    expect(await stage.ended, stage.output()).toBe(0)
  }

  /** Chunks of four sessions, two in each partition. */
  async function produce(count: number): Promise<void> {
    const made = Array.from({ length: count }, () => {
      const n = sent.length
      const one = {
        partition: n % PARTITIONS,
        session: `s${n % 4}`,
        id: `e${n}`,
        arrivedMs: T0 + n * 1_000,
        events: [rrweb.page(T0 + n * 1_000, `https://x/${n}`), rrweb.click(T0 + n * 1_000 + 500)],
      }
      sent.push(one)
      return one
    })
    const records = made.map((one) => recordingRecord(names.recordings, one.partition, one))
    await producer.produce(await Promise.all(records))
  }

  /** Every chunk as its row leads to it, and the rows' count. */
  async function read(): Promise<string[]> {
    const rows = await engine.clickhouse.query<{
      event_id: string
      session_id: string
      object_key: string
      object_from: number
      object_bytes: number
    }>(
      'SELECT event_id, session_id, object_key, object_from, object_bytes FROM recording_chunks',
      undefined,
      {
        settings: { output_format_json_quote_64bit_integers: 0 },
      },
    )
    const bodies = new Map<string, Buffer>()
    for (const key of new Set(rows.map(({ object_key }) => object_key)))
      bodies.set(key, (await engine.store.get(engine.bucket, key))!)
    return rows
      .map(({ event_id, session_id, object_key, object_from: from, object_bytes: bytes }) => {
        const member = bodies.get(object_key)!.subarray(from, from + bytes)
        return `${session_id} ${event_id} ${gunzipSync(member)}`
      })
      .sort()
  }
  const expected = () =>
    sent
      .map(
        ({ session, id, events }) =>
          `${session} ${id} ${JSON.stringify({ window_id: 'w1', data: events })}\n`,
      )
      .sort()

  test('killed at every fail point, every chunk is in its object and in its row once', async () => {
    const points = [
      'before_plan',
      'after_plan',
      'before_objects',
      'after_objects',
      'after_rows',
      'after_effect',
      'after_commit',
    ]
    const outputs: string[] = []
    for (const point of points) {
      await produce(20)
      const stage = start(point)
      expect(await stage.ended, stage.output()).toBe('SIGKILL')
      outputs.push(stage.output())
    }
    const last = start(null)
    await vi.waitFor(async () => expect(await engine.rows()).toBe(sent.length), {
      timeout: 200_000,
      interval: 500,
    })
    await stopped(last)
    outputs.push(last.output())
    expect(await read()).toEqual(expected())
    const replays = outputs.filter((output) => output.includes('Replaying an open plan'))
    expect(replays.length).toBeGreaterThanOrEqual(4)
    // No object is there that no row leads to: all were written under plans that were completed.
    const lines = await Promise.all(
      (await engine.keys()).map(async (key) =>
        gunzipSync((await engine.store.get(engine.bucket, key))!)
          .toString()
          .trimEnd()
          .split('\n'),
      ),
    )
    expect(lines.flat()).toHaveLength(sent.length)
  })

  test('a deleted session is gone, and what came late of it goes with the next look', async () => {
    await deleteSession(engine.stores, { dataset_id: 'shop', session_id: 's1' }, 'test')
    const others = expected().filter((text) => !text.startsWith('s1 '))
    expect(await read()).toEqual(others)
    const lines = (await engine.keys()).length

    await produce(4)
    const stage = start(null)
    await vi.waitFor(async () => expect(await engine.rows()).toBe(others.length + 4), {
      timeout: 100_000,
      interval: 300,
    })
    await stopped(stage)
    const cleaning = start(null, { MILLRACE_RECORDINGS_CLEAN_UP_INTERVAL: '200ms' })
    await vi.waitFor(async () => expect(await engine.rows()).toBe(others.length + 3), {
      timeout: 100_000,
      interval: 300,
    })
    await stopped(cleaning)
    expect(await read()).toEqual(expected().filter((text) => !text.startsWith('s1 ')))
    expect((await engine.keys()).length).toBeGreaterThan(lines)
    expect(await removeDeleted(engine.stores, 10)).toBe(0)
  })

  test('blocks are removed when their last chunk is too old, objects and rows', async () => {
    const before = await engine.rows()
    expect(await removeExpired(engine.stores, T0, 1000)).toBe(0)
    const removed = await removeExpired(engine.stores, T0 + 60_000, 1000)
    expect(removed).toBeGreaterThan(0)
    const left = await engine.rows()
    expect(left).toBeLessThan(before)
    const keys = await engine.clickhouse.query<{ object_key: string }>(
      'SELECT DISTINCT object_key FROM recording_chunks ORDER BY object_key',
    )
    expect(keys.map(({ object_key }) => object_key)).toEqual((await engine.keys()).toSorted())
    await removeExpired(engine.stores, Date.now(), 1000)
    expect([await engine.rows(), await engine.keys()]).toEqual([0, []])
  })
})
