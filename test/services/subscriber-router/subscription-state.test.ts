import { expect, test } from 'vitest'
import {
  ownerRecord,
  readStates,
  type SubscriptionState,
  stateRecord,
} from '../../../services/subscriber-router/subscription-state.ts'
import { createManualClock } from '../../helpers/manual-clock.ts'
import { createMemoryLog, type MemoryLog } from '../../helpers/memory-log.ts'

const TOPIC = 'millrace.router'
const at = (next: number, lane: SubscriptionState['lane'] = 'own'): SubscriptionState => ({
  v: 1,
  lane,
  start: 0,
  next,
  src: null,
})

async function setUp() {
  const clock = createManualClock()
  const log = createMemoryLog({ clock })
  await log.admin.createTopics([{ topic: TOPIC, partitions: 1, replicationFactor: 1, config: {} }])
  return { clock, log }
}

const open = (log: MemoryLog, id: string) =>
  log.openTransactionalProducer(id, { clientId: id, transactionTimeoutMs: 60_000 })

test('a transaction that another lane has open does not hide what was committed after it began', async () => {
  const { clock, log } = await setUp()
  const [slow, quick] = [await open(log, 'slow'), await open(log, 'quick')]
  await quick.begin()
  await quick.send([stateRecord(TOPIC, 0, 'quick', at(1))])
  await quick.commit()
  await slow.begin()
  await slow.send([stateRecord(TOPIC, 0, 'slow', at(5))])
  await quick.begin()
  await quick.send([stateRecord(TOPIC, 0, 'quick', at(2))])
  await quick.commit()

  expect((await readStates(log, TOPIC, 0, 'stable')).subscriptions.get('quick')?.next).toBe(1)
  const reading = readStates(log, TOPIC, 0, 'all')
  await clock.advance(2_000)
  await slow.abort()
  await clock.advance(2_000)
  const { subscriptions } = await reading
  expect([...subscriptions].map(([id, { next }]) => `${id} ${next}`)).toEqual(['quick 2'])
})

test('an open transaction that does not end is a failure to be tried again, never an old answer', async () => {
  const { clock, log } = await setUp()
  const stuck = await open(log, 'stuck')
  await stuck.begin()
  await stuck.send([stateRecord(TOPIC, 0, 'stuck', at(5))])
  const reading = readStates(log, TOPIC, 0, 'all')
  const outcome = expect(reading).rejects.toMatchObject({ code: 'timeout', retriable: true })
  await clock.advance(60_000)
  await outcome
})

test('the latest state of each subscription counts, a tombstone removes it, and the owner is no subscription', async () => {
  const { log } = await setUp()
  const producer = await log.openProducer({ clientId: 'test', lingerMs: 0, deliveryTimeoutMs: 1000 })
  await producer.produce([
    ownerRecord(TOPIC, 0, 'first'),
    stateRecord(TOPIC, 0, 'a', at(1)),
    stateRecord(TOPIC, 0, 'b', at(1)),
    stateRecord(TOPIC, 0, 'a', at(9, 'shared')),
    stateRecord(TOPIC, 0, 'b', null),
    ownerRecord(TOPIC, 0, 'second'),
  ])
  const states = await readStates(log, TOPIC, 0, 'all')
  expect(states.owner).toBe('second')
  expect([...states.subscriptions]).toEqual([['a', at(9, 'shared')]])
})

test('a partition that is not there is a fault that an operator must mend', async () => {
  const { log } = await setUp()
  await expect(readStates(log, TOPIC, 3, 'all')).rejects.toMatchObject({ code: 'corrupt' })
})
