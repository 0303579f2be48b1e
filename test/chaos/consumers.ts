import type { Consumption } from '../../services/cli/demo/lag.ts'
import type { KafkaNames } from '../../services/core/kafka/topics.ts'
import type { ChaosStage } from './chaos-system.ts'

/** A consumer that stands for its stage, and the series in which a process tells of each partition that it has. */
export interface WatchedConsumer extends Consumption {
  readonly stage: ChaosStage
  readonly lagMetric: string
  readonly labels: Readonly<Record<string, string>>
}

/** One per consuming stage, in the order an event travels. */
export function watchedConsumers(names: KafkaNames): readonly WatchedConsumer[] {
  const named = (name: string) => consumersOf(names).find((each) => each.name === name) as Consumption
  const watched = (stage: ChaosStage, name: string, metric: string, labels = {}): WatchedConsumer => ({
    ...named(name),
    stage,
    lagMetric: `millrace_${metric}_partition_lag_records`,
    labels,
  })
  return [
    watched('enricher', 'enricher', 'enricher'),
    watched('subscriber-router', 'router', 'router'),
    watched('s3-sink', 's3 warehouse', 's3_sink', { delivery: 'warehouse' }),
    watched('clickhouse-sink', 'clickhouse events', 'clickhouse_sink_events'),
  ]
}

/** Every consumer of a run, with the deliveries of `millrace.yaml`. */
export function consumersOf(names: KafkaNames): readonly Consumption[] {
  return [
    { name: 'enricher', group: names.group('enricher'), topic: names.raw },
    { name: 'router', group: names.group('subscriber-router'), topic: names.enriched },
    ...['warehouse', 'purchases'].map((id) => ({
      name: `s3 ${id}`,
      group: names.group('s3-sink', id),
      topic: names.enriched,
    })),
    { name: 's3 rejected', group: names.group('s3-sink', 'rejected'), topic: names.rejected },
    { name: 'clickhouse events', group: names.group('clickhouse-sink', 'events'), topic: names.enriched },
    { name: 'clickhouse rejected', group: names.group('clickhouse-sink', 'rejected'), topic: names.rejected },
    { name: 'identity', group: names.group('identity', 'repartition'), topic: names.enriched },
    { name: 'identity persons', group: names.group('identity', 'resolve'), topic: names.identity },
    { name: 'recordings', group: names.group('recordings'), topic: names.recordings },
  ]
}

/** Partitions that a process has, as its metrics tell. @param metrics in Prometheus' text format */
export function heldPartitions(metrics: string, { lagMetric, labels, topic }: WatchedConsumer): number[] {
  const wanted = Object.entries({ ...labels, topic }).map(([name, value]) => `${name}="${value}"`)
  return metrics.split('\n').flatMap((line) => {
    if (!line.startsWith(`${lagMetric}{`) || !wanted.every((label) => line.includes(label))) return []
    return [Number(/partition="(\d+)"/.exec(line)?.[1])]
  })
}
