import { expect, test } from 'vitest'
import type { Dataset } from '../../../schemas/control/v1.ts'
import { openControlPublisher } from '../../../services/core/control/control-publisher.ts'
import { objectKey, objectRecords, sentinelRecord } from '../../../services/core/control/control-records.ts'
import { controlRecord } from '../../../services/core/control/control-state.ts'
import {
  CONTROL_STALE_MS,
  type ControlSource,
  controlTopicSpec,
  openControlView,
  readControlRecords,
} from '../../../services/core/control/control-topic.ts'
import type { ControlView } from '../../../services/core/control/control-view.ts'
import { kafkaNames } from '../../../services/core/kafka/topics.ts'
import { DependencyError } from '../../../services/core/runtime/errors.ts'
import { createLogger } from '../../../services/core/runtime/logger.ts'
import { createManualClock, settle } from '../../helpers/manual-clock.ts'
import { createMemoryLog } from '../../helpers/memory-log.ts'
import { putChange } from '../../helpers/put-change.ts'

const names = kafkaNames('')
const shop: Dataset = { id: 'shop', account: 'acme' }
const blog: Dataset = { id: 'blog', account: 'acme' }

function setUp() {
  const clock = createManualClock()
  const calls: string[] = []
  let down = false
  let hanging = false
  const log = createMemoryLog({
    clock,
    onCall: async (operation) => {
      calls.push(operation)
      if (hanging && operation === 'offsetRanges') await new Promise(() => {})
      if (down) throw new DependencyError('kafka', 'unavailable', 'no broker')
    },
  })
  const source: ControlSource = {
    log,
    names,
    clock,
    logger: createLogger('test', 'error', { write: () => undefined }),
  }
  return {
    clock,
    log,
    source,
    setDown(next: boolean) {
      down = next
    },
    /** From now on nobody is told where the topic ends. */
    hang() {
      hanging = true
    },
  }
}

async function publish(source: ControlSource, ...datasets: readonly Dataset[]): Promise<void> {
  const publisher = await openControlPublisher(source)
  await publisher.publish(datasets.map((dataset) => putChange('dataset', dataset, 'config')))
  await publisher.close()
}

const datasetsOf = (view: ControlView) => [...view.snapshot.datasets.keys()]

test('a publication whose sentinel is not there yet does not apply', async () => {
  const { source, log } = setUp()
  await log.admin.createTopics([controlTopicSpec(names)])
  const producer = await log.openProducer({ clientId: 'test', lingerMs: 0, deliveryTimeoutMs: 1000 })
  await producer.produce(objectRecords(names.control, controlRecord('dataset', shop, 'config')))
  const view = await openControlView(source)
  expect(datasetsOf(view)).toEqual([])
  await producer.produce([sentinelRecord(names.control, 0)])
  await settle()
  expect(datasetsOf(view)).toEqual(['shop'])
  await view.close()
})

test('a publisher that dies before its commit leaves nothing behind, and the end is found past its remains', async () => {
  const { source, log } = setUp()
  await publish(source, shop)
  log.controls.transactionCommitFaults.push('failed')
  await expect(publish(source, blog)).rejects.toMatchObject({ code: 'outcome_unknown' })
  // The next one aborts what was left open.
  await (await openControlPublisher(source)).close()
  const view = await openControlView(source)
  expect(datasetsOf(view)).toEqual(['shop'])
  await view.close()
})

test('of two publishers the earlier one is fenced: it cannot publish what it compared with an old state', async () => {
  const { source } = setUp()
  const first = await openControlPublisher(source)
  await publish(source, blog)
  await expect(first.publish([putChange('dataset', shop, 'config')])).rejects.toMatchObject({
    code: 'fenced',
  })
  expect((await readControlRecords(source)).map((record) => record.id)).toEqual(['blog'])
})

test('opening reads to the end; later publications are followed, each told once and whole', async () => {
  const { source } = setUp()
  await publish(source, shop)
  const view = await openControlView(source)
  expect(datasetsOf(view)).toEqual(['shop'])
  const told: string[] = []
  const end = view.onChange((snapshot) => told.push([...snapshot.datasets.keys()].join('+')))
  await publish(source, blog, { ...shop, name: 'Shop' })
  await settle()
  expect(told).toEqual(['shop+blog'])
  expect(view.snapshot.datasets.get('shop')?.object.name).toBe('Shop')
  end()
  await publish(source, shop)
  await settle()
  expect(told).toHaveLength(1)
  await view.close()
})

test('the snapshot’s offset moves with every publication and is the same for everybody who reads it', async () => {
  const { source } = setUp()
  await publish(source, shop)
  const view = await openControlView(source)
  const before = view.snapshot.offset
  await publish(source, blog)
  await settle()
  const other = await openControlView(source)
  expect(view.snapshot.offset).toBeGreaterThan(before)
  expect(other.snapshot.offset).toBe(view.snapshot.offset)
  await Promise.all([view.close(), other.close()])
})

