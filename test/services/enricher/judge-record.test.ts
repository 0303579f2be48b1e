import { expect, test } from 'vitest'
import type { EventSchema } from '../../../schemas/control/v1.ts'
import type { ProduceRecord } from '../../../services/core/kafka/log.ts'
import {
  createWorld,
  rawBytes,
  rawEvent,
  rawRecord,
  type World,
  type WorldOptions,
} from './enricher-world.ts'

const shop = { id: 'shop', account: 'acme' } as const

/** What comes out of these records, in order: `enriched <id>` or `<code> <details>`. */
async function outcomes(world: World, ...records: readonly ProduceRecord[]): Promise<string[]> {
  const before = world.rejected().length
  await world.send(...records)
  await world.drainWithRestarts()
  return world
    .rejected()
    .slice(before)
    .map(({ value }) => `${value.code}: ${value.details.join('; ')}`)
}

const orders: EventSchema = {
  dataset: 'shop',
  event: 'order',
  json_schema: { type: 'object', properties: { total: { type: 'number' } }, required: ['total'] },
}
const withSchema: WorldOptions = { control: { datasets: [shop], schemas: [orders] } }

test.each([
  ['no value', null, 'The record has no value.'],
  ['bad UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), 'The value is not UTF-8.'],
  ['no JSON', Buffer.from('{"v":1'), 'The value is not JSON'],
  ['another version', Buffer.from('{"v":2}'), 'The version is 2'],
  ['5,000 levels', Buffer.from('['.repeat(5_000) + ']'.repeat(5_000)), 'nested'],
  [
    'a time after every calendar',
    Buffer.from(JSON.stringify(rawEvent('a', {}, { collector_time: 8.64e15 }))),
    '2299',
  ],
])('a record with %s is rejected as undecodable and holds nothing up', async (_what, value, detail) => {
  const world = await createWorld()
  const [told] = await outcomes(world, rawBytes(value, 'e1'), rawRecord('next', { event: 'x' }))
  expect(told).toContain('undecodable')
  expect(told).toContain(detail)
  expect(world.rejected()[0]!.value).toMatchObject({
    event_id: 'e1',
    dataset_id: 'shop',
    payload_bytes: value?.length ?? 0,
    protocol: 'unknown',
    collector_time: '2026-01-31T12:00:00.000Z',
  })
  expect(world.rejected()[0]!.value.payload.length).toBeLessThanOrEqual(1_000)
  expect(world.enriched()).toHaveLength(1)
})

test('an undecodable record without headers belongs to nobody', async () => {
  const world = await createWorld()
  await outcomes(world, { ...rawBytes(Buffer.from('x')), key: null, headers: {} })
  expect(world.rejected()[0]!.value).toMatchObject({ event_id: 'raw-0-0', dataset_id: '' })
})

test('an event that its schema does not allow is rejected with every reason', async () => {
  const world = await createWorld(withSchema)
  expect(
    await outcomes(
      world,
      rawRecord('a', { event: 'order', properties: { total: '5' } }),
      rawRecord('b', { event: 'order' }),
      rawRecord('c', { event: 'order', properties: { total: 5 } }),
    ),
  ).toEqual([
    'schema_violation: properties.total: must be number',
    "schema_violation: properties: must have required property 'total'",
  ])
  expect(world.enriched()[0]!.value).toMatchObject({ event_id: 'c', schema_flag: null })
  expect(world.enriched()[0]!.value.event_schema).toMatch(/^[0-9a-f]{64}$/)
})

test.each([
  ['allow', [], null],
  ['flag', [], 'unknown_event'],
  ['reject', ['unknown_event: event: no schema is registered for this name'], undefined],
] as const)('an event without a schema under the policy "%s"', async (unknown_events, refused, flag) => {
  const world = await createWorld({ control: { datasets: [{ ...shop, unknown_events }], schemas: [orders] } })
  expect(await outcomes(world, rawRecord('a', { event: 'other' }))).toEqual(refused)
  expect(world.enriched()[0]?.value.schema_flag).toBe(flag)
})

test('a schema that cannot be used refuses its events and says why', async () => {
  const broken = { ...orders, json_schema: { properties: { a: { pattern: '(?=x)' } } } }
  const world = await createWorld({ control: { datasets: [shop], schemas: [broken] } })
  expect((await outcomes(world, rawRecord('a', { event: 'order' })))[0]).toContain(
    'look-around is not supported',
  )
})

test('a schema change between a refused event and its retry neither swallows nor doubles it', async () => {
  const world = await createWorld({ control: { datasets: [{ ...shop, unknown_events: 'reject' }] } })
  const event = rawRecord('a', { event: 'new' })
  await outcomes(world, event)
  world.control.update({ datasets: [shop] })
  // The same again: it lies in events.rejected already.
  await outcomes(world, event)
  expect([world.rejected().length, world.enriched().length]).toEqual([1, 0])
  // Corrected under its id: a new event.
  await outcomes(world, rawRecord('a', { event: 'new', properties: { fixed: true } }))
  expect([world.rejected().length, world.enriched().length]).toEqual([1, 1])
})

test('the equal of an accepted event is a duplicate, also when the rules would refuse it by now', async () => {
  const world = await createWorld()
  const event = rawRecord('a', { event: 'old' })
  await outcomes(world, event)
  world.control.update({ datasets: [{ ...shop, unknown_events: 'reject' }] })
  await outcomes(world, event)
  expect([world.rejected().length, world.enriched().length]).toEqual([0, 1])
})

test('an occupied id refuses another payload once, whatever sent_at and the envelope say', async () => {
  const world = await createWorld()
  const told = await outcomes(
    world,
    rawRecord('a', { event: 'x', sent_at: '1' }, { sent_at: '2026-01-01T00:00:00Z' }),
    rawRecord('a', { event: 'x', sent_at: '2' }, { sent_at: '2026-01-02T00:00:00Z', ip: '198.51.100.1' }),
    rawRecord('a', { event: 'y' }),
    rawRecord('a', { event: 'y' }),
  )
  expect(told).toEqual(['id_conflict: event_id: "a" was taken by another event of this dataset'])
  expect(world.receipts()[0]).toMatchObject({ enriched: 1, rejected: 1, duplicate: 2 })
})

test("nobody can occupy another dataset's ids", async () => {
  const world = await createWorld({ control: { datasets: [shop, { id: 'blog', account: 'evil' }] } })
  await outcomes(
    world,
    rawRecord('a', { event: 'evil' }, { dataset_id: 'blog' }),
    rawRecord('a', { event: 'good' }, { dataset_id: 'shop' }),
  )
  expect(world.enriched().map(({ value }) => value.event)).toEqual(['evil', 'good'])
})

test("the collector's refusals become rejected events once", async () => {
  const world = await createWorld()
  const { event: _, ...envelope } = rawEvent('a', {})
  const refused = {
    code: 'too_large',
    details: ['big'],
    payload: '{"event":"x',
    payload_bytes: 99_999,
    event: 'x',
    distinct_id: 'p',
  }
  const record = rawBytes(Buffer.from(JSON.stringify({ ...envelope, refused })), 'a')
  expect(await outcomes(world, record, record)).toEqual(['too_large: big'])
  expect(world.rejected()[0]!.value).toMatchObject({
    stage: 'collector',
    payload: '{"event":"x',
    payload_bytes: 99_999,
    event: 'x',
    distinct_id: 'p',
    ip: '203.0.113.0',
  })
  expect(world.receipts()[0]).toMatchObject({ rejected: 1, duplicate: 1 })
})

test('an address is cut or removed in every place of a rejected event that is known to hold one', async () => {
  const event = { event: 5, context: { ip: '198.51.100.23', other: 1 } }
  for (const [policy, shown, inPayload] of [
    ['keep', '203.0.113.77', '198.51.100.23'],
    ['truncate', '203.0.113.0', '198.51.100.0'],
    ['remove', null, null],
  ] as const) {
    const world = await createWorld({ control: { datasets: [{ ...shop, privacy: { ip: policy } }] } })
    await outcomes(world, rawRecord('a', event))
    const { value } = world.rejected()[0]!
    expect(value.ip).toBe(shown)
    expect(JSON.parse(value.payload)).toEqual({ event: 5, context: { ip: inPayload, other: 1 } })
  }
})

test('an event that is too large once enriched is rejected, and its neighbours go through', async () => {
  const world = await createWorld({ limits: { enrichedBytesMax: 4_000 } })
  const told = await outcomes(
    world,
    rawRecord('a', { event: 'x', properties: { text: 'y'.repeat(4_000) } }),
    rawRecord('b', { event: 'x' }),
  )
  expect(told[0]).toMatch(/^too_large: the enriched event has \d+ bytes; at most 4000/)
  expect(world.rejected()[0]!.value.payload.length).toBe(1_000)
  expect(world.enriched()).toHaveLength(1)
})

test('properties travel untouched: odd names, and numbers that no double can hold', async () => {
  const world = await createWorld()
  const properties =
    '{"__proto__":{"admin":true},"constructor":1,"":2,"a.b":3,"big":9007199254740993,"pi":3.14159265358979323846,"tiny":0.1e-999,"emoji":"\\ud83d\\ude00"}'
  const raw = JSON.stringify(rawEvent('a', { event: 'x' })).replace(
    '"event":"x"',
    `"event":"x","properties":${properties}`,
  )
  await outcomes(world, rawBytes(Buffer.from(raw), 'a'))
  const batch = world.log.controls.records('events.enriched', 0)!
  const text = batch.value(0)!.toString()
  expect(text).toContain(
    '"properties":{"__proto__":{"admin":true},"constructor":1,"":2,"a.b":3,"big":9007199254740993,"pi":3.14159265358979323846,"tiny":0.1e-999,"emoji":"😀"}',
  )
  expect(({} as { admin?: boolean }).admin).toBeUndefined()
})

test('a configuration change takes effect between transactions and shows in the recipe', async () => {
  const world = await createWorld()
  await outcomes(
    world,
    rawRecord('a', { event: 'x' }),
    rawRecord('b', { event: 'x' }, { dataset_id: 'gone' }),
  )
  world.control.update({ datasets: [{ ...shop, enrichments: { geo: false } }] })
  await outcomes(
    world,
    rawRecord('c', { event: 'x' }),
    rawRecord('d', { event: 'x' }, { dataset_id: 'gone' }),
  )
  const [a, b, c, d] = world.enriched().map(({ value }) => value.recipe)
  expect(c).not.toBe(a)
  expect(d).toBe(b)
  const receipts = world.receipts()
  expect(receipts[1]!.control_offset).toBeGreaterThan(receipts[0]!.control_offset)
  expect(receipts[1]!.recipe).toBe(receipts[0]!.recipe)
})
