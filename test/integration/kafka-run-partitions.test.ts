import { randomUUID } from 'node:crypto'
import { expect, inject, test } from 'vitest'
import { openKafkaLog } from '../../services/core/kafka/kafka-log.ts'
import { KAFKA_SETTINGS } from '../../services/core/kafka/kafka-settings.ts'
import type {
  GroupConsumer,
  Log,
  RecordBatch,
  TopicPartition,
  TransactionalProducer,
} from '../../services/core/kafka/log.ts'
import { systemClock } from '../../services/core/runtime/clock.ts'
import { DependencyError } from '../../services/core/runtime/errors.ts'
import { Health } from '../../services/core/runtime/health.ts'
import { createLogger } from '../../services/core/runtime/logger.ts'
import { createMetrics } from '../../services/core/runtime/metrics.ts'
import { parseSettings } from '../../services/core/runtime/settings.ts'
import { type PartitionWorker, REST_MAX_MS } from '../../services/core/stream/partition-worker.ts'
import { runPartitions } from '../../services/core/stream/run-partitions.ts'

const settings = parseSettings(KAFKA_SETTINGS, { MILLRACE_KAFKA_BROKERS: inject('kafkaBrokers') })
const logger = createLogger('test', 'error', { write: () => {} })
const PARTITIONS = 4

/** Copies each record to the output in a transaction with the input's position; fails now and then. */
function copyWorker(
  log: Log,
  output: string,
  where: TopicPartition,
  consumer: GroupConsumer,
  shouldFail: () => boolean,
): PartitionWorker {
  let producer: TransactionalProducer
  return {
    async start() {
      producer = await log.openTransactionalProducer(`${output}.${where.partition}`, {
        clientId: 'test',
        transactionTimeoutMs: 20_000,
      })
      const [position] = await consumer.committed([where])
      return position?.offset ?? 0
    },
    async process(batch: RecordBatch) {
      await producer.begin()
      await producer.send(
        Array.from({ length: batch.length }, (_, n) => ({
          topic: output,
          partition: where.partition,
          key: null,
          value: batch.value(n),
        })),
      )
      if (shouldFail()) throw new DependencyError('s3', 'timeout', 'No answer.')
      const offset = batch.offset(batch.length - 1) + 1
      await producer.sendOffset(consumer, { ...where, offset }, '')
      await producer.commit()
    },
    async tick() {},
    tickInMs: () => REST_MAX_MS,
    async stop() {
      await producer?.close()
    },
  }
}

test('workers that fail, members that come and go: every record is copied once and in order', async () => {
  const log = await openKafkaLog(settings, logger)
  const [input, output] = [`in-${randomUUID()}`, `out-${randomUUID()}`]
  await log.admin.createTopics(
    [input, output].map((topic) => ({
      topic,
      partitions: PARTITIONS,
      replicationFactor: -1,
      config: {},
    })),
  )
  const producer = await log.openProducer({ clientId: 'test', lingerMs: 2, deliveryTimeoutMs: 20_000 })
  const partitions = Array.from({ length: PARTITIONS }, (_, partition) => partition)
  let rounds = 0
  const produceRound = async () => {
    const round = rounds++
    await producer.produce(
      partitions.flatMap((partition) =>
        Array.from({ length: 500 }, (_, n) => ({
          topic: input,
          partition,
          key: null,
          value: Buffer.from(`${round * 500 + n}`),
        })),
      ),
    )
  }
  let batches = 0
  let failures = 0
  const shouldFail = () => {
    const fail = ++batches % 7 === 0
    if (fail) failures++
    return fail
  }
  const startMember = () => {
    const stop = new AbortController()
    const done = runPartitions({
      log,
      group: {
        groupId: input,
        clientId: 'test',
        topics: [input],
        sessionTimeoutMs: 6_000,
        maxPollIntervalMs: 30_000,
        pollRecordsMax: 50,
        prefetchBytesMax: 1_000_000,
      },
      createWorker: (where, consumer) => copyWorker(log, output, where, consumer, shouldFail),
      bounds: { queueRecordsMax: 200, queueBytesMax: 100_000 },
      restart: { baseDelayMs: 10, maxDelayMs: 50, attempts: Number.POSITIVE_INFINITY },
      stage: 'test',
      logger,
      metrics: createMetrics(),
      health: new Health(),
      signal: stop.signal,
      clock: systemClock,
      random: Math.random,
    })
    return {
      done,
      async stop() {
        stop.abort()
        await done
      },
    }
  }
  const copied = async () => {
    const positions = await log.admin.groupPositions(input, input)
    return positions.reduce((sum, position) => sum + (position.offset ?? 0), 0)
  }
  const reach = async (member: { done: Promise<void> }, count: number) => {
    while ((await copied()) < count) await Promise.race([systemClock.sleep(100), member.done])
  }

  await produceRound()
  const first = startMember()
  await reach(first, 1_000)
  const second = startMember()
  await produceRound()
  await reach(second, 2 * 2_000)
  await second.stop()
  await produceRound()
  await reach(first, 3 * 2_000)
  await first.stop()
  await producer.close()

  expect(failures).toBeGreaterThan(3)
  // A transaction that ended may have its marker still to come.
  const settled = async () => {
    for (;;) {
      const ranges = await log.admin.offsetRanges(output, 'read_committed')
      const all = await log.admin.offsetRanges(output, 'read_uncommitted')
      if (ranges.every((range, partition) => range.end === all[partition]?.end)) return ranges
    }
  }
  const ends = await settled()
  const reader = await log.openReader(ends.map(({ topic, partition }) => ({ topic, partition, offset: 0 })))
  const values = partitions.map((): string[] => [])
  while (ends.some((range) => reader.position(range) < range.end))
    for (const batch of await reader.read(200))
      for (let n = 0; n < batch.length; n++) values[batch.partition]!.push(`${batch.value(n)}`)
  const expected = Array.from({ length: 1_500 }, (_, n) => `${n}`)
  for (const partition of partitions) expect(values[partition]).toEqual(expected)
  await log.close()
})
