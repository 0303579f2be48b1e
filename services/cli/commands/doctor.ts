import { randomUUID } from 'node:crypto'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import type { Command } from 'commander'
import { CLICKHOUSE_SETTINGS } from '../../core/clickhouse/clickhouse-settings.ts'
import { openClickHouse } from '../../core/clickhouse/http-clickhouse.ts'
import { readMigrations } from '../../core/clickhouse/migrate.ts'
import { openControlView } from '../../core/control/control-topic.ts'
import { openKafkaLog } from '../../core/kafka/kafka-log.ts'
import { DEDUPE_WINDOW_SETTING, KAFKA_SETTINGS } from '../../core/kafka/kafka-settings.ts'
import type { Log } from '../../core/kafka/log.ts'
import {
  identityTopicSpecs,
  recordingsTopicSpec,
  routerTopicSpec,
  topicSpecs,
} from '../../core/kafka/topic-specs.ts'
import { kafkaNames } from '../../core/kafka/topics.ts'
import { IDENTITY_DATABASE_SETTINGS, IDENTITY_FILE } from '../../core/metadata/identity-database-settings.ts'
import { METADATA_FILE, METADATA_SETTINGS } from '../../core/metadata/metadata-settings.ts'
import { S3_SETTINGS } from '../../core/object-store/s3-settings.ts'
import { openS3Store } from '../../core/object-store/s3-store.ts'
import { systemClock } from '../../core/runtime/clock.ts'
import { createLogger } from '../../core/runtime/logger.ts'
import { optional, parseSettings, type Settings, text } from '../../core/runtime/settings.ts'
import { clockFinding, type Finding, fault, findingText, ok } from '../doctor/check.ts'
import { checkBucket } from '../doctor/check-bucket.ts'
import { checkClickHouse } from '../doctor/check-clickhouse.ts'
import { checkDatabase } from '../doctor/check-database.ts'
import { checkGeoFile } from '../doctor/check-geo-file.ts'
import { checkKafka, checkSubscriberTopics } from '../doctor/check-kafka.ts'
import { checkKafkaClock } from '../doctor/check-kafka-clock.ts'
import { geoBuildTime } from '../doctor/geo-build-time.ts'
import { localEnvironment } from '../local-environment.ts'

const SETTINGS = {
  ...KAFKA_SETTINGS,
  ...S3_SETTINGS,
  ...CLICKHOUSE_SETTINGS,
  ...METADATA_SETTINGS,
  ...IDENTITY_DATABASE_SETTINGS,
  dedupeWindowMs: DEDUPE_WINDOW_SETTING,
  geoPath: optional(text('MILLRACE_GEO_MMDB', { doc: 'Path of an MMDB file with places of addresses.' })),
} as const
type DoctorSettings = Settings<typeof SETTINGS>

/** Patience is for stages; a doctor says what is wrong now. */
const CHECK_TIMEOUT_MS = 10_000

/** `millrace doctor`: looks at everything that stages depend on, and says how to mend what is wrong. */
export function registerDoctor(program: Command): void {
  program
    .command('doctor')
    .description(
      'Check Kafka, the bucket, ClickHouse, the databases, the geo file and the clocks; exit status 1 on a fault.',
    )
    .option('--json', 'print the findings as JSON', false)
    .action(async ({ json }: { readonly json: boolean }) => {
      const settings = { ...parseSettings(SETTINGS, localEnvironment()), s3Attempts: 1 }
      const findings = (
        await Promise.all([kafka(settings), bucket(settings), clickHouse(settings), databases(settings)])
      ).flat()
      findings.push(geoFile(settings))
      const isWell = findings.every(({ status }) => status !== 'fault')
      if (json) process.stdout.write(`${JSON.stringify({ ok: isWell, findings }, null, 2)}\n`)
      else process.stdout.write(`${findings.map(findingText).join('\n')}\n`)
      if (!isWell) process.exitCode = 1
    })
}

