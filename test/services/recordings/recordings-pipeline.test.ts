import { gunzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import type { GroupConsumer, Log, ProduceRecord } from '../../../services/core/kafka/log.ts'
import { kafkaNames } from '../../../services/core/kafka/topics.ts'
import { decompressLine } from '../../../services/core/recordings/chunk-line.ts'
import { systemClock } from '../../../services/core/runtime/clock.ts'
import { DependencyError } from '../../../services/core/runtime/errors.ts'
import { Health } from '../../../services/core/runtime/health.ts'
import { createLogger } from '../../../services/core/runtime/logger.ts'
import { createMetrics } from '../../../services/core/runtime/metrics.ts'
import { runRecordings } from '../../../services/recordings/pipeline.ts'
import { createMemoryLog } from '../../helpers/memory-log.ts'
import { createMemoryObjectStore } from '../../helpers/memory-object-store.ts'
import { recordingRecord, rrweb } from '../../helpers/recording-chunks.ts'
import { memoryWarehouse } from '../clickhouse-sink/memory-warehouse.ts'

const names = kafkaNames('t.')
const BUCKET = 'lake'
const T0 = Date.parse('2026-11-22T12:00:00Z')

/** The process dies: nothing of it handles this. */
class Kill extends Error {}

/** Log, objects and warehouse, which outlive every run of the stage. */
async function world(records: readonly ProduceRecord[]) {
  const log = createMemoryLog({ clock: systemClock })
  await log.admin.createTopics([{ topic: names.recordings, partitions: 2, replicationFactor: 1, config: {} }])
  const producer = await log.openProducer({ clientId: 't', lingerMs: 0, deliveryTimeoutMs: 1000 })
  await producer.produce(records)
  const warehouse = memoryWarehouse()
  const store = createMemoryObjectStore()
  await store.createBucket(BUCKET)
  const group = names.group('recordings')
  let nonces = 0

  async function drained(): Promise<boolean> {
    const positions = await log.admin.groupPositions(group, names.recordings)
    const ends = await log.admin.offsetRanges(names.recordings, 'read_committed')
    return ends.every(
      ({ partition, end }) =>
        end === 0 || positions.find((position) => position.partition === partition)?.offset === end,
    )
  }

  /** Runs the stage until everything is committed, or it dies at the fail point. */
  async function run(failPoint?: string): Promise<{ readonly died: boolean; readonly metrics: string }> {
    const stop = new AbortController()
    const metrics = createMetrics()
    const consumers: GroupConsumer[] = []
    const openGroupConsumer: Log['openGroupConsumer'] = async (options) => {
      const consumer = await log.openGroupConsumer(options)
      consumers.push(consumer)
      return consumer
    }
    let died = false
    const running = runRecordings(
      {
        log: { ...log, openGroupConsumer },
        names,
        clickhouse: warehouse.clickhouse,
        store,
        bucket: BUCKET,
        limits: { rows: 3, bytes: 1_000_000, ageMs: 20 },
        bounds: { openBytesMax: 1_000_000, queueBytesMax: 1_000_000 },
        cleanUp: { retentionMs: 1, intervalMs: 3_600_000 },
        group: { sessionTimeoutMs: 1000, pollRecordsMax: 100, prefetchBytesMax: 1_000_000 },
        decompress: decompressLine,
        clock: systemClock,
        random: () => 0.5,
        nonce: () => `n${nonces++}`,
        failPoint: (name) => {
          if (name !== failPoint) return
          stop.abort()
          throw new Kill(name)
        },
        logger: createLogger('test', 'error', { write: () => undefined }),
        metrics,
        health: new Health(),
      },
      stop.signal,
    ).catch((error: unknown) => {
      if (!(error instanceof Kill)) throw error
      died = true
    })
    const ended = running.finally(() => stop.abort())
    while (!stop.signal.aborted && !(await drained())) await systemClock.sleep(5)
    stop.abort()
    await ended
    // The group notices that the process is gone.
    if (died) for (const consumer of consumers) await consumer.close()
    return { died, metrics: await metrics.expose() }
  }

  /** Every line, as somebody reads it who has the rows: from its place in its object. */
  const read = () =>
    warehouse
      .rows('recording_chunks')
      .map((row) => {
        const body = store.buckets.get(BUCKET)?.get(String(row.object_key))?.bytes
        const from = Number(row.object_from)
        const line = gunzipSync(body!.subarray(from, from + Number(row.object_bytes))).toString()
        return `${row.src_partition}:${row.src_offset} ${row.session_id} ${row.event_id} ${line}`
      })
      .sort()
  const objects = () =>
    [...store.buckets.get(BUCKET)!].map(([key, { bytes }]) => `${key} ${gunzipSync(bytes)}`).sort()
  return { log, warehouse, store, run, read, objects }
}

/** Two sessions in one partition and one in the other; a batch has three chunks at most. */
const SENT = ['a', 'b', 'a', 'a', 'b'].map((session, n) => ({
  session,
  id: `e${n}`,
  events: [rrweb.page(T0 + n, 'https://x/'), rrweb.move(T0 + n + 1)],
}))
const records = async () => [
  ...(await Promise.all(SENT.map((sent) => recordingRecord(names.recordings, 0, sent)))),
  await recordingRecord(names.recordings, 1, { session: 'c', id: 'e9', events: [rrweb.click(T0)] }),
]
const EXPECTED = [
  ...SENT.map(
    ({ session, id, events }, n) =>
      `0:${n} ${session} ${id} ${JSON.stringify({ window_id: 'w1', data: events })}\n`,
  ),
  `1:0 c e9 ${JSON.stringify({ window_id: 'w1', data: [rrweb.click(T0)] })}\n`,
]

test('an object holds the chunks of one session in one range, as JSON lines in their order', async () => {
  const it = await world(await records())
  const { metrics } = await it.run()
  expect(it.read()).toEqual(EXPECTED)
  const lines = it.objects().map(
    (text) =>
      text
        .slice(text.indexOf(' ') + 1)
        .trimEnd()
        .split('\n').length,
  )
  expect(lines.toSorted()).toEqual([1, 1, 1, 1, 2])
  for (const name of it.store.buckets.get(BUCKET)!.keys())
    expect(name).toMatch(/^recordings\/shop\/[0-9a-f]{32}\/[\w-]+-[01]-\d{20}-\d{20}\.jsonl\.gz$/)
  expect(metrics).toMatch(/^millrace_recordings_received_chunks_total 6$/m)
  expect(metrics).toMatch(/^millrace_recordings_stored_chunks_total 6$/m)
})

describe('a process that dies', () => {
  test.each([
    'before_plan',
    'after_plan',
    'before_objects',
    'after_objects',
    'after_rows',
    'after_effect',
    'after_commit',
  ])('%s: the next one leaves every chunk there once', async (point) => {
    const it = await world(await records())
    expect((await it.run(point)).died).toBe(true)
    await it.run()
    expect(it.read()).toEqual(EXPECTED)
    // Ranges differ only by where it died: what was written under a plan is written under that plan again.
    const inObjects = it.objects().flatMap((text) =>
      text
        .slice(text.indexOf(' ') + 1)
        .trimEnd()
        .split('\n'),
    )
    expect(inObjects).toHaveLength(6)
  })
})

test('an object that was written although its answer was lost is the same one', async () => {
  const it = await world(await records())
  let lost = 0
  it.store.afterPut = () => {
    if (lost++ === 0) throw new DependencyError('s3', 'timeout', 'No answer.')
  }
  await it.run()
  expect(it.read()).toEqual(EXPECTED)
})

test('a replayed plan whose token is known while its rows are missing is completed, its objects, too', async () => {
  const it = await world(await records())
  await it.run('after_rows')
  it.warehouse.rows('recording_chunks').length = 0
  it.store.buckets.get(BUCKET)!.clear()
  await it.run()
  expect(it.read()).toEqual(EXPECTED)
})

test('an insert whose token was written down without its rows is completed', async () => {
  const it = await world(await records())
  it.warehouse.fates.push('token_without_rows')
  expect((await it.run()).metrics).toMatch(/repaired_rows_total [1-9]/)
  expect(it.read()).toEqual(EXPECTED)
})

test('records that are no chunks are kept with their reason, and the counts add up', async () => {
  const raw = (value: Buffer | null): ProduceRecord => ({
    topic: names.recordings,
    partition: 0,
    key: null,
    value,
    headers: {},
  })
  const [good, ...others] = await records()
  const damaged = Buffer.from(good!.value!)
  damaged.fill(0, damaged.length - 8)
  const it = await world([raw(null), raw(Buffer.from('{}\nx')), good!, raw(damaged), ...others])
  const { metrics } = await it.run()
  expect(it.read()).toHaveLength(6)
  const kept = it.warehouse.rows('undecodable_records')
  expect(kept.map(({ offset }) => offset)).toEqual([0, 1, 3])
  expect(String(kept[2]?.reason)).toMatch(/cannot be read|was said/)
  expect(metrics).toMatch(/^millrace_recordings_received_chunks_total 9$/m)
  expect(metrics).toMatch(/^millrace_recordings_rejected_chunks_total 3$/m)
})
