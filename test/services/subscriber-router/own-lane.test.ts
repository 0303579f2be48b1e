import { expect, test } from 'vitest'
import { createLogger } from '../../../services/core/runtime/logger.ts'
import { createLaneSlots } from '../../../services/subscriber-router/lane-slots.ts'
import { type OwnLane, openOwnLane } from '../../../services/subscriber-router/own-lane.ts'
import { compileRoutes } from '../../../services/subscriber-router/routing-table.ts'
import { createSubscriberTopics } from '../../../services/subscriber-router/subscriber-topics.ts'
import {
  ownerRecord,
  type SubscriptionState,
  stateRecord,
} from '../../../services/subscriber-router/subscription-state.ts'
import { createRouterWorld, ids, names } from './router-world.ts'

const STATE: SubscriptionState = { v: 1, lane: 'own', start: 0, next: 0, src: null }

/** A lane of subscription `s` on partition 0, whose committed owner is `owner`, with ten events before it. */
async function setUp(owner: string, state: SubscriptionState | null = STATE) {
  const world = await createRouterWorld([{ id: 's', account: 'acme', datasets: ['shop'] }])
  await world.write(
    0,
    Array.from({ length: 10 }, () => ({})),
  )
  const { log, clock, control } = world
  await log.admin.createTopics([{ topic: names.router, partitions: 2, replicationFactor: 1, config: {} }])
  const producer = await log.openProducer({ clientId: 'test', lingerMs: 0, deliveryTimeoutMs: 1000 })
  await producer.produce([ownerRecord(names.router, 0, owner), stateRecord(names.router, 0, 's', state)])
  const table = compileRoutes(control.snapshot)
  function open(limit: () => number): OwnLane {
    return openOwnLane(
      {
        log,
        control,
        topics: createSubscriberTopics(log.admin, names, {
          partitions: 2,
          replicationFactor: 1,
          recordBytes: 1_000_000,
        }),
        table: () => table,
        slots: createLaneSlots(1),
        clock,
        random: () => 0.5,
        failPoint: () => {},
        logger: createLogger('test', 'error', { write: () => undefined }),
        enriched: names.enriched,
        router: names.router,
        partitions: 2,
        transactionalId: (partition, subscription) => `lane.${partition}.${subscription}`,
        transactionTimeoutMs: 60_000,
        retryDelayMaxMs: 10_000,
        meter: () => undefined,
        onLost: () => undefined,
      },
      { partition: 0, owner: 'me', subscription: 's' },
      STATE,
      limit,
    )
  }
  return { world, clock, open }
}

test('a lane that finds another owner of the partition writes nothing and ends', async () => {
  const { world, clock, open } = await setUp('somebody else')
  const lane = open(() => 10)
  await clock.advance(60_000)
  expect(world.delivered('s').flat()).toEqual([])
  await lane.stop()
})

test.each([null, { ...STATE, lane: 'shared' as const }])(
  'a lane that is not one any more writes nothing: %j',
  async (state) => {
    const { world, clock, open } = await setUp('me', state)
    const lane = open(() => 10)
    await clock.advance(60_000)
    expect(world.delivered('s').flat()).toEqual([])
    await lane.stop()
  },
)

test('a lane never serves past the shared lane, and joins exactly where that one stands', async () => {
  const { world, clock, open } = await setUp('me')
  let limit = 4
  const lane = open(() => limit)
  await clock.advance(2_000)
  expect(world.delivered('s')[0]).toEqual(ids(1, 4))
  limit = 7
  const joining = lane.join(7, 2_000)
  await clock.advance(1_000)
  expect(await joining).toEqual({ ...STATE, next: 7, src: 7 })
  limit = 10
  await clock.advance(10_000)
  expect(world.delivered('s')[0]).toEqual(ids(1, 7))
})

test('a join that takes too long is given up, and the lane goes on', async () => {
  const { world, clock, open } = await setUp('me')
  let limit = 4
  const lane = open(() => limit)
  await clock.advance(2_000)
  const joining = lane.join(99, 2_000)
  await clock.advance(3_000)
  expect(await joining).toBeNull()
  limit = 10
  await clock.advance(2_000)
  expect(world.delivered('s')[0]).toEqual(ids(1, 10))
  const stopping = lane.stop()
  await clock.advance(1_000)
  await stopping
})
