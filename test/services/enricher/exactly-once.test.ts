import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ENRICHER_FAIL_POINTS } from '../../../services/enricher/fail-points.ts'
import { createWorld, rawBytes, rawRecord } from './enricher-world.ts'

/**
 * Random raw partitions, random kills, random changes of the configuration; an oracle that reads nothing but the
 * inputs says what must come out.
 */
type Step =
  | { readonly kind: 'event'; readonly id: number; readonly payload: number }
  | { readonly kind: 'bad'; readonly id: number; readonly payload: number }
  | { readonly kind: 'undecodable' }
  | { readonly kind: 'control' }
  | { readonly kind: 'kill'; readonly operation: string; readonly calls: number }
  | { readonly kind: 'unknown'; readonly fault: 'failed' | 'answer_lost' }

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ kind: fc.constant('event' as const), id: fc.nat(6), payload: fc.nat(1) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('bad' as const), id: fc.nat(6), payload: fc.nat(1) }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'undecodable' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'control' as const }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('kill' as const),
      operation: fc.constantFrom(
        'openTransactionalProducer',
        'committed',
        'read',
        'begin',
        'send',
        'sendOffset',
        'commitTransaction',
      ),
      calls: fc.integer({ min: 1, max: 8 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('unknown' as const),
      fault: fc.constantFrom('failed' as const, 'answer_lost' as const),
    }),
  },
)

test('whatever is killed wherever, every event comes out exactly once and every offset is accounted for', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(step, { maxLength: 12 }), { maxLength: 5 }), async (rounds) => {
      const world = await createWorld({ limits: { batchRowsMax: 3 } })
      /** Accepted payload by id; refused (id, payload); what must come out. */
      const accepted = new Map<number, number>()
      const refused = new Set<string>()
      const expected = {
        enriched: [] as string[],
        rejected: [] as string[],
        duplicate: 0,
        control: 0,
        offsets: 0,
      }
      for (const round of rounds) {
        for (const each of round) {
          switch (each.kind) {
            case 'kill':
            case 'unknown':
              continue
            case 'control':
              await world.sendControl()
              expected.control += 2
              expected.offsets += 2
              continue
            case 'undecodable':
              await world.send(rawBytes(Buffer.from('{'), 'unreadable'))
              expected.rejected.push('unreadable undecodable')
              expected.offsets++
              continue
          }
          const { id, payload } = each
          const bad = each.kind === 'bad'
          const properties = { payload }
          const event = bad ? { event: 'x', user_id: 1, properties } : { event: 'x', properties }
          await world.send(rawRecord(`${id}`, event))
          expected.offsets++
          const place = `${id}/${payload}/${bad}`
          const same = !bad && accepted.get(id) === payload
          if (same || refused.has(place)) expected.duplicate++
          else if (bad) {
            refused.add(place)
            expected.rejected.push(`${id} invalid_type`)
          } else if (accepted.has(id)) {
            refused.add(place)
            expected.rejected.push(`${id} id_conflict`)
          } else {
            accepted.set(id, payload)
            expected.enriched.push(`${id} ${payload}`)
          }
        }
        for (const each of round) {
          if (each.kind === 'kill') world.killAt(each.operation, each.calls)
          if (each.kind === 'unknown') world.log.controls.transactionCommitFaults.push(each.fault)
        }
        await world.drainWithRestarts()
        world.killAt('nothing')
        world.log.controls.transactionCommitFaults.length = 0
      }

      expect(world.enriched().map(({ value }) => `${value.event_id} ${value.properties.payload}`)).toEqual(
        expected.enriched,
      )
      expect(world.rejected().map(({ value }) => `${value.event_id} ${value.code}`)).toEqual(
        expected.rejected,
      )
      const receipts = world.receipts()
      receipts.forEach((receipt, index) => {
        expect(receipt.from).toBe(index === 0 ? 0 : receipts[index - 1]!.to + 1)
        expect(receipt.enriched + receipt.rejected + receipt.duplicate + receipt.control).toBe(
          receipt.to - receipt.from + 1,
        )
      })
      const total = (what: 'enriched' | 'rejected' | 'duplicate' | 'control') =>
        receipts.reduce((sum, receipt) => sum + receipt[what], 0)
      // A marker at the very end is covered once a record follows it.
      const open = expected.offsets - ((receipts.at(-1)?.to ?? -1) + 1)
      expect(total('enriched')).toBe(expected.enriched.length)
      expect(total('rejected')).toBe(expected.rejected.length)
      expect(total('duplicate')).toBe(expected.duplicate)
      expect(total('control') + open).toBe(expected.control)
    }),
    { numRuns: 100 },
  )
})

test('a fifth of the events sent again, in any order, leaves no duplicate', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(99), { minLength: 20, maxLength: 60 }), async (again) => {
      const world = await createWorld({ limits: { batchRowsMax: 50 } })
      const send = (id: number) => world.send(rawRecord(`e${id}`, { event: 'x', properties: { id } }))
      for (let id = 0; id < 100; id++) await send(id)
      const owner = await world.join()
      await owner.turn()
      for (const id of again) await send(id)
      await owner.drain()
      expect(world.enriched()).toHaveLength(100)
      const duplicates = world.receipts().reduce((sum, receipt) => sum + receipt.duplicate, 0)
      expect(duplicates).toBe(again.length)
    }),
    { numRuns: 10 },
  )
})

for (const point of ENRICHER_FAIL_POINTS) {
  test(`a process that dies at ${point} is followed by one that leaves every event once`, async () => {
    const world = await createWorld({ limits: { batchRowsMax: 2 } })
    for (let id = 0; id < 6; id++) await world.send(rawRecord(`e${id}`, { event: 'view' }))
    let deaths = 0
    const dying = {
      ...world.environment(),
      failPoint: (name: string) => {
        if (name !== point) return
        deaths++
        throw new Error(`killed at ${name}`)
      },
    }
    const first = await world.join(dying)
    await expect(first.drain()).rejects.toThrow(`killed at ${point}`)
    first.vanish()
    expect(deaths).toBe(1)
    await world.drainWithRestarts()
    expect(world.enriched().map(({ value }) => value.event_id)).toEqual(['e0', 'e1', 'e2', 'e3', 'e4', 'e5'])
  })
}
