import type { CommittedPosition, Position, TopicPartition } from '../log.ts'
import { APIS, type Api } from './apis.ts'
import type { Cluster } from './cluster.ts'
import { type WireReader, WireWriter } from './codec.ts'
import type { GroupMembership } from './group-membership.ts'
import { committedPositions, committedRequest, writePositions } from './offset-codec.ts'
import { partitionCodes } from './partition-codes.ts'

const PROTOCOL_TYPE = 'consumer'

export interface JoinAnswer {
  readonly code: number
  readonly generationId: number
  readonly leaderId: string
  readonly memberId: string
  /** Everybody's subscription; empty for all but the leader. */
  readonly members: readonly { readonly memberId: string; readonly metadata: Buffer }[]
}

export interface JoinRequest {
  readonly memberId: string
  readonly sessionTimeoutMs: number
  readonly rebalanceTimeoutMs: number
  readonly protocol: string
  readonly metadata: Buffer
}

/** The broker that keeps a group, in the requests a member makes. Refusals are codes, not errors. */
export interface GroupCoordinator {
  /** Waits until every member joined, on a connection of its own: brokers answer in the order asked. */
  join(request: JoinRequest): Promise<JoinAnswer>
  /** Waits for the leader. @param assignments the leader's work; empty from everybody else */
  sync(
    membership: GroupMembership,
    assignments: ReadonlyMap<string, Buffer>,
    timeoutMs: number,
  ): Promise<{ readonly code: number; readonly assignment: Buffer }>
  heartbeat(membership: GroupMembership, timeoutMs: number): Promise<number>
  leave(membership: GroupMembership): Promise<void>
  /** @returns the first refusal, or 0 */
  commit(
    membership: GroupMembership,
    positions: readonly (Position & { readonly metadata: string })[],
  ): Promise<number>
  /** Stable positions. @throws BrokerError, with UNSTABLE_OFFSET_COMMIT while a transaction over one is under way */
  committed(partitions: readonly TopicPartition[]): Promise<readonly CommittedPosition[]>
  /** How many partitions each of these topics has; topics that are not there are left out. */
  partitionCounts(topics: readonly string[]): Promise<ReadonlyMap<string, number>>
  /** The next request asks who coordinates the group. */
  forget(): void
  close(): void
}

/**
 * @param joins a client for joining alone, since what waits there for other members would hold up heartbeats
 * @throws DependencyError from every request: `unavailable` or `timeout` when it was not answered
 */
export function openGroupCoordinator(
  cluster: Cluster,
  joins: Cluster,
  groupId: string,
  instanceId: string | null,
): GroupCoordinator {
  const known = new Map<Cluster, Promise<number>>()

  async function ask(through: Cluster, api: Api, body: WireWriter, timeoutMs?: number): Promise<WireReader> {
    let finding = known.get(through)
    if (!finding) {
      finding = through.coordinator(groupId)
      known.set(through, finding)
      finding.catch(() => known.delete(through))
    }
    const answer = await through.ask(await finding, api, body, timeoutMs)
    if (api.key !== APIS.offsetFetch.key) answer.int32() // throttle time
    return answer
  }

  return {
    async join({ memberId, sessionTimeoutMs, rebalanceTimeoutMs, protocol, metadata }) {
      const body = new WireWriter(512).string(groupId).int32(sessionTimeoutMs).int32(rebalanceTimeoutMs)
      body.string(memberId).string(instanceId).string(PROTOCOL_TYPE)
      body.array([protocol], (name) => body.string(name).bytes(metadata).noTags()).noTags()
      const answer = await ask(joins, APIS.joinGroup, body, rebalanceTimeoutMs + JOIN_MARGIN_MS)
      const code = answer.int16()
      const generationId = answer.int32()
      answer.nullableString() // protocol type
      answer.nullableString() // protocol
      const leaderId = answer.string()
      const ownId = answer.string()
      const members = answer.array(() => {
        const member = answer.string()
        answer.nullableString() // instance id
        const subscription = answer.bytesView()
        answer.tags()
        return { memberId: member, metadata: subscription }
      })
      return { code, generationId, leaderId, memberId: ownId, members }
    },

    async sync({ generationId, memberId }, assignments, timeoutMs) {
      const body = new WireWriter(512).string(groupId).int32(generationId).string(memberId).string(instanceId)
      body.array([...assignments], ([member, bytes]) => body.string(member).bytes(bytes).noTags()).noTags()
      const answer = await ask(joins, APIS.syncGroup, body, timeoutMs)
      return { code: answer.int16(), assignment: answer.bytesView() }
    },

    async heartbeat({ generationId, memberId }, timeoutMs) {
      const body = new WireWriter().string(groupId).int32(generationId).string(memberId).string(instanceId)
      return (await ask(cluster, APIS.heartbeat, body.noTags(), timeoutMs)).int16()
    },

    async leave({ memberId }) {
      const body = new WireWriter().string(groupId)
      body.array([memberId], (member) => body.string(member).string(instanceId).noTags()).noTags()
      await ask(cluster, APIS.leaveGroup, body)
    },

    async commit({ generationId, memberId }, positions) {
      const body = new WireWriter(512).string(groupId).int32(generationId).string(memberId).string(instanceId)
      writePositions(body, positions)
      const answer = await ask(cluster, APIS.offsetCommit, body.noTags())
      return partitionCodes(answer).find((code) => code !== 0) ?? 0
    },

    async committed(partitions) {
      const body = committedRequest(groupId, partitions, true)
      return committedPositions(await ask(cluster, APIS.offsetFetch, body), partitions)
    },

    async partitionCounts(topics) {
      const described = await cluster.metadata(topics)
      return new Map(
        described
          .filter(({ leaders }) => leaders.length > 0)
          .map(({ topic, leaders }) => [topic, leaders.length]),
      )
    },

    forget: () => known.clear(),
    close() {
      cluster.close()
      joins.close()
    },
  }
}

/** How much longer than the slowest member may take an answer to a join is waited for, ms. */
const JOIN_MARGIN_MS = 10_000
