import type { LogAdmin, TopicSpec } from './log.ts'
import type { KafkaNames } from './topics.ts'

const DAY_MS = 86_400_000

/** What an operator may choose about millrace's own topics. */
export interface TopicOptions {
  /** Of every topic but control; never changed in place. */
  readonly partitions: number
  /** -1 for the broker's default. */
  readonly replicationFactor: number
  /** How far back the enricher recognises an id it has seen, ms of append time. */
  readonly dedupeWindowMs: number
}

export const DEFAULT_DEDUPE_WINDOW_MS = DAY_MS

/** How long each topic keeps its records. */
export const RETENTION_MS = {
  raw: 7 * DAY_MS,
  enriched: 7 * DAY_MS,
  /** Long enough to notice a mistake, mend it and replay. */
  rejected: 30 * DAY_MS,
  /** Receipts prove what rejected and delivered events add up to, so they outlive both. */
  receipts: 30 * DAY_MS,
} as const

/**
 * The topics that the pipeline itself needs. Subscriber topics are made per subscription, elsewhere.
 *
 * Raw, enriched and rejected records carry the time of their append: windows and `landed_time` are measured in it,
 * so the broker stamps it, not whoever sends.
 */
export function topicSpecs(names: KafkaNames, options: TopicOptions): readonly TopicSpec[] {
  const { partitions, replicationFactor } = options
  const kept = (topic: string, retentionMs: number, appendTime: boolean): TopicSpec => ({
    topic,
    partitions,
    replicationFactor,
    config: {
      'cleanup.policy': 'delete',
      'retention.ms': String(retentionMs),
      ...(appendTime && { 'message.timestamp.type': 'LogAppendTime' }),
    },
  })
  return [
    kept(names.raw, RETENTION_MS.raw, true),
    kept(names.enriched, RETENTION_MS.enriched, true),
    kept(names.rejected, RETENTION_MS.rejected, true),
    kept(names.receipts, RETENTION_MS.receipts, true),
    // A raw record may be read as late as its retention, and must then still meet every id of the window before it.
    kept(names.dedupe, options.dedupeWindowMs + RETENTION_MS.raw, true),
    { topic: names.control, partitions: 1, replicationFactor, config: { 'cleanup.policy': 'compact' } },
  ]
}

/** The router's record of where each subscription stands; the router makes it, with a partition per input partition. */
export function routerTopicSpec(names: KafkaNames, partitions: number, replicationFactor: number): TopicSpec {
  return {
    topic: names.router,
    partitions,
    replicationFactor,
    config: {
      // States are few and read at every takeover: compact them early.
      'cleanup.policy': 'compact',
      'segment.ms': '3600000',
      'segment.bytes': '16777216',
      // A broker refuses records that say they are of the next hour or later, as a process with a wrong clock would.
      'message.timestamp.type': 'LogAppendTime',
    },
  }
}

/**
 * What the identity stage writes, and makes: who did what by dataset, kept for ever, since persons can be rebuilt from
 * it; and persons as of now.
 */
export function identityTopicSpecs(
  names: KafkaNames,
  { partitions, replicationFactor }: Pick<TopicOptions, 'partitions' | 'replicationFactor'>,
): readonly TopicSpec[] {
  return [
    {
      topic: names.identity,
      partitions,
      replicationFactor,
      config: {
        'cleanup.policy': 'delete',
        'retention.ms': '-1',
        'message.timestamp.type': 'LogAppendTime',
      },
    },
    {
      topic: names.persons,
      partitions,
      replicationFactor,
      config: { 'cleanup.policy': 'compact', 'message.timestamp.type': 'LogAppendTime' },
    },
  ]
}

/** Chunks of recordings, which the collector writes and makes. Their partitions are joined with no other topic's. */
export function recordingsTopicSpec(
  names: KafkaNames,
  { partitions, replicationFactor }: Pick<TopicOptions, 'partitions' | 'replicationFactor'>,
): TopicSpec {
  return {
    topic: names.recordings,
    partitions,
    replicationFactor,
    config: {
      'cleanup.policy': 'delete',
      'retention.ms': String(RETENTION_MS.raw),
      'message.timestamp.type': 'LogAppendTime',
    },
  }
}

/**
 * Makes the internal topics that are missing and leaves the others as they are.
 *
 * @throws DependencyError as {@link LogAdmin.createTopics}
 */
export async function ensureTopics(admin: LogAdmin, names: KafkaNames, options: TopicOptions): Promise<void> {
  await admin.createTopics(topicSpecs(names, options))
}

/**
 * Makes the topics that a stage itself writes or reads first, where they are missing. Others depend on settings that the
 * stage does not have.
 *
 * @param topics among the internal ones, not that of the dedupe changelog
 * @throws DependencyError as {@link LogAdmin.createTopics}
 */
export async function ensureOwnTopics(
  admin: LogAdmin,
  names: KafkaNames,
  options: Omit<TopicOptions, 'dedupeWindowMs'>,
  topics: readonly string[],
): Promise<void> {
  const specs = topicSpecs(names, { ...options, dedupeWindowMs: DEFAULT_DEDUPE_WINDOW_MS })
  await admin.createTopics(specs.filter(({ topic }) => topics.includes(topic)))
}
