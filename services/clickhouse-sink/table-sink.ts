import { batchToken, partitionToken } from '../core/clickhouse/batch-token.ts'
import type { ClickHouse } from '../core/clickhouse/clickhouse.ts'
import { endInserts, type InsertOutcome, insertExactly } from '../core/clickhouse/insert-exactly.ts'
import { insertSettings, rowsOfPlan, settingsId } from '../core/clickhouse/insert-settings.ts'
import { type BatchCounts, deliveredRanges, highestSource, recordBatch } from '../core/clickhouse/ledger.ts'
import type { ByteShare } from '../core/clickhouse/open-bytes.ts'
import { createRowBuffer } from '../core/clickhouse/row-buffer.ts'
import { keepUndecodable, type UndecodableRecord } from '../core/clickhouse/undecodable-records.ts'
import type { Log, TopicPartition } from '../core/kafka/log.ts'
import type { FailPoint } from '../core/runtime/fail-points.ts'
import type { Pinned, Progress } from '../core/stream/planned-plan.ts'
import type { BatchLimits, PlannedSink, SinkBatch } from '../core/stream/planned-sink.ts'
import { checkRecord } from './row-check.ts'

/**
 * Where a test may end the process within a delivery: as the insert begins, and between the rows and the ledger, where
 * a kill leaves rows that nothing vouches for yet.
 */
export const TABLE_FAIL_POINTS = ['during_insert', 'after_insert'] as const
export type TableFailPoint = (typeof TABLE_FAIL_POINTS)[number]

/** A table that takes the records of a topic as rows. */
export interface SinkTable {
  readonly table: string
  /** Major version of the records' shape. */
  readonly version: number
}

export interface TableSinkEnvironment {
  readonly clickhouse: ClickHouse
  readonly admin: Pick<Log['admin'], 'describeTopic'>
  readonly limits: BatchLimits
  readonly openShare: () => ByteShare
  readonly nonce: () => string
  readonly failPoint: FailPoint<TableFailPoint>
  /** Told of every batch that is complete. */
  readonly observeBatch: (table: string, counts: BatchCounts, outcome: InsertOutcome, bytes: number) => void
}

/** One partition of one table, as the planned batch drives it. */
export function tableSink(
  env: TableSinkEnvironment,
  { table, version }: SinkTable,
  partition: TopicPartition,
): PlannedSink {
  const config = `${table}-${version}`
  /** Highest raw offset in the table when the partition was taken over, past what the ledger vouches for. */
  let strayTo = -1
  /** The first range that this owner plans may have been planned and begun before, under a plan that is gone. */
  let isFirst = true

  return {
    async open(after, pinned) {
      const rows = pinned === null ? env.limits.rows : rowsOfPlan(partition, pinned, config)
      const mayHaveBegun = pinned !== null || isFirst
      if (pinned === null) isFirst = false
      return openTableBatch(env, { table, version }, partition, after, {
        blockRows: rows,
        strayTo,
        mayHaveBegun,
        pinned: pinned ?? { config, settings: settingsId(rows), controlOffset: 0 },
      })
    },
    async delivered(from) {
      const topicId = (await env.admin.describeTopic(partition.topic))?.topicId ?? ''
      const found = await deliveredRanges(env.clickhouse, partition, topicId, from)
      await endInserts(env.clickhouse, `${partitionToken(partition, topicId)}:`)
      const vouched = found?.progress.src ?? from?.src ?? -1
      strayTo = await highestSource(env.clickhouse, table, partition.partition, vouched)
      return found
    },
  }
}

function openTableBatch(
  env: TableSinkEnvironment,
  { table, version }: SinkTable,
  partition: TopicPartition,
  after: Progress,
  {
    blockRows,
    pinned,
    strayTo,
    mayHaveBegun,
  }: {
    readonly blockRows: number
    readonly pinned: Pinned
    readonly strayTo: number
    readonly mayHaveBegun: boolean
  },
): SinkBatch {
  const rows = createRowBuffer()
  const undecodable: UndecodableRecord[] = []
  const share = env.openShare()
  let srcBefore = after.src
  let records = 0
  let skipped = 0

  return {
    pinned,
    limits: env.limits,
    closesBefore: () => false,
    closesNow: () => share.mustClose,
    add(batch, index, landedMs) {
      const found = checkRecord(batch, index, version, srcBefore)
      records++
      const value = batch.value(index)
      share.grow(value?.length ?? 0)
      if (found.kind === 'skipped') skipped++
      else if (found.kind === 'row') {
        rows.add(found.line, found.srcOffset, batch.offset(index), landedMs)
        srcBefore = found.srcOffset
      } else {
        const kept = Buffer.from(value ?? '')
        undecodable.push({ offset: batch.offset(index), landedMs, reason: found.reason, value: kept })
      }
    },
    async flush() {},
    async deliver(plan, { hold }) {
      const token = batchToken(partition, plan)
      const target = {
        clickhouse: env.clickhouse,
        table,
        partition: partition.partition,
        settings: insertSettings(blockRows),
        token,
        nonce: env.nonce,
        hold,
      }
      await env.failPoint('during_insert')
      // Rows that the ledger does not vouch for are of a replayed plan, or of one that is gone
      // with a position that expired: then their range was planned anew, with another end and so another token.
      const isStray = rows.rows > 0 && rows.srcOffset(0) <= strayTo
      const outcome = await insertExactly(target, rows, mayHaveBegun || isStray)
      const rejected = [
        ...undecodable,
        ...outcome.refused.map(({ row, reason }) => ({
          offset: rows.offset(row),
          landedMs: rows.landedMs(row),
          reason,
          value: rows.line(row),
        })),
      ]
      await keepUndecodable(env.clickhouse, partition, rejected, `${token}/${env.nonce()}`)
      await env.failPoint('after_insert')
      const counts = { records, inserted: outcome.inserted, skipped, rejected: rejected.length }
      await recordBatch(env.clickhouse, partition, table, plan, counts)
      env.observeBatch(table, counts, outcome, rows.byteLength)
      share.release()
      return String(plan.start)
    },
    async discard() {
      share.release()
    },
  }
}
