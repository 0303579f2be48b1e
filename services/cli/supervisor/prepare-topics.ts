import { openKafkaLog } from '../../core/kafka/kafka-log.ts'
import { KAFKA_SETTINGS } from '../../core/kafka/kafka-settings.ts'
import { DEFAULT_DEDUPE_WINDOW_MS, ensureTopics } from '../../core/kafka/topic-specs.ts'
import { kafkaNames } from '../../core/kafka/topics.ts'
import { createLogger } from '../../core/runtime/logger.ts'
import { parseSettings } from '../../core/runtime/settings.ts'

/**
 * Makes the internal topics on a Kafka of ours, so that stages start on empty data too. On somebody else's cluster
 * that is for `millrace apply`, when it is asked to.
 *
 * @throws DependencyError when the broker does not make them; SettingsError
 */
export async function prepareTopics(env: Readonly<Record<string, string | undefined>>): Promise<void> {
  const settings = parseSettings(KAFKA_SETTINGS, env)
  const log = await openKafkaLog(settings, createLogger('up', 'error'))
  try {
    await ensureTopics(log.admin, kafkaNames(settings.kafkaPrefix), {
      partitions: settings.kafkaPartitions,
      replicationFactor: settings.kafkaReplication,
      dedupeWindowMs: DEFAULT_DEDUPE_WINDOW_MS,
    })
  } finally {
    await log.close()
  }
}
