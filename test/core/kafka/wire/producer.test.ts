import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, expect, test, vi } from 'vitest'
import type { ProduceRecord, Producer } from '../../../../services/core/kafka/log.ts'
import { CODES } from '../../../../services/core/kafka/wire/errors.ts'
import { PartitionQueue } from '../../../../services/core/kafka/wire/partition-queue.ts'
import { createProducer } from '../../../../services/core/kafka/wire/producer.ts'
import type { SenderOptions } from '../../../../services/core/kafka/wire/record-sender.ts'
import { systemClock } from '../../../../services/core/runtime/clock.ts'
import { createLogger } from '../../../../services/core/runtime/logger.ts'
import {
  type BatchAnswer,
  type ProducingCluster,
  producingCluster,
  type SentBatch,
} from '../../../helpers/producing-cluster.ts'

const logger = createLogger('test', 'error', { write: () => {} })
const OPTIONS: SenderOptions = {
  lingerMs: 1,
  deliveryTimeoutMs: 10_000,
  requestTimeoutMs: 5_000,
  batchBytesMax: 1_000,
  bufferBytesMax: 100_000,
}

const open: Producer[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((producer) => producer.close()))
})

async function producerOf(
  world: ProducingCluster,
  options: Partial<SenderOptions> = {},
  clock = systemClock,
): Promise<Producer> {
  const producer = await createProducer(world.cluster, { ...OPTIONS, ...options }, clock, logger)
  open.push(producer)
  return producer
}

/** Answers batches in turn, everything after the last one with 0. */
const inTurn = (...answers: BatchAnswer[]) => {
  const left = [...answers]
  return () => left.shift()
}

const record = (value: string, partition = 0, topic = 't'): ProduceRecord => ({
  topic,
  partition,
  key: null,
  value: Buffer.from(value),
})
const numbered = ({ partition, epoch, sequence, values }: SentBatch) =>
  `${partition}: epoch ${epoch} from ${sequence}: ${values}`

test('a batch whose answer was lost is sent again as the same bytes, and a repetition counts as stored', async () => {
  const world = producingCluster(inTurn('lost', CODES.DUPLICATE_SEQUENCE))
  const producer = await producerOf(world)
  await producer.produce([record('a'), record('b')])
  await producer.produce([record('c')])
  expect(world.sent.map(numbered)).toEqual([
    '0: epoch 0 from 0: a,b',
    '0: epoch 0 from 0: a,b',
    '0: epoch 0 from 2: c',
  ])
  expect(world.sent[1]?.bytes.equals(world.sent[0]?.bytes as Buffer)).toBe(true)
})

test('a leader that moved is asked for, and gets the same bytes', async () => {
  const world = producingCluster(({ broker }) => (broker === 1 ? CODES.NOT_LEADER_OR_FOLLOWER : 0))
  const producer = await producerOf(world)
  const call = producer.produce([record('a')])
  await vi.waitFor(() => expect(world.sent.length).toBeGreaterThan(0), 15_000)
  world.leader = 2
  await call
  expect(world.sent.at(-1)?.broker).toBe(2)
  expect(new Set(world.sent.map(({ bytes }) => bytes.toString('hex'))).size).toBe(1)
})

test.each([
  CODES.NOT_ENOUGH_REPLICAS,
  CODES.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
  CODES.REQUEST_TIMED_OUT,
  CODES.CORRUPT_MESSAGE,
])('after code %i the same bytes are sent again', async (code) => {
  const world = producingCluster(inTurn(code, code))
  await (await producerOf(world)).produce([record('a')])
  expect(world.sent.map(numbered)).toEqual(Array(3).fill('0: epoch 0 from 0: a'))
})

test('records missing before a batch leave its outcome open: it is not sent again, and the partition starts a new epoch', async () => {
  const world = producingCluster(({ values }) => (values.includes('b') ? CODES.OUT_OF_ORDER_SEQUENCE : 0))
  const producer = await producerOf(world)
  await producer.produce([record('a'), record('A', 1)])
  await expect(producer.produce([record('b')])).rejects.toMatchObject({ code: 'outcome_unknown' })
  await producer.produce([record('c'), record('C', 1)])
  await producer.produce([record('d')])
  expect(world.sent.filter(({ partition }) => partition === 0).map(numbered)).toEqual([
    '0: epoch 0 from 0: a',
    '0: epoch 0 from 1: b',
    '0: epoch 1 from 0: c',
    '0: epoch 1 from 1: d',
  ])
  expect(world.sent.filter(({ partition }) => partition === 1).map(numbered)).toEqual([
    '1: epoch 0 from 0: A',
    '1: epoch 0 from 1: C',
  ])
})

test('where epochs are used up, or the brokers take the id for another, there is a new producer id', async () => {
  const worlds = [
    producingCluster(inTurn(CODES.OUT_OF_ORDER_SEQUENCE), 32_767),
    producingCluster(inTurn(CODES.INVALID_PRODUCER_EPOCH)),
  ]
  for (const world of worlds) {
    const producer = await producerOf(world)
    await expect(producer.produce([record('a')])).rejects.toMatchObject({ code: 'outcome_unknown' })
    await producer.produce([record('b')])
    expect(world.sent.map(({ producerId, sequence }) => [producerId, sequence])).toEqual([
      [7, 0],
      [8, 0],
    ])
  }
})

