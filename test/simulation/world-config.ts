import type { Dataset, Delivery, Subscription } from '../../schemas/control/v1.ts'
import { kafkaNames } from '../../services/core/kafka/topics.ts'
import { SESSION_MS } from './process.ts'

export const names = kafkaNames('')
export const PARTITIONS = 3
export const BUCKET = 'lake'

export const DATASETS: readonly Dataset[] = [
  { id: 'shop', account: 'acme' },
  { id: 'blog', account: 'acme' },
]
export const SUBSCRIPTIONS: readonly Subscription[] = [
  { id: 'all', account: 'acme', datasets: ['shop', 'blog'] },
  {
    id: 'some',
    account: 'acme',
    datasets: ['shop'],
    where: 'properties.n >= 2',
    fields: { exclude: ['ip'] },
  },
]
export const DELIVERIES: readonly Delivery[] = [
  {
    id: 'lines',
    account: 'acme',
    datasets: ['shop', 'blog'],
    format: 'jsonl',
    partition_by: 'dataset={dataset}/dt={landed:yyyy-MM-dd}/hour={landed:HH}',
    rotate: { rows: 7, age: '3s' },
  },
  {
    id: 'table',
    account: 'acme',
    datasets: ['shop'],
    format: 'parquet',
    where: 'properties.n >= 2',
    rotate: { rows: 20, age: '2s' },
  },
  {
    id: 'refused',
    account: 'acme',
    datasets: ['shop', 'blog'],
    source: 'rejected',
    format: 'csv',
    rotate: { rows: 5, age: '3s' },
  },
]

/** The consumer groups of the stages whose batches are planned. */
export const GROUPS = {
  's3-sink': DELIVERIES.map(({ id }) => names.group('s3-sink', id)),
  'clickhouse-sink': ['events', 'rejected'].map((part) => names.group('clickhouse-sink', part)),
  recordings: [names.group('recordings')],
} as const

export const DEDUPE_WINDOW_MS = 600_000
/** A table forgets tokens while a sink is away or stands still, and not before the one that slept must have found out. */
export const SMALL_WINDOW = { blocks: 12, ageMs: 1.2 * SESSION_MS }
