import { expect, test } from 'vitest'
import type { EnrichedEvent } from '../../../schemas/enriched-event/v1.ts'
import { identityProduceRecord } from '../../../services/core/event/identity-record.ts'
import { IDENTITY_FAIL_POINTS } from '../../../services/identity/fail-points.ts'
import { createIdentityWorld, type IdentityWorld, names, PARTITIONS } from './identity-world.ts'

/** Visitors of two datasets who sign in, are described, merged and named as groups; all in partitions as they come. */
const EVENTS: readonly Partial<EnrichedEvent>[] = [
  { distinct_id: 'anon-1', browser: 'Firefox' },
  { distinct_id: 'anon-1' },
  {
    distinct_id: 'ann',
    event: '$identify',
    properties: { $anon_distinct_id: 'anon-1', $set: { plan: 'free' } },
  },
  { distinct_id: 'bob', set_once: { first: 1 }, groups: { company: 'acme' } },
  { distinct_id: 'bob', event: '$create_alias', properties: { alias: 'ann' } },
  { distinct_id: 'cid', event: '$merge_dangerously', properties: { alias: 'bob' } },
  { distinct_id: 'ann', dataset_id: 'blog', set: { plan: 'pro' } },
  { distinct_id: 'ann', event: '$identify', properties: { $anon_distinct_id: 'undefined' } },
  { distinct_id: 'ann', set: { plan: 'free' } },
  {
    distinct_id: 'ann',
    event: '$groupidentify',
    properties: { $group_type: 'company', $group_key: 'acme', $group_set: { size: 3 } },
  },
  { distinct_id: null },
  { distinct_id: 'dan', properties: { $process_person_profile: false } },
]

const events = () => EVENTS.map((given, n) => ({ event_id: `e${n}`, ...given }))

async function settledOutcome(world: IdentityWorld) {
  const stage = world.start()
  await world.clock.advance(4_000)
  await stage.stop()
  return world.outcome()
}

/** What comes of the events when nothing happens to anybody. Versions depend on the order in the topic, as it came. */
async function calm() {
  const world = await createIdentityWorld()
  await world.write(events())
  return settledOutcome(world)
}

test('events become persons in the store, in the topic and in ClickHouse, with their history', async () => {
  const { sent, persons, topic, distinctIds, overrides, history, groups } = await calm()
  expect(sent).toHaveLength(9)
  const alive = persons.filter(({ is_deleted }) => !is_deleted)
  expect(topic.filter(([, value]) => value !== null)).toHaveLength(alive.length)
  for (const [key, value] of topic) {
    if (value === null) continue
    const record = JSON.parse(value)
    expect(key).toBe(`${record.dataset_id}:${record.person_key}`)
    expect(alive).toContainEqual(record)
  }
  expect(distinctIds.map(({ dataset_id, distinct_id }) => `${dataset_id} ${distinct_id}`)).toEqual([
    'blog ann',
    'shop ann',
    'shop anon-1',
    'shop bob',
    'shop cid',
  ])
  for (const { distinct_id, person_key } of overrides)
    expect(distinctIds).toContainEqual(expect.objectContaining({ distinct_id, person_key }))
  expect(new Set(history.map(({ change }) => change))).toContain('merge_refused')
  expect(groups).toEqual([expect.objectContaining({ group_key: 'acme', properties: { size: 3 } })])
})

