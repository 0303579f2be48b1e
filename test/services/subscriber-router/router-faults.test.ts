import { expect, test } from 'vitest'
import type { Subscription } from '../../../schemas/control/v1.ts'
import { DependencyError } from '../../../services/core/runtime/errors.ts'
import { createRouterWorld, ids, names, type RouterWorld } from './router-world.ts'

const all: Subscription = { id: 'all', account: 'acme', datasets: ['shop'] }
const purchases: Subscription = { id: 'purchases', account: 'acme', datasets: ['shop'], events: ['purchase'] }
const broken: Subscription = { id: 'broken', account: 'acme', datasets: ['shop'] }
const many = (count: number) => Array.from({ length: count }, () => ({}))

/** Every call at which a kill makes a difference. Between two polls nothing happens. */
const pointsOf = (calls: readonly string[]): readonly number[] =>
  calls.flatMap((call, i) => (call === 'poll' && calls[i - 1] === 'poll' ? [] : [i + 1]))

/** Every id that `subscription` must have, once each and in order, per partition of the input. */
function expectExactly(world: RouterWorld, subscription: string, expected: readonly string[][]): void {
  expect(world.delivered(subscription)).toEqual(expected)
}

test('killed at any call it makes, and started again, it delivers every event once and in order', async () => {
  const subscriptions = [all, purchases]
  const write = async (world: RouterWorld) => {
    await world.write(0, [{}, { event: 'purchase' }, {}])
    await world.write(1, [{ event: 'purchase' }, {}])
  }
  const calm = await createRouterWorld(subscriptions)
  await write(calm)
  const router = calm.startRouter()
  await calm.clock.advance(3_000)
  await router.stop()
  const reference = [calm.delivered('all'), calm.delivered('purchases')]
  expect(reference).toEqual([
    [ids(1, 3), ids(4, 5)],
    [['e2'], ['e4']],
  ])
  const points = pointsOf(router.process.calls)
  expect(points.length).toBeGreaterThan(20)
  for (const killAt of points) {
    const world = await createRouterWorld(subscriptions)
    await write(world)
    const first = world.startRouter({ killAt })
    await world.clock.advance(3_000)
    await first.kill()
    const second = world.startRouter()
    await world.clock.advance(5_000)
    await second.stop()
    expect([world.delivered('all'), world.delivered('purchases')], `killed at call ${killAt}`).toEqual(
      reference,
    )
  }
})

test.each(['failed', 'answer_lost'] as const)(
  'a commit of unknown outcome (%s) delivers once',
  async (fault) => {
    const world = await createRouterWorld([all])
    const router = world.startRouter()
    await world.clock.advance(2_000)
    world.log.controls.transactionCommitFaults.push(fault)
    await world.write(0, many(7))
    await world.clock.advance(30_000)
    await router.stop()
    expectExactly(world, 'all', [ids(1, 7), []])
  },
)

test('a process that lost its partition unawares cannot write any more', async () => {
  const world = await createRouterWorld([all])
  const zombie = world.startRouter()
  await world.clock.advance(2_000)
  await world.write(0, many(3))
  await world.clock.advance(2_000)
  // Both believe that they own everything: the fence decides.
  world.log.controls.acceptStale('of_all')
  const successor = world.startRouter()
  await world.clock.advance(2_000)
  await world.write(0, many(3))
  await world.clock.advance(30_000)
  await Promise.all([zombie.stop(), successor.stop()])
  expectExactly(world, 'all', [ids(1, 6), []])
})

/** Makes every transaction with a record for `topic` fail at its commit, as a topic without permission does. */
function deny(world: RouterWorld, topic: string): { lift(): void; readonly refused: number } {
  const { openTransactionalProducer } = world.log
  let denied = true
  let refused = 0
  world.log.openTransactionalProducer = async (id, options) => {
    const producer = await openTransactionalProducer(id, options)
    let touched = false
    return {
      ...producer,
      begin() {
        touched = false
        return producer.begin()
      },
      async send(records) {
        if (records.some((record) => record.topic === topic)) touched = true
        await producer.send(records)
      },
      async commit() {
        if (!denied || !touched) return producer.commit()
        refused++
        throw new DependencyError('kafka', 'denied', `Not allowed to write to ${topic}.`)
      },
    }
  }
  return {
    lift() {
      denied = false
    },
    get refused() {
      return refused
    },
  }
}

