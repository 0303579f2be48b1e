import { bytes, choice, duration, integer, optional, type Settings, text } from '../runtime/settings.ts'

/** How every process reaches Kafka. Defaults fit the local engine; the names follow what brokers call them. */
export const KAFKA_SETTINGS = {
  kafkaBrokers: text('MILLRACE_KAFKA_BROKERS', {
    default: '127.0.0.1:19092',
    doc: 'Brokers to start from, host:port separated by commas.',
  }),
  kafkaPrefix: text('MILLRACE_KAFKA_PREFIX', {
    default: '',
    doc: 'Put before every topic, group and transactional id, e.g. staging. with its dot.',
  }),
  kafkaSecurityProtocol: choice(
    'MILLRACE_KAFKA_SECURITY_PROTOCOL',
    ['plaintext', 'ssl', 'sasl_plaintext', 'sasl_ssl'],
    { default: 'plaintext', doc: 'Whether the connection is encrypted (ssl) and signs in (sasl).' },
  ),
  kafkaSaslMechanism: choice('MILLRACE_KAFKA_SASL_MECHANISM', ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'], {
    default: 'SCRAM-SHA-512',
    doc: 'How to sign in; used with a sasl_ protocol only.',
  }),
  kafkaUser: optional(text('MILLRACE_KAFKA_USER', { doc: 'User name; used with a sasl_ protocol only.' })),
  kafkaPassword: optional(
    text('MILLRACE_KAFKA_PASSWORD', {
      secret: true,
      doc: 'Password; used with a sasl_ protocol only.',
    }),
  ),
  kafkaCaFile: optional(
    text('MILLRACE_KAFKA_CA_FILE', {
      doc: 'PEM file with the certificate authorities of the brokers; the system’s when not set.',
    }),
  ),
  kafkaPartitions: integer('MILLRACE_KAFKA_PARTITIONS', {
    default: '12',
    min: 1,
    max: 10_000,
    doc: 'Partitions of a topic that millrace makes. Counts are never changed in place.',
  }),
  kafkaReplication: integer('MILLRACE_KAFKA_REPLICATION', {
    default: '-1',
    min: -1,
    max: 100,
    doc: 'Replicas of a topic that millrace makes; -1 for the broker’s default.',
  }),
  kafkaSessionTimeoutMs: duration('MILLRACE_KAFKA_SESSION_TIMEOUT', {
    default: '6s',
    doc: 'How long a group waits for a silent member before its partitions go to another one.',
  }),
  kafkaGroupInstanceId: optional(
    text('MILLRACE_KAFKA_GROUP_INSTANCE_ID', {
      doc: 'Name that this process has in its consumer groups: started again under it, it has its partitions back at once instead of after the session timeout. No two processes of a stage may share one.',
    }),
  ),
  kafkaRequestTimeoutMs: duration('MILLRACE_KAFKA_REQUEST_TIMEOUT', {
    default: '30s',
    doc: 'Longest wait for one answer of a broker.',
  }),
  kafkaPrefetchBytesMax: bytes('MILLRACE_KAFKA_PREFETCH_BYTES', {
    default: '32MB',
    doc: 'Bytes that one consumer fetches ahead at most, all its partitions together.',
  }),
  kafkaSendBufferBytesMax: bytes('MILLRACE_KAFKA_SEND_BUFFER_BYTES', {
    default: '64MB',
    doc: 'Bytes that one producer holds unacknowledged at most; senders wait past it.',
  }),
  kafkaRecordBytesMax: bytes('MILLRACE_KAFKA_RECORD_BYTES', {
    default: '1000000B',
    doc: 'Largest record, and largest batch of records before compression; the topics’ max.message.bytes must allow the record.',
  }),
} as const

export type KafkaSettings = Settings<typeof KAFKA_SETTINGS>

/** The enricher's; whoever makes or checks `events.dedupe` needs it too, for how long it must keep ids. */
export const DEDUPE_WINDOW_SETTING = duration('MILLRACE_ENRICHER_DEDUPE_WINDOW', {
  default: '24h',
  doc: 'How far back an event id is recognised, in append time of events.raw.',
})
