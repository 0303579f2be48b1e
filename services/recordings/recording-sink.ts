import type { ClickHouse } from '../core/clickhouse/clickhouse.ts'
import type { InsertOutcome } from '../core/clickhouse/insert-exactly.ts'
import type { BatchCounts } from '../core/clickhouse/ledger.ts'
import type { ByteShare } from '../core/clickhouse/open-bytes.ts'
import { type PlannedRows, plannedTable } from '../core/clickhouse/planned-table.ts'
import { createRowBuffer } from '../core/clickhouse/row-buffer.ts'
import type { UndecodableRecord } from '../core/clickhouse/undecodable-records.ts'
import type { Log, TopicPartition } from '../core/kafka/log.ts'
import type { ObjectStore } from '../core/object-store/object-store.ts'
import { type DecodedChunk, decodeChunkRecord } from '../core/recordings/chunk-record.ts'
import type { FailPoint } from '../core/runtime/fail-points.ts'
import type { BatchLimits, PlannedSink, SinkBatch } from '../core/stream/planned-sink.ts'
import { chunkBlocks, type RangeChunk } from './chunk-blocks.ts'
import { type Decompress, openChunk } from './open-chunk.ts'
import { putBlocks } from './put-block.ts'

/** Where a test may end the process within a delivery: before the objects, between them and the rows, after the rows. */
export const RECORDING_FAIL_POINTS = ['before_objects', 'after_objects', 'after_rows'] as const
export type RecordingFailPoint = (typeof RECORDING_FAIL_POINTS)[number]

export const CHUNKS_TABLE = 'recording_chunks'
/** What a plan says it is written under: a change of what blocks or rows are is a new number. */
const CONFIG = 'recordings-1'

/**
 * Lines of one batch before compression, at most and one chunk more: the query API answers a block as a whole, and a block
 * has at most what its batch has.
 */
const LINE_BYTES_MAX = 16 * 1024 * 1024

export interface RecordingSinkEnvironment {
  readonly clickhouse: ClickHouse
  readonly store: Pick<ObjectStore, 'putIfAbsent' | 'head'>
  readonly bucket: string
  readonly admin: Pick<Log['admin'], 'describeTopic'>
  readonly limits: BatchLimits
  readonly decompress: Decompress
  readonly openShare: () => ByteShare
  readonly nonce: () => string
  readonly failPoint: FailPoint<RecordingFailPoint>
  /** Told of every batch that is complete. */
  readonly observeBatch: (counts: BatchCounts, outcome: InsertOutcome, blocks: number, bytes: number) => void
}

/**
 * One partition of `recordings.raw`, as the planned batch drives it: first the objects, then the rows that say where
 * chunks lie in them, then the ledger. A row is never without its object; an object without its row is unseen, and is
 * found again by the replay that every open plan has.
 */
export function recordingSink(env: RecordingSinkEnvironment, partition: TopicPartition): PlannedSink {
  const written = plannedTable({
    clickhouse: env.clickhouse,
    admin: env.admin,
    partition,
    table: CHUNKS_TABLE,
    config: CONFIG,
    limits: env.limits,
    // A chunk is its own source.
    vouchedTo: (progress) => (progress?.offset ?? 0) - 1,
    nonce: env.nonce,
    failPoint: () => env.failPoint('after_rows'),
  })
  return {
    open: async (_, pinned) => openRecordingBatch(env, partition, written.open(pinned)),
    delivered: written.delivered,
  }
}

function openRecordingBatch(
  env: RecordingSinkEnvironment,
  partition: TopicPartition,
  { pinned, write }: PlannedRows,
): SinkBatch {
  const records: ReadRecord[] = []
  const share = env.openShare()
  let lineBytes = 0

  return {
    pinned,
    limits: env.limits,
    closesBefore: () => false,
    closesNow: () => share.mustClose || lineBytes >= LINE_BYTES_MAX,
    add(batch, index, landedMs) {
      const value = batch.value(index)
      share.grow(value?.length ?? 0)
      // The batch's bytes are a view, gone with the next poll.
      const kept = value === null ? null : Buffer.from(value)
      const decoded = decodeChunkRecord(kept)
      if (decoded.ok) lineBytes += decoded.chunk.bytes
      records.push({ offset: batch.offset(index), landedMs, value: kept, decoded })
    },
    async flush() {},
    async deliver(plan, { hold }) {
      const { chunks, undecodable } = await readChunks(records, env.decompress)
      const { blocks, rows: lines } = chunkBlocks(chunks, partition.partition, plan)
      // Reading took a while, and nothing is written for a partition that was lost meanwhile.
      await hold.confirm()
      await env.failPoint('before_objects')
      await putBlocks(env.store, env.bucket, blocks)
      await env.failPoint('after_objects')
      const rows = createRowBuffer()
      for (const { line, offset, landedMs } of lines) rows.add(line, offset, offset, landedMs)
      await hold.confirm()
      const batch = { rows, undecodable, records: records.length, skipped: 0 }
      const { counts, outcome } = await write(plan, batch, hold)
      const bytes = blocks.reduce((sum, { body }) => sum + body.length, 0)
      env.observeBatch(counts, outcome, blocks.length, bytes)
      share.release()
      return String(plan.start)
    },
    async discard() {
      share.release()
    },
  }
}

interface ReadRecord {
  readonly offset: number
  readonly landedMs: number
  readonly value: Buffer | null
  readonly decoded: DecodedChunk
}

/** One after another: of all that is decompressed only one chunk is in memory at a time. */
async function readChunks(
  records: readonly ReadRecord[],
  decompress: Decompress,
): Promise<{ readonly chunks: readonly RangeChunk[]; readonly undecodable: readonly UndecodableRecord[] }> {
  const chunks: RangeChunk[] = []
  const undecodable: UndecodableRecord[] = []
  for (const { offset, landedMs, value, decoded } of records) {
    const opened = decoded.ok ? await openChunk(decoded.chunk, decoded.compressed, decompress) : decoded
    if (decoded.ok && opened.ok) chunks.push({ ...decoded, summary: opened.summary, offset, landedMs })
    else if (!opened.ok)
      undecodable.push({ offset, landedMs, reason: opened.detail, value: value ?? Buffer.alloc(0) })
  }
  return { chunks, undecodable }
}
