import type { KafkaNames } from '../../core/kafka/topics.ts'
import { SAMPLE_DELIVERIES, SAMPLE_REJECTED_DELIVERIES } from './entitlements.ts'
import type { Consumption } from './lag.ts'

/** Every consumer of the sample configuration, upstream first. */
export function demoConsumers(names: KafkaNames): readonly Consumption[] {
  return [
    { name: 'enricher', group: names.group('enricher'), topic: names.raw },
    { name: 'router', group: names.group('subscriber-router'), topic: names.enriched },
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
    { name: 'clickhouse events', group: names.group('clickhouse-sink', 'events'), topic: names.enriched },
    { name: 'clickhouse rejected', group: names.group('clickhouse-sink', 'rejected'), topic: names.rejected },
  ]
}
