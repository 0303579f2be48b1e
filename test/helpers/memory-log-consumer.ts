import type {
  CommittedPosition,
  GroupConsumer,
  GroupConsumerOptions,
  Position,
  RecordBatch,
  TopicPartition,
} from '../../services/core/kafka/log.ts'
import type { Clock } from '../../services/core/runtime/clock.ts'
import { DependencyError } from '../../services/core/runtime/errors.ts'
import type { Group, Member } from './memory-log-group.ts'
import { type GroupOffsets, keyOf, OVER, readCommitted, type Storage } from './memory-log-storage.ts'

/** How long `committed` waits for an open transaction to end, ms. */
const STABLE_WAIT_MS = 30_000

/** Longest text that may be committed with a position, bytes. */
const METADATA_BYTES_MAX = 1024

/**
 * What becomes of a commit: `failed` is refused and says so; `answer_lost` is stored and rejects with
 * `outcome_unknown`; `refused_silently` resolves and is not stored.
 */
export type CommitFault = 'failed' | 'answer_lost' | 'refused_silently'

export type StaleCommits = 'refused' | 'of_members' | 'of_all'

/** What the consumers of one log share. */
export interface ConsumerWorld {
  readonly storage: Storage
  readonly clock: Clock
  /** Resolves in a later turn. */
  turn(): Promise<void>
  readonly commitFaults: CommitFault[]
  /**
   * Whose commits and positions are taken although the partition is not theirs any more: nobody's, those of members
   * that the group knows, or those of whoever was one.
   */
  acceptStale: StaleCommits
  /** Called as every operation starts; a simulation waits, fails or crashes there. */
  onCall(operation: string): Promise<void>
}

interface Held {
  readonly topic: string
  readonly partition: number
  phase: 'starting' | 'active' | 'leaving' | 'lost'
  paused: boolean
  next: number
  /** Sought before it started. */
  sought: number | null
}

export interface MemoryConsumer extends GroupConsumer {
  /** The group forgets this member; the member itself learns of it at its next poll. */
  expel(): void
  /** A commit that was sent under `membership` arrives. @returns false when the coordinator refuses it */
  commitLate(membership: string, positions: readonly (Position & { readonly metadata: string })[]): boolean
  /** The process that holds it died: it does nothing more of its own, and the group does not know yet. */
  die(): void
  /** @throws DependencyError when the coordinator would refuse this member's position */
  checkMembership(position: TopicPartition): void
  readonly offsets: GroupOffsets
}

