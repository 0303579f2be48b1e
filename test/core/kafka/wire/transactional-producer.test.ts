import { afterEach, expect, test, vi } from 'vitest'
import type {
  GroupConsumer,
  ProduceRecord,
  TransactionalProducer,
} from '../../../../services/core/kafka/log.ts'
import { BrokerError, CODES } from '../../../../services/core/kafka/wire/errors.ts'
import {
  type GroupMembership,
  registerMembership,
} from '../../../../services/core/kafka/wire/group-membership.ts'
import type { SenderOptions } from '../../../../services/core/kafka/wire/record-sender.ts'
import type { TransactionCoordinator } from '../../../../services/core/kafka/wire/transaction-coordinator.ts'
import {
  createTransactionalProducer,
  type TransactionVersion,
} from '../../../../services/core/kafka/wire/transactional-producer.ts'
import { systemClock } from '../../../../services/core/runtime/clock.ts'
import { DependencyError } from '../../../../services/core/runtime/errors.ts'
import { createLogger } from '../../../../services/core/runtime/logger.ts'
import { type BatchAnswer, producingCluster, type SentBatch } from '../../../helpers/producing-cluster.ts'

const logger = createLogger('test', 'error', { write: () => {} })
const OPTIONS: SenderOptions = {
  lingerMs: 60_000,
  deliveryTimeoutMs: 200,
  requestTimeoutMs: 5_000,
  batchBytesMax: 1_000,
  bufferBytesMax: 100_000,
}
const WHERE = { topic: 'in', partition: 0, offset: 5 }
const unknown = new DependencyError('kafka', 'outcome_unknown', 'no answer')

const open: TransactionalProducer[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((producer) => producer.close()))
})

interface Script {
  readonly version?: TransactionVersion
  readonly answer?: (batch: SentBatch) => BatchAnswer | undefined | Promise<BatchAnswer | undefined>
  /** What ends are answered with, in turn. */
  readonly ends?: Error[]
  /** What positions are answered with, in turn. */
  readonly positions?: number[]
}

/** A producer whose coordinator lists what it was asked, and gives each end an epoch of its own in version 2. */
function worldOf({ version = 2, answer, ends = [], positions = [] }: Script = {}) {
  const world = producingCluster(answer)
  const asked: string[] = []
  const of = ({ epoch }: { epoch: number }) => `epoch ${epoch}`
  const coordinator: TransactionCoordinator = {
    async initProducerId(own) {
      if (own === null) throw new Error('not asked here')
      asked.push(`init after ${of(own)}`)
      return { producerId: own.producerId, epoch: own.epoch + 1 }
    },
    transactionVersion: async () => version,
    async addPartitions(own, partitions) {
      asked.push(`partitions ${partitions.map(({ topic, partition }) => `${topic}/${partition}`)} ${of(own)}`)
    },
    async addGroup(own, groupId) {
      asked.push(`group ${groupId} ${of(own)}`)
    },
    async commitOffset(_, own, { generationId }, { offset }) {
      asked.push(`position ${offset} of generation ${generationId} ${of(own)}`)
      return positions.shift() ?? 0
    },
    async end(_, own, isCommit) {
      asked.push(`${isCommit ? 'commit' : 'abort'} ${of(own)}`)
      const failure = ends.shift()
      if (failure) throw failure
      return version === 2 ? { ...own, epoch: own.epoch + 1 } : own
    },
    close: () => {},
  }
  const producer = createTransactionalProducer(
    {
      cluster: world.cluster,
      coordinator,
      transactionalId: 'id',
      identity: { producerId: 5, epoch: 0 },
      version,
      clock: systemClock,
      logger,
    },
    OPTIONS,
  )
  open.push(producer)
  return { producer, asked, sent: world.sent }
}

