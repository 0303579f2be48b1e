/**
 * Names of everything millrace has in Kafka. A prefix (`MILLRACE_KAFKA_PREFIX`) keeps several installations, and
 * tests, apart on one cluster.
 */
export interface KafkaNames {
  readonly raw: string
  readonly enriched: string
  readonly rejected: string
  readonly receipts: string
  readonly dedupe: string
  readonly control: string
  /** What changes persons, by dataset; the order of merges. */
  readonly identity: string
  /** Persons as of now. */
  readonly persons: string
  /** Chunks of recorded sessions, apart from events: they are large, and nobody but their own stage reads them. */
  readonly recordings: string
  /** Where each subscription stands in each partition of `events.enriched`. */
  readonly router: string
  /** A topic that is there for moments, to ask the brokers something. */
  probe(id: string): string
  /** Topic of a subscription. */
  subscriber(subscriptionId: string): string
  /** Consumer group of a stage; sinks have one per delivery, named in `part`. */
  group(stage: string, part?: string): string
  /** Fences the previous owner of an input partition of a transactional stage. */
  transactionalId(stage: string, part: string | number): string
}

/** @param prefix '' or text that ends in its own separator, e.g. `staging.` */
export function kafkaNames(prefix: string): KafkaNames {
  const own = (...parts: readonly (string | number)[]) => `${prefix}millrace.${parts.join('.')}`
  return {
    raw: `${prefix}events.raw`,
    enriched: `${prefix}events.enriched`,
    rejected: `${prefix}events.rejected`,
    receipts: `${prefix}events.receipts`,
    dedupe: `${prefix}events.dedupe`,
    control: `${prefix}millrace.control`,
    identity: `${prefix}events.identity`,
    persons: `${prefix}persons`,
    recordings: `${prefix}recordings.raw`,
    router: `${prefix}millrace.router`,
    probe: (id) => own('probe', id),
    subscriber: (id) => `${prefix}sub.${id}`,
    group: (stage, part) => (part === undefined ? own(stage) : own(stage, part)),
    transactionalId: (stage, part) => own(stage, part),
  }
}

/** Record headers: they repeat what routing needs, so that a stage that only filters never parses a body. */
export const HEADERS = {
  eventId: 'event_id',
  datasetId: 'dataset_id',
  event: 'event',
  /** Major version of the value's shape. */
  schema: 'schema',
  /** `<partition>:<offset>` of the raw record. */
  source: 'src',
  recipe: 'recipe',
  traceparent: 'traceparent',
  /** Present on records that carry no event and only move time forward in an idle partition. */
  tick: 'tick',
} as const