test('received = handled + ignored, of events and of records', async () => {
  const world = await createIdentityWorld()
  await world.write(events())
  await world.input.produce([
    { topic: names.enriched, partition: 0, key: null, value: Buffer.from('{'), headers: {} },
    {
      topic: names.enriched,
      partition: 1,
      key: null,
      value: Buffer.from('{"tick":true}'),
      headers: { tick: '1' },
    },
  ])
  const stage = world.start()
  await world.clock.advance(8_000)
  await world.input.produce([{ topic: names.identity, partition: 0, key: null, value: Buffer.from('{}') }])
  await world.clock.advance(3_000)
  const text = await stage.metrics.expose()
  await stage.stop()
  const sum = (name: string) =>
    [...text.matchAll(new RegExp(`^millrace_identity_${name}_total(?:{.*})? (\\d+)$`, 'gm'))].reduce(
      (total, match) => total + Number(match[1]),
      0,
    )
  expect([sum('received_events'), sum('handled_events'), sum('ignored_events')]).toEqual([14, 9, 5])
  expect([sum('received_records'), sum('handled_records'), sum('ignored_records')]).toEqual([10, 9, 1])
  expect(text).toContain('millrace_identity_ignored_events_total{reason="seen"} 1')
  expect(text).toMatch(/millrace_identity_outbox_rows\{partition="\d"\} 0/)
})

test('killed at any call it makes, and started again, it leaves what it would have left', async () => {
  const world = await createIdentityWorld()
  await world.write(events())
  const stage = world.start()
  await world.clock.advance(3_000)
  await stage.stop()
  const { calls } = stage.process
  // Between two polls nothing happens.
  const points = calls.flatMap((call, i) => (call === 'poll' && calls[i - 1] === 'poll' ? [] : [i + 1]))
  expect(points.length).toBeGreaterThan(40)
  for (const killAt of points) {
    const again = await createIdentityWorld()
    await again.write(events())
    const first = again.start({ killAt })
    await again.clock.advance(3_000)
    await first.kill()
    expectConsistent(await settledOutcome(again), `killed at call ${killAt}, ${calls[killAt - 1]}`)
  }
}, 600_000)

/** Whatever order the partitions came in: each event once, and every place says the same. */
function expectConsistent(outcome: Awaited<ReturnType<typeof calm>>, what: string): void {
  const { sent, state, persons, topic, history } = outcome
  const ids = sent.map((value) => JSON.parse(value).event_id).sort()
  // A sighting may be told twice, never the same event.
  expect(new Set(ids).size, what).toBe(ids.length)
  expect(ids, what).toEqual(expect.arrayContaining(['e0', 'e2', 'e3', 'e4', 'e5', 'e6', 'e7', 'e8', 'e9']))
  const alive = persons.filter(({ is_deleted }) => !is_deleted)
  const stored = state.map((text) => JSON.parse(text))
  expect(
    alive.map(({ person_key, properties, version }) => ({ person_key, properties, version })),
    what,
  ).toEqual(
    expect.arrayContaining(
      stored.map(({ key, properties, version }) => ({ person_key: key, properties, version })),
    ),
  )
  expect(alive.length, what).toBe(stored.length)
  expect(
    topic.flatMap(([, value]) => (value === null ? [] : [JSON.parse(value)])),
    what,
  ).toEqual(expect.arrayContaining(alive))
  expect(topic.filter(([, value]) => value !== null).length, what).toBe(alive.length)
  const merges = history.filter(({ change }) => change === 'merged' || change === 'attached')
  expect(new Set(merges.map(({ event_id, distinct_id }) => `${event_id} ${distinct_id}`)).size, what).toBe(
    merges.length,
  )
}

for (const point of IDENTITY_FAIL_POINTS) {
  test(`a process that dies at ${point} is followed by one that goes on as if nothing had been`, async () => {
    const world = await createIdentityWorld()
    await world.write(events())
    let deaths = 0
    const first = world.start({
      failPoint(name) {
        if (name !== point) return
        deaths++
        throw new Error(`killed at ${name}`)
      },
    })
    const died = expect(first.done).rejects.toThrow(`killed at ${point}`)
    await world.clock.advance(8_000)
    await died
    await first.kill()
    expect(deaths).toBeGreaterThan(0)
    expectConsistent(await settledOutcome(world), point)
  })
}

test.each(['failed', 'answer_lost'] as const)(
  'a commit whose outcome is not known (%s), of Kafka or of the database, happens once',
  async (fate) => {
    const world = await createIdentityWorld()
    const stage = world.start()
    await world.clock.advance(2_000)
    world.log.controls.transactionCommitFaults.push(fate, fate, fate)
    world.store.commitFates.push(fate, fate)
    await world.write(events())
    await world.clock.advance(90_000)
    await stage.stop()
    expectConsistent(await settledOutcome(world), fate)
  },
)

