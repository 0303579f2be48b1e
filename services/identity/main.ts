import { randomUUID } from 'node:crypto'
import { openClickHouse } from '../core/clickhouse/http-clickhouse.ts'
import { migrateAtStart } from '../core/clickhouse/migrate-at-start.ts'
import { openKafkaLog } from '../core/kafka/kafka-log.ts'
import { ensureOwnTopics } from '../core/kafka/topic-specs.ts'
import { kafkaNames } from '../core/kafka/topics.ts'
import { failPoints } from '../core/runtime/fail-points.ts'
import { PATIENT, retry } from '../core/runtime/retry.ts'
import type { Stage } from '../core/runtime/stage.ts'
import { IDENTITY_SETTINGS } from './config.ts'
import { runIdentity } from './pipeline.ts'
import { openIdentityStore } from './store/open-identity-store.ts'

/** Who did what: persons, merges, groups. */
export const stage: Stage<typeof IDENTITY_SETTINGS> = {
  name: 'identity',
  settings: IDENTITY_SETTINGS,
  async run(settings, context) {
    const { logger, metrics, health, stopping, clock } = context
    await migrateAtStart(settings, context)
    const onRetry = (err: Error) =>
      logger.warn({ err }, 'The database of persons cannot be opened; trying again.')
    const store = await retry(PATIENT, { clock, random: Math.random, signal: stopping, onRetry }, () =>
      openIdentityStore({ ...settings, timeoutMs: settings.databaseTimeoutMs }),
    )
    const clickhouse = openClickHouse(settings)
    const names = kafkaNames(settings.kafkaPrefix)
    const log = await openKafkaLog(settings, logger)
    await ensureOwnTopics(
      log.admin,
      names,
      { partitions: settings.kafkaPartitions, replicationFactor: settings.kafkaReplication },
      [names.enriched],
    )
    try {
      await runIdentity({
        log,
        names,
        store,
        clickhouse,
        settings,
        clock,
        random: Math.random,
        newOwner: randomUUID,
        failPoint: failPoints(settings.failPoint),
        logger,
        metrics,
        health,
        stopping,
      })
    } finally {
      await log.close()
      await clickhouse.close()
      await store.close()
    }
  },
}
