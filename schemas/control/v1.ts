import { type Static, Type } from '@sinclair/typebox'

/**
 * The objects of `millrace.control`, and of `millrace.yaml` which is applied to it. Unknown keys are faults, not
 * extras: a typing error in a configuration must not be swallowed.
 */
const strict = { additionalProperties: false }

/** Lower-case words of a name that also stands in topics, object keys and URLs. */
export const Slug = Type.String({ pattern: '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$' })

const ManagedBy = Type.Union([Type.Literal('config'), Type.Literal('api')])

/** The enrichments that can be switched off per dataset; `true` when left out. */
export const ENRICHMENTS = ['url', 'referrer', 'campaign', 'user_agent', 'bot', 'geo'] as const
export type EnrichmentName = (typeof ENRICHMENTS)[number]

export const Dataset = Type.Object(
  {
    id: Slug,
    account: Slug,
    name: Type.Optional(Type.String({ maxLength: 200 })),
    /** IANA time zone that the analytics API answers in. */
    timezone: Type.Optional(Type.String({ maxLength: 64 })),
    /** What becomes of an event whose name has no registered schema. Default: allow. */
    unknown_events: Type.Optional(
      Type.Union([Type.Literal('allow'), Type.Literal('flag'), Type.Literal('reject')]),
    ),
    privacy: Type.Optional(
      Type.Object(
        {
          /** keep, truncate (/24 and /48) or remove. Default: truncate. */
          ip: Type.Optional(
            Type.Union([Type.Literal('keep'), Type.Literal('truncate'), Type.Literal('remove')]),
          ),
        },
        strict,
      ),
    ),
    /** What each collector process takes of it; past it 429. Default: what the collector's settings say. */
    quota: Type.Optional(
      Type.Object(
        {
          events_per_second: Type.Optional(Type.Integer({ minimum: 1 })),
          bytes_per_second: Type.Optional(Type.Integer({ minimum: 1 })),
        },
        strict,
      ),
    ),
    /** Whether requests about it to the query API are limited per minute and hour. Default: true. */
    rate_limited: Type.Optional(Type.Boolean()),
    enrichments: Type.Optional(
      Type.Partial(
        Type.Record(Type.Union(ENRICHMENTS.map((name) => Type.Literal(name))), Type.Boolean()),
        strict,
      ),
    ),
  },
  strict,
)
export type Dataset = Static<typeof Dataset>

/** A write or read key. The key itself is never stored, only its SHA-256. */
export const Key = Type.Object(
  {
    id: Slug,
    dataset: Slug,
    scope: Type.Union([Type.Literal('write'), Type.Literal('read')]),
    /** Lower-case hex SHA-256 of the whole key text. */
    sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }),
    /** ISO 8601; refused from then on. */
    expires_at: Type.Optional(Type.String({ maxLength: 40 })),
  },
  strict,
)
export type Key = Static<typeof Key>

/** A customer's JSON Schema (draft 2020-12 or 07) for the `properties` of one event name of one dataset. */
export const EventSchema = Type.Object(
  {
    dataset: Slug,
    event: Type.String({ minLength: 1, maxLength: 200 }),
    json_schema: Type.Record(Type.String(), Type.Unknown()),
  },
  strict,
)
export type EventSchema = Static<typeof EventSchema>

export const Subscription = Type.Object(
  {
    id: Slug,
    account: Slug,
    datasets: Type.Array(Slug, { minItems: 1, maxItems: 100 }),
    /** Event names; all when left out. */
    events: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: 200 }), { minItems: 1, maxItems: 1000 }),
    ),
    /** Condition in the filter expression language (docs/filters.md). */
    where: Type.Optional(Type.String({ maxLength: 4096 })),
    /** Field mask: one of the two; all fields when left out. */
    fields: Type.Optional(
      Type.Object(
        {
          include: Type.Optional(Type.Array(Type.String(), { minItems: 1 })),
          exclude: Type.Optional(Type.Array(Type.String(), { minItems: 1 })),
        },
        strict,
      ),
    ),
    /** Field whose value becomes the record key. Default: distinct_id. */
    key: Type.Optional(Type.String({ maxLength: 200 })),
    format: Type.Optional(Type.Literal('json')),
    topic: Type.Optional(
      Type.Object(
        {
          /** Defaults to that of events.enriched, whose partitioning then holds. */
          partitions: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })),
          /** Like 7d, 12h. Default: 7d. */
          retention: Type.Optional(Type.String({ pattern: '^[1-9][0-9]{0,4}[smhd]$' })),
        },
        strict,
      ),
    ),
  },
  strict,
)
export type Subscription = Static<typeof Subscription>

