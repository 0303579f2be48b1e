import { REJECTED_PAYLOAD_SETTING } from '../core/event/cut-payload.ts'
import { DEPTH_CEILING } from '../core/event/scan-json.ts'
import { KAFKA_SETTINGS } from '../core/kafka/kafka-settings.ts'
import { parseCidrs } from '../core/runtime/client-address.ts'
import { FAIL_POINT_SETTING } from '../core/runtime/fail-points.ts'
import { bytes, duration, integer, optional, type Settings, text } from '../core/runtime/settings.ts'

/** Settings of the collector alone; the reference in `docs/collector-api.md` lists the limits among them. */
export const COLLECTOR_OWN_SETTINGS = {
  host: text('MILLRACE_COLLECTOR_HOST', {
    default: '127.0.0.1',
    doc: 'Address that the collector listens on.',
  }),
  port: integer('MILLRACE_COLLECTOR_PORT', {
    default: '8080',
    max: 65535,
    doc: 'Port that the collector listens on; 0 picks a free one and logs it.',
  }),
  trustedProxies: {
    ...text('MILLRACE_COLLECTOR_TRUSTED_PROXIES', {
      default: '',
      doc: 'Networks whose X-Forwarded-For is believed, CIDRs separated by commas; none when empty.',
    }),
    parse: parseCidrs,
  },
  wireBytesMax: bytes('MILLRACE_COLLECTOR_WIRE_BYTES_MAX', {
    default: '4MB',
    doc: 'Largest request body as it arrives, bytes.',
  }),
  bodyBytesMax: bytes('MILLRACE_COLLECTOR_BODY_BYTES_MAX', {
    default: '8MB',
    doc: 'Largest request body after decompression, bytes.',
  }),
  eventsMax: integer('MILLRACE_COLLECTOR_EVENTS_MAX', {
    default: '5000',
    min: 1,
    max: 1_000_000,
    doc: 'Most events in one request.',
  }),
  eventBytesMax: bytes('MILLRACE_COLLECTOR_EVENT_BYTES_MAX', {
    default: '512KB',
    doc: 'Largest event as sent, bytes; events.raw must take records of about this size.',
  }),
  depthMax: integer('MILLRACE_COLLECTOR_DEPTH_MAX', {
    default: '64',
    min: 1,
    max: DEPTH_CEILING,
    doc: 'Deepest nesting of an event, levels.',
  }),
  keysPerObjectMax: integer('MILLRACE_COLLECTOR_KEYS_PER_OBJECT_MAX', {
    default: '2000',
    min: 1,
    doc: 'Most keys in one object of an event.',
  }),
  keysMax: integer('MILLRACE_COLLECTOR_KEYS_MAX', {
    default: '10000',
    min: 1,
    doc: 'Most keys in all objects of an event together.',
  }),
  textBytesMax: bytes('MILLRACE_COLLECTOR_TEXT_BYTES_MAX', {
    default: '65535',
    doc: 'Longest text or key of an event, bytes between its quotes as sent; warehouses take no longer ones.',
  }),
  idBytesMax: integer('MILLRACE_COLLECTOR_ID_BYTES_MAX', {
    default: '200',
    min: 36,
    max: 200,
    doc: 'Longest event_id, distinct_id, user_id, anonymous_id, session_id and event name, bytes.',
  }),
  payloadBytesMax: REJECTED_PAYLOAD_SETTING,
  recordingChunkBytesMax: bytes('MILLRACE_COLLECTOR_RECORDING_CHUNK_BYTES_MAX', {
    default: '8MB',
    doc: 'Largest chunk of a recording, bytes before compression; compressed it must also fit into MILLRACE_KAFKA_RECORD_BYTES.',
  }),
  recordingSessionBytesMax: bytes('MILLRACE_COLLECTOR_RECORDING_SESSION_BYTES_MAX', {
    default: '512MB',
    doc: 'What each process takes of one session’s recording within a day, bytes before compression; chunks past it are refused.',
  }),
  headerBytesMax: bytes('MILLRACE_COLLECTOR_HEADER_BYTES_MAX', {
    default: '16KB',
    doc: 'Longest path, header names and header values together, bytes.',
  }),
  headersMax: integer('MILLRACE_COLLECTOR_HEADERS_MAX', {
    default: '100',
    min: 20,
    max: 2000,
    doc: 'Most headers of a request.',
  }),
  headersTimeoutMs: duration('MILLRACE_COLLECTOR_HEADERS_TIMEOUT', {
    default: '10s',
    doc: 'Longest time until all headers have arrived.',
  }),
  requestTimeoutMs: duration('MILLRACE_COLLECTOR_REQUEST_TIMEOUT', {
    default: '30s',
    doc: 'Longest time until the whole request has arrived.',
  }),
  timeoutCheckMs: duration('MILLRACE_COLLECTOR_TIMEOUT_CHECK', {
    default: '2s',
    doc: 'How often slow connections are looked for.',
  }),
  keepAliveMs: duration('MILLRACE_COLLECTOR_KEEP_ALIVE', {
    default: '65s',
    doc: 'How long an idle connection is kept; longer than that of a load balancer in front.',
  }),
  inFlightBytesMax: bytes('MILLRACE_COLLECTOR_IN_FLIGHT_BYTES_MAX', {
    default: '64MB',
    doc: 'Most bytes of bodies and records held for requests under way; past it 503 not_taken.',
  }),
  eventsPerSecondMax: optional(
    integer('MILLRACE_COLLECTOR_EVENTS_PER_SECOND_MAX', {
      min: 1,
      doc: 'Most events a second of all datasets together, burst half a second; past it 503 not_taken, first for datasets above their fair share. No bound when not set.',
    }),
  ),
  datasetEventsPerSecond: optional(
    integer('MILLRACE_COLLECTOR_DATASET_EVENTS_PER_SECOND', {
      min: 1,
      doc: 'Events a second that each process takes of a dataset whose configuration has no quota of its own; past it 429. No bound when not set.',
    }),
  ),
  datasetBytesPerSecond: optional(
    bytes('MILLRACE_COLLECTOR_DATASET_BYTES_PER_SECOND', {
      doc: 'The same for bytes of bodies after decompression.',
    }),
  ),
  quotaBurstMs: duration('MILLRACE_COLLECTOR_QUOTA_BURST', {
    default: '2s',
    doc: 'Burst of a dataset: so much of its quota may come at once.',
  }),
  loopLagMaxMs: duration('MILLRACE_COLLECTOR_LOOP_LAG_MAX', {
    default: '500ms',
    doc: 'Lag of the event loop, averaged over a tenth of a second, past which the datasets that send most get 503 not_taken; past twice of it everybody does.',
  }),
  retryAfterSeconds: integer('MILLRACE_COLLECTOR_RETRY_AFTER_SECONDS', {
    default: '2',
    min: 1,
    max: 300,
    doc: 'What Retry-After says with a 503, seconds.',
  }),
  lingerMs: duration('MILLRACE_COLLECTOR_LINGER', {
    default: '5ms',
    doc: 'How long records of different requests are gathered before they are sent to Kafka together.',
  }),
  produceTimeoutMs: duration('MILLRACE_COLLECTOR_PRODUCE_TIMEOUT', {
    default: '10s',
    doc: 'Longest wait for the acknowledgement of Kafka; then 503 unknown.',
  }),
  storeDir: optional(
    text('MILLRACE_COLLECTOR_STORE_DIR', {
      doc: 'Directory of the local store, which takes events while Kafka is away (answered 202); no store when not set. One per process, on a disk that outlives it.',
    }),
  ),
  storeBytesMax: bytes('MILLRACE_COLLECTOR_STORE_BYTES_MAX', {
    default: '2GB',
    doc: 'Most bytes that wait in the store for Kafka; past it 503 not_taken.',
  }),
  storeAgeMaxMs: duration('MILLRACE_COLLECTOR_STORE_AGE_MAX', {
    default: '20h',
    doc: 'Once records wait in the store for so long, no more are taken: 503 not_taken. Shorter than the dedupe window, which must still know what reached Kafka before.',
  }),
  storePatienceMs: duration('MILLRACE_COLLECTOR_STORE_PATIENCE', {
    default: '2s',
    doc: 'How long Kafka may take to acknowledge before records go to the store; no longer than MILLRACE_COLLECTOR_PRODUCE_TIMEOUT.',
  }),
  storeKeysAgeMaxMs: duration('MILLRACE_COLLECTOR_STORE_KEYS_AGE_MAX', {
    default: '20h',
    doc: 'With a store: how long write keys are believed that cannot be confirmed because Kafka is away; then 503 not_taken.',
  }),
  idempotencyCacheBytesMax: bytes('MILLRACE_COLLECTOR_IDEMPOTENCY_CACHE_BYTES_MAX', {
    default: '16MB',
    doc: 'Memory for the Idempotency-Keys of the last 24 hours; past it the oldest are forgotten.',
  }),
  drainGraceMs: duration('MILLRACE_COLLECTOR_DRAIN_GRACE', {
    default: '3s',
    doc: 'How long requests are still taken after SIGTERM, while load balancers notice that readiness is off.',
  }),
  drainCutMs: duration('MILLRACE_COLLECTOR_DRAIN_CUT', {
    default: '5s',
    doc: 'How long after the grace a request that is still arriving may take before its connection is cut.',
  }),
} as const

