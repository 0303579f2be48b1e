import type { Log, LogAdmin, ProduceRecord, RecordBatch } from '../core/kafka/log.ts'
import { DependencyError } from '../core/runtime/errors.ts'

/**
 * Where one subscription stands in one partition of `events.enriched`. Written in the transaction that makes it so;
 * partition n of `millrace.router` (compacted, key: the subscription) is about partition n of the input.
 *
 * ```
 *            first seen              its topic fails
 *  (none) ───────────────▶ shared ──────────────────────▶ own
 *                            ▲                             │
 *                            └─────────────────────────────┘
 *              caught up: both stand at the same offset, and the shared lane's
 *              next transaction includes the subscription again
 * ```
 *
 * `shared`: served by the transactions that carry the group's position. `own`: served by a transactional producer of
 * its own from `next` on.
 */
export interface SubscriptionState {
  readonly v: 1
  readonly lane: 'shared' | 'own'
  /** First offset of the input that this subscription is entitled to. */
  readonly start: number
  /** Next offset to be served; for `shared` as it was when this was written. */
  readonly next: number
  /** Highest raw offset before `next`; null when none was seen. */
  readonly src: number | null
}

export interface PartitionStates {
  /**
   * The takeover in force. A process that lost the partition unawares may still open a producer for one of its
   * lanes, but then reads here that another one took over, and stops.
   */
  readonly owner: string | null
  readonly subscriptions: ReadonlyMap<string, SubscriptionState>
}

/** No subscription's id: those have no signs. */
const OWNER_KEY = '@owner'

export function ownerRecord(topic: string, partition: number, owner: string): ProduceRecord {
  return { topic, partition, key: OWNER_KEY, value: Buffer.from(JSON.stringify({ v: 1, owner })) }
}

/** `states` is null for a removed subscription. */
export function stateRecord(
  topic: string,
  partition: number,
  subscription: string,
  state: SubscriptionState | null,
): ProduceRecord {
  return { topic, partition, key: subscription, value: state && Buffer.from(JSON.stringify(state)) }
}

const READ_WAIT_MS = 500
/** Reads in a row that bring nothing before the topic counts as unavailable. */
const IDLE_READS_MAX = 60

/**
 * What is committed in one partition.
 *
 * Several producers write there. With `all`, a transaction that another one has open is waited for: it could hide
 * what was committed after it began. With `stable`, what it hides is left out: for finding out whom to fence first.
 *
 * @throws DependencyError('kafka', 'timeout') when an open transaction does not end
 */
export async function readStates(
  log: Log,
  topic: string,
  partition: number,
  extent: 'all' | 'stable',
): Promise<PartitionStates> {
  const range = await rangeOf(log.admin, topic, partition, extent)
  const values = new Map<string, Buffer>()
  const reader = await log.openReader([{ topic, partition, offset: range.start }])
  try {
    let idle = 0
    while (reader.position({ topic, partition }) < range.end) {
      const batches = await reader.read(READ_WAIT_MS)
      for (const batch of batches) takeLatest(batch, values)
      idle = batches.length === 0 ? idle + 1 : 0
      if (idle > IDLE_READS_MAX)
        throw new DependencyError('kafka', 'timeout', `The end of ${topic}/${partition} was not reached.`)
    }
  } finally {
    await reader.close()
  }
  const owner = values.get(OWNER_KEY)
  values.delete(OWNER_KEY)
  return {
    owner: owner === undefined ? null : (JSON.parse(owner.toString()) as { owner: string }).owner,
    subscriptions: new Map([...values].map(([id, value]) => [id, JSON.parse(value.toString())])),
  }
}

async function rangeOf(admin: LogAdmin, topic: string, partition: number, extent: 'all' | 'stable') {
  const ranges = await admin.offsetRanges(topic, extent === 'all' ? 'read_uncommitted' : 'read_committed')
  const range = ranges.find((each) => each.partition === partition)
  if (range === undefined)
    throw new DependencyError(
      'kafka',
      'corrupt',
      `${topic} has no partition ${partition}: it must have as many as events.enriched.`,
    )
  return range
}

function takeLatest(batch: RecordBatch, values: Map<string, Buffer>): void {
  for (let i = 0; i < batch.length; i++) {
    const key = batch.key(i)?.toString() ?? ''
    const value = batch.value(i)
    if (value === null) values.delete(key)
    else values.set(key, Buffer.from(value))
  }
}

/** The high-water that was committed with the shared lane's position; null where there is none. */
export function readHighWater(metadata: string): number | null {
  if (metadata === '') return null
  const { src } = JSON.parse(metadata) as { readonly src: number | null }
  return src
}

export function highWaterMetadata(src: number | null): string {
  return JSON.stringify({ v: 1, src })
}
