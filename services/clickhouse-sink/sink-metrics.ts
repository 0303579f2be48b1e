import type { InsertOutcome } from '../core/clickhouse/insert-exactly.ts'
import type { BatchCounts } from '../core/clickhouse/ledger.ts'
import { LATENCY_BUCKETS, type Metrics } from '../core/runtime/metrics.ts'
import type { PlannedObserver } from '../core/stream/planned-batch.ts'

export interface SinkMetrics {
  readonly observer: (table: string) => PlannedObserver
  readonly observeBatch: (table: string, counts: BatchCounts, outcome: InsertOutcome, bytes: number) => void
  readonly openBytes: (bytes: number) => void
}

/** For every table received = inserted + skipped + rejected, counted when a batch is complete. */
export function sinkMetrics(metrics: Metrics): SinkMetrics {
  const counter = (name: string, help: string) =>
    metrics.counter(`millrace_clickhouse_sink_${name}_total`, help, ['table'])
  const received = counter('received_records', 'Records in completed batches: inserted + skipped + rejected.')
  const inserted = counter('inserted_records', 'Rows in the table.')
  const skipped = counter('skipped_records', 'Records that carry no event.')
  const rejected = counter('rejected_records', 'Records that became no row and lie in undecodable_records.')
  const bytes = counter('inserted_bytes', 'Bytes of inserted rows, as JSON.')
  const plans = counter('plans', 'Batches planned.')
  const replays = counter('replays', 'Open plans that were replayed.')
  const adoptions = counter('adoptions', 'Times a position was behind the ledger and was brought up to it.')
  const verifications = counter(
    'verifications',
    'Batches that were counted by source, because an insert had no clean answer or a plan was replayed.',
  )
  const repaired = counter(
    'repaired_records',
    'Rows that were missing although an insert of them was acknowledged, and were inserted again.',
  )
  const seconds = metrics.histogram(
    'millrace_clickhouse_sink_deliver_seconds',
    'Time from a confirmed plan to its ledger row.',
    LATENCY_BUCKETS,
    ['table'],
  )
  const open = metrics.gauge('millrace_clickhouse_sink_open_bytes', 'Bytes of open batches.')
  return {
    openBytes: (total) => open.set(total),
    observer: (table) => ({
      planned: () => plans.add(1, { table }),
      delivered: (_, { replayed }, took) => {
        seconds.observe(took, { table })
        if (replayed) replays.add(1, { table })
      },
      adopted: () => adoptions.add(1, { table }),
    }),
    observeBatch(table, counts, outcome, size) {
      const labels = { table }
      received.add(counts.records, labels)
      inserted.add(counts.inserted, labels)
      skipped.add(counts.skipped, labels)
      rejected.add(counts.rejected, labels)
      bytes.add(size, labels)
      if (outcome.verified) verifications.add(1, labels)
      repaired.add(outcome.repaired, labels)
    },
  }
}
