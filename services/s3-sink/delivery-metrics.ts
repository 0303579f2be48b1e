import type { MetricCounter, MetricGauge, MetricHistogram, Metrics } from '../core/runtime/metrics.ts'
import { LATENCY_BUCKETS } from '../core/runtime/metrics.ts'
import type { PlannedObserver } from '../core/stream/planned-batch.ts'
import type { ManifestContent } from './commit-manifest.ts'

export interface DeliveryMetrics {
  readonly observer: (delivery: string) => PlannedObserver
  readonly observeBatch: (delivery: string, manifest: ManifestContent) => void
  readonly spoolBytes: MetricGauge
}

/** For every delivery read = delivered + filtered + rejected + control, counted when a batch is committed. */
export function deliveryMetrics(metrics: Metrics): DeliveryMetrics {
  const rows = (outcome: string, help: string) =>
    metrics.counter(`millrace_s3_sink_${outcome}_records_total`, help, ['delivery'])
  const counters: Readonly<Record<keyof ManifestContent['receipt'], MetricCounter>> = {
    read: rows('read', 'Records in committed batches: delivered + filtered + rejected + control.'),
    delivered: rows('delivered', 'Rows in data objects.'),
    filtered: rows('filtered', 'Events that the delivery does not ask for.'),
    rejected: rows('rejected', 'Rows that could not be written and lie in a rejected object.'),
    control: rows('control', 'Records that carry no event.'),
  }
  const objects = metrics.counter('millrace_s3_sink_objects_total', 'Data objects written.', ['delivery'])
  const bytes = metrics.counter('millrace_s3_sink_object_bytes_total', 'Bytes of data objects.', ['delivery'])
  const plans = metrics.counter('millrace_s3_sink_plans_total', 'Batches planned.', ['delivery'])
  const replays = metrics.counter('millrace_s3_sink_replays_total', 'Open plans that were replayed.', [
    'delivery',
  ])
  const adoptions = metrics.counter(
    'millrace_s3_sink_adoptions_total',
    'Times a position was behind the manifests and was brought up to them.',
    ['delivery'],
  )
  const seconds: MetricHistogram = metrics.histogram(
    'millrace_s3_sink_deliver_seconds',
    'Time from a confirmed plan to its manifest.',
    LATENCY_BUCKETS,
    ['delivery'],
  )
  return {
    spoolBytes: metrics.gauge('millrace_s3_sink_spool_bytes', 'Bytes in the spools of open batches.'),
    observer: (delivery) => ({
      planned: () => plans.add(1, { delivery }),
      delivered: (_, { replayed }, took) => {
        seconds.observe(took, { delivery })
        if (replayed) replays.add(1, { delivery })
      },
      adopted: () => adoptions.add(1, { delivery }),
    }),
    observeBatch(delivery, manifest) {
      for (const [outcome, counter] of Object.entries(counters))
        counter.add(manifest.receipt[outcome as keyof typeof counters], { delivery })
      objects.add(manifest.objects.length, { delivery })
      bytes.add(
        manifest.objects.reduce((sum, object) => sum + object.bytes, 0),
        { delivery },
      )
    },
  }
}

/** The same metrics with one more label of a fixed value: for code that several deliveries run side by side. */
export function labelled(metrics: Metrics, own: Readonly<Record<string, string>>): Metrics {
  const names = Object.keys(own)
  return {
    counter(name, help, labels = []) {
      const counter = metrics.counter(name, help, [...names, ...labels])
      return { add: (value, given) => counter.add(value, { ...own, ...given }) }
    },
    gauge(name, help, labels = []) {
      const gauge = metrics.gauge(name, help, [...names, ...labels])
      return {
        set: (value, given) => gauge.set(value, { ...own, ...given }),
        remove: (given) => gauge.remove({ ...own, ...given }),
      }
    },
    histogram(name, help, buckets, labels = []) {
      const histogram = metrics.histogram(name, help, buckets, [...names, ...labels])
      return { observe: (value, given) => histogram.observe(value, { ...own, ...given }) }
    },
    expose: () => metrics.expose(),
  }
}
