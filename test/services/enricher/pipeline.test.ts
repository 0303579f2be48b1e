import { hash } from 'node:crypto'
import { expect, test } from 'vitest'
import { packEntries } from '../../../schemas/dedupe/v1.ts'
import { ENRICHED_EVENT_FIELDS } from '../../../schemas/enriched-event/v1.ts'
import { REJECTED_EVENT_FIELDS } from '../../../schemas/rejected-event/v1.ts'
import type { Clock } from '../../../services/core/runtime/clock.ts'
import { DependencyError } from '../../../services/core/runtime/errors.ts'
import { createDedupeWindow } from '../../../services/enricher/dedupe/dedupe-window.ts'
import { createWorld, Killed, LIMITS, names, rawBytes, rawRecord, type World } from './enricher-world.ts'

const view = (id: string, total = 1) => rawRecord(id, { event: 'page_view', properties: { total } })
const ids = (records: readonly { value: { event_id: string } }[]) =>
  records.map(({ value }) => value.event_id)

/** What the receipts say, checked against each other: contiguous from 0, each balanced. */
function balance(world: World) {
  const sum = { enriched: 0, rejected: 0, duplicate: 0, control: 0 }
  let next = 0
  for (const receipt of world.receipts()) {
    expect(receipt.from).toBe(next)
    next = receipt.to + 1
    const { enriched, rejected, duplicate, control } = receipt
    expect(enriched + rejected + duplicate + control).toBe(receipt.to - receipt.from + 1)
    sum.enriched += enriched
    sum.rejected += rejected
    sum.duplicate += duplicate
    sum.control += control
  }
  return { ...sum, next }
}

test('a batch is one transaction that ends with the position, and ids are remembered after it', async () => {
  const world = await createWorld()
  await world.send(view('a'), view('b'), rawBytes(Buffer.from('no json')), view('a'))
  const owner = await world.join()
  await owner.drain()
  const transactions = world.effects.filter((effect) =>
    ['openTransactionalProducer', 'committed', 'begin', 'send', 'sendOffset', 'commitTransaction'].includes(
      effect,
    ),
  )
  expect(transactions).toEqual([
    // Fence, read the position, sentinel.
    ...['openTransactionalProducer', 'committed', 'begin', 'send', 'commitTransaction'],
    // The first batch is announced.
    ...['begin', 'send', 'commitTransaction'],
    ...['begin', 'send', 'sendOffset', 'commitTransaction'],
  ])
  expect(ids(world.enriched())).toEqual(['a', 'b'])
  expect(world.rejected().map(({ value }) => value.code)).toEqual(['undecodable'])
  expect(balance(world)).toEqual({ enriched: 2, rejected: 1, duplicate: 1, control: 0, next: 4 })
})

const KILLS = [
  ['before the first send', 'send', 3],
  ['after the send', 'sendOffset', 1],
  ['before the commit', 'commitTransaction', 3],
  ['while it takes over', 'committed', 1],
  ['before its sentinel', 'commitTransaction', 1],
  ['before it announced the batch', 'commitTransaction', 2],
] as const

test.each(KILLS)('killed %s, every event still has exactly one result', async (_where, operation, calls) => {
  const world = await createWorld()
  await world.send(view('a'), view('b'), view('a'), rawBytes(null))
  world.killAt(operation, calls)
  const owner = await world.join()
  await expect(owner.drain()).rejects.toThrow(Killed)
  owner.vanish()
  await world.send(view('b'), view('c'))
  expect(await world.drainWithRestarts()).toBe(0)
  expect(ids(world.enriched())).toEqual(['a', 'b', 'c'])
  expect(world.rejected()).toHaveLength(1)
  expect(balance(world)).toEqual({ enriched: 3, rejected: 1, duplicate: 2, control: 0, next: 6 })
})

test('while rejected events cannot be written nothing of their batch is, and all of it once they can', async () => {
  const world = await createWorld()
  const { openTransactionalProducer } = world.log
  let denied = true
  world.log.openTransactionalProducer = async (id, options) => {
    const producer = await openTransactionalProducer(id, options)
    return {
      ...producer,
      async send(records) {
        if (denied && records.some(({ topic }) => topic === names.rejected))
          throw new DependencyError('kafka', 'denied', `Not allowed to write to ${names.rejected}.`)
        await producer.send(records)
      },
    }
  }
  await world.send(view('a'), rawBytes(Buffer.from('no json')), view('b'))
  const owner = await world.join()
  await expect(owner.drain()).rejects.toMatchObject({ code: 'denied' })
  expect(world.enriched()).toEqual([])
  expect(world.receipts()).toEqual([])
  owner.vanish()
  denied = false
  expect(await world.drainWithRestarts()).toBe(0)
  expect(ids(world.enriched())).toEqual(['a', 'b'])
  expect(balance(world)).toEqual({ enriched: 2, rejected: 1, duplicate: 0, control: 0, next: 3 })
})

