import { expect, test } from 'vitest'
import { findStablePosition } from '../../../services/core/stream/stable-position.ts'
import { createManualClock } from '../../helpers/manual-clock.ts'
import { createMemoryLog } from '../../helpers/memory-log.ts'

const where = { topic: 't', partition: 0 }

/** A group over one partition of five records. */
async function open() {
  const clock = createManualClock()
  const log = createMemoryLog({ clock })
  await log.admin.createTopics([{ topic: 't', partitions: 1, replicationFactor: 1, config: {} }])
  const producer = await log.openProducer({ clientId: 'test', lingerMs: 0, deliveryTimeoutMs: 1_000 })
  await producer.produce(
    Array.from({ length: 5 }, (_, n) => ({ ...where, key: null, value: Buffer.from(String(n)) })),
  )
  const consumer = await log.openGroupConsumer({
    groupId: 'g',
    clientId: 'test',
    topics: ['t'],
    sessionTimeoutMs: 6_000,
    maxPollIntervalMs: 60_000,
    pollRecordsMax: 10,
    pollWaitMs: 0,
    prefetchBytesMax: 1_000,
    onAssigned: async (partitions) => partitions.map((partition) => ({ ...partition, offset: 0 })),
    onRevoked: async () => {},
  })
  return { log, consumer }
}

test('it is what was committed, with its text', async () => {
  const { log, consumer } = await open()
  log.controls.setCommitted('g', { ...where, offset: 3 }, 'text')
  expect(await findStablePosition(log, consumer, where, 'stage')).toEqual({
    next: 3,
    isCommitted: true,
    metadata: 'text',
  })
})

test('where nothing is committed it is the beginning of what the partition holds', async () => {
  const { log, consumer } = await open()
  log.controls.truncate({ ...where, offset: 2 })
  expect(await findStablePosition(log, consumer, where, 'stage')).toEqual({
    next: 2,
    isCommitted: false,
    metadata: '',
  })
})

test('records that retention took before they were read stop it', async () => {
  const { log, consumer } = await open()
  log.controls.setCommitted('g', { ...where, offset: 1 }, '')
  log.controls.truncate({ ...where, offset: 2 })
  await expect(findStablePosition(log, consumer, where, 'stage')).rejects.toMatchObject({
    code: 'corrupt',
    message: expect.stringContaining('the stage stands at 1: retention took 1 offsets'),
  })
})