test('a batch given up without an answer starts a new epoch before anything else goes there', async () => {
  const gate = Promise.withResolvers<BatchAnswer>()
  const world = producingCluster(({ values }) => (values.includes('a') ? gate.promise : 0))
  const producer = await producerOf(world, { deliveryTimeoutMs: 60 })
  await expect(producer.produce([record('a')])).rejects.toMatchObject({
    code: 'outcome_unknown',
    message: expect.stringContaining('did not acknowledge'),
  })
  const next = producer.produce([record('b')])
  await pause(5)
  expect(world.sent.map(numbered)).toEqual(['0: epoch 0 from 0: a'])
  gate.resolve('lost')
  await next
  expect(world.sent.map(numbered)).toEqual(['0: epoch 0 from 0: a', '0: epoch 1 from 0: b'])
})

test('a late answer to a batch that was given up settles it: numbers go on', async () => {
  const gate = Promise.withResolvers<BatchAnswer>()
  const world = producingCluster(({ values }) => (values.includes('a') ? gate.promise : 0))
  const producer = await producerOf(world, { deliveryTimeoutMs: 60 })
  await expect(producer.produce([record('a')])).rejects.toMatchObject({ code: 'outcome_unknown' })
  const next = producer.produce([record('b')])
  gate.resolve(0)
  await next
  expect(world.sent.map(numbered)).toEqual(['0: epoch 0 from 0: a', '0: epoch 0 from 1: b'])
})

test('what never left because nobody leads the partition fails in time, and loses no number', async () => {
  const world = producingCluster()
  const producer = await producerOf(world, { deliveryTimeoutMs: 50 })
  world.leader = -1
  await expect(producer.produce([record('a')])).rejects.toMatchObject({ code: 'outcome_unknown' })
  expect(world.sent).toEqual([])
  world.leader = 1
  await producer.produce([record('b')])
  expect(world.sent.map(numbered)).toEqual(['0: epoch 0 from 0: b'])
})

test('a plain refusal is told as such, takes no number, and its neighbours are stored', async () => {
  const world = producingCluster(({ partition }) => (partition === 1 ? CODES.INVALID_RECORD : 0))
  const producer = await producerOf(world)
  const calls = await Promise.allSettled([
    producer.produce([record('a')]),
    producer.produce([record('b', 1)]),
    producer.produce([record('c'), record('d', 1)]),
  ])
  expect(calls.map((call) => (call.status === 'rejected' ? call.reason.code : 'stored'))).toEqual([
    'stored',
    'rejected',
    'outcome_unknown',
  ])
  await producer.produce([record('e')])
  expect(world.sent.map(numbered)).toEqual([
    '0: epoch 0 from 0: a,c',
    '1: epoch 0 from 0: b,d',
    '0: epoch 0 from 2: e',
  ])
})

test('a refusal after a lost answer says nothing about the first try', async () => {
  const world = producingCluster(inTurn('lost', CODES.TOPIC_AUTHORIZATION_FAILED))
  const producer = await producerOf(world)
  await expect(producer.produce([record('a')])).rejects.toMatchObject({ code: 'outcome_unknown' })
  await producer.produce([record('b')])
  expect(world.sent.at(-1)).toMatchObject({ epoch: 1, sequence: 0, values: ['b'] })
})

test('a record larger than the setting is refused without being sent; the rest of its call is sent', async () => {
  const world = producingCluster()
  const producer = await producerOf(world)
  const large = record('x'.repeat(1_000))
  await expect(producer.produce([large])).rejects.toMatchObject({ code: 'rejected', retriable: false })
  expect(world.sent).toEqual([])
  await expect(producer.produce([record('a'), large, record('b')])).rejects.toMatchObject({
    code: 'outcome_unknown',
  })
  expect(world.sent.flatMap(({ values }) => values)).toEqual(['a', 'b'])
})

test('a batch that the topic finds too large is halved until what it takes is stored and what not is refused', async () => {
  const world = producingCluster(({ values }) =>
    values.length > 2 || values.includes('large') ? CODES.MESSAGE_TOO_LARGE : 0,
  )
  const producer = await producerOf(world)
  const calls = await Promise.allSettled(
    ['a', 'b', 'large', 'd', 'e'].map((value) => producer.produce([record(value)])),
  )
  expect(calls.map(({ status }) => status)).toEqual([
    'fulfilled',
    'fulfilled',
    'rejected',
    'fulfilled',
    'fulfilled',
  ])
  expect((calls[2] as PromiseRejectedResult).reason).toMatchObject({ code: 'rejected' })
  expect(world.sent.map(numbered)).toEqual([
    '0: epoch 0 from 0: a,b,large,d,e',
    '0: epoch 0 from 0: a,b',
    '0: epoch 0 from 2: large,d,e',
    '0: epoch 0 from 2: large',
    '0: epoch 0 from 2: d,e',
  ])
})