test.each(['failed', 'answer_lost'] as const)(
  'after a commit of unknown outcome (%s) nothing is remembered that was not committed',
  async (fault) => {
    const world = await createWorld()
    await world.send(view('a'), view('b'))
    const owner = await world.join()
    await owner.drain()
    await world.send(view('c'))
    world.log.controls.transactionCommitFaults.push(fault)
    await expect(owner.drain()).rejects.toMatchObject({ code: 'outcome_unknown' })
    // The same process takes over again, as its runner would have it do.
    owner.vanish()
    const again = await world.join(owner.env)
    await again.drain()
    await world.send(view('c'), view('a'))
    await again.drain()
    expect(ids(world.enriched())).toEqual(['a', 'b', 'c'])
    expect(balance(world)).toEqual({ enriched: 3, rejected: 0, duplicate: 2, control: 0, next: 5 })
  },
)

test('a process that slept through its replacement is fenced and writes nothing', async () => {
  const world = await createWorld()
  const zombie = await world.join()
  await zombie.drain()
  zombie.vanish()
  await world.send(view('a'))
  const owner = await world.join()
  await owner.drain()
  // It still believes that the partition is its own, and the coordinator would take its position.
  world.log.controls.acceptStale('of_all')
  const work = async () => {
    await zombie.worker?.process(world.log.controls.records(names.raw, 0)!)
    world.clock.skip(1_000)
    await zombie.worker?.tick()
  }
  await expect(work()).rejects.toMatchObject({ code: 'fenced' })
  await world.send(view('b'))
  await owner.drain()
  expect(ids(world.enriched())).toEqual(['a', 'b'])
  expect(balance(world).next).toBe(2)
})

test('duplicates are recognised by a new owner from the changelog', async () => {
  const world = await createWorld()
  await world.send(view('a'), view('b'))
  await world.drainWithRestarts()
  await world.send(view('b'), view('c'), view('a', 2))
  await world.drainWithRestarts()
  expect(ids(world.enriched())).toEqual(['a', 'b', 'c'])
  expect(world.rejected().map(({ value }) => [value.event_id, value.code])).toEqual([['a', 'id_conflict']])
})

test('a corrupt changelog stops the partition', async () => {
  const world = await createWorld()
  await world.send({ topic: names.dedupe, partition: 0, key: '0', value: Buffer.from('rubbish') })
  const owner = await world.join()
  await expect(owner.drain()).rejects.toMatchObject({ code: 'corrupt' })
})

test('a group whose position has expired goes on where the changelog ends', async () => {
  const world = await createWorld()
  await world.send(view('a'), view('b'))
  await world.drainWithRestarts()
  world.log.controls.expireGroupOffsets(names.group('enricher'))
  await world.send(view('c'))
  await world.drainWithRestarts()
  expect(balance(world)).toEqual({ enriched: 3, rejected: 0, duplicate: 0, control: 0, next: 3 })
})

test('raw records that were removed unprocessed stop the partition, and so does a position set back', async () => {
  const world = await createWorld()
  await world.send(view('a'), view('b'), view('c'))
  await world.drainWithRestarts()
  const position = { topic: names.raw, partition: 0, offset: 1 }
  world.log.controls.setCommitted(names.group('enricher'), position, '')
  const set = await world.join()
  await expect(set.drain()).rejects.toThrow('set back by hand')
  set.vanish()
  await world.send(view('d'), view('e'))
  world.log.controls.setCommitted(names.group('enricher'), { ...position, offset: 3 }, '')
  world.log.controls.truncate({ topic: names.raw, partition: 0, offset: 4 })
  const gone = await world.join()
  await expect(gone.drain()).rejects.toThrow('were removed before they were processed')
})

test('offsets without a record are counted as control', async () => {
  const world = await createWorld()
  await world.send(view('a'))
  await world.sendControl()
  await world.send(view('b'))
  await world.drainWithRestarts()
  expect(balance(world)).toEqual({ enriched: 2, rejected: 0, duplicate: 0, control: 2, next: 4 })
})

