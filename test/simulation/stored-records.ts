import type { MemoryLog } from '../helpers/memory-log.ts'
import { PARTITIONS } from './world-config.ts'

/** A record as it lies in the log, read with code of the tests' own. */
export interface StoredRecord {
  readonly partition: number
  readonly offset: number
  readonly headers: (name: string) => string | null
  readonly value: { readonly [name: string]: unknown }
}

/** Committed records that carry something: no ticks, no tombstones. */
export function storedRecords(log: MemoryLog, topic: string): StoredRecord[] {
  const records: StoredRecord[] = []
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const batch = log.controls.records(topic, partition)
    for (let index = 0; index < (batch?.length ?? 0); index++) {
      const value = batch!.value(index)
      if (value === null || batch!.header(index, 'tick') !== null) continue
      records.push({
        partition,
        offset: batch!.offset(index),
        headers: (name) => batch!.header(index, name),
        value: JSON.parse(value.toString()),
      })
    }
  }
  return records
}
