import { randomBytes } from 'node:crypto'
import { openClickHouse } from '../core/clickhouse/http-clickhouse.ts'
import { migrate } from '../core/clickhouse/migrate.ts'
import { openKafkaLog } from '../core/kafka/kafka-log.ts'
import { kafkaNames } from '../core/kafka/topics.ts'
import { failPoints } from '../core/runtime/fail-points.ts'
import { PATIENT, retry } from '../core/runtime/retry.ts'
import type { Stage } from '../core/runtime/stage.ts'
import { CLICKHOUSE_SINK_SETTINGS } from './config.ts'
import { runClickHouseSink } from './pipeline.ts'

/** Enriched and rejected events to ClickHouse, every one exactly once. */
export const stage: Stage<typeof CLICKHOUSE_SINK_SETTINGS> = {
  name: 'clickhouse-sink',
  settings: CLICKHOUSE_SINK_SETTINGS,
  async run(settings, { logger, metrics, health, stopping, clock }) {
    if (settings.migrate) {
      const root = openClickHouse(settings, null)
      const onRetry = (err: Error) => logger.warn({ err }, 'ClickHouse cannot be reached; trying again.')
      const environment = { clock, random: Math.random, signal: stopping, onRetry }
      const applied = await retry(PATIENT, environment, () => migrate(root, settings.clickhouseDatabase))
      if (applied.length > 0) logger.info({ applied }, 'The tables were brought up to date.')
      await root.close()
    }
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