export function openMemoryConsumer(
  world: ConsumerWorld,
  group: Group,
  offsets: GroupOffsets,
  options: GroupConsumerOptions,
): MemoryConsumer {
  const { storage, clock } = world
  const held = new Map<string, Held>()
  /** Resolves when a poll that waits has something to look at. */
  let woken = Promise.withResolvers<void>()
  function wake(): void {
    woken.resolve()
    woken = Promise.withResolvers<void>()
  }
  const member: Member = { topics: options.topics, toAssign: new Map(), toRevoke: new Map(), notify: wake }
  const stopListening = storage.listen(options.topics, wake)
  let epoch = 0
  let failure: unknown = null
  let closed = false
  let closing: Promise<void> | null = null
  let rebalancing: Promise<void> = Promise.resolve()
  /** Counts up with every membership, and with every generation in which something changes for this member. */
  let generations = 0
  let isDue = false
  /** Where the next poll begins, so that no partition starves the others. */
  let first = 0

  const ours = (where: TopicPartition) => {
    const partition = held.get(keyOf(where))
    return partition !== undefined && partition.phase !== 'lost' ? partition : null
  }
  function requireOurs(where: TopicPartition): Held {
    const partition = ours(where)
    if (!partition)
      throw new DependencyError(
        'kafka',
        'not_assigned',
        `${where.topic}/${where.partition} is not assigned to this process.`,
      )
    return partition
  }
  function requireOpen(): void {
    if (closed) throw new DependencyError('kafka', 'unavailable', 'The consumer is closed.')
  }

  /** What a poll hears from the coordinator. Callbacks run beside the poll, one after the other. */
  function serveRebalance(): void {
    if (closing) return
    if (generations === 0) {
      generations++
      group.join(member)
    } else if (!group.has(member)) {
      const lost = [...held.values()].filter((partition) => partition.phase !== 'lost')
      if (lost.length > 0) epoch++
      for (const partition of lost) partition.phase = 'lost'
      rebalancing = rebalancing.then(() => revoked(lost.map(plain), true))
      // It joins again as a new member.
      generations++
      group.join(member)
    } else if (isDue) generations++
    isDue = false
    const leaving = [...member.toRevoke.values()].flatMap((where) => {
      const partition = ours(where)
      return partition && partition.phase !== 'leaving' ? [partition] : []
    })
    member.toRevoke.clear()
    if (leaving.length > 0) {
      for (const partition of leaving) partition.phase = 'leaving'
      rebalancing = rebalancing.then(() => revoked(leaving.map(plain), false))
    }
    const coming = [...member.toAssign.values()]
    member.toAssign.clear()
    if (coming.length > 0) generations++
    if (coming.length > 0) rebalancing = rebalancing.then(() => assigned(coming))
  }

  async function assigned(all: readonly TopicPartition[]): Promise<void> {
    // A member that was forgotten and came back before it heard of its partitions gets those it has again only once.
    const partitions = all.filter((each) => group.owns(member, each) && !held.has(keyOf(each)) && !closing)
    if (partitions.length === 0) return
    epoch++
    for (const { topic, partition } of partitions)
      held.set(keyOf({ topic, partition }), {
        topic,
        partition,
        phase: 'starting',
        paused: false,
        next: 0,
        sought: null,
      })
    try {
      const positions = await options.onAssigned(partitions, consumer)
      for (const each of partitions) {
        const start = positions.find((position) => keyOf(position) === keyOf(each))
        if (!start) throw new Error(`onAssigned gave no start for ${each.topic}/${each.partition}.`)
        const partition = ours(each)
        if (partition?.phase !== 'starting') continue
        partition.next = partition.sought ?? start.offset
        partition.phase = 'active'
      }
      wake()
    } catch (error) {
      failure ??= error
      for (const each of partitions) held.delete(keyOf(each))
      void close()
      wake()
    }
  }

  async function revoked(partitions: readonly TopicPartition[], lost: boolean): Promise<void> {
    if (partitions.length === 0) return
    try {
      await options.onRevoked(partitions, lost)
    } catch (error) {
      failure ??= error
    }
    if (!lost) epoch++
    for (const each of partitions) held.delete(keyOf(each))
    if (!lost) {
      generations++
      group.release(member, partitions)
    }
    wake()
  }

  function take(): RecordBatch[] {
    const active = [...held.values()].filter((each) => each.phase === 'active' && !each.paused)
    const batches: RecordBatch[] = []
    let room = options.pollRecordsMax
    for (let n = 0; n < active.length && room > 0; n++) {
      const partition = active[(first + n) % active.length] as Held
      const { batch, next } = readCommitted(storage.findPartition(partition), partition.next, room)
      partition.next = next
      if (!batch) continue
      room -= batch.length
      batches.push(batch)
    }
    first++
    return batches
  }

  function look(): RecordBatch[] {
    if (failure !== null) throw failure
    requireOpen()
    serveRebalance()
    return take()
  }

  async function close(): Promise<void> {
    closing ??= (async () => {
      await rebalancing
      const last = [...held.values()].filter((partition) => partition.phase !== 'lost')
      for (const partition of last) partition.phase = 'leaving'
      await revoked(last.map(plain), false)
      closed = true
      stopListening()
      group.leave(member)
      wake()
    })()
    return closing
  }

  function store(positions: readonly CommittedPosition[]): void {
    for (const position of positions) offsets.committed.set(keyOf(position), position)
  }

  const consumer: MemoryConsumer = {
    offsets,
    get assignmentEpoch() {
      return epoch
    },
    assigned: (partition) => ours(partition) !== null,
    get membership() {
      return generations === 0 || closed ? '' : String(generations)
    },
    renew() {
      isDue = true
      wake()
    },

    async poll() {
      await world.onCall('poll')
      // A network answer never comes in the same turn; without this a loop of polls would starve everything else.
      await world.turn()
      const atOnce = look()
      if (atOnce.length > 0) return atOnce
      const waited = new AbortController()
      let over = false
      const deadline = clock.sleep(options.pollWaitMs, waited.signal).then(() => {
        over = true
      })
      try {
        for (;;) {
          await Promise.race([woken.promise, deadline])
          const batches = look()
          if (batches.length > 0 || over) return batches
        }
      } finally {
        if (!over) waited.abort(OVER)
      }
    },

    pause(partitions) {
      for (const each of partitions) {
        const partition = ours(each)
        if (partition) partition.paused = true
      }
    },
    resume(partitions) {
      for (const each of partitions) {
        const partition = ours(each)
        if (partition) partition.paused = false
      }
      wake()
    },
    async seek(position: Position) {
      await world.onCall('seek')
      const partition = requireOurs(position)
      partition.next = position.offset
      partition.sought = position.offset
      wake()
    },

    async committed(partitions) {
      await world.onCall('committed')
      requireOpen()
      const waited = new AbortController()
      let over = false
      const deadline = clock.sleep(STABLE_WAIT_MS, waited.signal).then(() => {
        over = true
      })
      try {
        while (partitions.some((each) => offsets.pending.has(keyOf(each)))) {
          if (over)
            throw new DependencyError('kafka', 'timeout', 'A transaction holds the position back too long.')
          await Promise.race([storage.whenChanged(), deadline])
        }
      } finally {
        waited.abort(OVER)
      }
      return partitions.map(
        ({ topic, partition }) =>
          offsets.committed.get(keyOf({ topic, partition })) ?? {
            topic,
            partition,
            offset: null,
            metadata: '',
          },
      )
    },

    async commit(positions) {
      await world.onCall('commit')
      requireOpen()
      for (const position of positions) {
        const bytes = Buffer.byteLength(position.metadata)
        if (bytes > METADATA_BYTES_MAX)
          throw new DependencyError('kafka', 'rejected', `Metadata of ${bytes} bytes is too long.`)
        if (world.acceptStale === 'refused') requireOurs(position)
      }
      const copies = positions.map(({ topic, partition, offset, metadata }) => ({
        topic,
        partition,
        offset,
        metadata,
      }))
      const fault = world.commitFaults.shift()
      if (fault === 'refused_silently') return
      if (fault === 'failed')
        throw new DependencyError('kafka', 'outcome_unknown', 'The coordinator did not take the commit.')
      if (world.acceptStale !== 'of_all' && !group.has(member))
        throw new DependencyError('kafka', 'outcome_unknown', 'The coordinator does not know this member.')
      store(copies)
      if (fault === 'answer_lost')
        throw new DependencyError('kafka', 'outcome_unknown', 'The answer to a commit was lost.')
    },

    endOffset(where) {
      return storage.topics.get(where.topic)?.partitions[where.partition]?.next ?? null
    },

    expel() {
      group.leave(member)
    },
    commitLate(membership, positions) {
      if (!group.has(member) || membership !== consumer.membership) return false
      store(positions)
      return true
    },
    die() {
      closing ??= Promise.resolve()
      closed = true
      stopListening()
      wake()
    },
    checkMembership(position) {
      if (world.acceptStale === 'of_all') return
      if (world.acceptStale === 'refused') requireOurs(position)
      if (!group.has(member))
        throw new DependencyError('kafka', 'outcome_unknown', 'The coordinator does not know this member.')
    },
    async close() {
      await close()
    },
  }
  return consumer
}

function plain({ topic, partition }: TopicPartition): TopicPartition {
  return { topic, partition }
}
