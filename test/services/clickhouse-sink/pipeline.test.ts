import { describe, expect, test } from 'vitest'
import type { Environment } from '../../../services/clickhouse-sink/environment.ts'
import { runClickHouseSink } from '../../../services/clickhouse-sink/pipeline.ts'
import { batchToken } from '../../../services/core/clickhouse/batch-token.ts'
import type { GroupConsumer, Log, ProduceRecord } from '../../../services/core/kafka/log.ts'
import { kafkaNames } from '../../../services/core/kafka/topics.ts'
import { systemClock } from '../../../services/core/runtime/clock.ts'
import { Health } from '../../../services/core/runtime/health.ts'
import { createLogger } from '../../../services/core/runtime/logger.ts'
import { createMetrics } from '../../../services/core/runtime/metrics.ts'
import { createMemoryLog } from '../../helpers/memory-log.ts'
import { memoryWarehouse } from './memory-warehouse.ts'

const names = kafkaNames('t.')

/** The process dies: nothing of it handles this. */
class Kill extends Error {}

function record(partition: number, src: number | null, value?: string): ProduceRecord {
  const event = { src_partition: partition, src_offset: src, text: `event ${src}` }
  return {
    topic: names.enriched,
    partition,
    key: null,
    value: Buffer.from(value ?? JSON.stringify(event)),
    headers: src === null ? { tick: '1' } : { src: `${partition}:${src}`, schema: '1' },
  }
}

