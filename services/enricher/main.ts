import { randomBytes } from 'node:crypto'
import { openControlView } from '../core/control/control-topic.ts'
import { openKafkaLog } from '../core/kafka/kafka-log.ts'
import { ensureTopics } from '../core/kafka/topic-specs.ts'
import { kafkaNames } from '../core/kafka/topics.ts'
import { failPoints } from '../core/runtime/fail-points.ts'
import type { Stage } from '../core/runtime/stage.ts'
import { ENRICHER_SETTINGS } from './config.ts'
import { currentRules } from './current-rules.ts'
import { createIdBudget } from './dedupe/dedupe-window.ts'
import { enricherMetrics } from './enricher-metrics.ts'
import type { Environment } from './environment.ts'
import { defaultGeoPath, openGeoFile } from './geo-database.ts'
import { runEnricher } from './pipeline.ts'
import { loadReferenceData } from './reference-data.ts'
import { createSchemaCache } from './rules.ts'

export const stage: Stage<typeof ENRICHER_SETTINGS> = {
  name: 'enricher',
  settings: ENRICHER_SETTINGS,
  async run(settings, { logger, metrics, health, stopping, clock }) {
    const names = kafkaNames(settings.kafkaPrefix)
    const geo = await openGeoFile(settings.geoPath ?? defaultGeoPath())
    const log = await openKafkaLog(settings, logger)
    await ensureTopics(log.admin, names, {
      partitions: settings.kafkaPartitions,
      replicationFactor: settings.kafkaReplication,
      dedupeWindowMs: settings.dedupeWindowMs,
    })
    const control = await openControlView({ log, names, clock, logger })
    const enricher = enricherMetrics(metrics)
    enricher.geoBuiltAt(geo.current.builtAt)
    health.add({ name: 'control', kind: 'ready', problem: () => control.problem() })
    health.add({ name: 'geo data', kind: 'ready', problem: () => geo.problem() })

    const recordLimits = {
      enrichedBytesMax: settings.enrichedBytesMax,
      rejectedPayloadBytesMax: settings.rejectedPayloadBytesMax,
    }
    const env: Environment = {
      log,
      names,
      control,
      current: currentRules(
        () => control.snapshot,
        () => geo.current,
        loadReferenceData(settings.userAgentsMax),
        createSchemaCache(settings.schemasMax),
        { limits: JSON.stringify(recordLimits) },
      ),
      idBudget: createIdBudget(settings.dedupeIdsMax),
      limits: {
        ...recordLimits,
        batchRowsMax: settings.batchRowsMax,
        batchBytesMax: settings.batchBytesMax,
        lingerMs: settings.lingerMs,
        transactionTimeoutMs: settings.transactionTimeoutMs,
        dedupeWindowMs: settings.dedupeWindowMs,
        tickMs: settings.tickMs,
        takeoverSilenceMs: settings.kafkaRequestTimeoutMs,
      },
      group: {
        sessionTimeoutMs: settings.kafkaSessionTimeoutMs,
        prefetchBytesMax: settings.kafkaPrefetchBytesMax,
      },
      clock,
      random: Math.random,
      randomBytes,
      failPoint: failPoints(settings.failPoint),
      logger,
      metrics: enricher,
      registry: metrics,
      health,
      absolved: new Set(),
    }

    const refreshing = (async () => {
      while (!stopping.aborted) {
        await clock.sleep(settings.geoRefreshMs, stopping)
        if (stopping.aborted || !(await geo.refresh())) continue
        enricher.geoBuiltAt(geo.current.builtAt)
        logger.info({ hash: geo.current.hash }, 'A new version of the geo data is in use.')
      }
    })()
    await runEnricher(env, stopping)
    await refreshing
    await control.close()
    await log.close()
  },
}
