import type { RecordBatch } from '../kafka/log.ts'
import type { Pinned, Plan, Progress } from './planned-plan.ts'

/**
 * What a sink brings to a planned batch of one partition (`planned-batch.ts` has the order of calls). Every method
 * may throw a DependencyError; a retriable one makes the partition start over from what is committed.
 */
export interface PlannedSink {
  /**
   * Opens an empty batch.
   *
   * @param after   where the range before ended
   * @param pinned  null for a new batch under the configuration in force; else those of a plan that is replayed
   * @throws DependencyError `corrupt` when what is pinned is no longer known: a replay under anything else would
   *   write something else
   */
  open(after: Progress, pinned: Pinned | null): Promise<SinkBatch>
  /**
   * The sink's own truth: which ranges from `from` on it holds already, complete. They must be contiguous.
   *
   * @param from committed position; null when the group has none, then everything the sink holds counts
   * @returns null when it holds nothing from there on
   * @throws DependencyError `corrupt` when ranges overlap or leave a hole, or when what must lie before `from`
   *   (its `carry` says what) is not there
   */
  delivered(from: Progress | null): Promise<Delivered | null>
}

export interface Delivered {
  /** Last offset of the first range found. */
  readonly firstEnd: number
  /** Where the last one leaves off. */
  readonly progress: Progress
}

/** Rotation limits of one batch; the first that is reached closes it. */
export interface BatchLimits {
  /** Records. */
  readonly rows: number
  /** Sum of the records' value sizes. A single larger record is a batch of its own. */
  readonly bytes: number
  /** Milliseconds of the process's monotonic clock since the first record; of landed time too in an owner's first range. */
  readonly ageMs: number
}

/**
 * Whether a plan is still this process's to carry out. A process that stood still may wake up when another one has long
 * done it, so an effect that cannot tell a repeat by itself for ever begins only right after a confirmation.
 */
export interface Hold {
  /**
   * Asks the coordinator. When it resolves the plan is this process's in this very tick.
   *
   * @throws DependencyError as a commit: `not_assigned`, `outcome_unknown`
   */
  confirm(): Promise<void>
  /** @throws DependencyError `timeout` when the last confirmation is older than a session: confirm, and begin again */
  requireFresh(): void
}

export interface DeliverHow {
  /** The plan was found open. */
  readonly replayed: boolean
  readonly hold: Hold
}

/** A batch while it is filled and written. Exactly one of `deliver` and `discard` is its end; `discard` may follow a failed `deliver`. */
export interface SinkBatch {
  readonly pinned: Pinned
  readonly limits: BatchLimits
  /** Must the batch close before a record of this landed time (running maximum of timestamps, epoch ms) and offset? */
  closesBefore(landedMs: number, offset: number): boolean
  /** Asked between records and on every tick: should it close now, whatever its limits say (disk is short)? */
  closesNow(): boolean
  /** Takes one record; keeps no reference to the batch beyond the next `flush`. */
  add(records: RecordBatch, index: number, landedMs: number): void
  /** Called after the records of one poll were added: the place to wait for a disk. */
  flush(): Promise<void>
  /**
   * Makes the effect. Idempotent by (start, end): called again for the same plan, by this process or another one,
   * it finds what is there, checks it and completes it.
   *
   * @returns what to hand on to the next batch ({@link Progress.carry})
   * @throws DependencyError `corrupt` when something else lies under the plan's names
   */
  deliver(plan: Plan, how: DeliverHow): Promise<string>
  /** Frees what the batch holds; nothing was written. Never throws. */
  discard(): Promise<void>
}
