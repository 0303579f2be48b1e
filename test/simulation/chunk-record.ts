import { gzipSync } from 'node:zlib'
import type { ProduceRecord } from '../../services/core/kafka/log.ts'
import { partitionOf, recordKey } from '../../services/core/kafka/partition.ts'
import { chunkLine } from '../../services/core/recordings/chunk-line.ts'
import { encodeChunkRecord } from '../../services/core/recordings/chunk-record.ts'
import { rrweb } from '../helpers/recording-chunks.ts'

const DATASET = 'shop'

/** A chunk as the collector writes it; compressed at once, for threads keep no order. Its window has its id. */
export function chunkRecord(
  { topic, partitions }: { readonly topic: string; readonly partitions: number },
  session: string,
  id: string,
  nowMs: number,
): ProduceRecord {
  const line = chunkLine(id, [rrweb.page(nowMs, 'https://shop.example/'), rrweb.click(nowMs + 1)])
  const chunk = {
    v: 1,
    event_id: id,
    dataset_id: DATASET,
    session_id: session,
    window_id: id,
    distinct_id: session,
    collector_time: nowMs,
    library: 'web',
    events: 2,
    bytes: line.length,
  } as const
  return {
    topic,
    partition: partitionOf(recordKey(DATASET, session, id), partitions),
    key: null,
    value: encodeChunkRecord(chunk, gzipSync(line)),
    headers: {},
  }
}
