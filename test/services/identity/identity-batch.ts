import type { RecordBatch } from '../../../services/core/kafka/log.ts'

/** Values as a consumer is handed them. */
export function batchOf(values: readonly { readonly offset: number; readonly value: string }[]): RecordBatch {
  const bytes = values.map(({ value }) => Buffer.from(value))
  return {
    topic: 'events.identity',
    partition: 0,
    length: values.length,
    byteLength: bytes.reduce((sum, { length }) => sum + length, 0),
    offset: (index) => values[index]?.offset as number,
    timestamp: () => 0,
    key: () => null,
    value: (index) => bytes[index] ?? null,
    header: () => null,
  }
}
