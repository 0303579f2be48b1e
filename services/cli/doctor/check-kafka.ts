import type { LogAdmin, TopicSettings, TopicSpec } from '../../core/kafka/log.ts'
import type { KafkaNames } from '../../core/kafka/topics.ts'
import { isDependencyError } from '../../core/runtime/errors.ts'
import { type Finding, fault, ok } from './check.ts'
import { checkDurability } from './check-durability.ts'
import { checkDedupeRetention, checkTopic, type FoundTopic } from './check-topic.ts'

/** What Kafka should have. */
export interface WantedOfKafka {
  readonly names: KafkaNames
  /** Topics that must be there. */
  readonly topics: readonly TopicSpec[]
  /** Topics that a stage makes when it starts: what they are set to matters once they are there. */
  readonly madeLater: readonly TopicSpec[]
  /** How far back the enricher recognises an id, ms. */
  readonly dedupeWindowMs: number
  /** Largest record that stages send. */
  readonly recordBytesMax: number
}

/** Whether the brokers answer, and every topic that the pipeline needs is there and set as it should be. */
export async function checkKafka(
  admin: LogAdmin,
  brokers: string,
  { names, topics, madeLater, dedupeWindowMs, recordBytesMax }: WantedOfKafka,
): Promise<Finding[]> {
  let there: ReadonlySet<string>
  try {
    there = new Set(await admin.listTopics())
  } catch (error) {
    return [
      fault(
        'kafka',
        (error as Error).message,
        `Is a broker at ${brokers}? MILLRACE_KAFKA_BROKERS says where.`,
      ),
    ]
  }
  const findings = [ok('kafka', `${brokers} answers, ${there.size} topics`)]
  const found = new Map<string, FoundTopic>()
  for (const { topic } of [...topics, ...madeLater]) {
    const topicFound = there.has(topic) ? await find(admin, topic) : null
    if (topicFound) found.set(topic, topicFound)
  }
  const raw = found.get(names.raw) ?? null
  for (const spec of [...topics, ...madeLater]) {
    const topicFound = found.get(spec.topic)
    const joined = joinedTo(spec.topic, names, raw, topicFound)
    if (topicFound) findings.push(...checkTopic(spec, topicFound, recordBytesMax, joined))
    else if (topics.includes(spec))
      findings.push(
        fault(
          `topic ${spec.topic}`,
          'is not there',
          `Start the ${makerOf(spec.topic, names)}, which makes what is missing.`,
        ),
      )
  }
  const dedupe = found.get(names.dedupe)
  if (raw && dedupe) findings.push(...checkDedupeRetention(names.dedupe, raw, dedupe, dedupeWindowMs))
  const settings = new Map<string, TopicSettings>()
  for (const [topic, one] of found) if (one.settings !== null) settings.set(topic, one.settings)
  return [...findings, ...checkDurability(settings)]
}

/** Whose partitions a topic's are compared with: chunks of recordings are joined with no other topic, whatever their count. */
function joinedTo(
  topic: string,
  names: KafkaNames,
  raw: FoundTopic | null,
  own: FoundTopic | undefined,
): FoundTopic | null {
  if (topic === names.recordings) return own ?? null
  return topic === names.raw || topic === names.control ? null : raw
}

function makerOf(topic: string, names: KafkaNames): string {
  return topic === names.recordings ? 'collector' : 'enricher'
}

/** Whether the topic of every subscription is there. */
export async function checkSubscriberTopics(admin: LogAdmin, topics: readonly string[]): Promise<Finding[]> {
  const there = new Set(await admin.listTopics())
  return topics
    .filter((topic) => !there.has(topic))
    .map((topic) =>
      fault(
        `topic ${topic}`,
        'is not there',
        'Start the subscriber-router, which makes subscribers’ topics.',
      ),
    )
}

async function find(admin: LogAdmin, topic: string): Promise<FoundTopic | null> {
  const info = await admin.describeTopic(topic)
  if (info === null) return null
  try {
    return { partitions: info.partitions, settings: await admin.topicSettings(topic) }
  } catch (error) {
    if (isDependencyError(error) && error.code === 'denied')
      return { partitions: info.partitions, settings: null }
    throw error
  }
}
