import type { BatchExportRow } from '../../core/metadata/metadata-tables.ts'
import type { Metrics } from '../../core/runtime/metrics.ts'

type Destination = BatchExportRow['destination']

/** What an operator sees of batch exports. */
export interface BatchExportMetrics {
  /** A batch came into a table. */
  loaded(events: number): void
  /** A destination could not be read or written. */
  failed(destination: Destination, code: string): void
  /** So many schedules, backfills and resets wait for their destinations now. */
  waiting(chains: number): void
}

export function createBatchExportMetrics(metrics: Metrics): BatchExportMetrics {
  const events = metrics.counter(
    'millrace_query_api_batch_export_loaded_events_total',
    'Events of batch exports that this process has loaded into tables.',
  )
  const failures = metrics.counter(
    'millrace_query_api_batch_export_failures_total',
    'Looks at batch exports whose bucket or table failed, by kind of destination and error code.',
    ['destination', 'code'],
  )
  const waiting = metrics.gauge(
    'millrace_query_api_batch_exports_waiting_count',
    'Schedules, backfills and resets of batch exports that wait for a bucket or table which fails.',
  )
  return {
    loaded: (count) => events.add(count),
    failed: (destination, code) => failures.add(1, { destination, code }),
    waiting: (chains) => waiting.set(chains),
  }
}
