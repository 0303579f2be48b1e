import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { TopicPartition } from '../../../../services/core/kafka/log.ts'
import { type AssignorMember, assignPartitions } from '../../../../services/core/kafka/wire/group-assignor.ts'

const keyOf = ({ topic, partition }: TopicPartition) => `${topic}/${partition}`
const TOPICS = ['a', 'b', 'c']

/** Members by number, each with some of the topics, and how many partitions the topics have. */
const groups = fc.record({
  members: fc.uniqueArray(
    fc.record({
      memberId: fc.integer({ min: 0, max: 30 }).map((n) => `member-${n}`),
      topics: fc.subarray(TOPICS, { minLength: 1 }),
    }),
    { selector: ({ memberId }) => memberId, minLength: 1, maxLength: 8 },
  ),
  counts: fc.tuple(fc.nat(13), fc.nat(13), fc.nat(13)),
})
const countsOf = (counts: readonly number[]) =>
  new Map(TOPICS.map((topic, n) => [topic, counts[n] as number]))

type Assigned = ReadonlyMap<string, readonly TopicPartition[]>

/** The members as they join again: each with what it was given. */
function rejoined(
  members: readonly Omit<AssignorMember, 'owned' | 'generationId'>[],
  given: Assigned,
  generationId: number,
) {
  return members.map((member) => {
    const owned = given.get(member.memberId) ?? []
    return { ...member, owned, generationId: owned.length > 0 ? generationId : -1 }
  })
}
function ownersOf(assigned: Assigned): Map<string, string> {
  const owners = new Map<string, string>()
  for (const [memberId, partitions] of assigned)
    for (const each of partitions) {
      expect(owners.has(keyOf(each))).toBe(false)
      owners.set(keyOf(each), memberId)
    }
  return owners
}
/** Generations until nothing moves any more. */
function settle(
  members: readonly Omit<AssignorMember, 'owned' | 'generationId'>[],
  counts: ReadonlyMap<string, number>,
  from: Assigned,
) {
  let given = from
  for (let generation = 1; generation < 8; generation++) {
    const holders = ownersOf(given)
    const next = assignPartitions(rejoined(members, given, generation), counts)
    // Whoever is given a partition has it already, or nobody does.
    for (const [key, owner] of ownersOf(next))
      if (holders.has(key) && members.some(({ memberId }) => memberId === holders.get(key)))
        expect(owner).toBe(holders.get(key))
    if (JSON.stringify([...next]) === JSON.stringify([...given])) return next
    given = next
  }
  throw new Error('It never came to rest.')
}

test('every partition of a topic that anyone wants has one owner who wants it, and nobody has two more than his like', () => {
  fc.assert(
    fc.property(groups, ({ members, counts }) => {
      const partitions = countsOf(counts)
      const assigned = settle(members, partitions, new Map())
      const owners = ownersOf(assigned)
      for (const topic of TOPICS)
        for (let partition = 0; partition < (partitions.get(topic) as number); partition++) {
          const owner = members.find(({ memberId }) => memberId === owners.get(`${topic}/${partition}`))
          if (members.some(({ topics }) => topics.includes(topic))) expect(owner?.topics).toContain(topic)
          else expect(owner).toBeUndefined()
        }
      for (const [, alike] of Map.groupBy(members, ({ topics }) => topics.join())) {
        const sizes = alike.map(({ memberId }) => assigned.get(memberId)?.length as number)
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1)
      }
    }),
  )
})

test('a partition that changes hands is given up in one generation and handed out in a later one', () => {
  fc.assert(
    fc.property(groups, groups, ({ members, counts }, later) => {
      const before = settle(members, countsOf(counts), new Map())
      const left = new Map(
        [...before].filter(([id]) => later.members.some(({ memberId }) => memberId === id)),
      )
      // `settle` checks that nobody is given what another still holds.
      settle(later.members, countsOf(counts), left)
    }),
  )
})

test('nothing moves when nothing changed, and a newcomer takes no more than his share', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 8 }), fc.nat(40), (size, partitions) => {
      const counts = new Map([['a', partitions]])
      const members = Array.from({ length: size }, (_, n) => ({ memberId: `member-${n}`, topics: ['a'] }))
      const before = settle(members, counts, new Map())
      expect(assignPartitions(rejoined(members, before, 1), counts)).toEqual(before)
      const after = settle([...members, { memberId: 'newcomer', topics: ['a'] }], counts, before)
      const [was, is] = [ownersOf(before), ownersOf(after)]
      const moved = [...is].filter(([key, owner]) => was.get(key) !== owner)
      expect(moved.every(([, owner]) => owner === 'newcomer')).toBe(true)
      expect(moved.length).toBe(Math.floor(partitions / (size + 1)))
    }),
  )
})

test('the order in which members are listed changes nothing', () => {
  fc.assert(
    fc.property(groups, fc.nat(), ({ members, counts }, seed) => {
      const joined = rejoined(members, settle(members, countsOf(counts), new Map()), 3)
      const shuffled = joined
        .map((member, n) => ({ member, at: (n * 7919 + seed) % 101 }))
        .sort((a, b) => a.at - b.at)
      const again = assignPartitions(
        shuffled.map(({ member }) => member),
        countsOf(counts),
      )
      expect(Object.fromEntries(again)).toEqual(
        Object.fromEntries(assignPartitions(joined, countsOf(counts))),
      )
    }),
  )
})

test('of two who say they hold a partition the one of the later generation does', () => {
  const owned = [{ topic: 'a', partition: 0 }]
  const members = [
    { memberId: 'late', topics: ['a'], owned, generationId: 3 },
    { memberId: 'owner', topics: ['a'], owned, generationId: 4 },
  ]
  const assigned = assignPartitions(members, new Map([['a', 1]]))
  expect([assigned.get('owner'), assigned.get('late')]).toEqual([owned, []])
})
