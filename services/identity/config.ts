import { CLICKHOUSE_MIGRATE_SETTING, CLICKHOUSE_SETTINGS } from '../core/clickhouse/clickhouse-settings.ts'
import { KAFKA_SETTINGS } from '../core/kafka/kafka-settings.ts'
import { IDENTITY_DATABASE_SETTINGS } from '../core/metadata/identity-database-settings.ts'
import { FAIL_POINT_SETTING } from '../core/runtime/fail-points.ts'
import { bytes, duration, integer, type Settings } from '../core/runtime/settings.ts'

export const IDENTITY_SETTINGS = {
  ...KAFKA_SETTINGS,
  ...CLICKHOUSE_SETTINGS,
  ...IDENTITY_DATABASE_SETTINGS,
  batchRecordsMax: integer('MILLRACE_IDENTITY_BATCH_RECORDS', {
    default: '1000',
    min: 1,
    max: 100_000,
    doc: 'Records of events.identity that are applied in one transaction of the database at most.',
  }),
  selectRecordsMax: integer('MILLRACE_IDENTITY_SELECT_RECORDS', {
    default: '2000',
    min: 1,
    max: 100_000,
    doc: 'Records of events.enriched that one transaction looks through at most for what they say about persons.',
  }),
  transactionTimeoutMs: duration('MILLRACE_IDENTITY_TRANSACTION_TIMEOUT', {
    default: '30s',
    doc: 'After this the broker aborts a transaction of the identity stage that does not end.',
  }),
  sightingsMax: integer('MILLRACE_IDENTITY_SIGHTINGS_MAX', {
    default: '200000',
    min: 1,
    doc: 'Distinct ids that one process remembers to have seen, about 200 bytes each; one that was forgotten is told once more.',
  }),
  publishRowsMax: integer('MILLRACE_IDENTITY_PUBLISH_ROWS', {
    default: '10000',
    min: 1,
    max: 1_000_000,
    doc: 'Rows of persons that are told ClickHouse and the topic of persons at once, per partition.',
  }),
  publishBytesMax: bytes('MILLRACE_IDENTITY_PUBLISH_BYTES', {
    default: '16MB',
    doc: 'Bytes of those rows at most.',
  }),
  publishIntervalMs: duration('MILLRACE_IDENTITY_PUBLISH_INTERVAL', {
    default: '1s',
    doc: 'Least time from one publication of a partition to the next, unless more waits than one may hold.',
  }),
  outboxRowsMax: integer('MILLRACE_IDENTITY_OUTBOX_ROWS', {
    default: '1000000',
    min: 1,
    doc: 'Rows of a partition that may wait for ClickHouse or the topic of persons; past it no further events are applied.',
  }),
  migrate: CLICKHOUSE_MIGRATE_SETTING,
  failPoint: FAIL_POINT_SETTING,
} as const

export type IdentitySettings = Settings<typeof IDENTITY_SETTINGS>
