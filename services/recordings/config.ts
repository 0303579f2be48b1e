import { CLICKHOUSE_MIGRATE_SETTING, CLICKHOUSE_SETTINGS } from '../core/clickhouse/clickhouse-settings.ts'
import { KAFKA_SETTINGS } from '../core/kafka/kafka-settings.ts'
import { S3_SETTINGS } from '../core/object-store/s3-settings.ts'
import { FAIL_POINT_SETTING } from '../core/runtime/fail-points.ts'
import { bytes, duration, integer } from '../core/runtime/settings.ts'

export const RECORDINGS_SETTINGS = {
  ...KAFKA_SETTINGS,
  ...CLICKHOUSE_SETTINGS,
  ...S3_SETTINGS,
  batchChunksMax: integer('MILLRACE_RECORDINGS_BATCH_CHUNKS', {
    default: '5000',
    min: 1,
    max: 100_000,
    doc: 'Chunks of one batch at most; a batch is one object per session in it.',
  }),
  batchBytesMax: bytes('MILLRACE_RECORDINGS_BATCH_BYTES', {
    default: '16MB',
    doc: 'Bytes of one batch at most, as they are compressed.',
  }),
  batchAgeMs: duration('MILLRACE_RECORDINGS_BATCH_AGE', {
    default: '30s',
    doc: 'How long a chunk waits for others to share its object. Longer makes fewer objects, and shows recordings later.',
  }),
  openBytesMax: bytes('MILLRACE_RECORDINGS_OPEN_BYTES', {
    default: '64MB',
    doc: 'Bytes of open batches at most, all partitions together; past 80 % of it the largest is written early.',
  }),
  pollRecordsMax: integer('MILLRACE_RECORDINGS_POLL_RECORDS', {
    default: '500',
    min: 1,
    max: 100_000,
    doc: 'Chunks that are taken from Kafka at once.',
  }),
  queueBytesMax: bytes('MILLRACE_RECORDINGS_QUEUE_BYTES', {
    default: '32MB',
    doc: 'Bytes that wait for busy partitions, all together; fetching pauses past it.',
  }),
  retentionMs: duration('MILLRACE_RECORDINGS_RETENTION', {
    default: '30d',
    doc: 'How long recordings are kept from their arrival on; older blocks are removed, objects and rows.',
  }),
  cleanUpIntervalMs: duration('MILLRACE_RECORDINGS_CLEAN_UP_INTERVAL', {
    default: '5m',
    doc: 'How often blocks that are too old, and what came late of deleted sessions, are looked for.',
  }),
  migrate: CLICKHOUSE_MIGRATE_SETTING,
  failPoint: FAIL_POINT_SETTING,
} as const
