import type { RecordBatch } from '../core/kafka/log.ts'

/** Raw records that wait for their transaction, in order. */
export interface RecordQueue {
  readonly rows: number
  readonly bytes: number
  push(batch: RecordBatch): void
  /** The first `rowsMax` records, as batches; the rest stays. */
  take(rowsMax: number): readonly RecordBatch[]
}

export function createRecordQueue(): RecordQueue {
  let batches: RecordBatch[] = []
  const sum = (of: 'length' | 'byteLength') => batches.reduce((total, batch) => total + batch[of], 0)
  return {
    get rows() {
      return sum('length')
    },
    get bytes() {
      return sum('byteLength')
    },
    push(batch) {
      if (batch.length > 0) batches.push(batch)
    },
    take(rowsMax) {
      const taken: RecordBatch[] = []
      let room = rowsMax
      while (room > 0 && batches[0]) {
        const [first, ...rest] = batches as [RecordBatch, ...RecordBatch[]]
        if (first.length <= room) {
          taken.push(first)
          batches = rest
        } else {
          taken.push(slice(first, 0, room))
          batches = [slice(first, room, first.length), ...rest]
        }
        room -= Math.min(room, first.length)
      }
      return taken
    },
  }
}

/** Part of a batch, sharing its bytes. */
function slice(batch: RecordBatch, start: number, end: number): RecordBatch {
  let byteLength = 0
  for (let index = start; index < end; index++) byteLength += batch.value(index)?.length ?? 0
  return {
    topic: batch.topic,
    partition: batch.partition,
    length: end - start,
    byteLength,
    offset: (index) => batch.offset(start + index),
    timestamp: (index) => batch.timestamp(start + index),
    key: (index) => batch.key(start + index),
    value: (index) => batch.value(start + index),
    header: (index, name) => batch.header(start + index, name),
  }
}
