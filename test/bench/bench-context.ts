import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { startClickHouse } from '../../infra/engines/clickhouse.ts'
import { startKafka } from '../../infra/engines/kafka.ts'
import { freePort } from '../../infra/engines/ports.ts'
import { startS3Proxy } from '../../infra/engines/s3proxy.ts'
import type { Delivery, Subscription } from '../../schemas/control/v1.ts'
import { isDrained } from '../../services/cli/demo/lag.ts'
import { accessKeyHash, generateAccessKey } from '../../services/core/control/access-key.ts'
import { openControlPublisher } from '../../services/core/control/control-publisher.ts'
import { openKafkaLog } from '../../services/core/kafka/kafka-log.ts'
import { KAFKA_SETTINGS } from '../../services/core/kafka/kafka-settings.ts'
import type { Log } from '../../services/core/kafka/log.ts'
import { type KafkaNames, kafkaNames } from '../../services/core/kafka/topics.ts'
import { systemClock } from '../../services/core/runtime/clock.ts'
import { createLogger } from '../../services/core/runtime/logger.ts'
import { parseSettings } from '../../services/core/runtime/settings.ts'
import { putChange } from '../helpers/put-change.ts'
import { type StageProcess, startStageProcess } from '../helpers/stage-process.ts'

export interface BenchContext {
  readonly log: Log
  readonly names: KafkaNames
  readonly writeKey: string
  readonly readKey: string
  readonly clickhouseUrl: string
  readonly clickhousePid: number
  say(text: string): void
  start(stage: string, settings?: Readonly<Record<string, string>>): Promise<StageProcess>
  subscribe(subscription: Subscription): Promise<void>
  /** Ends one subscription and begins another in one publication. */
  replaceSubscription(ended: string, subscription: Subscription): Promise<void>
  deliver(delivery: Delivery): Promise<void>
  /** A dataset beside `shop`, of another account. */
  addDataset(id: string): Promise<void>
  /** Resolves when the group has committed past the last record of the topic. */
  drained(group: string, topic: string): Promise<void>
  close(): Promise<void>
}

const PARTITIONS = '6'

/** Real engines on empty directories, one dataset, one write key. */
export async function openBenchContext(stateDir: string, say: (text: string) => void): Promise<BenchContext> {
  say('Starting the engines.')
  const [kafka, s3, clickhouse] = await Promise.all([
    startKafka({ stateDir: join(stateDir, 'kafka'), port: await freePort() }),
    startS3Proxy({ stateDir: join(stateDir, 's3'), port: await freePort(), buckets: ['millrace'] }),
    startClickHouse({ stateDir: join(stateDir, 'clickhouse'), port: await freePort() }),
  ])
  const environment = {
    MILLRACE_KAFKA_BROKERS: kafka.brokers,
    MILLRACE_KAFKA_PARTITIONS: PARTITIONS,
    MILLRACE_S3_ENDPOINT: s3.endpoint,
    AWS_ACCESS_KEY_ID: s3.accessKeyId,
    AWS_SECRET_ACCESS_KEY: s3.secretAccessKey,
    AWS_REGION: 'us-east-1',
    MILLRACE_CLICKHOUSE_URL: clickhouse.url,
    MILLRACE_STATE_DIR: stateDir,
    MILLRACE_LOG_LEVEL: 'warn',
  }
  const settings = parseSettings(KAFKA_SETTINGS, environment)
  const logger = createLogger('bench', 'error')
  const log = await openKafkaLog(settings, logger)
  const names = kafkaNames(settings.kafkaPrefix)
  const publisher = await openControlPublisher({ log, names, clock: systemClock, logger })
  const writeKey = generateAccessKey('write', randomBytes)
  const readKey = generateAccessKey('read', randomBytes)
  const keyChange = (scope: 'write' | 'read', key: string) =>
    putChange('key', { id: `bench-${scope}`, dataset: 'shop', scope, sha256: accessKeyHash(key) }, 'config')
  await publisher.publish([
    putChange('dataset', { id: 'shop', account: 'bench' }, 'config'),
    keyChange('write', writeKey),
    keyChange('read', readKey),
  ])
  return {
    log,
    names,
    writeKey,
    readKey,
    clickhouseUrl: clickhouse.url,
    clickhousePid: clickhouse.pid,
    say,
    start: (stage, more = {}) =>
      startStageProcess(stage, { ...environment, ...more }, join(stateDir, `${stage}.log`)),
    subscribe: (subscription) => publisher.publish([putChange('subscription', subscription, 'config')]),
    replaceSubscription: (ended, subscription) =>
      publisher.publish([
        { action: 'remove', kind: 'subscription', id: ended },
        putChange('subscription', subscription, 'config'),
      ]),
    deliver: (delivery) => publisher.publish([putChange('delivery', delivery, 'config')]),
    addDataset: (id) => publisher.publish([putChange('dataset', { id, account: id }, 'config')]),
    drained: async (group, topic) => {
      while (!(await isDrained(log, { name: group, group, topic }, 200))) await systemClock.sleep(50)
    },
    close: async () => {
      await publisher.close()
      await log.close()
      await Promise.all([kafka.stop(), s3.stop(), clickhouse.stop()])
    },
  }
}
