import type { Message } from '@confluentinc/kafka-javascript'
import type { Position, TopicPartition } from './log.ts'

/**
 * What a consumer holds: which partitions are its own, in which state, and the records that were fetched but not
 * handed out yet. Records fetched before a seek, a pause or a revocation pass through here and stop here.
 */
export interface Assignment {
  readonly epoch: number
  /** Ours: from the call of `onAssigned` until `onRevoked` resolved, or until it was lost. */
  has(partition: TopicPartition): boolean
  /** Ours, but nothing is handed out yet. */
  begin(partitions: readonly TopicPartition[]): void
  /** @returns those that were paused before they started: the native client has yet to hear of it */
  activate(partitions: readonly TopicPartition[]): TopicPartition[]
  /** Nothing is handed out any more. Lost partitions are not ours from here on. */
  beginRevocation(partitions: readonly TopicPartition[], lost: boolean): void
  end(partitions: readonly TopicPartition[], lost: boolean): void
  /** Those of `partitions` that were begun and not ended; all of them when left out. */
  held(partitions?: readonly TopicPartition[]): TopicPartition[]
  /** Keeps fetched records for `take`, dropping those of partitions that are not active or are being moved. */
  add(messages: readonly Message[]): void
  /** Up to `recordsMax` records in all, in one list per partition; none of a paused partition. */
  take(recordsMax: number): (readonly Message[])[]
  /** @returns active ones that were not paused before */
  pause(partitions: readonly TopicPartition[]): TopicPartition[]
  /** @returns started ones that were paused before */
  resume(partitions: readonly TopicPartition[]): TopicPartition[]
  /** Drops what was fetched and what still comes until the returned function is called; null when it is not ours. */
  beginSeek(position: Position): (() => void) | null
}

interface Partition {
  readonly topic: string
  readonly partition: number
  phase: 'starting' | 'active' | 'leaving' | 'lost'
  paused: boolean
  /** Seeks under way. */
  seeking: number
  fetched: Message[]
}

export function createAssignment(): Assignment {
  const partitions = new Map<string, Partition>()
  let epoch = 0

  const find = (which: TopicPartition) => partitions.get(keyOf(which))
  function* found(which: readonly TopicPartition[]) {
    for (const each of which) {
      const partition = find(each)
      if (partition) yield partition
    }
  }

  return {
    get epoch() {
      return epoch
    },
    has(which) {
      const partition = find(which)
      return partition !== undefined && partition.phase !== 'lost'
    },
    begin(which) {
      epoch++
      for (const { topic, partition } of which)
        partitions.set(keyOf({ topic, partition }), {
          topic,
          partition,
          phase: 'starting',
          paused: false,
          seeking: 0,
          fetched: [],
        })
    },
    activate(which) {
      const started = [...found(which)].filter((partition) => partition.phase === 'starting')
      for (const partition of started) partition.phase = 'active'
      return started.filter((partition) => partition.paused).map(plain)
    },
    beginRevocation(which, lost) {
      if (lost) epoch++
      for (const partition of found(which)) {
        partition.phase = lost ? 'lost' : 'leaving'
        partition.fetched = []
      }
    },
    end(which, lost) {
      if (!lost) epoch++
      for (const each of which) partitions.delete(keyOf(each))
    },
    held: (which = [...partitions.values()]) => [...found(which)].map(plain),
    add(messages) {
      let partition: Partition | undefined
      for (const message of messages) {
        if (partition?.partition !== message.partition || partition.topic !== message.topic)
          partition = find(message)
        if (partition?.phase === 'active' && partition.seeking === 0) partition.fetched.push(message)
      }
    },
    take(recordsMax) {
      const taken: (readonly Message[])[] = []
      let room = recordsMax
      for (const partition of partitions.values()) {
        if (room === 0) break
        if (partition.paused || partition.fetched.length === 0) continue
        const part = partition.fetched.length <= room ? partition.fetched : partition.fetched.slice(0, room)
        partition.fetched = partition.fetched.slice(part.length)
        room -= part.length
        taken.push(part)
      }
      return taken
    },
    pause(which) {
      const changed = [...found(which)].filter((partition) => !partition.paused)
      for (const partition of changed) partition.paused = true
      return changed.filter((partition) => partition.phase === 'active').map(plain)
    },
    resume(which) {
      const changed = [...found(which)].filter((partition) => partition.paused)
      for (const partition of changed) partition.paused = false
      return changed.filter((partition) => partition.phase !== 'starting').map(plain)
    },
    beginSeek(position) {
      const partition = find(position)
      if (!partition || partition.phase === 'lost') return null
      partition.seeking++
      partition.fetched = []
      return () => {
        partition.seeking--
      }
    },
  }
}

function keyOf({ topic, partition }: TopicPartition): string {
  return `${partition}:${topic}`
}

function plain({ topic, partition }: TopicPartition): TopicPartition {
  return { topic, partition }
}
