import { batchToken, partitionToken } from '../core/clickhouse/batch-token.ts'
import type { ClickHouse } from '../core/clickhouse/clickhouse.ts'
import { endInserts, type InsertOutcome, insertExactly } from '../core/clickhouse/insert-exactly.ts'
import { insertSettings, rowsOfPlan, settingsId } from '../core/clickhouse/insert-settings.ts'
import { type BatchCounts, deliveredRanges, highestSource, recordBatch } from '../core/clickhouse/ledger.ts'
import type { ByteShare } from '../core/clickhouse/open-bytes.ts'
import { createRowBuffer } from '../core/clickhouse/row-buffer.ts'
import { keepUndecodable, type UndecodableRecord } from '../core/clickhouse/undecodable-records.ts'
import type { Log, TopicPartition } from '../core/kafka/log.ts'
import type { ObjectStore } from '../core/object-store/object-store.ts'
import { type DecodedChunk, decodeChunkRecord } from '../core/recordings/chunk-record.ts'
import type { FailPoint } from '../core/runtime/fail-points.ts'
import type { Pinned } from '../core/stream/planned-plan.ts'
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
  /** Highest offset in the table when the partition was taken over, past what the ledger vouches for. */
  let strayTo = -1
  /** The first range that this owner plans may have been planned and begun before, under a plan that is gone. */
  let isFirst = true

  return {
    async open(_, pinned) {
      const rows = pinned === null ? env.limits.rows : rowsOfPlan(partition, pinned, CONFIG)
      const mayHaveBegun = pinned !== null || isFirst
      if (pinned === null) isFirst = false
      return openRecordingBatch(env, partition, {
        blockRows: rows,
        strayTo,
        mayHaveBegun,
        pinned: pinned ?? { config: CONFIG, settings: settingsId(rows), controlOffset: 0 },
      })
    },
    async delivered(from) {
      const topicId = (await env.admin.describeTopic(partition.topic))?.topicId ?? ''
      const found = await deliveredRanges(env.clickhouse, partition, topicId, from)
      await endInserts(env.clickhouse, `${partitionToken(partition, topicId)}:`)
      const vouched = (found?.progress.offset ?? from?.offset ?? 0) - 1
      strayTo = await highestSource(env.clickhouse, CHUNKS_TABLE, partition.partition, vouched)
      return found
    },
  }
}

interface BatchState {
  readonly blockRows: number
  readonly pinned: Pinned
  readonly strayTo: number
  readonly mayHaveBegun: boolean
}

function openRecordingBatch(
  env: RecordingSinkEnvironment,
  partition: TopicPartition,
  { blockRows, pinned, strayTo, mayHaveBegun }: BatchState,
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
      const { blocks, rows } = chunkBlocks(chunks, partition.partition, plan)
      // Reading took a while, and nothing is written for a partition that was lost meanwhile.
      await hold.confirm()
      await env.failPoint('before_objects')
      await putBlocks(env.store, env.bucket, blocks)
      await env.failPoint('after_objects')
      const buffer = createRowBuffer()
      for (const { line, offset, landedMs } of rows) buffer.add(line, offset, offset, landedMs)
      const token = batchToken(partition, plan)
      const target = {
        clickhouse: env.clickhouse,
        table: CHUNKS_TABLE,
        partition: partition.partition,
        settings: insertSettings(blockRows),
        token,
        nonce: env.nonce,
        hold,
      }
      await hold.confirm()
      const isStray = buffer.rows > 0 && buffer.srcOffset(0) <= strayTo
      const outcome = await insertExactly(target, buffer, mayHaveBegun || isStray)
      const refused = outcome.refused.map(({ row, reason }) => ({
        offset: buffer.offset(row),
        landedMs: buffer.landedMs(row),
        reason,
        value: buffer.line(row),
      }))
      await keepUndecodable(
        env.clickhouse,
        partition,
        [...undecodable, ...refused],
        `${token}/${env.nonce()}`,
      )
      await env.failPoint('after_rows')
      const rejected = undecodable.length + refused.length
      const counts = { records: records.length, inserted: outcome.inserted, skipped: 0, rejected }
      await recordBatch(env.clickhouse, partition, CHUNKS_TABLE, plan, counts)
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
