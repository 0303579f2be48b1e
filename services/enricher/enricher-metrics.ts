import type { Receipt } from '../../schemas/receipt/v1.ts'
import type { RejectionCode } from '../../schemas/rejected-event/v1.ts'
import { LATENCY_BUCKETS, type Metrics } from '../core/runtime/metrics.ts'

/** What the enricher tells about itself. received = enriched + rejected + duplicate + control, always. */
export interface EnricherMetrics {
  /** A transaction is known to be committed. */
  committed(receipt: Receipt, rejections: ReadonlyMap<RejectionCode, number>, seconds: number): void
  /** A transaction failed, or nobody knows. */
  failed(): void
  ticked(partitions: number): void
  dedupe(partition: number, ids: number, bytes: number, heldMs: number): void
  forgotten(ids: { readonly expired: number; readonly early: number }): void
  /** Events passed as new whose ids had been known: repetitions past the window. */
  windowExceeded(events: number): void
  /** The partition is not ours any more. */
  released(partition: number): void
  geoBuiltAt(epochMs: number): void
}

export function enricherMetrics(metrics: Metrics): EnricherMetrics {
  const count = (noun: string, help: string, labels?: readonly string[]) =>
    metrics.counter(`millrace_enricher_${noun}_total`, help, labels)
  const gauge = (noun: string, help: string, labels?: readonly string[]) =>
    metrics.gauge(`millrace_enricher_${noun}`, help, labels)
  const received = count('received_records', 'Raw offsets done with.')
  const enriched = count('enriched_records', 'Enriched events written.')
  const rejected = count('rejected_records', 'Rejected events written, by code.', ['code'])
  const duplicate = count('duplicate_records', 'Events recognised as known and written nowhere.')
  const control = count('control_records', 'Raw offsets that carried no event.')
  const transactions = count('transactions', 'Transactions, by outcome.', ['outcome'])
  const ticks = count('tick_records', 'Ticks written into idle partitions.')
  const seconds = metrics.histogram(
    'millrace_enricher_transaction_seconds',
    'From the first judgement of a batch to the answer to its commit.',
    LATENCY_BUCKETS,
  )
  const records = metrics.histogram(
    'millrace_enricher_transaction_records',
    'Raw records per transaction.',
    [1, 3, 10, 30, 100, 300, 1000, 3000, 10_000, 20_000],
  )
  const ids = gauge('dedupe_ids_count', 'Event ids remembered.', ['partition'])
  const bytes = gauge('dedupe_ids_bytes', 'Memory of the remembered event ids.', ['partition'])
  const held = gauge('dedupe_window_held_seconds', 'Append time that the remembered ids cover.', [
    'partition',
  ])
  const forgotten = count(
    'dedupe_forgotten_ids',
    'Event ids forgotten: expired as the window moved on, or early because all ids were used.',
    ['reason'],
  )
  const exceeded = count(
    'dedupe_window_exceeded_events',
    'Events that passed as new although their id had been known before the window. At least so many: see the docs.',
  )
  const geo = gauge('geo_built_timestamp_seconds', 'When the geo data in use was built, epoch seconds.')
  return {
    committed(receipt, rejections, took) {
      received.add(receipt.to - receipt.from + 1)
      enriched.add(receipt.enriched)
      for (const [code, events] of rejections) rejected.add(events, { code })
      duplicate.add(receipt.duplicate)
      control.add(receipt.control)
      transactions.add(1, { outcome: 'committed' })
      seconds.observe(took)
      records.observe(receipt.to - receipt.from + 1)
    },
    failed: () => transactions.add(1, { outcome: 'failed' }),
    ticked: (partitions) => ticks.add(partitions),
    dedupe(partition, idCount, byteCount, heldMs) {
      const labels = { partition: String(partition) }
      ids.set(idCount, labels)
      bytes.set(byteCount, labels)
      held.set(heldMs / 1000, labels)
    },
    released(partition) {
      const labels = { partition: String(partition) }
      ids.set(0, labels)
      bytes.set(0, labels)
      held.set(0, labels)
    },
    forgotten({ expired, early }) {
      forgotten.add(expired, { reason: 'expired' })
      forgotten.add(early, { reason: 'early' })
    },
    windowExceeded: (events) => exceeded.add(events),
    geoBuiltAt: (epochMs) => geo.set(epochMs / 1000),
  }
}
