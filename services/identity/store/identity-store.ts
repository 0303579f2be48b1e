import type { DatasetChanges } from '../persons/dataset-state.ts'
import type { DatasetHead, DistinctId, Group, Person } from '../persons/person.ts'

/**
 * What the stage keeps: persons, how far it has read `events.identity`, and what it has not told yet. Two adapters,
 * SQLite and PostgreSQL, and the double of the tests pass one contract suite (`test/contract/identity-store.ts`).
 *
 * A partition has one owner at a time, and only its owner changes what belongs to the datasets in it; so what was read
 * holds until the owner's own commit, which is refused when somebody else has claimed the partition since.
 *
 * Every failure is a DependencyError of `metadata`.
 */
export interface IdentityStore {
  /**
   * Takes a partition over. From now on no earlier owner can commit.
   *
   * @param topicId of `events.identity` as it is now, '' where the broker does not tell
   * @throws DependencyError `corrupt` when the position is one of another topic
   */
  claim(partition: number, topicId: string, owner: string): Promise<Claim>
  /** Of those that are known. */
  datasets(datasetIds: readonly string[]): Promise<ReadonlyMap<string, StoredDataset>>
  persons(datasetId: string, keys: readonly string[]): Promise<readonly Person[]>
  distinctIds(datasetId: string, ids: readonly string[]): Promise<readonly DistinctId[]>
  /** All ids of these persons. */
  distinctIdsOf(datasetId: string, personKeys: readonly string[]): Promise<readonly DistinctId[]>
  /** Groups of any kind that have one of these keys. */
  groups(datasetId: string, keys: readonly string[]): Promise<readonly Group[]>
  /** Those of these ids of commands that were done with. */
  commands(datasetId: string, ids: readonly string[]): Promise<ReadonlySet<string>>
  /**
   * Changes, position and outbox rows: all of it or nothing. `passing` is called before it is settled.
   *
   * @throws DependencyError `fenced` when the partition has another owner; `outcome_unknown`: claim it again to learn
   *   where it stands
   */
  commit(claim: Claim, step: Step, passing?: () => Promise<void> | void): Promise<void>
  /** The oldest rows that were not told yet, at least one if there is any, within both bounds. */
  pending(partition: number, rowsMax: number, bytesMax: number): Promise<readonly OutboxRow[]>
  outbox(partition: number): Promise<OutboxLevel>
  /** These rows and all before them were told. Any owner may say so of what it has told. */
  told(partition: number, seq: number): Promise<void>
  /** Rejects when it does not answer. */
  ping(): Promise<void>
  close(): Promise<void>
}

/** The right to write for a partition, and where it stands. */
export interface Claim {
  readonly partition: number
  readonly epoch: number
  /** The next offset to be read; null when nothing was ever read. */
  readonly next: number | null
  readonly outboxSeq: number
  /** Highest raw offset that was applied, by raw partition. */
  readonly sources: ReadonlyMap<number, number>
}

export interface StoredDataset extends DatasetHead {
  readonly groupTypes: readonly string[]
}

/** What one batch of records led to. */
export interface Step {
  readonly next: number
  readonly sources: ReadonlyMap<number, number>
  readonly datasets: ReadonlyMap<string, DatasetChanges>
  /** In order; their numbers go on from the claim's, or from those of the last commit. */
  readonly outbox: readonly OutboxRow[]
}

export interface OutboxRow {
  readonly seq: number
  /** Table of ClickHouse, or `erasures`: rows to be taken out of tables. */
  readonly target: OutboxTarget
  /** One line of JSON. */
  readonly body: string
  /** Wall clock, epoch ms: how long it has waited. */
  readonly queuedAt: number
}

export const OUTBOX_TARGETS = [
  'persons',
  'person_distinct_ids',
  'person_overrides',
  'person_changes',
  'person_override_changes',
  'groups',
  'group_types',
  'event_deletions',
  'erasures',
] as const
export type OutboxTarget = (typeof OUTBOX_TARGETS)[number]

export interface OutboxLevel {
  readonly rows: number
  /** When the oldest was queued; null when there is none. */
  readonly oldestAt: number | null
}