test('an output that stays silent for a minute gets a tick, outside of every receipt', async () => {
  const world = await createWorld()
  const owner = await world.join()
  await owner.drain()
  world.clock.skip(60_000)
  await owner.turn()
  expect(world.ticks(names.enriched).map(({ headers, value }) => [headers.tick, value])).toEqual([
    ['1', { tick: true }],
  ])
  expect(world.ticks(names.rejected)).toHaveLength(1)
  // One that is written to needs none.
  world.clock.skip(59_000)
  await world.send(view('a'))
  await owner.drain()
  world.clock.skip(30_000)
  await owner.turn()
  expect(world.ticks(names.enriched)).toHaveLength(1)
  expect(world.ticks(names.rejected)).toHaveLength(2)
  expect(balance(world)).toEqual({ enriched: 1, rejected: 0, duplicate: 0, control: 0, next: 1 })
})

test('a record that ends the process again and again is set aside, and its neighbours go through', async () => {
  const world = await createWorld()
  await world.send(view('a'), view('b'), view('x'), view('c'))
  const original = world.environment
  let kills = 0
  for (let n = 0; n < 30; n++) {
    const env = original()
    const { current } = env
    const deadly = {
      ...env,
      current: () => {
        const { rules, reference } = current()
        return {
          reference,
          rules: {
            ...rules,
            ofDataset: (id: string) => {
              const dataset = rules.ofDataset(id)
              return {
                ...dataset,
                schemaOf: (event: string) => {
                  if (event === 'deadly') throw new Killed()
                  return dataset.schemaOf(event)
                },
              }
            },
          },
        }
      },
    }
    if (n === 0) await world.send(rawRecord('deadly', { event: 'deadly' }), view('d'))
    const owner = await world.join(deadly)
    try {
      await owner.drain()
      owner.vanish()
      break
    } catch (error) {
      expect(error).toBeInstanceOf(Killed)
      kills++
      owner.vanish()
    }
  }
  expect(kills).toBeLessThanOrEqual(8)
  expect(ids(world.enriched())).toEqual(['a', 'b', 'x', 'c', 'd'])
  expect(world.rejected().map(({ value }) => [value.event_id, value.code])).toEqual([
    ['deadly', 'quarantined'],
  ])
  expect(balance(world)).toEqual({ enriched: 5, rejected: 1, duplicate: 0, control: 0, next: 6 })
})

test('ends that are nobody’s fault make a batch go on in parts, not record by record', async () => {
  const world = await createWorld({ limits: { batchRowsMax: 64 } })
  await world.send(...Array.from({ length: 64 }, (_, index) => view(`e${index}`)))
  for (const _ of [1, 2]) {
    world.killAt('sendOffset')
    const owner = await world.join()
    await expect(owner.drain()).rejects.toThrow(Killed)
    owner.vanish()
  }
  const owner = await world.join()
  await owner.drain()
  expect(world.receipts().map(({ from, to }) => to - from + 1)).toEqual([8, 16, 32, 8])
  expect(ids(world.enriched())).toHaveLength(64)
  owner.vanish()
})

/** So many owners, one after the other, that all end at a fail point. */
async function ownersThatEndAt(world: World, point: string, times: number): Promise<void> {
  for (let n = 0; n < times; n++) {
    const owner = await world.join({
      ...world.environment(),
      failPoint: (name) => {
        if (name === point) throw new Killed()
      },
    })
    await expect(owner.drain()).rejects.toThrow(Killed)
    owner.vanish()
  }
}

test.each(['after_judge', 'before_offset'])(
  'a record is set aside for many ends at %s, after it was judged, and not for a few',
  async (point) => {
    const world = await createWorld()
    await world.send(view('a'))
    await ownersThatEndAt(world, point, 12)
    await world.drainWithRestarts()
    expect(ids(world.enriched())).toEqual(['a'])
    await world.send(view('b'))
    await ownersThatEndAt(world, point, 13)
    await world.drainWithRestarts()
    expect(ids(world.enriched())).toEqual(['a'])
    expect(world.rejected().map(({ value }) => [value.event_id, value.code])).toEqual([['b', 'quarantined']])
  },
)

