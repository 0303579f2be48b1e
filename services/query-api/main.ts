import { randomBytes } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import { CLICKHOUSE_SETTINGS } from '../core/clickhouse/clickhouse-settings.ts'
import { openClickHouse } from '../core/clickhouse/http-clickhouse.ts'
import { openControlView } from '../core/control/control-topic.ts'
import { publishing } from '../core/control/publish-changes.ts'
import { SECRET_KEY_SETTING } from '../core/control/sealed.ts'
import { openKafkaLog } from '../core/kafka/kafka-log.ts'
import { KAFKA_SETTINGS } from '../core/kafka/kafka-settings.ts'
import { kafkaNames } from '../core/kafka/topics.ts'
import { METADATA_SETTINGS } from '../core/metadata/metadata-settings.ts'
import { openMetadata } from '../core/metadata/open-metadata.ts'
import { openDestinationStores } from '../core/object-store/s3-destinations.ts'
import { S3_SETTINGS } from '../core/object-store/s3-settings.ts'
import { openS3Store } from '../core/object-store/s3-store.ts'
import { watchDependencies } from '../core/runtime/dependency-watch.ts'
import { failPoints } from '../core/runtime/fail-points.ts'
import type { Stage } from '../core/runtime/stage.ts'
import { openPostgresTable } from './batch-exports/postgres-table.ts'
import { QUERY_API_SETTINGS } from './config.ts'
import type { Environment } from './environment.ts'
import { openExportContent } from './exports/open-export-content.ts'
import { openRateCounters } from './http/open-rate-counters.ts'
import { createQueryGate } from './http/query-gate.ts'
import { createCommandLog } from './persons/command-log.ts'
import { createPipeline } from './pipeline.ts'
import { createClickHouseWatch } from './query/clickhouse-watch.ts'
import { createServer } from './server.ts'
import { createFindInDelivery } from './trace/delivery-search.ts'
import { createFindInLog } from './trace/log-search.ts'

const SETTINGS = {
  ...KAFKA_SETTINGS,
  ...S3_SETTINGS,
  ...CLICKHOUSE_SETTINGS,
  ...METADATA_SETTINGS,
  ...SECRET_KEY_SETTING,
  ...QUERY_API_SETTINGS,
} as const

/** Questions in over HTTP, answers out of ClickHouse. */
export const stage: Stage<typeof SETTINGS> = {
  name: 'query-api',
  settings: SETTINGS,
  async run(settings, { logger, metrics, health, stopping, clock }) {
    const names = kafkaNames(settings.kafkaPrefix)
    const log = await openKafkaLog(settings, logger)
    const control = await openControlView({ log, names, clock, logger })
    const openAs = (clickhouseUser: string, clickhousePassword: string | null) =>
      openClickHouse(
        { ...settings, clickhouseUser, clickhousePassword },
        settings.clickhouseDatabase,
        settings.datasetSetting,
      )
    const clickhouse = openAs(settings.clickhouseUser, settings.clickhousePassword)
    const writer =
      settings.writerUser === null ? clickhouse : openAs(settings.writerUser, settings.writerPassword)
    const store = openS3Store(settings)
    const destinations = openDestinationStores(settings, store)
    const metadata = await openMetadata(settings)
    const rateCounters = await openRateCounters(settings.rateLimitRedisUrl, { clock, metrics, logger })
    const watch = createClickHouseWatch(clickhouse, clock)
    health.add({ name: 'control', kind: 'ready', problem: () => control.problem() })
    health.add({ name: 'clickhouse', kind: 'ready', problem: watch.problem })

    const env: Environment = {
      clickhouse,
      writer,
      control,
      metadata,
      clock,
      randomBytes,
      adminSha256: settings.adminSha256,
      rateCounters,
      rateLimits: { enabled: settings.rateLimitsOn, allowed: settings.rateLimitAllow },
      cost: settings,
      cohortSecondsMax: settings.cohortSecondsMax,
      gate: createQueryGate(settings.concurrentMax, settings.concurrentPerDatasetMax),
      results: settings,
      names,
      exports: {
        content: openExportContent(settings, store, clock),
        concurrentMax: settings.exportsMax,
        leaseMs: settings.exportLeaseMs,
      },
      batchExports: {
        destinations,
        secretKey: settings.secretKey,
        publish: publishing({ log, names, clock, logger }),
        offsetsAt: async (timestampMs) => {
          const found = await log.admin.offsetsAt(names.enriched, timestampMs)
          return found.map(({ offset }) => offset)
        },
        stagingBucket: settings.s3Bucket,
        mayConnect: settings.batchExportHosts,
        openTable: openPostgresTable,
        failPoint: failPoints(settings.failPoint),
        lookEveryMs: settings.batchExportLookEveryMs,
      },
      findInLog: createFindInLog(log, names, clock, settings.traceRecordsMax),
      findInDelivery: createFindInDelivery(store, settings.s3Bucket),
      commandLog: createCommandLog(log, names),
      recordings: { store, bucket: settings.s3Bucket },
    }
    const pipeline = createPipeline(env, metrics, logger)
    const app = createServer(
      env,
      {
        logger,
        metrics,
        publicUrl: settings.publicUrl,
        bodyBytesMax: settings.bodyBytesMax,
        uploadBytesMax: settings.uploadBytesMax,
        streamStallMs: settings.streamStallMs,
        trustedProxies: settings.trustedProxies,
      },
      pipeline,
    )
    await app.listen({ host: settings.host, port: settings.port })
    logger.info({ port: (app.server.address() as AddressInfo).port }, 'Questions are answered.')
    await Promise.all([
      watch.run(stopping),
      pipeline.calculateCohorts(stopping),
      watchDependencies([{ name: 'metadata', ask: () => metadata.ping() }], health, clock, stopping),
    ])
    await app.close()
    await Promise.all([rateCounters.known.close(), rateCounters.addresses.close()])
    await metadata.close()
    if (writer !== clickhouse) await writer.close()
    await clickhouse.close()
    destinations.close()
    store.close()
    await control.close()
    await log.close()
  },
}
