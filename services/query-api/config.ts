import { parseCidrs } from '../core/runtime/client-address.ts'
import { FAIL_POINT_SETTING } from '../core/runtime/fail-points.ts'
import { boolean, bytes, choice, duration, integer, optional, text } from '../core/runtime/settings.ts'
import { parseAllowedHosts } from './batch-exports/allowed-hosts.ts'

/** Settings of the query API. Every limit is part of its interface: reaching one is a stated answer. */
export const QUERY_API_SETTINGS = {
  host: text('MILLRACE_QUERY_HOST', { default: '127.0.0.1', doc: 'Address that the query API listens on.' }),
  port: integer('MILLRACE_QUERY_PORT', {
    default: '8090',
    max: 65535,
    doc: 'Port of the query API; 0 picks a free one and logs it.',
  }),
  publicUrl: optional(
    text('MILLRACE_QUERY_PUBLIC_URL', {
      default: '',
      doc: 'Address under which clients reach the query API, for the links in its answers. Taken from the request when not set.',
    }),
  ),
  trustedProxies: {
    ...text('MILLRACE_QUERY_TRUSTED_PROXIES', {
      default: '',
      doc: 'Networks whose X-Forwarded-For is believed, CIDRs separated by commas; none when empty.',
    }),
    parse: parseCidrs,
  },
  bodyBytesMax: bytes('MILLRACE_QUERY_BODY_BYTES_MAX', {
    default: '1MB',
    doc: 'Largest request body, bytes; 413 past it.',
  }),
  uploadBytesMax: bytes('MILLRACE_QUERY_UPLOAD_BYTES_MAX', {
    default: '10MB',
    doc: 'Largest file in a request, such as a list of members of a cohort, bytes; 413 past it.',
  }),
  cohortSecondsMax: integer('MILLRACE_QUERY_COHORT_SECONDS_MAX', {
    default: '60',
    min: 1,
    max: 300,
    doc: 'Longest time of one statement of a calculation of a cohort in ClickHouse, seconds; past it the calculation fails.',
  }),
  adminSha256: optional({
    ...text('MILLRACE_ADMIN_KEY_SHA256', {
      doc: 'SHA-256 (hex) of the administrator’s key, which makes the first personal API keys; "millrace key admin" makes one. Left out: there is none.',
    }),
    parse: sha256Hex,
  }),
  rateLimitsOn: boolean('MILLRACE_QUERY_RATE_LIMITS', {
    default: 'true',
    doc: 'Whether requests per minute and hour are limited.',
  }),
  rateLimitAllow: {
    ...text('MILLRACE_QUERY_RATE_LIMIT_ALLOW', {
      default: '',
      doc: 'Datasets that are served whatever they ask, ids separated by commas.',
    }),
    parse: idList,
  },
  rateLimitRedisUrl: optional(
    text('MILLRACE_QUERY_RATE_LIMIT_REDIS_URL', {
      secret: true,
      doc: 'Redis or Valkey in which processes count requests together, e.g. redis://user:password@host:6379. Left out: each process counts its own.',
    }),
  ),
  writerUser: optional(
    text('MILLRACE_QUERY_WRITER_USER', {
      doc: 'User of ClickHouse who writes members of cohorts and removes recordings, where MILLRACE_CLICKHOUSE_USER may only read. Left out: that one.',
    }),
  ),
  writerPassword: optional(
    text('MILLRACE_QUERY_WRITER_PASSWORD', { secret: true, doc: 'Its password; none when not set.' }),
  ),
  datasetSetting: optional({
    ...text('MILLRACE_QUERY_DATASET_SETTING', {
      doc: 'Custom setting of ClickHouse that tells each statement’s dataset to row policies, e.g. SQL_millrace_dataset (infra/clickhouse-users.sql). Left out: it is not told, as the embedded engine has no such settings.',
    }),
    parse: settingName,
  }),
  executionSecondsMax: integer('MILLRACE_QUERY_SECONDS_MAX', {
    default: '20',
    min: 1,
    max: 600,
    doc: 'Longest time that one question may take in ClickHouse, seconds; 400 query_too_expensive past it.',
  }),
  rowsReadMax: integer('MILLRACE_QUERY_ROWS_READ_MAX', {
    default: '500000000',
    min: 1,
    doc: 'Rows that one question may read in ClickHouse; 400 query_too_expensive past it.',
  }),
  memoryBytesMax: integer('MILLRACE_QUERY_MEMORY_BYTES_MAX', {
    default: '2000000000',
    min: 1,
    doc: 'Memory that one question may use in ClickHouse, bytes; 400 query_too_expensive past it.',
  }),
  resultBytesMax: integer('MILLRACE_QUERY_RESULT_BYTES_MAX', {
    default: '67108864',
    min: 1,
    doc: 'Size of one result before it is turned into the answer, bytes; 400 query_too_expensive past it.',
  }),
  streamSecondsMax: integer('MILLRACE_QUERY_STREAM_SECONDS_MAX', {
    default: '3600',
    min: 1,
    max: 86_400,
    doc: 'Longest time that an answer without a row cap (limit=all) may take, seconds, the client included; its connection is broken off past it.',
  }),
  streamStallMs: duration('MILLRACE_QUERY_STREAM_STALL', {
    default: '1m',
    doc: 'Longest time that a client may leave an answer without a row cap unread; its connection is broken off past it.',
  }),
  exportStore: choice('MILLRACE_EXPORT_STORE', ['directory', 'bucket'], {
    default: 'directory',
    doc: 'Where the files of exports lie: in a directory of this machine, or in MILLRACE_EXPORT_BUCKET for processes on several machines.',
  }),
  exportDir: text('MILLRACE_EXPORT_DIR', {
    default: '.millrace/exports',
    doc: 'Directory for the files of exports; with a bucket, for those that are being made.',
  }),
  exportDirBytesMax: bytes('MILLRACE_EXPORT_DIR_BYTES', {
    default: '10GB',
    doc: 'Bytes of all files in that directory at most; exports fail past it, and say so.',
  }),
  exportBytesMax: bytes('MILLRACE_EXPORT_BYTES_MAX', {
    default: '4GB',
    doc: 'Largest file of one export; it fails past it, and says so. A bucket takes 5 GB in one piece.',
  }),
  exportBucket: optional(
    text('MILLRACE_EXPORT_BUCKET', {
      doc: 'Bucket for the files of exports. Left out: MILLRACE_S3_BUCKET.',
    }),
  ),
  exportLeaseMs: duration('MILLRACE_EXPORT_LEASE', {
    default: '30s',
    doc: 'How long a process that makes an export may be silent; another one begins it anew after that.',
  }),
  exportsMax: integer('MILLRACE_EXPORT_CONCURRENT', {
    default: '2',
    min: 0,
    max: 100,
    doc: 'Exports that this process makes at the same time; 0 leaves them to others.',
  }),
  batchExportLookEveryMs: duration('MILLRACE_BATCH_EXPORT_LOOK_EVERY', {
    default: '10s',
    doc: 'How often manifests of batch exports are looked for, for their runs.',
  }),
  batchExportHosts: {
    ...text('MILLRACE_BATCH_EXPORT_HOSTS', {
      default: '',
      doc: 'Databases that batch exports may connect to, separated by commas: db.example.com, db.example.com:6432, *.example.com; port 5432 where none is said. Empty: none, so that batch exports go to buckets alone.',
    }),
    parse: parseAllowedHosts,
  },
  failPoint: FAIL_POINT_SETTING,
  concurrentMax: integer('MILLRACE_QUERY_CONCURRENT_MAX', {
    default: '16',
    min: 1,
    doc: 'Questions that this process answers at once; 429 past it.',
  }),
  concurrentPerDatasetMax: integer('MILLRACE_QUERY_CONCURRENT_PER_DATASET_MAX', {
    default: '6',
    min: 1,
    doc: 'Questions about one dataset that this process answers at once; 429 past it.',
  }),
  resultsBytesMax: bytes('MILLRACE_QUERY_RESULTS_BYTES_MAX', {
    default: '64MB',
    doc: 'Memory of this process for results that are kept, bytes; those that were not asked for longest go first.',
  }),
  resultsAgeMaxMs: duration('MILLRACE_QUERY_RESULTS_AGE_MAX', {
    default: '24h',
    doc: 'Longest time that a result is kept. Whether it is fresh enough is another question: that is decided by who asks.',
  }),
  asyncMax: integer('MILLRACE_QUERY_ASYNC_MAX', {
    default: '4',
    min: 1,
    max: 1000,
    doc: 'Asynchronous questions that this process computes at once, beside those that are waited for; one dataset has half of them.',
  }),
  traceRecordsMax: integer('MILLRACE_QUERY_TRACE_RECORDS_MAX', {
    default: '20000',
    min: 0,
    doc: 'Latest records per partition and topic that a trace looks through in Kafka.',
  }),
} as const

/** @throws Error completing "<setting> is … but …" */
function sha256Hex(value: string): string {
  if (!/^[0-9a-f]{64}$/.test(value))
    throw new Error('must be 64 hex digits, as "millrace key admin" prints them')
  return value
}

/** @throws Error completing "<setting> is … but …" */
function settingName(value: string): string {
  if (!/^[A-Za-z][A-Za-z0-9]*_\w{1,100}$/.test(value))
    throw new Error('must be a name with a prefix, e.g. SQL_millrace_dataset')
  return value
}

function idList(value: string): ReadonlySet<string> {
  return new Set(
    value
      .split(',')
      .map((id) => id.trim())
      .filter((id) => id !== ''),
  )
}
