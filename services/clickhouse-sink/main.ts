import { randomBytes } from 'node:crypto'
import { openClickHouse } from '../core/clickhouse/http-clickhouse.ts'
import { migrateAtStart } from '../core/clickhouse/migrate-at-start.ts'
import { openKafkaLog } from '../core/kafka/kafka-log.ts'
import { kafkaNames } from '../core/kafka/topics.ts'
import { failPoints } from '../core/runtime/fail-points.ts'
import type { Stage } from '../core/runtime/stage.ts'
import { CLICKHOUSE_SINK_SETTINGS } from './config.ts'
import { runClickHouseSink } from './pipeline.ts'

/** Enriched and rejected events to ClickHouse, every one exactly once. */
export const stage: Stage<typeof CLICKHOUSE_SINK_SETTINGS> = {
  name: 'clickhouse-sink',
  settings: CLICKHOUSE_SINK_SETTINGS,
  async run(settings, context) {
    const { logger, metrics, health, stopping, clock } = context
    await migrateAtStart(settings, context)
    const clickhouse = openClickHouse(settings)
    const log = await openKafkaLog(settings, logger)
    await runClickHouseSink(
      {
        log,
        names: kafkaNames(settings.kafkaPrefix),
        clickhouse,
        limits: {
          rows: settings.batchRowsMax,
          bytes: settings.batchBytesMax,
          ageMs: settings.batchAgeMs,
        },
        bounds: settings,
        group: {
          sessionTimeoutMs: settings.kafkaSessionTimeoutMs,
          pollRecordsMax: settings.pollRecordsMax,
          prefetchBytesMax: settings.kafkaPrefetchBytesMax,
        },
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
  },
}
