import { boundedLabel, LATENCY_BUCKETS, type Metrics } from '../core/runtime/metrics.ts'
import type { RoutedBatch } from './route-batch.ts'

export interface RouterMeters {
  /** @param seconds see `millrace_router_transaction_seconds` */
  routed(batch: RoutedBatch, seconds: number): void
  lost(subscription: string, offsets: number): void
  lanes(partition: number, ownLanes: number): void
}

/** Subscriptions with a metric of their own; later ones count as `other`. */
const LABELS_MAX = 500

export function createRouterMeters(metrics: Metrics): RouterMeters {
  const label = boundedLabel(LABELS_MAX)
  const forwarded = metrics.counter(
    'millrace_router_forwarded_events_total',
    'Events written to a subscription’s topic, in committed transactions.',
    ['subscription'],
  )
  const duplicates = metrics.counter(
    'millrace_router_duplicate_records_total',
    'Records whose raw offset had been covered before, and which were not delivered again.',
  )
  const unreadable = metrics.counter(
    'millrace_router_unreadable_records_total',
    'Records whose value had to be read and is no JSON object.',
  )
  const lost = metrics.counter(
    'millrace_router_lost_offsets_total',
    'Offsets that retention took before a subscription whose topic was out of order could be served.',
    ['subscription'],
  )
  const lanes = metrics.gauge(
    'millrace_router_own_lanes_count',
    'Subscriptions that are served apart from the others because their topic does not work, per partition.',
    ['partition'],
  )
  const transactionSeconds = metrics.histogram(
    'millrace_router_transaction_seconds',
    'From the choice of a batch’s records to the answer to their commit.',
    LATENCY_BUCKETS,
  )
  return {
    routed(batch, seconds) {
      transactionSeconds.observe(seconds)
      for (const [subscription, records] of batch.records)
        forwarded.add(records.length, { subscription: label(subscription) })
      if (batch.duplicates > 0) duplicates.add(batch.duplicates)
      if (batch.unreadable > 0) unreadable.add(batch.unreadable)
    },
    lost: (subscription, offsets) => lost.add(offsets, { subscription: label(subscription) }),
    lanes: (partition, ownLanes) => lanes.set(ownLanes, { partition: String(partition) }),
  }
}
