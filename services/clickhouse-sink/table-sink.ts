import type { ClickHouse } from '../core/clickhouse/clickhouse.ts'
import type { InsertOutcome } from '../core/clickhouse/insert-exactly.ts'
import type { BatchCounts } from '../core/clickhouse/ledger.ts'
import type { ByteShare } from '../core/clickhouse/open-bytes.ts'
import { type PlannedRows, plannedTable } from '../core/clickhouse/planned-table.ts'
import { createRowBuffer } from '../core/clickhouse/row-buffer.ts'
import type { UndecodableRecord } from '../core/clickhouse/undecodable-records.ts'
import type { Log, TopicPartition } from '../core/kafka/log.ts'
import type { FailPoint } from '../core/runtime/fail-points.ts'
import type { Progress } from '../core/stream/planned-plan.ts'
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
  const written = plannedTable({
    clickhouse: env.clickhouse,
    admin: env.admin,
    partition,
    table,
    config: `${table}-${version}`,
    limits: env.limits,
    vouchedTo: (progress) => progress?.src ?? -1,
    nonce: env.nonce,
    failPoint: () => env.failPoint('after_insert'),
  })
  return {
    open: async (after, pinned) => openTableBatch(env, { table, version }, after, written.open(pinned)),
    delivered: written.delivered,
  }
}

function openTableBatch(
  env: TableSinkEnvironment,
  { table, version }: SinkTable,
  after: Progress,
  { pinned, write }: PlannedRows,
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
      await env.failPoint('during_insert')
      const { counts, outcome } = await write(plan, { rows, undecodable, records, skipped }, hold)
      env.observeBatch(table, counts, outcome, rows.byteLength)
      share.release()
      return String(plan.start)
    },
    async discard() {
      share.release()
    },
  }
}
