import type { Log, TopicPartition } from '../kafka/log.ts'
import type { Pinned, Plan, Progress } from '../stream/planned-plan.ts'
import type { BatchLimits, Hold, PlannedSink } from '../stream/planned-sink.ts'
import { batchToken, partitionToken } from './batch-token.ts'
import type { ClickHouse } from './clickhouse.ts'
import { endInserts, type InsertOutcome, insertExactly } from './insert-exactly.ts'
import { insertSettings, rowsOfPlan, settingsId } from './insert-settings.ts'
import { type BatchCounts, deliveredRanges, highestSource, recordBatch } from './ledger.ts'
import type { RowBuffer } from './row-buffer.ts'
import { keepUndecodable, type UndecodableRecord } from './undecodable-records.ts'

export interface PlannedTableOptions {
  readonly clickhouse: ClickHouse
  readonly admin: Pick<Log['admin'], 'describeTopic'>
  readonly partition: TopicPartition
  readonly table: string
  /** Names the shape of rows, and stands in every plan: a change of what rows are is another name. */
  readonly config: string
  readonly limits: BatchLimits
  /** Highest source that the ledger vouches for up to there; null when it vouches for nothing. */
  readonly vouchedTo: (progress: Progress | null) => number
  readonly nonce: () => string
  /** Between the rows and the ledger, where a kill leaves rows that nothing vouches for yet. */
  readonly failPoint: () => Promise<void> | void
}

/** What one batch brings: records = rows + undecodable + skipped. */
export interface BatchRows {
  readonly rows: RowBuffer
  readonly undecodable: readonly UndecodableRecord[]
  readonly records: number
  readonly skipped: number
}

/** The table's side of one batch. */
export interface PlannedRows {
  readonly pinned: Pinned
  /**
   * Rows, what became no row, ledger, in this order: every record is there once whatever became of earlier tries.
   *
   * @throws DependencyError as {@link insertExactly}
   */
  write(plan: Plan, batch: BatchRows, hold: Hold): Promise<WrittenRows>
}

export interface WrittenRows {
  readonly counts: BatchCounts
  readonly outcome: InsertOutcome
}

/** What a planned sink of one partition knows of its table from batch to batch. */
export interface PlannedTable {
  /** @throws DependencyError `corrupt` for a plan that this program does not know */
  open(pinned: Pinned | null): PlannedRows
  delivered: PlannedSink['delivered']
}

/** One partition's rows in a table that is written by planned batches (`core/stream/planned-batch.ts`). */
export function plannedTable(options: PlannedTableOptions): PlannedTable {
  const { clickhouse, partition, table, config, nonce } = options
  /** Highest source in the table when the partition was taken over, past what the ledger vouches for. */
  let strayTo = -1
  /** The first range that this owner plans may have been planned and begun before, under a plan that is gone. */
  let isFirst = true

  return {
    open(pinned) {
      const blockRows = pinned === null ? options.limits.rows : rowsOfPlan(partition, pinned, config)
      const mayHaveBegun = pinned !== null || isFirst
      if (pinned === null) isFirst = false
      return {
        pinned: pinned ?? { config, settings: settingsId(blockRows), controlOffset: 0 },
        async write(plan, { rows, undecodable, records, skipped }, hold) {
          const token = batchToken(partition, plan)
          const target = {
            clickhouse,
            table,
            partition: partition.partition,
            settings: insertSettings(blockRows),
            token,
            nonce,
            hold,
          }
          // Rows that the ledger does not vouch for are of a replayed plan, or of one that is gone
          // with a position that expired: then their range was planned anew, with another end and so another token.
          const isStray = rows.rows > 0 && rows.srcOffset(0) <= strayTo
          const outcome = await insertExactly(target, rows, mayHaveBegun || isStray)
          const refused = outcome.refused.map(({ row, reason }) => ({
            offset: rows.offset(row),
            landedMs: rows.landedMs(row),
            reason,
            value: rows.line(row),
          }))
          const rejected = [...undecodable, ...refused]
          await keepUndecodable(clickhouse, partition, rejected, `${token}/${nonce()}`)
          await options.failPoint()
          const counts = { records, inserted: outcome.inserted, skipped, rejected: rejected.length }
          await recordBatch(clickhouse, partition, table, plan, counts, `${token}/${nonce()}`)
          return { counts, outcome }
        },
      }
    },
    async delivered(from) {
      const topicId = (await options.admin.describeTopic(partition.topic))?.topicId ?? ''
      // First: an insert of the owner before, into the table or the ledger, could still end after either was read.
      await endInserts(clickhouse, `${partitionToken(partition, topicId)}:`)
      const found = await deliveredRanges(clickhouse, partition, topicId, from)
      const vouched = options.vouchedTo(found?.progress ?? from)
      strayTo = await highestSource(clickhouse, table, partition.partition, vouched)
      return found
    },
  }
}
