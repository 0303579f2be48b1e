import type { Position, TopicPartition } from '../log.ts'

/** What a consumer holds, in which state, and what of it is paused. */
export interface Assignment {
  readonly epoch: number
  /** Ours: from the call of `onAssigned` until `onRevoked` resolved, or until it was lost. */
  has(partition: TopicPartition): boolean
  /** Ours, but nothing is handed out yet. */
  begin(partitions: readonly TopicPartition[]): void
  /** @returns those that were paused before they started */
  activate(partitions: readonly TopicPartition[]): TopicPartition[]
  /** Nothing is handed out any more. Lost partitions are not ours from here on. */
  beginRevocation(partitions: readonly TopicPartition[], lost: boolean): void
  end(partitions: readonly TopicPartition[], lost: boolean): void
  /** Those of `partitions` that were begun and not ended; all of them when left out. */
  held(partitions?: readonly TopicPartition[]): TopicPartition[]
  /** Ours, and its records are handed out. */
  isActive(partition: TopicPartition): boolean
  /** Remembered for those that have not started yet. */
  setPaused(partitions: readonly TopicPartition[], paused: boolean): void
  /** Remembered for one that has not started yet: it starts there. */
  setStart(position: Position): void
  /** Where it starts that `onAssigned` gave this start: there, unless it was sought elsewhere meanwhile. */
  startOf(given: Position): Position
}

interface Partition {
  readonly topic: string
  readonly partition: number
  phase: 'starting' | 'active' | 'leaving' | 'lost'
  paused: boolean
  /** Sought before it started. */
  sought: number | null
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
          sought: null,
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
      }
    },
    end(which, lost) {
      if (!lost) epoch++
      for (const each of which) partitions.delete(keyOf(each))
    },
    held: (which = [...partitions.values()]) => [...found(which)].map(plain),
    isActive: (which) => find(which)?.phase === 'active',
    setPaused(which, paused) {
      for (const partition of found(which)) partition.paused = paused
    },
    setStart(position) {
      const partition = find(position)
      if (partition?.phase === 'starting') partition.sought = position.offset
    },
    startOf: (given) => ({ ...given, offset: find(given)?.sought ?? given.offset }),
  }
}

function keyOf({ topic, partition }: TopicPartition): string {
  return `${partition}:${topic}`
}

function plain({ topic, partition }: TopicPartition): TopicPartition {
  return { topic, partition }
}
