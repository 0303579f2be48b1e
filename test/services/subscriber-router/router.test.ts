import { expect, test } from 'vitest'
import type { Subscription } from '../../../schemas/control/v1.ts'
import { partitionOf } from '../../../services/core/kafka/partition.ts'
import { HEADERS } from '../../../services/core/kafka/topics.ts'
import { ROUTER_FAIL_POINTS } from '../../../services/subscriber-router/fail-points.ts'
import { createRouterWorld, ids, names } from './router-world.ts'

const all: Subscription = { id: 'all', account: 'acme', datasets: ['shop'] }
const views: Subscription = { id: 'views', account: 'acme', datasets: ['shop'], events: ['view'] }
const many = (count: number) => Array.from({ length: count }, () => ({}))

test('a batch is one transaction: every subscriber’s records, states, position, then the commit', async () => {
  const world = await createRouterWorld([all, views])
  await world.write(0, many(3))
  const router = world.startRouter()
  await world.clock.advance(2_000)
  const from = router.process.calls.lastIndexOf('begin', router.process.calls.indexOf('sendOffset'))
  const transaction = router.process.calls.slice(from).filter((call) => call !== 'poll')
  expect(transaction.slice(0, 6)).toEqual([
    'begin',
    'send',
    'send',
    'send',
    'sendOffset',
    'commitTransaction',
  ])
  await router.stop()
  expect(world.delivered('all')).toEqual([ids(1, 3), []])
  expect(world.delivered('views')).toEqual([ids(1, 3), []])
})

test('every transaction that forwards a batch is timed, those that only note a state are not', async () => {
  const world = await createRouterWorld([all])
  await world.write(0, many(7))
  const router = world.startRouter()
  await world.clock.advance(2_000)
  const text = await router.metrics.expose()
  await router.stop()
  expect(text).toContain('millrace_router_transaction_seconds_count 2\n')
})

test('takeover fences first, names itself, and only then reads states and the position', async () => {
  const world = await createRouterWorld([all])
  const router = world.startRouter()
  await world.clock.advance(1_000)
  const calls = router.process.calls
  const first = (operation: string) => calls.indexOf(operation)
  expect(first('openTransactionalProducer')).toBeLessThan(first('begin'))
  expect(first('commitTransaction')).toBeLessThan(first('committed'))
  expect(first('committed')).toBeGreaterThan(calls.indexOf('offsetRanges'))
  await router.stop()
})

test('a subscription by dataset and name gets the very bytes, key, partition and headers', async () => {
  const world = await createRouterWorld([views])
  const odd = '{ "event_id":"x", "n":1.50e1, "big":12345678901234567890, "u":"\\u00e9" }'
  await world.write(1, [{ value: odd, distinct: 'bob' }, { value: 'not even JSON' }, { event: 'other' }])
  const router = world.startRouter()
  await world.clock.advance(2_000)
  await router.stop()
  const batch = world.log.controls.records(names.subscriber('views'), 1)
  expect(batch?.length).toBe(2)
  expect(batch?.value(0)?.toString()).toBe(odd)
  expect(batch?.value(1)?.toString()).toBe('not even JSON')
  expect(batch?.key(0)?.toString()).toBe('shop:bob')
  expect(Object.values(HEADERS).map((name) => batch?.header(0, name))).toEqual([
    'e1',
    'shop',
    'view',
    '1',
    '1:1',
    'r',
    null,
    null,
  ])
})

test('another account’s dataset is not delivered, whatever the configuration says', async () => {
  const world = await createRouterWorld([{ ...all, datasets: ['shop', 'other', 'nowhere'] }])
  await world.write(0, [
    { dataset: 'other' },
    { dataset: 'shop' },
    { dataset: 'nowhere' },
    { dataset: 'shop2' },
  ])
  const router = world.startRouter()
  await world.clock.advance(2_000)
  await router.stop()
  expect(world.delivered('all')).toEqual([['e2'], []])
})

test('a condition, a mask and a key are applied; what cannot be read matches nothing', async () => {
  const world = await createRouterWorld([
    {
      id: 'big',
      account: 'acme',
      datasets: ['shop'],
      where: 'properties.amount >= 10',
      fields: { exclude: ['ip', 'properties.coupon'] },
      key: 'properties.cart',
      topic: { partitions: 5 },
    },
  ])
  await world.write(0, [
    { properties: { amount: 9, cart: 'a' } },
    { properties: { amount: 10, cart: 'a', coupon: 'X' } },
    { value: '{"broken":' },
    { properties: { amount: 11 }, distinct: 'bob' },
  ])
  const router = world.startRouter()
  await world.clock.advance(2_000)
  await router.stop()
  const delivered = world.delivered('big')
  const byKey = partitionOf(Buffer.from('a'), 5)
  const byFallback = partitionOf(Buffer.from('shop:bob'), 5)
  expect(delivered[byKey]).toContain('e2')
  expect(delivered[byFallback]).toContain('e4')
  expect(delivered.flat().sort()).toEqual(['e2', 'e4'])
  const batch = world.log.controls.records(names.subscriber('big'), byKey)
  expect(batch?.value(0)?.toString()).toBe(
    '{"event_id":"e2","dataset_id":"shop","event":"view","distinct_id":"ann","properties":{"amount":10,"cart":"a"}}',
  )
  expect(batch?.key(0)?.toString()).toBe('a')
})

