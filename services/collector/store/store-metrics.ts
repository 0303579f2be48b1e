import type { Metrics } from '../../core/runtime/metrics.ts'

export interface StoreMetrics {
  stored(records: number): void
  drained(records: number): void
  /** Bytes that were skipped: `torn` were never acknowledged, `damaged` and `unreadable` may have been. */
  skipped(reason: 'torn' | 'damaged' | 'unreadable', bytes: number): void
  failed(): void
  /** Of records that Kafka has not acknowledged. */
  bytes(bytes: number): void
}

/** Stored since the process began + what it found = drained + what is left, as long as nothing was skipped. */
export function createStoreMetrics(metrics: Metrics): StoreMetrics {
  const stored = metrics.counter(
    'millrace_collector_store_stored_records_total',
    'Records that were synced to the local store.',
  )
  const drained = metrics.counter(
    'millrace_collector_store_drained_records_total',
    'Records of the local store that Kafka acknowledged.',
  )
  const skipped = metrics.counter(
    'millrace_collector_store_skipped_bytes_total',
    'Bytes of the local store that hold no whole record: torn off by a kill, damaged, or unreadable.',
    ['reason'],
  )
  const failed = metrics.counter(
    'millrace_collector_store_failures_total',
    'Writes and syncs of the local store that failed; each ended its segment.',
  )
  const bytes = metrics.gauge(
    'millrace_collector_store_bytes',
    'Bytes of the local store that Kafka has not acknowledged.',
  )
  return {
    stored: (records) => stored.add(records),
    drained: (records) => drained.add(records),
    skipped: (reason, count) => skipped.add(count, { reason }),
    failed: () => failed.add(1),
    bytes: (value) => bytes.set(value),
  }
}
