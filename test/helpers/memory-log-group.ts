import type { TopicPartition } from '../../services/core/kafka/log.ts'
import { keyOf, type Storage } from './memory-log-storage.ts'

/** A consumer as its group knows it. */
export interface Member {
  readonly topics: readonly string[]
  /** Asked to give these up; theirs until `release`. */
  readonly toRevoke: Map<string, TopicPartition>
  /** Given to it, not started yet. */
  readonly toAssign: Map<string, TopicPartition>
  /** Told that the group has something to say to it. */
  readonly notify: () => void
}

/**
 * The coordinator's side of one group: who is in it and who owns what. Cooperative: a rebalance asks owners to give
 * up only what moves, and what moves is given on after its owner released it. Members and partitions are taken in a
 * fixed order, so the same joins and leaves make the same assignment.
 */
export function createGroup(storage: Storage) {
  const members: Member[] = []
  const owners = new Map<string, Member>()
  let generation = 0

  function allPartitions(): TopicPartition[] {
    const names = [...new Set(members.flatMap((member) => member.topics))].sort()
    return names.flatMap((topic) =>
      (storage.topics.get(topic)?.partitions ?? []).map(({ partition }) => ({ topic, partition })),
    )
  }

  /** Balanced to within one partition, owners keep as many as their share allows. */
  function target(): Map<string, Member> {
    const goal = new Map<string, Member>()
    const counts = new Map(members.map((member) => [member, 0]))
    const partitions = allPartitions()
    const share = Math.floor(partitions.length / members.length)
    let larger = partitions.length % members.length
    const give = (key: string, member: Member) => {
      goal.set(key, member)
      counts.set(member, (counts.get(member) ?? 0) + 1)
    }
    for (const partition of partitions) {
      const owner = owners.get(keyOf(partition))
      if (!owner || !members.includes(owner)) continue
      const count = counts.get(owner) ?? 0
      if (count < share) give(keyOf(partition), owner)
      else if (count === share && larger > 0) {
        larger--
        give(keyOf(partition), owner)
      }
    }
    for (const partition of partitions) {
      if (goal.has(keyOf(partition))) continue
      const able = members.filter((member) => member.topics.includes(partition.topic))
      const least = able.reduce<Member | null>(
        (best, member) =>
          best === null || (counts.get(member) ?? 0) < (counts.get(best) ?? 0) ? member : best,
        null,
      )
      if (least) give(keyOf(partition), least)
    }
    return goal
  }

  function rebalance(): void {
    if (members.length === 0) return
    const goal = target()
    for (const partition of allPartitions()) {
      const key = keyOf(partition)
      const [owner, next] = [owners.get(key), goal.get(key)]
      if (!next || owner === next) {
        if (owner) owner.toRevoke.delete(key)
        continue
      }
      if (owner?.toAssign.delete(key)) owners.delete(key)
      if (owners.has(key)) owner?.toRevoke.set(key, partition)
      else {
        owners.set(key, next)
        next.toAssign.set(key, partition)
      }
    }
    for (const member of members) member.notify()
  }

  return {
    get generation() {
      return generation
    },
    has: (member: Member) => members.includes(member),
    owns: (member: Member, partition: TopicPartition) => owners.get(keyOf(partition)) === member,
    rebalance,
    join(member: Member): void {
      generation++
      members.push(member)
      rebalance()
    },
    /** Its partitions go to the others at once. */
    leave(member: Member): void {
      const index = members.indexOf(member)
      if (index < 0) return
      generation++
      members.splice(index, 1)
      for (const [key, owner] of owners) if (owner === member) owners.delete(key)
      member.toAssign.clear()
      member.toRevoke.clear()
      rebalance()
      member.notify()
    },
    release(member: Member, partitions: readonly TopicPartition[]): void {
      for (const partition of partitions)
        if (owners.get(keyOf(partition)) === member) owners.delete(keyOf(partition))
      rebalance()
    },
  }
}

export type Group = ReturnType<typeof createGroup>
