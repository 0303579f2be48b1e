import type { Field, RecordOf } from '../field.ts'

/** Columns of a rejected event: one that was accepted over HTTP and then refused, with the reason and what was sent. */
export const REJECTED_EVENT_FIELDS = [
  {
    name: 'schema_version',
    type: 'integer',
    nullable: false,
    group: 'identity',
    doc: "Major version of this record's shape: 1.",
  },
  {
    name: 'event_id',
    type: 'text',
    nullable: false,
    group: 'identity',
    doc: "The event's id: the client's own, or one that the collector gave it.",
  },
  {
    name: 'dataset_id',
    type: 'text',
    nullable: false,
    group: 'identity',
    doc: 'The dataset whose write key sent the event.',
  },
  {
    name: 'event',
    type: 'text',
    nullable: true,
    group: 'identity',
    doc: "The event's name, where it could be read.",
  },
  {
    name: 'distinct_id',
    type: 'text',
    nullable: true,
    group: 'identity',
    doc: 'Who did it, where that could be read.',
  },
  {
    name: 'collector_time',
    type: 'timestamp',
    nullable: false,
    group: 'time',
    doc: 'When the collector received it.',
  },
  {
    name: 'stage',
    type: 'text',
    nullable: false,
    group: 'reason',
    doc: 'The stage that refused it: collector or enricher.',
  },
  {
    name: 'code',
    type: 'text',
    nullable: false,
    group: 'reason',
    doc: 'A code of the closed list in the reference.',
  },
  {
    name: 'details',
    type: 'text_list',
    nullable: false,
    group: 'reason',
    doc: 'What is wrong, one sentence each, with the path of the value.',
  },
  {
    name: 'payload',
    type: 'text',
    nullable: false,
    group: 'reason',
    doc: 'The event as sent, cut to MILLRACE_REJECTED_PAYLOAD_BYTES_MAX bytes at a character boundary.',
  },
  {
    name: 'payload_bytes',
    type: 'integer',
    nullable: false,
    group: 'reason',
    doc: 'Size of the payload before it was cut, bytes.',
  },
  { name: 'protocol', type: 'text', nullable: false, group: 'source', doc: 'How it came in.' },
  {
    name: 'ip',
    type: 'text',
    nullable: true,
    group: 'source',
    doc: "Address of the client, as the dataset's privacy settings say.",
  },
  { name: 'user_agent', type: 'text', nullable: true, group: 'source', doc: 'User agent of the request.' },
  {
    name: 'src_partition',
    type: 'integer',
    nullable: false,
    group: 'source',
    doc: 'Partition of the raw record in events.raw.',
  },
  {
    name: 'src_offset',
    type: 'integer',
    nullable: false,
    group: 'source',
    doc: 'Offset of the raw record in events.raw.',
  },
  {
    name: 'recipe',
    type: 'text',
    nullable: false,
    group: 'source',
    doc: 'The recipe in force when it was refused.',
  },
] as const satisfies readonly Field[]

/** The value of a record in `events.rejected`. */
export type RejectedEvent = RecordOf<typeof REJECTED_EVENT_FIELDS>

export const REJECTED_EVENT_VERSION = 1

/** Why an event was refused. A closed list: a new reason is a new code here and a line in `docs/events.md`. */
export const REJECTION_CODES = [
  'invalid_json',
  'invalid_utf8',
  'invalid_type',
  'invalid_value',
  'missing_field',
  'too_large',
  'too_deep',
  'too_many_keys',
  'text_too_long',
  'id_too_long',
  'unknown_event',
  'schema_violation',
  'id_conflict',
  'undecodable',
  'quarantined',
] as const
export type RejectionCode = (typeof REJECTION_CODES)[number]