/** A member of generation 3 that hears of generation 4 when it asks. */
function memberOf(settled: GroupMembership | null, assigned = () => true): GroupConsumer {
  const consumer = { assigned } as unknown as GroupConsumer
  registerMembership(consumer, { current: () => member(3), settled: async () => settled })
  return consumer
}
const member = (generationId: number): GroupMembership => ({
  groupId: 'g',
  memberId: 'm',
  generationId,
  instanceId: null,
})

const record = (value: string, partition = 0): ProduceRecord => ({
  topic: 't',
  partition,
  key: null,
  value: Buffer.from(value),
})
const sentOf = (sent: readonly SentBatch[]) =>
  sent.map(
    ({ partition, epoch, sequence, values }) => `${partition}: epoch ${epoch} from ${sequence}: ${values}`,
  )

test('each transaction has an epoch and numbers of its own, and nobody has to be told of its partitions', async () => {
  const { producer, asked, sent } = worldOf()
  for (const value of ['a', 'b']) {
    await producer.begin()
    await producer.send([record(value), record(value, 1)])
    await producer.sendOffset(memberOf(null), WHERE, 'text')
    await producer.commit()
  }
  expect(asked).toEqual([
    'position 5 of generation 3 epoch 0',
    'commit epoch 0',
    'position 5 of generation 3 epoch 1',
    'commit epoch 1',
  ])
  expect(sentOf(sent)).toEqual([
    '0: epoch 0 from 0: a',
    '1: epoch 0 from 0: a',
    '0: epoch 1 from 0: b',
    '1: epoch 1 from 0: b',
  ])
})

test('the older way announces partitions and groups once per transaction, and numbers go on', async () => {
  const { producer, asked, sent } = worldOf({ version: 1 })
  for (const value of ['a', 'b']) {
    await producer.begin()
    await producer.send([record(value), record(value)])
    await producer.sendOffset(memberOf(null), WHERE, '')
    await producer.sendOffset(memberOf(null), { ...WHERE, partition: 1 }, '')
    await producer.commit()
  }
  const one = [
    'partitions t/0 epoch 0',
    'group g epoch 0',
    'position 5 of generation 3 epoch 0',
    'position 5 of generation 3 epoch 0',
    'commit epoch 0',
  ]
  expect([asked.slice(0, 5).sort(), asked.slice(5).sort()]).toEqual([one.toSorted(), one.toSorted()])
  expect(asked[4]).toBe('commit epoch 0')
  expect(sentOf(sent)).toEqual(['0: epoch 0 from 0: a,a', '0: epoch 0 from 2: b,b'])
})

test('a transaction without anything in it asks nobody', async () => {
  const { producer, asked } = worldOf()
  await producer.begin()
  await producer.commit()
  await producer.begin()
  await producer.send([record('dropped')])
  await producer.abort()
  expect(asked).toEqual([])
})

test('a commit without an answer ends the producer: what became of it is for the next one to find', async () => {
  const { producer, asked } = worldOf({ ends: [unknown] })
  await producer.begin()
  await producer.send([record('a')])
  await expect(producer.commit()).rejects.toMatchObject({ code: 'outcome_unknown' })
  await expect(producer.begin()).rejects.toMatchObject({ code: 'outcome_unknown' })
  await expect(producer.abort()).rejects.toMatchObject({ code: 'outcome_unknown' })
  expect(asked).toEqual(['commit epoch 0'])
})

test.each([
  [1, 'init after epoch 0'],
  [2, 'abort epoch 0'],
] as const)(
  'in version %i a record in doubt forbids the commit, and after the abort nothing of it can come in late',
  async (version, abort) => {
    let isFirst = true
    const { producer, asked, sent } = worldOf({
      version,
      answer: () => {
        if (!isFirst) return 0
        isFirst = false
        return CODES.OUT_OF_ORDER_SEQUENCE
      },
    })
    await producer.begin()
    await producer.send([record('a')])
    await expect(producer.commit()).rejects.toMatchObject({ code: 'outcome_unknown' })
    await producer.abort()
    await producer.begin()
    await producer.send([record('b')])
    await producer.commit()
    expect(asked.filter((each) => !each.startsWith('partitions'))).toEqual([abort, 'commit epoch 1'])
    expect(sentOf(sent)).toEqual(['0: epoch 0 from 0: a', '0: epoch 1 from 0: b'])
  },
)

