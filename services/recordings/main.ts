import { randomBytes } from 'node:crypto'
import { openClickHouse } from '../core/clickhouse/http-clickhouse.ts'
import { migrateAtStart } from '../core/clickhouse/migrate-at-start.ts'
import { openKafkaLog } from '../core/kafka/kafka-log.ts'
import { recordingsTopicSpec } from '../core/kafka/topic-specs.ts'
import { kafkaNames } from '../core/kafka/topics.ts'
import { openS3Store } from '../core/object-store/s3-store.ts'
import { decompressLine } from '../core/recordings/chunk-line.ts'
import { failPoints } from '../core/runtime/fail-points.ts'
import type { Stage } from '../core/runtime/stage.ts'
import { RECORDINGS_SETTINGS } from './config.ts'
import { runRecordings } from './pipeline.ts'

/** Chunks of recorded sessions to the object store, what is asked about them to ClickHouse, every one exactly once. */
export const stage: Stage<typeof RECORDINGS_SETTINGS> = {
  name: 'recordings',
  settings: RECORDINGS_SETTINGS,
  async run(settings, context) {
    const { logger, metrics, health, stopping, clock } = context
    await migrateAtStart(settings, context)
    const names = kafkaNames(settings.kafkaPrefix)
    const clickhouse = openClickHouse(settings)
    const store = openS3Store(settings)
    const log = await openKafkaLog(settings, logger)
    await log.admin.createTopics([
      recordingsTopicSpec(names, {
        partitions: settings.kafkaPartitions,
        replicationFactor: settings.kafkaReplication,
      }),
    ])
    await runRecordings(
      {
        log,
        names,
        clickhouse,
        store,
        bucket: settings.s3Bucket,
        limits: {
          rows: settings.batchChunksMax,
          bytes: settings.batchBytesMax,
          ageMs: settings.batchAgeMs,
        },
        bounds: settings,
        cleanUp: { retentionMs: settings.retentionMs, intervalMs: settings.cleanUpIntervalMs },
        group: {
          sessionTimeoutMs: settings.kafkaSessionTimeoutMs,
          pollRecordsMax: settings.pollRecordsMax,
          prefetchBytesMax: settings.kafkaPrefetchBytesMax,
        },
        decompress: decompressLine,
        clock,
        random: Math.random,
        nonce: () => randomBytes(8).toString('hex'),
        failPoint: failPoints(settings.failPoint),
        logger,
        metrics,
        health,
      },
      stopping,
    )
    await log.close()
    await clickhouse.close()
    store.close()
  },
}
