import type { KafkaNames } from '../../core/kafka/topics.ts'
import { SAMPLE_DELIVERIES, SAMPLE_REJECTED_DELIVERIES } from './entitlements.ts'
import type { Consumption } from './lag.ts'

/** Every consumer of the sample configuration by the kind of place that it fills; upstream first. */
export interface DemoConsumers {
  readonly topics: readonly Consumption[]
  readonly files: readonly Consumption[]
  readonly rows: readonly Consumption[]
}

export function demoConsumers(names: KafkaNames): DemoConsumers {
  const topics = [
    { name: 'enricher', group: names.group('enricher'), topic: names.raw },
    { name: 'router', group: names.group('subscriber-router'), topic: names.enriched },
  ]
  const files = [
    ...Object.keys(SAMPLE_DELIVERIES).map((id) => ({
      name: `s3 ${id}`,
      group: names.group('s3-sink', id),
      topic: names.enriched,
    })),
    ...SAMPLE_REJECTED_DELIVERIES.map((id) => ({
      name: `s3 ${id}`,
      group: names.group('s3-sink', id),
      topic: names.rejected,
    })),
  ]
  const rows = [
    { name: 'clickhouse events', group: names.group('clickhouse-sink', 'events'), topic: names.enriched },
    { name: 'clickhouse rejected', group: names.group('clickhouse-sink', 'rejected'), topic: names.rejected },
    { name: 'identity', group: names.group('identity', 'repartition'), topic: names.enriched },
    { name: 'persons', group: names.group('identity', 'resolve'), topic: names.identity },
  ]
  return { topics, files, rows }
}
