import type { InsertOutcome } from '../core/clickhouse/insert-exactly.ts'
import type { BatchCounts } from '../core/clickhouse/ledger.ts'
import { LATENCY_BUCKETS, type Metrics } from '../core/runtime/metrics.ts'
import type { PlannedObserver } from '../core/stream/planned-batch.ts'

export interface RecordingsMetrics {
  readonly observer: PlannedObserver
  readonly observeBatch: (counts: BatchCounts, outcome: InsertOutcome, blocks: number, bytes: number) => void
  readonly openBytes: (bytes: number) => void
  readonly removed: (what: 'expired_blocks' | 'deleted_sessions', count: number) => void
}

/** Received = stored + rejected, counted when a batch is complete. */
export function recordingsMetrics(metrics: Metrics): RecordingsMetrics {
  const counter = (name: string, help: string, labels: readonly string[] = []) =>
    metrics.counter(`millrace_recordings_${name}_total`, help, labels)
  const received = counter('received_chunks', 'Chunks in completed batches: stored + rejected.')
  const stored = counter('stored_chunks', 'Chunks that lie in an object and have their row.')
  const rejected = counter('rejected_chunks', 'Records that are no chunk and lie in undecodable_records.')
  const blocks = counter('blocks', 'Objects written.')
  const bytes = counter('stored_bytes', 'Their bytes, compressed.')
  const plans = counter('plans', 'Batches planned.')
  const replays = counter('replays', 'Open plans that were replayed.')
  const adoptions = counter('adoptions', 'Times a position was behind the ledger and was brought up to it.')
  const repaired = counter(
    'repaired_rows',
    'Rows that were missing although an insert of them was acknowledged, and were inserted again.',
  )
  const removed = counter('removed', 'What was removed for its age, or because its session was deleted.', [
    'what',
  ])
  const seconds = metrics.histogram(
    'millrace_recordings_deliver_seconds',
    'Time from a confirmed plan to its ledger row.',
    LATENCY_BUCKETS,
  )
  const open = metrics.gauge('millrace_recordings_open_bytes', 'Bytes of open batches.')
  return {
    observer: {
      planned: () => plans.add(1),
      delivered: (_, { replayed }, took) => {
        seconds.observe(took)
        if (replayed) replays.add(1)
      },
      adopted: () => adoptions.add(1),
    },
    observeBatch(counts, outcome, objects, size) {
      received.add(counts.records)
      stored.add(counts.inserted)
      rejected.add(counts.rejected)
      blocks.add(objects)
      bytes.add(size)
      repaired.add(outcome.repaired)
    },
    openBytes: (total) => open.set(total),
    removed: (what, count) => removed.add(count, { what }),
  }
}