test('ticks, tombstones and records that were covered before are not forwarded', async () => {
  const world = await createRouterWorld([all])
  await world.write(0, [{ src: 10 }, { headers: { [HEADERS.tick]: '1' }, src: 11 }, { src: 10 }, { src: 12 }])
  const router = world.startRouter()
  await world.clock.advance(2_000)
  await router.stop()
  expect(world.delivered('all')).toEqual([['e1', 'e4'], []])
  // The high-water outlives the process.
  await world.write(0, [{ src: 12 }, { src: 13 }])
  const second = world.startRouter()
  await world.clock.advance(2_000)
  await second.stop()
  expect(world.delivered('all')).toEqual([['e1', 'e4', 'e6'], []])
})

test('a new subscription begins where the router stands, a removed one ends', async () => {
  const world = await createRouterWorld([all])
  await world.write(0, many(3))
  const router = world.startRouter()
  await world.clock.advance(2_000)
  world.control.update({ subscriptions: [all, views] })
  await world.clock.advance(2_000)
  await world.write(0, many(2))
  await world.clock.advance(2_000)
  world.control.update({ subscriptions: [views] })
  await world.clock.advance(2_000)
  await world.write(0, many(1))
  await world.clock.advance(2_000)
  await router.stop()
  expect(world.delivered('all')[0]).toEqual(ids(1, 5))
  expect(world.delivered('views')[0]).toEqual(ids(4, 6))
})

test('topics are made with the stated partitions and retention', async () => {
  const specs: unknown[] = []
  const world = await createRouterWorld([{ ...all, topic: { partitions: 3, retention: '12h' } }, views])
  const { createTopics } = world.log.admin
  world.log.admin.createTopics = async (given) => {
    specs.push(...given.filter(({ topic }) => topic.startsWith('sub.')))
    await createTopics(given)
  }
  const router = world.startRouter()
  await world.clock.advance(2_000)
  await router.stop()
  expect(specs).toContainEqual(
    expect.objectContaining({
      topic: 'sub.all',
      partitions: 3,
      config: expect.objectContaining({
        'retention.ms': '43200000',
        'message.timestamp.type': 'LogAppendTime',
      }),
    }),
  )
  expect(specs).toContainEqual(
    expect.objectContaining({
      topic: 'sub.views',
      partitions: 2,
      config: expect.objectContaining({ 'retention.ms': '604800000' }),
    }),
  )
})

test('without a confirmed configuration nothing is forwarded, and then everything', async () => {
  const world = await createRouterWorld([all])
  const router = world.startRouter()
  await world.clock.advance(1_000)
  world.control.setProblem('stale')
  await world.write(0, many(2))
  await world.clock.advance(20_000)
  expect(world.delivered('all').flat()).toEqual([])
  world.control.setProblem(null)
  await world.clock.advance(60_000)
  await router.stop()
  expect(world.delivered('all')[0]).toEqual(ids(1, 2))
})

test('an expired position, or one that retention has passed, stops the partition instead of guessing', async () => {
  const world = await createRouterWorld([all])
  await world.write(0, many(4))
  const router = world.startRouter()
  await world.clock.advance(2_000)
  await router.stop()
  world.log.controls.expireGroupOffsets(names.group('subscriber-router'))
  await world.write(0, many(1))
  const second = world.startRouter()
  await world.clock.advance(60_000)
  await second.stop()
  expect(world.delivered('all')[0]).toEqual(ids(1, 4))

  world.log.controls.setCommitted(
    names.group('subscriber-router'),
    { topic: names.enriched, partition: 0, offset: 1 },
    '',
  )
  world.log.controls.truncate({ topic: names.enriched, partition: 0, offset: 3 })
  const third = world.startRouter()
  await world.clock.advance(60_000)
  await third.stop()
  expect(world.delivered('all')[0]).toEqual(ids(1, 4))
})

for (const point of ROUTER_FAIL_POINTS) {
  test(`a process that dies at ${point} is followed by one that gives every subscriber every event once`, async () => {
    const world = await createRouterWorld([all, views])
    await world.write(0, many(12))
    let deaths = 0
    const first = world.startRouter({
      failPoint(name) {
        if (name !== point) return
        deaths++
        throw new Error(`killed at ${name}`)
      },
    })
    const died = expect(first.done).rejects.toThrow(`killed at ${point}`)
    await world.clock.advance(5_000)
    await died
    await first.kill()
    expect(deaths).toBe(1)
    const second = world.startRouter()
    await world.clock.advance(20_000)
    await second.stop()
    expect(world.delivered('all')).toEqual([ids(1, 12), []])
    expect(world.delivered('views')).toEqual([ids(1, 12), []])
  })
}