test('a few ends on the way to saying that a record was judged are nobody’s fault', async () => {
  const world = await createWorld()
  await world.send(view('a'))
  await ownersThatEndAt(world, 'before_offset', 1)
  for (let n = 0; n < 3; n++) {
    // After the sentinel and the attempt.
    world.killAt('send', 3)
    const owner = await world.join()
    await expect(owner.drain()).rejects.toThrow(Killed)
    owner.vanish()
  }
  await world.drainWithRestarts()
  expect([ids(world.enriched()), world.rejected()]).toEqual([['a'], []])
})

test('a record at which somebody ended is begun at another moment than those that its process begins with it', async () => {
  const world = await createWorld()
  await world.send(view('a'))
  await ownersThatEndAt(world, 'after_judge', 1)
  const waits: number[] = []
  const env = world.environment()
  const clock: Clock = {
    ...env.clock,
    sleep(ms, signal) {
      waits.push(ms)
      return env.clock.sleep(ms, signal)
    },
  }
  const owner = await world.join({ ...env, random: () => 0.25, clock })
  await owner.drain()
  owner.vanish()
  expect(waits).toContain(250)
  expect(ids(world.enriched())).toEqual(['a'])
})

test('an outage of Kafka is no crash: nothing is set aside however long it lasts', async () => {
  const world = await createWorld()
  await world.send(view('a'))
  const env = world.environment()
  for (let n = 0; n < 20; n++) {
    // Its announcement goes through each time, its batch never.
    world.killAt('sendOffset', 1, new DependencyError('kafka', 'unavailable', 'No broker answers.'))
    const owner = await world.join(env)
    await expect(owner.drain()).rejects.toMatchObject({ code: 'unavailable' })
    owner.vanish()
  }
  const owner = await world.join(env)
  await owner.drain()
  expect(ids(world.enriched())).toEqual(['a'])
  expect(world.rejected()).toEqual([])
})

test('without a current configuration nothing is decided', async () => {
  const world = await createWorld()
  await world.send(view('a'))
  world.control.setProblem('The end of the control topic was not confirmed for a minute.')
  const owner = await world.join()
  await expect(owner.drain()).rejects.toMatchObject({ dependency: 'control', code: 'unavailable' })
  owner.vanish()
  world.control.setProblem(null)
  await world.drainWithRestarts()
  expect(ids(world.enriched())).toEqual(['a'])
})

test('every key of both records is there, in the order of the schema, with headers, key and partition', async () => {
  const world = await createWorld()
  await world.send(view('a'), rawRecord('b', { event: 7 }))
  await world.drainWithRestarts()
  const [enriched] = world.enriched()
  const [rejected] = world.rejected()
  expect(Object.keys(enriched!.value)).toEqual(ENRICHED_EVENT_FIELDS.map(({ name }) => name))
  expect(Object.keys(rejected!.value)).toEqual(REJECTED_EVENT_FIELDS.map(({ name }) => name))
  expect(enriched).toMatchObject({
    key: 'shop:a',
    headers: {
      event_id: 'a',
      dataset_id: 'shop',
      event: 'page_view',
      schema: '1',
      src: '0:0',
      recipe: enriched!.value.recipe,
      tick: null,
      traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
    },
  })
  expect(rejected).toMatchObject({
    key: 'shop:b',
    headers: { event_id: 'b', src: '0:1', event: '', recipe: rejected!.value.recipe },
    value: { code: 'invalid_type', stage: 'enricher', ip: '203.0.113.0', payload: '{"event":7}' },
  })
})

test('received = enriched + rejected + duplicate + control, in the metrics as in the receipts', async () => {
  const world = await createWorld()
  await world.send(view('a'), view('a'), rawRecord('b', { event: 7 }))
  await world.sendControl()
  await world.send(view('c'), rawBytes(null))
  const owner = await world.join()
  await owner.drain()
  const text = await world.metrics.expose()
  const value = (name: string) =>
    Number(new RegExp(`^millrace_enricher_${name} (\\d+)$`, 'm').exec(text)?.[1])
  expect([
    value('received_records_total'),
    value('enriched_records_total'),
    value('rejected_records_total{code="invalid_type"}'),
    value('rejected_records_total{code="undecodable"}'),
    value('duplicate_records_total'),
    value('control_records_total'),
    value('dedupe_ids_count{partition="0"}'),
  ]).toEqual([7, 2, 1, 1, 1, 2, 3])
  expect(balance(world)).toEqual({ enriched: 2, rejected: 2, duplicate: 1, control: 2, next: 7 })
})

