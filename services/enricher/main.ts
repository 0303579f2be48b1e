import { randomBytes } from 'node:crypto'
import { openControlView } from '../core/control/control-topic.ts'
import { openKafkaLog } from '../core/kafka/kafka-log.ts'
import { ensureTopics } from '../core/kafka/topic-specs.ts'
import { kafkaNames } from '../core/kafka/topics.ts'
import type { Stage } from '../core/runtime/stage.ts'
import { runPartitions } from '../core/stream/run-partitions.ts'
import { ENRICHER_SETTINGS } from './config.ts'
import { currentRules } from './current-rules.ts'
import { createIdBudget } from './dedupe/dedupe-window.ts'
import { enricherMetrics } from './enricher-metrics.ts'
import type { Environment } from './environment.ts'
import { defaultGeoPath, openGeoFile } from './geo-database.ts'
import { createEnricherWorker } from './pipeline.ts'
import { loadReferenceData } from './reference-data.ts'
import { createSchemaCache } from './rules.ts'

/** Raw records that one poll brings at most; several polls share a transaction. */
const POLL_RECORDS_MAX = 2_000

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
      clock,
      randomBytes,
      logger,
      metrics: enricher,
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
    await runPartitions({
      log,
      group: {
        groupId: names.group('enricher'),
        clientId: 'millrace-enricher',
        topics: [names.raw],
        sessionTimeoutMs: settings.kafkaSessionTimeoutMs,
        maxPollIntervalMs: 300_000,
        pollRecordsMax: POLL_RECORDS_MAX,
        pollWaitMs: 100,
        prefetchBytesMax: settings.kafkaPrefetchBytesMax,
      },
      createWorker: ({ partition }, consumer) => createEnricherWorker(env, partition, consumer),
      // Often enough that records wait little longer than they are meant to.
      tickMs: Math.max(10, Math.ceil(settings.lingerMs / 4)),
      bounds: {
        queueRecordsMax: 2 * POLL_RECORDS_MAX + settings.batchRowsMax,
        queueBytesMax: 4 * settings.batchBytesMax,
      },
      stage: 'enricher',
      logger,
      metrics,
      health,
      signal: stopping,
      clock,
      random: Math.random,
    })
    await refreshing
    await control.close()
    await log.close()
  },
}
