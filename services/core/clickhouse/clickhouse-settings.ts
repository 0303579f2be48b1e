import { boolean, duration, integer, optional, type Settings, text } from '../runtime/settings.ts'

/** How every process reaches ClickHouse. Defaults fit the local engine. */
export const CLICKHOUSE_SETTINGS = {
  clickhouseUrl: text('MILLRACE_CLICKHOUSE_URL', {
    default: 'http://127.0.0.1:18123',
    doc: 'HTTP interface of the ClickHouse server.',
  }),
  clickhouseUser: text('MILLRACE_CLICKHOUSE_USER', { default: 'default', doc: 'User name.' }),
  clickhousePassword: optional(
    text('MILLRACE_CLICKHOUSE_PASSWORD', { secret: true, doc: 'Password; none when not set.' }),
  ),
  clickhouseDatabase: text('MILLRACE_CLICKHOUSE_DATABASE', {
    default: 'millrace',
    doc: 'Database that holds the tables; made by the first migration.',
  }),
  clickhouseRequestTimeoutMs: duration('MILLRACE_CLICKHOUSE_REQUEST_TIMEOUT', {
    default: '120s',
    doc: 'Longest silence of the server in one request before it counts as gone.',
  }),
  clickhouseConnectionsMax: integer('MILLRACE_CLICKHOUSE_CONNECTIONS_MAX', {
    default: '16',
    min: 1,
    max: 1000,
    doc: 'Connections of one process at the same time; further requests wait.',
  }),
  clickhouseCompress: boolean('MILLRACE_CLICKHOUSE_COMPRESS', {
    default: 'false',
    doc: 'Whether bodies are compressed on the way; worth it only when the server is not near.',
  }),
} as const

export type ClickHouseSettings = Settings<typeof CLICKHOUSE_SETTINGS>

/** Of stages that write there. */
export const CLICKHOUSE_MIGRATE_SETTING = boolean('MILLRACE_CLICKHOUSE_MIGRATE', {
  default: 'true',
  doc: 'Whether a stage that writes to ClickHouse brings the tables up to date when it starts. Switch off where its user may not.',
})
