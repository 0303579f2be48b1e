import { SECRET_KEY_SETTING } from '../core/control/sealed.ts'
import { KAFKA_SETTINGS } from '../core/kafka/kafka-settings.ts'
import { S3_SETTINGS } from '../core/object-store/s3-settings.ts'
import { FAIL_POINT_SETTING } from '../core/runtime/fail-points.ts'
import { bytes, duration, integer, optional, text } from '../core/runtime/settings.ts'
import { STATE_DIR_SETTING } from '../core/runtime/state-dir.ts'

export const S3_SINK_SETTINGS = {
  ...KAFKA_SETTINGS,
  ...S3_SETTINGS,
  ...SECRET_KEY_SETTING,
  signingKeyFile: optional(
    text('MILLRACE_SIGNING_KEY_FILE', {
      doc: 'PEM file with the Ed25519 private key that manifests are signed with. Left out: one is made in MILLRACE_STATE_DIR.',
    }),
  ),
  stateDir: STATE_DIR_SETTING,
  spoolDir: text('MILLRACE_S3_SINK_SPOOL_DIR', {
    default: '.millrace/spool',
    doc: 'Directory for the rows of open batches. Nothing in it is needed after a restart.',
  }),
  spoolBytesMax: bytes('MILLRACE_S3_SINK_SPOOL_BYTES', {
    default: '4GB',
    doc: 'Bytes in spools at most, all open batches together. Past 80 % the largest batch is closed early; encoding takes as much again for the batches under way.',
  }),
  encodingsMax: integer('MILLRACE_S3_SINK_ENCODINGS', {
    default: '1',
    min: 1,
    max: 64,
    doc: 'Objects that are encoded and uploaded at the same time. Each takes a core and about 200 MB; raise it where both are to be had.',
  }),
  encoderBytesMax: bytes('MILLRACE_S3_SINK_ENCODER_BYTES', {
    default: '512MB',
    doc: 'Memory of the Parquet and CSV encoder at most; past it, it spills to the spool directory.',
  }),
  pathsMax: integer('MILLRACE_S3_SINK_PATHS', {
    default: '1000',
    min: 1,
    max: 100_000,
    doc: 'Partition paths in one batch at most; a batch that has as many is closed.',
  }),
  pollRecordsMax: integer('MILLRACE_S3_SINK_POLL_RECORDS', {
    default: '5000',
    min: 1,
    max: 1_000_000,
    doc: 'Records that one delivery takes from Kafka at once, all partitions together.',
  }),
  closeEveryMs: duration('MILLRACE_S3_SINK_CLOSE_EVERY', {
    default: '1m',
    doc: 'How often it is looked whether another hour of a delivery is complete and can be closed.',
  }),
  queueBytesMax: bytes('MILLRACE_S3_SINK_QUEUE_BYTES', {
    default: '32MB',
    doc: 'Bytes that wait for the busy partitions of one delivery, all together; fetching pauses past it.',
  }),
  failPoint: FAIL_POINT_SETTING,
} as const
