import { randomUUID } from 'node:crypto'
import { openControlView } from '../core/control/control-topic.ts'
import { openKafkaLog } from '../core/kafka/kafka-log.ts'
import { ensureOwnTopics } from '../core/kafka/topic-specs.ts'
import { kafkaNames } from '../core/kafka/topics.ts'
import { failPoints } from '../core/runtime/fail-points.ts'
import type { Stage } from '../core/runtime/stage.ts'
import { ROUTER_SETTINGS } from './config.ts'
import { runRouter } from './pipeline.ts'

/** Forwards enriched events to the topics of their subscribers. */
export const stage: Stage<typeof ROUTER_SETTINGS> = {
  name: 'subscriber-router',
  settings: ROUTER_SETTINGS,
  async run(settings, { logger, metrics, health, stopping, clock }) {
    const names = kafkaNames(settings.kafkaPrefix)
    const log = await openKafkaLog(settings, logger)
    await ensureOwnTopics(
      log.admin,
      names,
      { partitions: settings.kafkaPartitions, replicationFactor: settings.kafkaReplication },
      [names.enriched],
    )
    const control = await openControlView({ log, names, clock, logger })
    try {
      await runRouter({
        log,
        names,
        control,
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
      await control.close()
      await log.close()
    }
  },
}
