import { expect, test } from 'vitest'
import type { GroupConsumer } from '../../../services/core/kafka/log.ts'
import { systemClock } from '../../../services/core/runtime/clock.ts'
import { logContract } from '../../contract/log.ts'
import { createManualClock, settle } from '../../helpers/manual-clock.ts'
import { createMemoryLog } from '../../helpers/memory-log.ts'

logContract('memory', async () => {
  const log = createMemoryLog({ clock: systemClock })
  return {
    log,
    forget: async (consumer) => log.controls.expel(consumer),
    commitLate: async (consumer, _group, membership, position) =>
      log.controls.commitLate(consumer, membership, [position]),
  }
})

const TOPIC = 'events'

async function createWorld() {
  const clock = createManualClock(Date.UTC(2026, 0, 1))
  const log = createMemoryLog({ clock })
  await log.admin.createTopics([{ topic: TOPIC, partitions: 1, replicationFactor: -1, config: {} }])
  const consumer: GroupConsumer = await log.openGroupConsumer({
    groupId: 'group',
    clientId: 'test',
    topics: [TOPIC],
    sessionTimeoutMs: 10_000,
    maxPollIntervalMs: 10_000,
    pollRecordsMax: 10,
    pollWaitMs: 100,
    prefetchBytesMax: 1_000,
    onAssigned: async (partitions) => partitions.map((each) => ({ ...each, offset: 0 })),
    onRevoked: async () => {},
  })
  void consumer.poll()
  await settle()
  const where = { topic: TOPIC, partition: 0 }
  return {
    clock,
    log,
    consumer,
    where,
    commit: (offset: number, metadata = '') => consumer.commit([{ ...where, offset, metadata }]),
    committed: async () => (await consumer.committed([where]))[0],
  }
}

test('a commit that was refused but resolved is shown by reading it back', async () => {
  const { log, where, commit, committed } = await createWorld()
  await commit(1, 'plan')
  log.controls.commitFaults.push('refused_silently')
  await commit(2)
  expect(await committed()).toEqual({ ...where, offset: 1, metadata: 'plan' })
})

test('a commit whose answer was lost is stored, one that failed is not, and both reject alike', async () => {
  const { log, commit, committed } = await createWorld()
  log.controls.commitFaults.push('answer_lost', 'failed')
  await expect(commit(1)).rejects.toMatchObject({ code: 'outcome_unknown' })
  await expect(commit(2)).rejects.toMatchObject({ code: 'outcome_unknown' })
  expect((await committed())?.offset).toBe(1)
})

test('a coordinator that takes stale commits lets a forgotten member overwrite the position', async () => {
  const { log, consumer, commit } = await createWorld()
  log.controls.expel(consumer)
  await expect(commit(1)).rejects.toMatchObject({ code: 'outcome_unknown' })
  log.controls.acceptStale('of_all')
  await commit(2)
  expect((await log.admin.groupPositions('group', TOPIC))[0]?.offset).toBe(2)
})

test('expired positions are gone, and positions can be set from outside', async () => {
  const { log, where, commit, committed } = await createWorld()
  await commit(3)
  log.controls.expireGroupOffsets('group')
  expect(await committed()).toEqual({ ...where, offset: null, metadata: '' })
  log.controls.setCommitted('group', { ...where, offset: 9 }, 'theirs')
  expect(await committed()).toEqual({ ...where, offset: 9, metadata: 'theirs' })
})

test('a transaction of unknown outcome is settled by the next owner of its id', async () => {
  const { log } = await createWorld()
  const options = { clientId: 'test', transactionTimeoutMs: 1_000 }
  const record = { topic: TOPIC, partition: 0, key: null, value: Buffer.from('x') }
  for (const [fault, length] of [
    ['failed', 0],
    ['answer_lost', 1],
  ] as const) {
    const producer = await log.openTransactionalProducer('id', options)
    await producer.begin()
    await producer.send([record])
    log.controls.transactionCommitFaults.push(fault)
    await expect(producer.commit()).rejects.toMatchObject({ code: 'outcome_unknown' })
    await log.openTransactionalProducer('id', options)
    expect(log.controls.records(TOPIC, 0)?.length ?? 0).toBe(length)
  }
})

test('a send of unknown outcome was taken or was not', async () => {
  const { log } = await createWorld()
  const producer = await log.openProducer({ clientId: 'test', lingerMs: 0, deliveryTimeoutMs: 1_000 })
  const record = { topic: TOPIC, partition: 0, key: null, value: Buffer.from('x') }
  log.controls.produceFaults.push('failed', 'answer_lost')
  await expect(producer.produce([record])).rejects.toMatchObject({ code: 'outcome_unknown' })
  expect(log.controls.records(TOPIC, 0)).toBeNull()
  await expect(producer.produce([record])).rejects.toMatchObject({ code: 'outcome_unknown' })
  expect(log.controls.records(TOPIC, 0)?.length).toBe(1)
})

test('append times are the clock’s, and retention moves the start', async () => {
  const { clock, log, where } = await createWorld()
  const producer = await log.openProducer({ clientId: 'test', lingerMs: 0, deliveryTimeoutMs: 1_000 })
  const record = { ...where, key: null, value: Buffer.from('x') }
  await producer.produce([record])
  await clock.advance(5_000)
  await producer.produce([record])
  const records = log.controls.records(TOPIC, 0)
  expect([records?.timestamp(0), records?.timestamp(1)]).toEqual([
    Date.UTC(2026, 0, 1),
    Date.UTC(2026, 0, 1, 0, 0, 5),
  ])
  log.controls.truncate({ ...where, offset: 1 })
  expect(await log.admin.offsetRanges(TOPIC, 'read_committed')).toEqual([{ ...where, start: 1, end: 2 }])
})

test('a position that an open transaction holds back times out', async () => {
  const { clock, log, consumer, where } = await createWorld()
  const producer = await log.openTransactionalProducer('id', {
    clientId: 'test',
    transactionTimeoutMs: 60_000,
  })
  await producer.begin()
  await producer.sendOffset(consumer, { ...where, offset: 1 }, '')
  const asked = consumer.committed([where])
  asked.catch(() => undefined)
  await clock.advance(30_000)
  await expect(asked).rejects.toMatchObject({ code: 'timeout' })
})