/** Stretches of landed time, one after the other without a gap. */
export const DeliveryWindow = Type.Object(
  {
    length: Type.Union((['5m', '15m', '1h', '1d', '1w'] as const).map((length) => Type.Literal(length))),
    /** IANA zone whose days and weeks are meant. Default: UTC. Shorter windows begin at the same instants everywhere. */
    timezone: Type.Optional(Type.String({ maxLength: 64 })),
    /** Hour of the zone's clocks at which its days and weeks begin. Default: 0. */
    day_begins: Type.Optional(Type.Integer({ minimum: 0, maximum: 23 })),
    /** Day on which weeks begin, from 1 (Monday) to 7. Default: 1. */
    week_begins: Type.Optional(Type.Integer({ minimum: 1, maximum: 7 })),
  },
  strict,
)
export type DeliveryWindow = Static<typeof DeliveryWindow>

const Offset = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })

export const Delivery = Type.Object(
  {
    id: Slug,
    account: Slug,
    datasets: Type.Array(Slug, { minItems: 1, maxItems: 100 }),
    /** Which stream: enriched (default) or rejected events. */
    source: Type.Optional(Type.Union([Type.Literal('enriched'), Type.Literal('rejected')])),
    events: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: 200 }), { minItems: 1, maxItems: 1000 }),
    ),
    /** Names that are left out, also those that `events` has. */
    exclude_events: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: 200 }), { minItems: 1, maxItems: 1000 }),
    ),
    where: Type.Optional(Type.String({ maxLength: 4096 })),
    format: Type.Union([Type.Literal('parquet'), Type.Literal('jsonl'), Type.Literal('csv')]),
    /** parquet, inside of the file: zstd (default) or any. jsonl and csv, around it: gzip (default), zstd or brotli. */
    compression: Type.Optional(
      Type.Union([
        Type.Literal('gzip'),
        Type.Literal('zstd'),
        Type.Literal('brotli'),
        Type.Literal('lz4'),
        Type.Literal('snappy'),
      ]),
    ),
    bucket: Type.Optional(Type.String({ pattern: '^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$' })),
    /** Key prefix without leading or trailing slash. Default: the delivery's id. */
    prefix: Type.Optional(
      Type.String({ pattern: '^[A-Za-z0-9!_.*()=-]+(/[A-Za-z0-9!_.*()=-]+)*$', maxLength: 200 }),
    ),
    /** Template over {dataset}, {event}, {landed:FORMAT}, {event_time:FORMAT}, {collector_time:FORMAT}. */
    partition_by: Type.Optional(Type.String({ maxLength: 300 })),
    rotate: Type.Optional(
      Type.Object(
        {
          rows: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000_000 })),
          /** Uncompressed source bytes: a number or text like 128MB. */
          bytes: Type.Optional(
            Type.Union([
              Type.Integer({ minimum: 1 }),
              Type.String({ pattern: '^[1-9][0-9]{0,6}(KB|MB|GB)$' }),
            ]),
          ),
          /** Like 5m, 30s. */
          age: Type.Optional(Type.String({ pattern: '^[1-9][0-9]{0,4}[smhd]$' })),
        },
        strict,
      ),
    ),
    /** Batches also end where a window does. */
    window: Type.Optional(DeliveryWindow),
    /**
     * ISO 8601, UTC: what lands then or later is not delivered. It counts as filtered, and no batch lies on both sides.
     */
    until: Type.Optional(Type.String({ maxLength: 40 })),
    /** Nothing is read while it is paused; afterwards it goes on where it was. */
    paused: Type.Optional(Type.Boolean()),
    /** Fields that tell who a person is are masked (docs/deliveries.md). */
    mask_pii: Type.Optional(Type.Boolean()),
    /**
     * Per partition of the source: the offsets that are delivered, from the first one up to, and without, the second,
     * or without an end. Others count as filtered, and no batch lies on both sides of a border. All when left out.
     */
    ranges: Type.Optional(
      Type.Array(
        Type.Array(Type.Tuple([Offset, Type.Union([Offset, Type.Null()])]), { minItems: 1, maxItems: 1000 }),
        { maxItems: 1000 },
      ),
    ),
    /** The bucket is somebody else's: its region, and the keys to it, sealed for the first dataset. */
    destination: Type.Optional(
      Type.Object(
        {
          region: Type.String({ pattern: '^[a-z0-9-]{1,40}$' }),
          sealed_credentials: Type.String({ maxLength: 4096 }),
        },
        strict,
      ),
    ),
  },
  strict,
)
export type Delivery = Static<typeof Delivery>

/** What lies under one key of the control topic. `null` (a tombstone) removes the object. */
export interface ControlObjects {
  readonly dataset: Dataset
  readonly key: Key
  readonly schema: EventSchema
  readonly subscription: Subscription
  readonly delivery: Delivery
}
export type ControlKind = keyof ControlObjects

export const CONTROL_SCHEMAS = {
  dataset: Dataset,
  key: Key,
  schema: EventSchema,
  subscription: Subscription,
  delivery: Delivery,
} as const

/** One record of `millrace.control`. */
export interface ControlRecord<K extends ControlKind = ControlKind> {
  readonly v: 1
  readonly kind: K
  readonly id: string
  /** SHA-256 of the object's canonical JSON; plans and recipes name it. */
  readonly hash: string
  readonly managed_by: Static<typeof ManagedBy>
  readonly object: ControlObjects[K]
}
