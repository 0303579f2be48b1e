import { bytes, duration, integer, optional, text } from '../../../services/core/runtime/settings.ts'

/** Settings of the embedded engine's process; `startClickHouse` fills in where it lives. */
export const FRONT_SETTINGS = {
  stateDir: text('MILLRACE_CLICKHOUSE_FRONT_DIR', {
    doc: 'Directory of the engine’s data and of inserts on their way in.',
  }),
  host: text('MILLRACE_CLICKHOUSE_FRONT_HOST', { default: '127.0.0.1', doc: 'Address to listen on.' }),
  port: integer('MILLRACE_CLICKHOUSE_FRONT_PORT', {
    default: '18123',
    max: 65535,
    doc: 'Port to listen on.',
  }),
  readers: integer('MILLRACE_CLICKHOUSE_FRONT_READERS', {
    default: '4',
    min: 1,
    max: 32,
    doc: 'Queries that run at the same time.',
  }),
  writers: integer('MILLRACE_CLICKHOUSE_FRONT_WRITERS', {
    default: '2',
    min: 1,
    max: 32,
    doc: 'Inserts and schema changes that run at the same time, apart from queries.',
  }),
  queueMax: integer('MILLRACE_CLICKHOUSE_FRONT_QUEUE_MAX', {
    default: '64',
    doc: 'Statements of either kind that wait at most; one more is answered 503, code 202.',
  }),
  sqlBytesMax: bytes('MILLRACE_CLICKHOUSE_FRONT_SQL_BYTES_MAX', {
    default: '16MB',
    doc: 'Longest statement, rows that stand in its text included.',
  }),
  insertBytesMax: bytes('MILLRACE_CLICKHOUSE_FRONT_INSERT_BYTES_MAX', {
    default: '1GB',
    doc: 'Largest body of an insert, decompressed; it is kept in a file until it is inserted.',
  }),
  resultBytesMax: bytes('MILLRACE_CLICKHOUSE_FRONT_RESULT_BYTES_MAX', {
    default: '256MB',
    doc: 'Largest result in a format that cannot be sent piece by piece, such as JSON or Parquet.',
  }),
  queryTimeMaxMs: duration('MILLRACE_CLICKHOUSE_FRONT_QUERY_TIME_MAX', {
    default: '60s',
    doc: 'max_execution_time of a query that sets none.',
  }),
  queryMemoryMax: bytes('MILLRACE_CLICKHOUSE_FRONT_QUERY_MEMORY_MAX', {
    default: '2GB',
    doc: 'max_memory_usage of a query that sets none.',
  }),
  user: text('MILLRACE_CLICKHOUSE_FRONT_USER', { default: 'default', doc: 'The one user.' }),
  password: optional(
    text('MILLRACE_CLICKHOUSE_FRONT_PASSWORD', {
      secret: true,
      doc: 'Its password; when not set, everybody is let in.',
    }),
  ),
} as const
