import { CLICKHOUSE_MIGRATE_SETTING, CLICKHOUSE_SETTINGS } from '../core/clickhouse/clickhouse-settings.ts'
import { KAFKA_SETTINGS } from '../core/kafka/kafka-settings.ts'
import { databaseUrl } from '../core/metadata/metadata-settings.ts'
import { FAIL_POINT_SETTING } from '../core/runtime/fail-points.ts'
import { bytes, duration, integer, optional, type Settings, text } from '../core/runtime/settings.ts'
import { STATE_DIR_SETTING } from '../core/runtime/state-dir.ts'

export const IDENTITY_SETTINGS = {
  ...KAFKA_SETTINGS,
  ...CLICKHOUSE_SETTINGS,
  databaseUrl: optional({
    ...text('MILLRACE_IDENTITY_DATABASE_URL', {
      secret: true,
      doc: 'Database that holds persons: postgres://user:password@host/database, or sqlite:/path/of/a/file. Left out: the SQLite file identity.sqlite in MILLRACE_STATE_DIR, which is enough for processes of one machine.',
    }),
    parse: databaseUrl,
  }),
  connectionsMax: integer('MILLRACE_IDENTITY_DATABASE_CONNECTIONS_MAX', {
    default: '8',
    min: 1,
    max: 1000,
    doc: 'Connections of one process to that PostgreSQL at the same time. SQLite has one.',
  }),
  databaseTimeoutMs: duration('MILLRACE_IDENTITY_DATABASE_TIMEOUT', {
    default: '30s',
    doc: 'Longest time for a connection to that PostgreSQL to open, and for one statement there.',
  }),
  stateDir: STATE_DIR_SETTING,
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
