import type { GroupConsumer } from '../log.ts'

/** Who speaks in a group: goes with every position that is committed, so that the coordinator can refuse the late. */
export interface GroupMembership {
  readonly groupId: string
  readonly memberId: string
  readonly generationId: number
  /** The static member's name; null for a member that is known by its member id alone. */
  readonly instanceId: string | null
}

/** How the consumer's side answers. */
export interface MembershipSource {
  /** Null while it is no member: never joined, left, or forgotten by the group. */
  current(): GroupMembership | null
  /** See {@link settledMembership}. */
  settled(stale: GroupMembership): Promise<GroupMembership | null>
}

const sources = new WeakMap<GroupConsumer, MembershipSource>()

export function registerMembership(consumer: GroupConsumer, source: MembershipSource): void {
  sources.set(consumer, source)
}

/** The consumer's membership by now; null when it is none, or no consumer of a group on this client. */
export function membershipOf(consumer: GroupConsumer): GroupMembership | null {
  return sources.get(consumer)?.current() ?? null
}

/**
 * For whoever was refused with ILLEGAL_GENERATION or REBALANCE_IN_PROGRESS: the group may have moved on to a generation
 * that this member is part of and had not heard of yet. Waits until the rebalance under way is over, but not for a join
 * that waits for callbacks itself.
 *
 * @returns the membership to try again with, or null when the member is out, or was refused for the generation it has
 */
export async function settledMembership(
  consumer: GroupConsumer,
  stale: GroupMembership,
): Promise<GroupMembership | null> {
  return (await sources.get(consumer)?.settled(stale)) ?? null
}