test('a partition has one batch on its way; what comes meanwhile follows together, and others are not held up', async () => {
  const gate = Promise.withResolvers<BatchAnswer>()
  const world = producingCluster(({ values }) => (values.includes('a') ? gate.promise : 0))
  const producer = await producerOf(world)
  const calls = [producer.produce([record('a')])]
  await pause(5)
  for (const value of ['b', 'c', 'd']) {
    calls.push(producer.produce([record(value)]))
    await pause(2)
  }
  await producer.produce([record('other', 1)])
  expect(world.sent.map(({ values }) => `${values}`)).toEqual(['a', 'other'])
  gate.resolve(0)
  await Promise.all(calls)
  expect(world.sent.map(({ values }) => `${values}`)).toEqual(['a', 'other', 'b,c,d'])
})

test('records of many calls and partitions go out in one request', async () => {
  const world = producingCluster()
  const producer = await producerOf(world, { lingerMs: 5 })
  await Promise.all(
    Array.from({ length: 40 }, (_, n) => producer.produce([record(`${n}`, n % 4), record('x', 0, 'u')])),
  )
  expect(world.requests).toEqual([5])
})

test('a full batch does not wait', async () => {
  const world = producingCluster()
  const producer = await producerOf(world, { lingerMs: 60_000 })
  void producer.produce(Array.from({ length: 15 }, () => record('x'.repeat(100)))).catch(() => undefined)
  await vi.waitFor(() => expect(world.sent).toHaveLength(1), 15_000)
  await producer.close()
  expect(world.sent.flatMap(({ values }) => values)).toHaveLength(15)
})

test('callers wait past the bound on what is not stored, in their order', async () => {
  const gate = Promise.withResolvers<BatchAnswer>()
  const world = producingCluster(() => gate.promise)
  const producer = await producerOf(world, { bufferBytesMax: 300 })
  const done: number[] = []
  const calls = Array.from({ length: 8 }, (_, n) =>
    producer.produce([record(`${n}${'x'.repeat(99)}`)]).then(() => done.push(n)),
  )
  await pause(10)
  expect(world.sent.flatMap(({ values }) => values.map((value) => value[0]))).toEqual(['0', '1', '2'])
  gate.resolve(0)
  await Promise.all(calls)
  expect(done).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
  expect(world.sent.flatMap(({ values }) => values.map((value) => value[0])).join('')).toBe('01234567')
})

test('a broker that wants to be left alone is, for as long as it said', async () => {
  const world = producingCluster()
  const producer = await producerOf(world)
  world.throttleMs = 80
  const before = performance.now()
  await producer.produce([record('a')])
  world.throttleMs = 0
  await producer.produce([record('b')])
  expect(performance.now() - before).toBeGreaterThan(75)
  expect(world.sent).toHaveLength(2)
})

test('a partition that the topic does not have is refused at once, and one with a leader goes on', async () => {
  const world = producingCluster()
  const producer = await producerOf(world)
  await expect(producer.produce([record('a', 4)])).rejects.toMatchObject({ code: 'not_found' })
  await producer.produce([record('b', 3)])
  expect(world.sent).toHaveLength(1)
})

test('a topic that comes into being while its records wait gets them', async () => {
  const world = producingCluster()
  world.missing.add('t')
  const producer = await producerOf(world)
  const call = producer.produce([record('a')])
  await vi.waitFor(() => expect(world.metadataAsked).toBeGreaterThan(1), 15_000)
  world.missing.delete('t')
  await call
  expect(world.sent.map(numbered)).toEqual(['0: epoch 0 from 0: a'])
})

test('a topic that is deleted under its records is told as not found, in bounded time', async () => {
  const world = producingCluster(({ values }) =>
    values.includes('b') ? CODES.UNKNOWN_TOPIC_OR_PARTITION : 0,
  )
  // Time that runs fifty times as fast.
  const clock = { ...systemClock, monotonic: () => performance.now() * 50 }
  const producer = await producerOf(world, { deliveryTimeoutMs: 60_000 }, clock)
  await producer.produce([record('a')])
  world.missing.add('t')
  await expect(producer.produce([record('b')])).rejects.toMatchObject({ code: 'not_found' })
})

test('sequence numbers start from 0 again after the highest', () => {
  const queue = new PartitionQueue('t', 0)
  queue.nextSequence = 2 ** 31 - 2
  queue.advance(5)
  expect(queue.nextSequence).toBe(3)
})

test('closing waits for what is under way and takes nothing more', async () => {
  const gate = Promise.withResolvers<BatchAnswer>()
  const world = producingCluster(() => gate.promise)
  const producer = await producerOf(world)
  let isStored = false
  const call = producer.produce([record('a')]).then(() => {
    isStored = true
  })
  const closing = producer.close()
  await expect(producer.produce([record('b')])).rejects.toMatchObject({ code: 'unavailable' })
  expect(isStored).toBe(false)
  gate.resolve(0)
  await closing
  expect(isStored).toBe(true)
  await call
})
