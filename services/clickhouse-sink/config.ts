import { CLICKHOUSE_MIGRATE_SETTING, CLICKHOUSE_SETTINGS } from '../core/clickhouse/clickhouse-settings.ts'
import { KAFKA_SETTINGS } from '../core/kafka/kafka-settings.ts'
import { FAIL_POINT_SETTING } from '../core/runtime/fail-points.ts'
import { bytes, duration, integer } from '../core/runtime/settings.ts'

export const CLICKHOUSE_SINK_SETTINGS = {
  ...KAFKA_SETTINGS,
  ...CLICKHOUSE_SETTINGS,
  batchRowsMax: integer('MILLRACE_CLICKHOUSE_SINK_BATCH_ROWS', {
    default: '100000',
    min: 1,
    max: 1_000_000,
    doc: 'Records of one insert at most.',
  }),
  batchBytesMax: bytes('MILLRACE_CLICKHOUSE_SINK_BATCH_BYTES', {
    default: '32MB',
    doc: 'Bytes of one insert at most.',
  }),
  batchAgeMs: duration('MILLRACE_CLICKHOUSE_SINK_BATCH_AGE', {
    default: '2s',
    doc: 'How long a record waits for others to share its insert.',
  }),
  openBytesMax: bytes('MILLRACE_CLICKHOUSE_SINK_OPEN_BYTES', {
    default: '256MB',
    doc: 'Bytes of open batches at most, all partitions together; past 80 % of it the largest is inserted early.',
  }),
  pollRecordsMax: integer('MILLRACE_CLICKHOUSE_SINK_POLL_RECORDS', {
    default: '5000',
    min: 1,
    max: 1_000_000,
    doc: 'Records that are taken from Kafka at once, per table.',
  }),
  queueBytesMax: bytes('MILLRACE_CLICKHOUSE_SINK_QUEUE_BYTES', {
    default: '32MB',
    doc: 'Bytes that wait for the busy partitions of one table, all together; fetching pauses past it.',
  }),
  migrate: CLICKHOUSE_MIGRATE_SETTING,
  failPoint: FAIL_POINT_SETTING,
} as const