test('an insert that is lost, or whose answer is, is repeated until it is answered', async () => {
  const world = await createIdentityWorld()
  world.tables.fates.push('lost', 'answer_lost', 'lost', 'answer_lost')
  await world.write(events())
  const stage = world.start()
  await world.clock.advance(30_000)
  await stage.stop()
  expectConsistent(world.outcome(), 'inserts')
})

test('a process that lost its partitions unawares writes nothing any more', async () => {
  const world = await createIdentityWorld()
  const zombie = world.start()
  await world.clock.advance(2_000)
  await world.write(events().slice(0, 4))
  await world.clock.advance(3_000)
  // Both believe that they own everything: the fence decides.
  world.log.controls.acceptStale('of_all')
  const successor = world.start()
  await world.clock.advance(3_000)
  await world.write(events().slice(4))
  await world.clock.advance(40_000)
  await Promise.all([zombie.stop(), successor.stop()])
  expectConsistent(await settledOutcome(world), 'zombie')
})

test('while ClickHouse is away persons go on, until as many rows wait as may; afterwards all of them are told', async () => {
  const world = await createIdentityWorld({ MILLRACE_IDENTITY_OUTBOX_ROWS: '12' })
  world.tables.controls.away = true
  const stage = world.start()
  await world.clock.advance(1_000)
  const people = Array.from({ length: 60 }, (_, n) => ({ event_id: `p${n}`, distinct_id: `person-${n}` }))
  await world.write(people)
  await world.clock.advance(120_000)
  const waiting = (await world.store.outbox(0)).rows + (await world.store.outbox(1)).rows
  expect(waiting).toBeGreaterThanOrEqual(12)
  expect(waiting).toBeLessThan(12 + 4 * 3)
  expect(world.tables.inserted('persons')).toEqual([])
  world.tables.controls.away = false
  await world.clock.advance(300_000)
  await stage.stop()
  expect(world.outcome().persons).toHaveLength(60)
})

test('of a person that was deleted no history keeps what it was like, nor of those that went into it', async () => {
  const world = await createIdentityWorld()
  await world.write([
    { event_id: 'e1', distinct_id: 'anon', set: { email: 'a@b.c' } },
    {
      event_id: 'e2',
      distinct_id: 'ann',
      event: '$identify',
      properties: { $anon_distinct_id: 'anon', $set: { n: 1 } },
    },
    { event_id: 'e3', distinct_id: 'bob', set: { email: 'b@b.c' } },
  ])
  const stage = world.start()
  await world.clock.advance(4_000)
  const [ann] = world.store.personsOf('shop').filter(({ distinctIds }) => distinctIds === 2)
  await world.input.produce([
    identityProduceRecord(names.identity, PARTITIONS, {
      v: 1,
      kind: 'command',
      dataset_id: 'shop',
      event_id: 'call',
      collector_time: Date.UTC(2026, 5, 1),
      actor: 'me',
      command: { name: 'delete', person_key: ann?.key ?? '' },
    }),
  ])
  await world.clock.advance(4_000)
  await stage.stop()
  const left = [...world.tables.inserted('persons'), ...world.tables.inserted('person_changes')]
  expect(JSON.stringify(left)).not.toContain('a@b.c')
  expect(JSON.stringify(left)).toContain('b@b.c')
  expect(left.filter(({ change }) => change === 'deleted')).toHaveLength(1)
})

test('a database that belongs to another topic stops the partition instead of mixing both', async () => {
  const world = await createIdentityWorld()
  await world.store.claim(0, 'another topic', 'before')
  await world.store.claim(1, 'another topic', 'before')
  await world.write(events())
  const stage = world.start()
  await world.clock.advance(20_000)
  await stage.stop()
  expect(world.store.personsOf('shop')).toEqual([])
})