test('an event that comes again after the window is a new event, and counted as one past it', async () => {
  const world = await createWorld()
  const owner = await world.join()
  await world.send(view('a'), view('b'))
  await owner.drain()
  world.clock.skip(26 * 3_600_000)
  await world.send(view('a'), view('c'))
  await owner.drain()
  expect(ids(world.enriched())).toEqual(['a', 'b', 'a', 'c'])
  const text = await world.metrics.expose()
  expect(text).toContain('millrace_enricher_dedupe_window_exceeded_events_total 1\n')
  expect(text).toContain('millrace_enricher_dedupe_forgotten_ids_total{reason="expired"} 2\n')
  owner.vanish()
})

test('past the ids of the process the oldest are forgotten, counted, and what is left of the window is told', async () => {
  const world = await createWorld({ idsMax: 1_000 })
  const owner = await world.join()
  for (let n = 0; n < 15; n++) {
    await world.send(...Array.from({ length: 100 }, (_, m) => view(`${n} ${m}`)))
    await owner.drain()
    world.clock.skip(60_000)
  }
  await world.send(view('0 0'), view('14 0'))
  await owner.drain()
  // The first came too late, the last did not.
  expect(world.enriched()).toHaveLength(1_501)
  const text = await world.metrics.expose()
  const value = (name: string) =>
    Number(new RegExp(`^millrace_enricher_dedupe_${name} (\\S+)$`, 'm').exec(text)?.[1])
  const held = value('ids_count{partition="0"}')
  expect(held).toBeLessThanOrEqual(1_000)
  expect(held).toBeGreaterThan(900)
  const late = value('window_exceeded_events_total')
  expect(value('forgotten_ids_total{reason="early"}')).toBe(1_501 - held)
  expect(value('window_held_seconds{partition="0"}')).toBeLessThan(11 * 60)
  expect(value('window_held_seconds{partition="0"}')).toBeGreaterThan(8 * 60)
  expect(late).toBeLessThanOrEqual(1)
  owner.vanish()
})

test('a partition that is silent tells of ids that another one of its process needed', async () => {
  const world = await createWorld({ idsMax: 1_000 })
  const env = world.environment()
  const owner = await world.join(env)
  await world.send(view('a'))
  await owner.drain()
  const other = createDedupeWindow(LIMITS.dedupeWindowMs, env.idBudget)
  const more = Array.from({ length: 1_000 }, (_, n) => ({
    key: hash('sha256', String(n), 'buffer').subarray(0, 16),
    payload: Buffer.alloc(8),
    time: world.clock.now(),
  }))
  other.add(packEntries(more))
  world.clock.skip(60_000)
  await owner.turn()
  expect(await world.metrics.expose()).toContain('millrace_enricher_dedupe_ids_count{partition="0"} 0\n')
  owner.vanish()
})

test('records that come one by one share a transaction, and a full one does not wait', async () => {
  const world = await createWorld({ limits: { batchRowsMax: 3, lingerMs: 10_000 } })
  const owner = await world.join()
  await owner.drain()
  const receipts = () => world.receipts().map(({ from, to }) => to - from + 1)
  await world.send(view('a'))
  await owner.worker!.process(world.log.controls.records(names.raw, 0)!)
  await owner.worker!.tick()
  expect(receipts()).toEqual([])
  world.clock.skip(10_000)
  await owner.worker!.tick()
  expect(receipts()).toEqual([1])
  // The consumer hands the first record out once more: it has its receipt, and no other.
  await owner.drain()
  await world.send(...['b', 'c', 'd', 'e', 'f', 'g', 'h'].map((id) => view(id)))
  await owner.drain()
  expect(receipts()).toEqual([1, 3, 3, 1])
  expect(balance(world)).toEqual({ enriched: 8, rejected: 0, duplicate: 0, control: 0, next: 8 })
})

test('what waits when the partition goes away is dropped: the next owner reads it again', async () => {
  const world = await createWorld({ limits: { lingerMs: 10_000 } })
  const owner = await world.join()
  await owner.drain()
  await world.send(view('a'))
  await owner.worker!.process(world.log.controls.records(names.raw, 0)!)
  await owner.worker!.stop('revoked')
  owner.vanish()
  expect(world.receipts()).toEqual([])
  await world.drainWithRestarts()
  expect(ids(world.enriched())).toEqual(['a'])
})
