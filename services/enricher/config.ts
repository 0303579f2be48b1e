import { REJECTED_PAYLOAD_SETTING } from '../core/event/cut-payload.ts'
import { DEDUPE_WINDOW_SETTING, KAFKA_SETTINGS } from '../core/kafka/kafka-settings.ts'
import { FAIL_POINT_SETTING } from '../core/runtime/fail-points.ts'
import { bytes, duration, integer, optional, type Settings, text } from '../core/runtime/settings.ts'

export const ENRICHER_SETTINGS = {
  ...KAFKA_SETTINGS,
  rejectedPayloadBytesMax: REJECTED_PAYLOAD_SETTING,
  batchRowsMax: integer('MILLRACE_ENRICHER_BATCH_ROWS_MAX', {
    default: '2000',
    min: 1,
    // One dedupe record of 30 bytes per event must fit into one Kafka record.
    max: 20_000,
    doc: 'Raw records that one transaction covers at most.',
  }),
  batchBytesMax: bytes('MILLRACE_ENRICHER_BATCH_BYTES_MAX', {
    default: '8MB',
    doc: 'A transaction is closed once its raw records have so many bytes.',
  }),
  lingerMs: duration('MILLRACE_ENRICHER_LINGER', {
    default: '100ms',
    doc: 'How long records wait for others to share their transaction.',
  }),
  transactionTimeoutMs: duration('MILLRACE_ENRICHER_TRANSACTION_TIMEOUT', {
    default: '30s',
    doc: 'The broker aborts a transaction that is open longer; readers of the partition wait no longer than that for a process that died.',
  }),
  enrichedBytesMax: bytes('MILLRACE_ENRICHER_EVENT_BYTES_MAX', {
    default: '900KB',
    doc: 'Largest enriched event; a larger one is rejected as too_large. Must be below what a Kafka record may have.',
  }),
  dedupeWindowMs: DEDUPE_WINDOW_SETTING,
  dedupeIdsMax: integer('MILLRACE_ENRICHER_DEDUPE_IDS_MAX', {
    default: '20000000',
    min: 1000,
    doc: 'Event ids that one process remembers, all its partitions together; about 40 bytes each. Past it the windows get shorter, all alike.',
  }),
  tickMs: duration('MILLRACE_ENRICHER_TICK', {
    default: '1m',
    doc: 'A partition of events.enriched or events.rejected that got nothing for so long gets a tick, which proves that nothing earlier is to come.',
  }),
  geoPath: optional(
    text('MILLRACE_GEO_MMDB', {
      doc: 'Path of an MMDB file with places of addresses; the country data that comes with millrace when not set.',
    }),
  ),
  geoRefreshMs: duration('MILLRACE_GEO_REFRESH', {
    default: '1m',
    doc: 'How often the geo file is looked at for a new version.',
  }),
  userAgentsMax: integer('MILLRACE_ENRICHER_USER_AGENTS_MAX', {
    default: '20000',
    min: 1,
    doc: 'User agents whose meaning is kept in memory, about 2 kB each.',
  }),
  schemasMax: integer('MILLRACE_ENRICHER_SCHEMAS_MAX', {
    default: '2000',
    min: 1,
    doc: 'Compiled event schemas that are kept in memory.',
  }),
  failPoint: FAIL_POINT_SETTING,
} as const

export type EnricherSettings = Settings<typeof ENRICHER_SETTINGS>
