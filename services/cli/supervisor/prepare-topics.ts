import { openKafkaLog } from '../../core/kafka/kafka-log.ts'
import { DEDUPE_WINDOW_SETTING, KAFKA_SETTINGS } from '../../core/kafka/kafka-settings.ts'
import { ensureTopics } from '../../core/kafka/topic-specs.ts'
import { kafkaNames } from '../../core/kafka/topics.ts'
import { createLogger } from '../../core/runtime/logger.ts'
import { parseSettings } from '../../core/runtime/settings.ts'

/**
 * Makes the internal topics on a Kafka of ours, so that stages start in any order. On somebody else's cluster the
 * enricher makes them when it starts, or whoever may make topics there.
 *
 * @throws DependencyError when the broker does not make them; SettingsError
 */
export async function prepareTopics(env: Readonly<Record<string, string | undefined>>): Promise<void> {
  const settings = parseSettings({ ...KAFKA_SETTINGS, dedupeWindowMs: DEDUPE_WINDOW_SETTING }, env)
  const log = await openKafkaLog(settings, createLogger('up', 'error'))
  try {
    await ensureTopics(log.admin, kafkaNames(settings.kafkaPrefix), {
      partitions: settings.kafkaPartitions,
      replicationFactor: settings.kafkaReplication,
      dedupeWindowMs: settings.dedupeWindowMs,
    })
  } finally {
    await log.close()
  }
}