test('one broken subscriber holds nobody up, and gets everything once when its topic works again', async () => {
  const world = await createRouterWorld([all, broken])
  const fault = deny(world, names.subscriber('broken'))
  const router = world.startRouter()
  await world.clock.advance(2_000)
  await world.write(0, many(12))
  await world.clock.advance(5_000)
  expectExactly(world, 'all', [ids(1, 12), []])
  expectExactly(world, 'broken', [[], []])
  await world.write(0, many(12))
  await world.clock.advance(20_000)
  expectExactly(world, 'all', [ids(1, 24), []])
  expectExactly(world, 'broken', [[], []])
  fault.lift()
  await world.clock.advance(60_000)
  expectExactly(world, 'broken', [ids(1, 24), []])
  // Back in the shared lane: no transaction of its own any more.
  const before = router.process.calls.filter((call) => call === 'openTransactionalProducer').length
  await world.write(0, many(6))
  await world.clock.advance(5_000)
  await router.stop()
  expectExactly(world, 'all', [ids(1, 30), []])
  expectExactly(world, 'broken', [ids(1, 30), []])
  expect(router.process.calls.filter((call) => call === 'openTransactionalProducer')).toHaveLength(before)
  expect(fault.refused).toBeGreaterThan(0)
})

test('a topic that was deleted is made again, and what came meanwhile is in it', async () => {
  const world = await createRouterWorld([all, broken])
  const router = world.startRouter()
  await world.clock.advance(2_000)
  await world.write(0, many(3))
  await world.clock.advance(2_000)
  await world.log.admin.deleteTopics([names.subscriber('broken')])
  await world.write(0, many(4))
  await world.clock.advance(60_000)
  await router.stop()
  expectExactly(world, 'all', [ids(1, 7), []])
  expectExactly(world, 'broken', [ids(4, 7), []])
})

test('killed at any call while a subscription leaves, catches up and comes back: each event once', async () => {
  // The fault is lifted at a fixed time, so leaving, retrying and joining all fall into the range of calls.
  async function play(killAt: number) {
    const world = await createRouterWorld([all, broken])
    const fault = deny(world, names.subscriber('broken'))
    await world.write(0, many(6))
    const first = world.startRouter({ killAt })
    await world.clock.advance(3_000)
    fault.lift()
    await world.write(0, many(4))
    await world.clock.advance(6_000)
    await first.kill()
    const second = world.startRouter()
    await world.clock.advance(20_000)
    await world.write(0, many(2))
    await world.clock.advance(3_000)
    await second.stop()
    return { world, calls: first.process.calls, refused: fault.refused }
  }
  const whole = await play(Number.POSITIVE_INFINITY)
  expect(whole.refused).toBeGreaterThan(0)
  const points = pointsOf(whole.calls)
  expect(points.length).toBeGreaterThan(50)
  for (const killAt of points) {
    const { world } = await play(killAt)
    expect([world.delivered('all'), world.delivered('broken')], `killed at call ${killAt}`).toEqual([
      [ids(1, 12), []],
      [ids(1, 12), []],
    ])
  }
})

test('a process that lost its partition unawares cannot serve a lane of it any more', async () => {
  const world = await createRouterWorld([all, broken])
  const fault = deny(world, names.subscriber('broken'))
  const zombie = world.startRouter()
  await world.write(0, many(6))
  await world.clock.advance(5_000)
  await zombie.turnZombie()
  const before = zombie.process.calls.length
  const successor = world.startRouter()
  await world.clock.advance(5_000)
  fault.lift()
  await world.write(0, many(6))
  await world.clock.advance(120_000)
  expect(zombie.process.calls.length).toBeGreaterThan(before)
  await successor.stop()
  await zombie.kill()
  expectExactly(world, 'all', [ids(1, 12), []])
  expectExactly(world, 'broken', [ids(1, 12), []])
})

test('a filter that this version cannot read makes its subscription wait, and no other', async () => {
  const world = await createRouterWorld([all, { ...broken, where: 'from_the_future = 1' }])
  const router = world.startRouter()
  await world.clock.advance(2_000)
  await world.write(0, many(3))
  await world.clock.advance(5_000)
  expectExactly(world, 'all', [ids(1, 3), []])
  world.control.update({ subscriptions: [all, broken] })
  await world.clock.advance(60_000)
  await router.stop()
  expectExactly(world, 'broken', [ids(1, 3), []])
})

test('a subscription that is removed while its topic does not work is forgotten', async () => {
  const world = await createRouterWorld([all, broken])
  const fault = deny(world, names.subscriber('broken'))
  const router = world.startRouter()
  await world.write(0, many(3))
  await world.clock.advance(5_000)
  world.control.update({ subscriptions: [all] })
  await world.clock.advance(5_000)
  fault.lift()
  await world.write(0, many(3))
  await world.clock.advance(60_000)
  await router.stop()
  expectExactly(world, 'broken', [[], []])
  expectExactly(world, 'all', [ids(1, 6), []])
})

test('what retention took from a broken subscription is lost loudly, the rest is delivered', async () => {
  const world = await createRouterWorld([all, broken])
  const fault = deny(world, names.subscriber('broken'))
  const router = world.startRouter()
  await world.write(0, many(6))
  await world.clock.advance(5_000)
  world.log.controls.truncate({ topic: names.enriched, partition: 0, offset: 4 })
  fault.lift()
  await world.clock.advance(60_000)
  await router.stop()
  expectExactly(world, 'broken', [ids(5, 6), []])
  expectExactly(world, 'all', [ids(1, 6), []])
})