test('an object is found by its hash after it was changed and removed, also by who opens later', async () => {
  const { source } = setUp()
  await publish(source, shop)
  const early = await openControlView(source)
  const hash = early.snapshot.datasets.get('shop')?.hash ?? ''
  await publish(source, { ...shop, name: 'Shop' })
  const publisher = await openControlPublisher(source)
  await publisher.publish([{ action: 'remove', kind: 'dataset', id: 'shop' }])
  await settle()
  const late = await openControlView(source)
  for (const view of [early, late]) {
    expect(datasetsOf(view)).toEqual([])
    expect(view.pinned('dataset', hash)?.object).toEqual(shop)
    expect(view.pinned('dataset', 'f'.repeat(64))).toBeNull()
  }
  await Promise.all([early.close(), late.close()])
})

test('opening fails when the end cannot be reached', async () => {
  const { source, setDown } = setUp()
  setDown(true)
  await expect(openControlView(source)).rejects.toMatchObject({ code: 'unavailable' })
})

test('an end that was not confirmed for the stated time is a problem, and stops being one', async () => {
  const { source, clock, setDown } = setUp()
  await publish(source, shop)
  const view = await openControlView(source)
  await clock.advance(CONTROL_STALE_MS * 2)
  expect(view.problem()).toBeNull()
  setDown(true)
  await clock.advance(CONTROL_STALE_MS - 1_000)
  expect(view.problem()).toBeNull()
  await clock.advance(12_000)
  expect(view.problem()).toMatch(/^The end of millrace.control was last confirmed \d+ s ago/)
  expect(datasetsOf(view)).toEqual(['shop'])
  setDown(false)
  await publish(source, blog)
  await clock.advance(10_000)
  expect(view.problem()).toBeNull()
  expect(datasetsOf(view)).toEqual(['shop', 'blog'])
  await view.close()
})

test('closing waits for no answer of a Kafka that hangs', async () => {
  const { source, clock, hang } = setUp()
  const view = await openControlView(source)
  hang()
  await clock.advance(CONTROL_STALE_MS)
  let closed = false
  void view.close().then(() => {
    closed = true
  })
  await settle()
  expect(closed).toBe(true)
})

test('a topic that was deleted and made again is not taken for an empty configuration', async () => {
  const { source, clock, log } = setUp()
  await publish(source, shop)
  const view = await openControlView(source)
  await log.admin.deleteTopics([names.control])
  await log.admin.createTopics([controlTopicSpec(names)])
  await clock.advance(CONTROL_STALE_MS + 10_000)
  expect(view.problem()).not.toBeNull()
  expect(datasetsOf(view)).toEqual(['shop'])
  await view.close()
})

test.each([
  ['no JSON', '{', /it is not JSON/],
  ['not an object', '5', /it is not an object/],
  ['another version', JSON.stringify({ ...controlRecord('dataset', shop, 'config'), v: 2 }), /its version 2/],
  [
    'altered',
    JSON.stringify({ ...controlRecord('dataset', shop, 'config'), object: { ...shop, account: 'x' } }),
    /its hash does not match/,
  ],
  ['misplaced', JSON.stringify(controlRecord('dataset', blog, 'config')), /under the key of another object/],
])(
  'a record that cannot be used (%s) leaves the previous content in force and is a problem until it is replaced',
  async (_, value, reason) => {
    const { source, log } = setUp()
    await publish(source, shop)
    const view = await openControlView(source)
    const producer = await log.openProducer({ clientId: 'test', lingerMs: 0, deliveryTimeoutMs: 1000 })
    await producer.produce([
      { topic: names.control, partition: 0, key: objectKey('dataset', 'shop'), value: Buffer.from(value) },
      sentinelRecord(names.control, 0),
    ])
    await settle()
    expect(view.problem()).toMatch(reason)
    expect(view.snapshot.datasets.get('shop')?.object).toEqual(shop)
    await publish(source, shop)
    await settle()
    expect(view.problem()).toBeNull()
    await view.close()
  },
)

test('records of a kind that only later versions know are passed over', async () => {
  const { source, log } = setUp()
  await publish(source, shop)
  const producer = await log.openProducer({ clientId: 'test', lingerMs: 0, deliveryTimeoutMs: 1000 })
  await producer.produce([
    { topic: names.control, partition: 0, key: 'object/webhook/x', value: Buffer.from('?') },
    { topic: names.control, partition: 0, key: 'object/__proto__/x', value: Buffer.from('?') },
    { topic: names.control, partition: 0, key: null, value: Buffer.from('?') },
    sentinelRecord(names.control, 0),
  ])
  const view = await openControlView(source)
  expect(view.problem()).toBeNull()
  expect(datasetsOf(view)).toEqual(['shop'])
  await view.close()
})