async function kafka(settings: DoctorSettings): Promise<Finding[]> {
  const { kafkaBrokers, kafkaPartitions, kafkaReplication, dedupeWindowMs } = settings
  const names = kafkaNames(settings.kafkaPrefix)
  const logger = createLogger('doctor', 'error', { write: () => {} })
  const options = { partitions: kafkaPartitions, replicationFactor: kafkaReplication, dedupeWindowMs }
  const wanted = {
    names,
    topics: [...topicSpecs(names, options), recordingsTopicSpec(names, options)],
    madeLater: [
      routerTopicSpec(names, kafkaPartitions, kafkaReplication),
      ...identityTopicSpecs(names, options),
    ],
    dedupeWindowMs,
    recordBytesMax: settings.kafkaRecordBytesMax,
  }
  let log: Log | null = null
  try {
    log = await within(openKafkaLog(settings, logger))
    const { admin } = log
    const findings = await within(checkKafka(admin, kafkaBrokers, wanted))
    const [kafka] = findings
    if (kafka?.status === 'fault') return findings
    findings.push(await within(checkKafkaClock(log, names.probe(randomUUID()), systemClock)))
    // Without its topic there is no configuration to look at, and that fault is told above.
    if ((await admin.describeTopic(names.control)) === null) return findings
    const control = await within(openControlView({ log, names, clock: systemClock, logger }))
    const { datasets, subscriptions } = control.snapshot
    await control.close()
    const detail = `${datasets.size} datasets, ${subscriptions.size} subscriptions`
    const configured =
      datasets.size > 0
        ? ok('configuration', detail)
        : fault('configuration', 'no dataset is configured', 'Write a millrace.yaml and run millrace apply.')
    const topics = [...subscriptions.keys()].map(names.subscriber)
    return [...findings, configured, ...(await within(checkSubscriberTopics(admin, topics)))]
  } catch (error) {
    const fix = `Is a broker at ${kafkaBrokers}? MILLRACE_KAFKA_BROKERS says where.`
    return [fault('kafka', (error as Error).message, fix)]
  } finally {
    await log?.close()
  }
}

async function bucket(settings: DoctorSettings): Promise<Finding[]> {
  const store = openS3Store(settings)
  try {
    const findings = await checkBucket(store, settings.s3Bucket, `_doctor/${randomUUID()}`)
    const endpoint = settings.s3Endpoint ?? `https://s3.${settings.s3Region}.amazonaws.com`
    if (findings.every(({ status }) => status === 'ok')) findings.push(await storeClock(endpoint))
    return findings
  } finally {
    store.close()
  }
}

/** Every HTTP answer carries its server's time, whatever else it says. */
async function storeClock(endpoint: string): Promise<Finding> {
  const name = 'bucket clock'
  const beforeMs = Date.now()
  try {
    const answer = await fetch(endpoint, { method: 'HEAD', signal: AbortSignal.timeout(CHECK_TIMEOUT_MS) })
    const theirMs = Date.parse(answer.headers.get('date') ?? '')
    if (Number.isNaN(theirMs)) return ok(name, 'the server does not tell its time')
    return clockFinding(name, theirMs, beforeMs, Date.now(), 1000)
  } catch (error) {
    return fault(name, (error as Error).message, `Is a server at ${endpoint}?`)
  }
}

async function clickHouse(settings: DoctorSettings): Promise<Finding[]> {
  const { clickhouseUrl, clickhouseDatabase } = settings
  const clickhouse = openClickHouse({ ...settings, clickhouseRequestTimeoutMs: CHECK_TIMEOUT_MS }, null)
  try {
    return await checkClickHouse(clickhouse, clickhouseUrl, clickhouseDatabase, readMigrations(), systemClock)
  } finally {
    await clickhouse.close()
  }
}

/** That of what people made through the API, and that of persons. */
function databases({ metadataUrl, databaseUrl, stateDir }: DoctorSettings): Promise<Finding[]> {
  const metadata = {
    name: 'metadata database',
    url: metadataUrl,
    file: join(stateDir, METADATA_FILE),
    variable: 'MILLRACE_METADATA_URL',
    stage: 'query-api',
  }
  const persons = {
    name: 'database of persons',
    url: databaseUrl,
    file: join(stateDir, IDENTITY_FILE),
    variable: 'MILLRACE_IDENTITY_DATABASE_URL',
    stage: 'identity',
  }
  return Promise.all([metadata, persons].map((one) => checkDatabase(one, CHECK_TIMEOUT_MS)))
}

function geoFile(settings: DoctorSettings): Finding {
  const path = settings.geoPath ?? bundledGeoFile()
  try {
    return checkGeoFile(path, geoBuildTime(path), Date.now())
  } catch (error) {
    return fault(
      'geo file',
      (error as Error).message,
      'Set MILLRACE_GEO_MMDB to an MMDB file, or leave it out.',
    )
  }
}

function bundledGeoFile(): string {
  return createRequire(import.meta.url).resolve(
    '@ip-location-db/geo-whois-asn-country-mmdb/geo-whois-asn-country.mmdb',
  )
}

async function within<T>(work: Promise<T>): Promise<T> {
  const timer = Promise.withResolvers<never>()
  const timeout = setTimeout(
    () => timer.reject(new Error(`no answer within ${CHECK_TIMEOUT_MS / 1000} s`)),
    CHECK_TIMEOUT_MS,
  )
  try {
    return await Promise.race([work, timer.promise])
  } finally {
    clearTimeout(timeout)
  }
}
