import type { CommittedPosition, Log, Position } from '../../core/kafka/log.ts'
import { isDependencyError } from '../../core/runtime/errors.ts'

/** A consuming stage, as the broker knows it. */
export interface Consumption {
  /** As shown to people: `s3-sink shop-purchases`. */
  readonly name: string
  readonly group: string
  readonly topic: string
}

export interface Lag {
  readonly name: string
  /** Offsets not yet committed, all partitions together; transaction markers among them. */
  readonly offsets: number
}

/** How far a consumer is behind the end of its topic. Cheap: two requests. */
export async function lagOf(log: Log, consumption: Consumption): Promise<Lag> {
  const { partitions } = await progressOf(log, consumption)
  return {
    name: consumption.name,
    offsets: partitions.reduce((sum, { offset, end }) => sum + end - offset, 0),
  }
}

/**
 * Whether a consumer has committed past every record of its topic. Transaction markers take offsets and are never
 * handed out, so an offset behind the end is looked into: is there a record between, or only markers?
 *
 * @param idleMs how long to wait for a record that may be there
 */
export async function isDrained(log: Log, consumption: Consumption, idleMs: number): Promise<boolean> {
  const { partitions, isStable } = await progressOf(log, consumption)
  if (!isStable) return false
  const behind = partitions.filter(({ offset, end }) => offset < end)
  if (behind.length === 0) return true
  const reader = await log.openReader(behind)
  try {
    // A reader hands out records, or says that it has passed the end without any.
    while (behind.some((each) => reader.position(each) < each.end)) {
      const batches = await reader.read(idleMs)
      if (batches.length > 0) return false
    }
    return true
  } finally {
    await reader.close()
  }
}

export interface ConsumerProgress {
  /** Where the consumer goes on in each partition, and where that ends. */
  readonly partitions: readonly (Position & { readonly end: number })[]
  /** False while the broker does not tell where the consumer stands; it then counts as standing at the beginning. */
  readonly isStable: boolean
}

/** Where a consumer stands in each partition of its topic. */
export async function progressOf(log: Log, { group, topic }: Consumption): Promise<ConsumerProgress> {
  const ranges = await log.admin.offsetRanges(topic, 'read_committed')
  const positions = await stablePositions(log, group, topic)
  const committed = new Map(positions?.map(({ partition, offset }) => [partition, offset]))
  const partitions = ranges.map(({ partition, start, end }) => ({
    topic,
    partition,
    end,
    offset: Math.max(start, committed.get(partition) ?? 0),
  }))
  return { partitions, isStable: positions !== null }
}

/** Null while the broker does not tell: a transaction that moves them is open, or the group is not there yet. */
export async function stablePositions(
  log: Log,
  group: string,
  topic: string,
): Promise<readonly CommittedPosition[] | null> {
  try {
    return await log.admin.groupPositions(group, topic)
  } catch (error) {
    if (isDependencyError(error) && error.retriable) return null
    throw error
  }
}
