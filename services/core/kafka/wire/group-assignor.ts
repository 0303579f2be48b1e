import type { TopicPartition } from '../log.ts'
import type { Subscription } from './group-protocol.ts'

/** The standard name: what moves and when is the same, so members on other clients may share a group. */
export const ASSIGNOR = 'cooperative-sticky'

export interface AssignorMember extends Subscription {
  readonly memberId: string
}

interface Seat {
  readonly member: AssignorMember
  readonly topics: ReadonlySet<string>
  /** Keys of what it says it holds. */
  readonly claims: ReadonlySet<string>
  count: number
}

interface Place extends TopicPartition {
  readonly key: string
  /** Who may hold it, in the order of member ids. */
  readonly eligible: readonly Seat[]
  owner: Seat | null
}

/**
 * Spreads the partitions of a group's topics over its members, as the leader of a generation does.
 *
 * Everybody keeps what he holds as far as the balance allows: a partition moves only to a member with at least two
 * fewer, so members of the same topics end within one partition of each other. A partition that somebody else still
 * holds is given to nobody this time: its holder sees it missing, gives it up and joins again without it, and the next
 * generation hands it out (KIP-429). Depends on nothing but its arguments, and not on the order of the members.
 *
 * @param partitionCounts of the topics that are there; others are nobody's
 * @returns for each member what it has from now on, in the order of topic and partition
 */
export function assignPartitions(
  members: readonly AssignorMember[],
  partitionCounts: ReadonlyMap<string, number>,
): ReadonlyMap<string, readonly TopicPartition[]> {
  const seats = members
    .toSorted((a, b) => compare(a.memberId, b.memberId))
    .map(
      (member): Seat => ({
        member,
        topics: new Set(member.topics),
        claims: new Set(member.owned.map(keyOf)),
        count: 0,
      }),
    )
  const places = placesOf(seats, partitionCounts)
  keepHeld(places)
  fillFree(places)
  balance(places)
  const result = new Map(seats.map(({ member }) => [member.memberId, [] as TopicPartition[]]))
  for (const { topic, partition, key, owner, eligible } of places) {
    if (owner === null) continue
    const isHeldElsewhere = !owner.claims.has(key) && seats.some((seat) => seat.claims.has(key))
    if (!isHeldElsewhere && eligible.length > 0) result.get(owner.member.memberId)?.push({ topic, partition })
  }
  return result
}

function placesOf(seats: readonly Seat[], partitionCounts: ReadonlyMap<string, number>): Place[] {
  const topics = [...partitionCounts.keys()].toSorted(compare)
  return topics.flatMap((topic) => {
    const eligible = seats.filter((seat) => seat.topics.has(topic))
    return Array.from({ length: partitionCounts.get(topic) as number }, (_, partition) => ({
      topic,
      partition,
      key: keyOf({ topic, partition }),
      eligible,
      owner: null,
    }))
  })
}

/** Of several who say they hold it the one of the latest generation does: the others missed a rebalance. */
function keepHeld(places: readonly Place[]): void {
  for (const place of places) {
    const holders = place.eligible.filter((seat) => seat.claims.has(place.key))
    const latest = Math.max(...holders.map((seat) => seat.member.generationId))
    give(place, holders.find((seat) => seat.member.generationId === latest) ?? null)
  }
}

function fillFree(places: readonly Place[]): void {
  const free = places.filter(({ owner }) => owner === null)
  // Who has the least choice goes first.
  for (const place of free.toSorted((a, b) => a.eligible.length - b.eligible.length))
    give(place, emptiest(place))
}

/** Ends because every move makes the sum of the squared counts smaller. */
function balance(places: readonly Place[]): void {
  for (let isMoving = true; isMoving; ) {
    isMoving = false
    for (const place of places) {
      const target = emptiest(place)
      if (target === null || place.owner === null || target.count + 1 >= place.owner.count) continue
      give(place, target)
      isMoving = true
    }
  }
}

function emptiest({ eligible }: Place): Seat | null {
  let found: Seat | null = null
  for (const seat of eligible) if (found === null || seat.count < found.count) found = seat
  return found
}

function give(place: Place, seat: Seat | null): void {
  if (place.owner) place.owner.count--
  if (seat) seat.count++
  place.owner = seat
}

function keyOf({ topic, partition }: TopicPartition): string {
  return `${partition}:${topic}`
}

/** By code units, the same in every locale. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