export type CollectorSettings = Settings<typeof COLLECTOR_OWN_SETTINGS>

/** What a raw record may have beside its event: envelope, key, headers, and the batch around it. */
const RECORD_ROOM_BYTES = 16 * 1024

/** @throws Error when an event that is accepted could be refused by Kafka for its size, for ever */
export function requireRecordRoom(
  settings: CollectorSettings & { readonly kafkaRecordBytesMax: number },
): void {
  const { eventBytesMax, payloadBytesMax, kafkaRecordBytesMax } = settings
  // A payload is stored as text in JSON, where a control character takes six bytes.
  const largest = Math.max(eventBytesMax, payloadBytesMax * 6) + RECORD_ROOM_BYTES
  if (largest > kafkaRecordBytesMax)
    throw new Error(
      `Records may have ${largest} bytes, but MILLRACE_KAFKA_RECORD_BYTES is ${kafkaRecordBytesMax}. Raise it, and max.message.bytes of the topics, or lower MILLRACE_COLLECTOR_EVENT_BYTES_MAX or MILLRACE_REJECTED_PAYLOAD_BYTES_MAX.`,
    )
}

export const COLLECTOR_SETTINGS = {
  ...KAFKA_SETTINGS,
  ...COLLECTOR_OWN_SETTINGS,
  failPoint: FAIL_POINT_SETTING,
} as const
