import fc from 'fast-check'
import { expect, test } from 'vitest'
import { WireWriter } from '../../../../services/core/kafka/wire/codec.ts'
import {
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
} from '../../../../services/core/kafka/wire/group-protocol.ts'

const partitions = fc
  .uniqueArray(fc.tuple(fc.constantFrom('a', 'topic-ü', 'c.d'), fc.nat(20)), {
    selector: (each) => each.join(),
  })
  .map((each) =>
    each.map(([topic, partition]) => ({ topic, partition })).sort((x, y) => x.topic.localeCompare(y.topic)),
  )

test('subscriptions and assignments are read as they were written', () => {
  fc.assert(
    fc.property(
      fc.array(fc.string()),
      partitions,
      fc.integer({ min: -1, max: 1e9 }),
      (topics, owned, generationId) => {
        expect(decodeSubscription(encodeSubscription({ topics, owned, generationId }))).toEqual({
          topics,
          owned,
          generationId,
        })
        expect(decodeAssignment(encodeAssignment(owned))).toEqual(owned)
      },
    ),
  )
})

test('members that speak earlier versions, or later ones with data of their own, are understood', () => {
  const oldest = new WireWriter().int16(0).int32(1).shortString('a').int32(-1).written
  expect(decodeSubscription(oldest)).toEqual({ topics: ['a'], owned: [], generationId: -1 })
  const second = new WireWriter().int16(1).int32(1).shortString('a').int32(4).int32(7)
  second.int32(1).shortString('a').int32(1).int32(5)
  expect(decodeSubscription(second.written)).toEqual({
    topics: ['a'],
    owned: [{ topic: 'a', partition: 5 }],
    generationId: -1,
  })
  const rack = Buffer.concat([
    encodeSubscription({ topics: ['a'], owned: [], generationId: 9 }),
    Buffer.from('..'),
  ])
  rack.writeInt16BE(3, 0)
  expect(decodeSubscription(rack)).toEqual({ topics: ['a'], owned: [], generationId: 9 })
})

test('no bytes at all are an empty assignment', () => {
  expect(decodeAssignment(Buffer.alloc(0))).toEqual([])
})
