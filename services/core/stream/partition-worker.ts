import type { RecordBatch } from '../kafka/log.ts'

/** Longest rest of a partition that nothing comes to, ms: so old are its metrics at most. */
export const REST_MAX_MS = 1_000

/**
 * What a consuming stage does with one partition, from its assignment to its revocation. The runner
 * (`run-partitions.ts`) calls one method at a time, in order, so a worker needs no locks.
 *
 * A method may throw. A retriable DependencyError makes the runner discard the worker and start a fresh one after a
 * pause: state is rebuilt from what is committed. So does `denied`, more slowly and with an alarm. `fenced` and
 * `not_assigned` end the worker quietly. Any other DependencyError stops the partition with an alarm. Anything else is our bug and ends the process.
 */
export interface PartitionWorker {
  /**
   * Takes the partition over: fence the previous owner, read the committed position, rebuild state, replay an
   * open plan.
   * @returns the offset to consume from
   */
  start(): Promise<number>
  /** Processes records in order. While it runs nothing else is handed to this worker: that is the back-pressure. */
  process(batch: RecordBatch): Promise<void>
  /** For what depends on age rather than on records: called between batches as `tickInMs` says. */
  tick(): Promise<void>
  /**
   * How soon `tick` is wanted, ms from now; asked after every call of another method. At most `REST_MAX_MS` pass
   * without a tick, so whoever has nothing that ages says that, and is left alone meanwhile.
   */
  tickInMs(): number
  /**
   * The partition goes away. With `revoked` and `stopping` it is still ours until this resolves: finish or abort what is open.
   * With `lost` nothing may be written any more.
   */
  stop(reason: StopReason): Promise<void>
}

export type StopReason = 'revoked' | 'lost' | 'stopping' | 'failed'
