import { expect, test } from 'vitest'
import { followTopic } from '../../../../services/cli/tail/follow-topic.ts'
import { tailLines } from '../../../../services/cli/tail/tail-lines.ts'
import { tailTarget } from '../../../../services/cli/tail/tail-target.ts'
import { kafkaNames } from '../../../../services/core/kafka/topics.ts'
import { createManualClock } from '../../../helpers/manual-clock.ts'
import { createMemoryLog } from '../../../helpers/memory-log.ts'

const names = kafkaNames('')

async function logWith(values: readonly (string | null)[], headers: Record<string, string> = {}) {
  const log = createMemoryLog({ clock: createManualClock() })
  await log.admin.createTopics([{ topic: 'sub.x', partitions: 2, replicationFactor: 1, config: {} }])
  const producer = await log.openProducer({ clientId: 't', lingerMs: 0, deliveryTimeoutMs: 1000 })
  const produce = (value: string | null, partition = 0) =>
    producer.produce([
      { topic: 'sub.x', partition, key: null, value: value === null ? null : Buffer.from(value), headers },
    ])
  for (const [i, value] of values.entries()) await produce(value, i % 2)
  return { log, produce }
}

async function tail(values: readonly (string | null)[], filter: string | null, count: number, headers = {}) {
  const { log } = await logWith(values, headers)
  const linesOf = tailLines(tailTarget('x', names), filter)
  const lines: string[] = []
  const stop = new AbortController()
  let empty = 0
  await followTopic(log, { topic: 'sub.x', from: 'beginning', signal: stop.signal }, (batch) => {
    lines.push(...linesOf(batch))
    empty += batch.length
    return lines.length < count && empty < values.length
  })
  return lines.sort()
}

test('a topic that is not there is named, with who makes it', async () => {
  const { log } = await logWith([])
  const options = { topic: 'sub.none', from: 'end', signal: new AbortController().signal } as const
  await expect(followTopic(log, options, () => true)).rejects.toThrow(/sub\.none.*the router makes/)
})

test('only events for which the filter holds are printed, byte for byte as they are', async () => {
  const wanted = '{ "event":"purchase", "revenue_amount":5 }'
  expect(await tail([wanted, '{"event":"page_view"}'], "event = 'purchase'", 1)).toEqual([wanted])
})

test('tombstones and ticks are left out, what is no JSON object is shown as text', async () => {
  expect(await tail([null, 'oops', '[1]', '{"a":1}'], null, 3)).toEqual([
    '{"a":1}',
    '{"unreadable":"[1]"}',
    '{"unreadable":"oops"}',
  ])
  expect(await tail(['{"a":1}'], null, 1, { tick: '1' })).toEqual([])
})

test('a filter with a fault is refused before anything is read', () => {
  expect(() => tailLines(tailTarget('enriched', names), 'nonsense = ')).toThrow(/fault/)
})

test('a short name stands for a topic of the pipeline, anything else without a dot for a subscription', () => {
  expect(
    ['raw', 'enriched', 'rejected', 'receipts', 'orders'].map((name) => tailTarget(name, names).topic),
  ).toEqual(['events.raw', 'events.enriched', 'events.rejected', 'events.receipts', 'sub.orders'])
})

test("a topic's own name is that topic, with and without the prefix of the installation", () => {
  const staging = kafkaNames('staging.')
  const full = ['events.raw', 'events.enriched', 'events.rejected', 'events.receipts', 'sub.orders']
  expect(full.map((name) => tailTarget(name, names).topic)).toEqual(full)
  const prefixed = full.map((name) => `staging.${name}`)
  expect(prefixed.map((name) => tailTarget(name, staging).topic)).toEqual(prefixed)
  expect(full.map((name) => tailTarget(name, staging).topic)).toEqual(prefixed)
})

test('a subscription named as a topic of the pipeline is reached by the name of its topic', () => {
  expect(tailTarget('sub.receipts', names).topic).toBe('sub.receipts')
  expect(tailTarget('receipts', names).fields).toBeNull()
})

test('topics that hold nothing to print are refused with what can be followed', () => {
  for (const name of ['events.dedupe', 'millrace.control', 'other.events.raw'])
    expect(() => tailTarget(name, names)).toThrow(/holds no events to print\. Follow raw/)
})
