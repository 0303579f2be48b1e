import { CLICKHOUSE_SETTINGS } from '../../core/clickhouse/clickhouse-settings.ts'
import { openControlPublisher } from '../../core/control/control-publisher.ts'
import { type ControlSource, readControlRecords } from '../../core/control/control-topic.ts'
import { openKafkaLog } from '../../core/kafka/kafka-log.ts'
import { KAFKA_SETTINGS } from '../../core/kafka/kafka-settings.ts'
import type { Log } from '../../core/kafka/log.ts'
import { type KafkaNames, kafkaNames } from '../../core/kafka/topics.ts'
import { S3_SETTINGS } from '../../core/object-store/s3-settings.ts'
import { systemClock } from '../../core/runtime/clock.ts'
import { createLogger } from '../../core/runtime/logger.ts'
import { parseSettings } from '../../core/runtime/settings.ts'
import { readConfig } from '../commands/config.ts'
import { applyConfig } from '../config/apply-config.ts'
import { showConfigFault } from '../config/config-file.ts'
import type { ClickHouseAddress } from './clickhouse-rows.ts'
import { writeConsoleSettings } from './console-settings.ts'
import { type Bucket, openBucket } from './delivery-reader.ts'

/** Everything the demo talks to, opened from the addresses that the stages were given. */
export interface DemoConnections {
  readonly log: Log
  readonly names: KafkaNames
  readonly brokers: string
  /** Client settings for Kafka's own tools; null for a plain broker. */
  readonly consoleFile: string | null
  readonly topicPrefix: string
  readonly bucket: Bucket
  readonly clickhouse: ClickHouseAddress
  readonly collectorUrl: string
  readonly queryUrl: string
  /** Applies a configuration file; what it changes is handed to `print`. @throws Error naming every fault */
  apply(file: string, print: (text: string) => void): Promise<void>
  close(): Promise<void>
}

export async function openDemoConnections(
  environment: Readonly<Record<string, string | undefined>>,
): Promise<DemoConnections> {
  const settings = parseSettings({ ...KAFKA_SETTINGS, ...S3_SETTINGS, ...CLICKHOUSE_SETTINGS }, environment)
  const logger = createLogger('demo', 'error')
  const log = await openKafkaLog(settings, logger)
  const names = kafkaNames(settings.kafkaPrefix)
  const console = writeConsoleSettings(settings)
  const source: ControlSource = { log, names, clock: systemClock, logger }
  return {
    log,
    names,
    brokers: settings.kafkaBrokers,
    consoleFile: console.file,
    topicPrefix: settings.kafkaPrefix,
    bucket: openBucket({
      endpoint: settings.s3Endpoint,
      region: settings.s3Region,
      bucket: settings.s3Bucket,
      accessKeyId: settings.s3AccessKeyId,
      secretAccessKey: settings.s3SecretAccessKey,
    }),
    clickhouse: {
      url: settings.clickhouseUrl,
      database: settings.clickhouseDatabase,
      user: settings.clickhouseUser,
      password: settings.clickhousePassword ?? '',
    },
    collectorUrl: `http://127.0.0.1:${environment.MILLRACE_COLLECTOR_PORT}`,
    queryUrl: `http://127.0.0.1:${environment.MILLRACE_QUERY_PORT}`,
    async apply(file, print) {
      const { records, faults } = readConfig(file)
      if (faults.length > 0) throw new Error(faults.map((fault) => showConfigFault(file, fault)).join('\n'))
      const outcome = await applyConfig(records, {
        print,
        read: () => readControlRecords(source),
        openPublisher: () => openControlPublisher(source),
        confirm: async () => true,
      })
      if (outcome === 'conflict')
        throw new Error(`${file} names objects that the API manages; nothing was applied.`)
    },
    async close() {
      console.remove()
      await log.close()
    },
  }
}