test('records that nobody answers for fail the commit in time', async () => {
  const { producer, asked } = worldOf({ answer: () => new Promise(() => {}) })
  await producer.begin()
  await producer.send([record('a')])
  await expect(producer.commit()).rejects.toMatchObject({ code: 'outcome_unknown' })
  expect(asked).toEqual([])
})

test.each([
  [CODES.TOPIC_AUTHORIZATION_FAILED, 'denied'],
  [CODES.MESSAGE_TOO_LARGE, 'rejected'],
])(
  'a record refused with code %i makes the commit fail as %s, and the next transaction works',
  async (code, expected) => {
    const { producer, asked } = worldOf({ answer: ({ values }) => (values.includes('bad') ? code : 0) })
    await producer.begin()
    await producer.send([record('good'), record('bad', 1)])
    await expect(producer.commit()).rejects.toMatchObject({ code: expected })
    await producer.abort()
    await producer.begin()
    await producer.send([record('fine')])
    await producer.commit()
    expect(asked).toEqual(['abort epoch 0', 'commit epoch 1'])
  },
)

test('a producer that a broker or the coordinator calls fenced stays so', async () => {
  const byBroker = worldOf({ answer: () => CODES.INVALID_PRODUCER_EPOCH })
  const byCoordinator = worldOf({ ends: [new BrokerError(CODES.PRODUCER_FENCED)] })
  for (const { producer } of [byBroker, byCoordinator]) {
    await producer.begin()
    await producer.send([record('a')])
    await expect(producer.commit()).rejects.toMatchObject({ code: 'fenced', retriable: false })
    await producer.send([record('too late')])
    await expect(producer.commit()).rejects.toMatchObject({ code: 'fenced' })
    await expect(producer.begin()).rejects.toMatchObject({ code: 'fenced' })
  }
})

test('a member in an older generation tries again in the one that it hears of', async () => {
  const { producer, asked } = worldOf({ positions: [CODES.ILLEGAL_GENERATION] })
  await producer.begin()
  await producer.sendOffset(memberOf(member(4)), WHERE, '')
  await producer.commit()
  expect(asked).toEqual([
    'position 5 of generation 3 epoch 0',
    'position 5 of generation 4 epoch 0',
    'commit epoch 0',
  ])
})

test.each([
  ['that is out of its group', CODES.UNKNOWN_MEMBER_ID, memberOf(member(4))],
  ['that another process replaced', CODES.FENCED_INSTANCE_ID, memberOf(member(4))],
  ['whose group went on without it', CODES.ILLEGAL_GENERATION, memberOf(null)],
  [
    'that lost the partition with the generation',
    CODES.ILLEGAL_GENERATION,
    memberOf(member(4), vi.fn(() => false).mockReturnValueOnce(true)),
  ],
])('a member %s moves no position, and the transaction cannot be committed', async (_, code, consumer) => {
  const { producer, asked } = worldOf({ positions: [code] })
  await producer.begin()
  await producer.send([record('a')])
  await expect(producer.sendOffset(consumer, WHERE, '')).rejects.toMatchObject({ code: 'not_assigned' })
  await expect(producer.commit()).rejects.toMatchObject({ code: 'not_assigned' })
  await producer.abort()
  expect(asked).toEqual(['position 5 of generation 3 epoch 0', 'abort epoch 0'])
})

test('an abort that finds no transaction makes sure that there is none', async () => {
  const { producer, asked } = worldOf({ ends: [new BrokerError(CODES.INVALID_TXN_STATE)] })
  await producer.begin()
  await producer.sendOffset(memberOf(null), WHERE, '')
  await producer.abort()
  await producer.begin()
  expect(asked.slice(1)).toEqual(['abort epoch 0', 'init after epoch 0'])
})