/** Log and warehouse, which outlive every run of the stage. */
async function world(records: readonly ProduceRecord[]) {
  const log = createMemoryLog({ clock: systemClock })
  await log.admin.createTopics(
    [names.enriched, names.rejected].map((topic) => ({
      topic,
      partitions: 2,
      replicationFactor: 1,
      config: {},
    })),
  )
  const producer = await log.openProducer({ clientId: 't', lingerMs: 0, deliveryTimeoutMs: 1000 })
  await producer.produce(records)
  const warehouse = memoryWarehouse()
  const group = names.group('clickhouse-sink', 'events')
  let nonces = 0

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
    const env: Environment = {
      log: { ...log, openGroupConsumer },
      names,
      clickhouse: warehouse.clickhouse,
      limits: { rows: 3, bytes: 1_000_000, ageMs: 20 },
      bounds: { openBytesMax: 1_000_000, queueBytesMax: 1_000_000 },
      group: { sessionTimeoutMs: 1000, pollRecordsMax: 100, prefetchBytesMax: 1_000_000 },
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
    }
    let died = false
    const running = runClickHouseSink(env, stop.signal).catch((error: unknown) => {
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

  async function drained(): Promise<boolean> {
    const positions = await log.admin.groupPositions(group, names.enriched)
    const ends = await log.admin.offsetRanges(names.enriched, 'read_committed')
    return ends.every(
      ({ partition, end }) =>
        end === 0 || positions.find((position) => position.partition === partition)?.offset === end,
    )
  }
  return { log, warehouse, run, group, produce: producer.produce }
}

const sourcesOf = ({ warehouse }: Awaited<ReturnType<typeof world>>) =>
  warehouse
    .rows('events')
    .map((row) => `${row.src_partition}:${row.src_offset}`)
    .sort()
const EVENTS = [
  record(0, 0),
  record(0, 2),
  record(0, 3),
  record(0, 7),
  record(0, 8),
  record(1, 1),
  record(1, 4),
]
const EXPECTED = ['0:0', '0:2', '0:3', '0:7', '0:8', '1:1', '1:4']

describe('a process that dies', () => {
  test.each(['before_plan', 'after_plan', 'after_insert', 'after_effect', 'after_commit'])(
    '%s: the next one leaves every event there once',
    async (point) => {
      const it = await world(EVENTS)
      expect((await it.run(point)).died).toBe(true)
      const { metrics } = await it.run()
      expect(sourcesOf(it)).toEqual(EXPECTED)
      const replays = /clickhouse_sink_replays_total\{table="events"\} (\d+)/.exec(metrics)?.[1]
      expect(replays !== undefined).toBe(['after_plan', 'after_insert', 'after_effect'].includes(point))
    },
  )

  test('after the ledger, before the commit: the ledger says the same thing twice, no more', async () => {
    const it = await world(EVENTS)
    await it.run('after_effect')
    await it.run()
    const ranges = it.warehouse
      .rows('batches')
      .map(({ partition, start, end }) => `${partition}:${start}-${end}`)
    expect([...new Set(ranges)].sort()).toEqual(['0:0-2', '0:3-4', '1:0-1'])
  })
})

test('an insert whose token was written down without its rows is completed', async () => {
  const it = await world(EVENTS)
  it.warehouse.fates.push('token_without_rows')
  const { metrics } = await it.run()
  expect(sourcesOf(it)).toEqual(EXPECTED)
  expect(metrics).toMatch(/repaired_records_total\{table="events"\} [1-9]/)
})

test('a replayed plan whose token is known while its rows are missing is completed', async () => {
  const it = await world(EVENTS)
  await it.run('after_insert')
  it.warehouse.rows('events').length = 0
  await it.run()
  expect(sourcesOf(it)).toEqual(EXPECTED)
})

test('rows are not taken for inserted because an owner whose plan is gone left their token behind', async () => {
  const it = await world(EVENTS)
  const topicId = (await it.log.admin.describeTopic(names.enriched))?.topicId ?? ''
  const token = batchToken({ topic: names.enriched, partition: 0 }, { topicId, start: 0, end: 2 })
  it.warehouse.fates.push('token_without_rows')
  const first = it.warehouse.clickhouse.insert('events', 'JSONEachRow', Buffer.from('{}'), {
    insert_deduplication_token: `${token}#1`,
  })
  await expect(first).rejects.toThrow()
  await it.run()
  expect(sourcesOf(it)).toEqual(EXPECTED)
})

test('where the group’s positions have expired, the ledger says where to go on', async () => {
  const it = await world(EVENTS)
  await it.run()
  it.log.controls.expireGroupOffsets(it.group)
  const before = it.warehouse.inserts.length
  const { metrics } = await it.run()
  expect(it.warehouse.inserts).toHaveLength(before)
  expect(metrics).toMatch(/adoptions_total\{table="events"\} 2/)
  expect(sourcesOf(it)).toEqual(EXPECTED)
})

test('what an insert into the ledger still brings is there before a new owner reads it, whatever its plan was', async () => {
  const it = await world([record(0, 0), record(0, 1)])
  const { clickhouse, fates } = it.warehouse
  const { insert } = clickhouse
  clickhouse.insert = async (table, ...rest) => {
    if (table !== 'batches') return insert(table, ...rest)
    fates.push('still_running')
    await insert(table, ...rest).catch(() => {})
    throw new Kill(table)
  }
  expect((await it.run()).died).toBe(true)
  clickhouse.insert = insert
  it.log.controls.expireGroupOffsets(it.group)
  // The range is planned anew, with another end, and its owner dies before it has committed that it is done.
  await it.produce([record(0, 2)])
  expect((await it.run('after_effect')).died).toBe(true)
  for (const fate of ['still_running', 'clean'] as const) {
    fates.push(fate)
    await insert('another', 'JSONEachRow', Buffer.from('{}'), {}).catch(() => {})
  }
  await it.run()
  expect(sourcesOf(it)).toEqual(['0:0', '0:1', '0:2'])
  const ranges = new Set(it.warehouse.rows('batches').map(({ start, end }) => `${start}-${end}`))
  expect([...ranges]).toEqual(['0-1', '2-2'])
})

test('ticks are skipped, what is no row is kept with its reason, and the counts add up', async () => {
  const it = await world([
    record(0, 0),
    record(0, null),
    record(0, 1, 'not json'),
    record(0, 2, '{"src_offset":2,"text":"unreadable"}'),
    record(0, 3),
  ])
  it.warehouse.refuse((line) => line.startsWith('{"src_offset":2,'))
  const { metrics } = await it.run()
  expect(sourcesOf(it)).toEqual(['0:0', '0:3'])
  expect(it.warehouse.rows('undecodable_records').map(({ offset, value }) => [offset, value])).toEqual([
    [2, 'not json'],
    [3, '{"src_offset":2,"text":"unreadable"}'],
  ])
  const total = (outcome: string) =>
    Number(new RegExp(`sink_${outcome}_records_total\\{table="events"\\} (\\d+)`).exec(metrics)?.[1])
  expect([total('received'), total('inserted'), total('skipped'), total('rejected')]).toEqual([5, 2, 1, 2])
})

test('an emptied database stops the partition; it is not filled from the middle', async () => {
  const it = await world(EVENTS)
  await it.run()
  it.warehouse.rows('batches').length = 0
  const health = new Health()
  const stop = new AbortController()
  const running = runClickHouseSink(
    {
      log: it.log,
      names,
      clickhouse: it.warehouse.clickhouse,
      limits: { rows: 3, bytes: 1_000_000, ageMs: 20 },
      bounds: { openBytesMax: 1_000_000, queueBytesMax: 1_000_000 },
      group: { sessionTimeoutMs: 1000, pollRecordsMax: 100, prefetchBytesMax: 1_000_000 },
      clock: systemClock,
      random: () => 0.5,
      nonce: () => 'n',
      failPoint: () => undefined,
      logger: createLogger('test', 'error', { write: () => undefined }),
      metrics: createMetrics(),
      health,
    },
    stop.signal,
  )
  const problem = () => health.ready().checks['clickhouse_sink_events partitions'] ?? 'ok'
  while (problem() === 'ok') await systemClock.sleep(5)
  expect(problem()).toMatch(/emptied or restored/)
  stop.abort()
  await running
})
