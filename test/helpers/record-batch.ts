import type { ProduceRecord } from '../../services/core/kafka/log.ts'
import {
  type BatchAuthor,
  RecordBatchWriter,
  signRecordBatch,
} from '../../services/core/kafka/wire/record-batch.ts'

/** One record batch of all these records, as its producer sends it. */
export function encodeRecordBatch(
  records: readonly ProduceRecord[],
  timestamp: number,
  author: BatchAuthor,
): Buffer {
  const writer = new RecordBatchWriter(timestamp)
  for (const record of records) writer.append(record, timestamp, Number.POSITIVE_INFINITY)
  const batch = writer.seal()
  signRecordBatch(batch, author)
  return batch
}
