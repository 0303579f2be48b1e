import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Command } from 'commander'
import { openKafkaLog } from '../../core/kafka/kafka-log.ts'
import { KAFKA_SETTINGS } from '../../core/kafka/kafka-settings.ts'
import { kafkaNames } from '../../core/kafka/topics.ts'
import { S3_SETTINGS } from '../../core/object-store/s3-settings.ts'
import { openS3Store } from '../../core/object-store/s3-store.ts'
import { createLogger } from '../../core/runtime/logger.ts'
import { parseSettings } from '../../core/runtime/settings.ts'
import { FAILURE } from '../exit-status.ts'
import { localEnvironment } from '../local-environment.ts'
import type { SeenManifest } from '../verify/check-closed-hours.ts'
import { objectChecker } from '../verify/check-object.ts'
import { openParquetRowCount } from '../verify/duckdb-row-count.ts'
import { publishedKeys, readPublicKeys } from '../verify/public-keys.ts'
import { type VerifyReport, verifyDelivery } from '../verify/verify-delivery.ts'
import { type LogReport, verifyWithLog } from '../verify/verify-with-log.ts'

interface Options {
  readonly bucket?: string
  readonly publicKey: readonly string[]
  readonly withKafka?: true
  readonly json?: true
}

/** What is checked in Kafka comes beside what the bucket says. */
type Report = VerifyReport & { readonly log?: LogReport }

export function registerVerify(program: Command): void {
  program
    .command('verify')
    .summary('check what a delivery left in its bucket')
    .description(
      'Recomputes counts, hashes, chain and signatures of a delivery from the bucket alone. Reads MILLRACE_S3_* and ' +
        'AWS_*. Exit status 1 means that something is not as the manifests say; each fault is named.',
    )
    .argument('<delivery>', 'id of the delivery')
    .option('--bucket <name>', 'bucket of the delivery; MILLRACE_S3_BUCKET when left out')
    .option(
      '--public-key <file>',
      'PEM file of a key that signatures are accepted from; may be repeated. Left out: the keys in the bucket',
      (file: string, files: readonly string[]) => [...files, file],
      [] as readonly string[],
    )
    .option(
      '--with-kafka',
      'also follow the delivery back to every raw offset: events.receipts, and the records of its topic as far as they are kept; reads MILLRACE_KAFKA_*',
    )
    .option('--json', 'print the report as JSON')
    .action(async (delivery: string, options: Options) => {
      const settings = parseSettings(S3_SETTINGS, localEnvironment())
      const store = openS3Store(settings)
      const parquet = await openParquetRowCount()
      const tempDir = mkdtempSync(join(tmpdir(), 'millrace-verify-'))
      try {
        const bucket = options.bucket ?? settings.s3Bucket
        const trusted = options.publicKey.length > 0
        const publicKeys = trusted ? readPublicKeys(options.publicKey) : await publishedKeys(store, bucket)
        const manifests: SeenManifest[] = []
        const fromBucket = await verifyDelivery(
          {
            store,
            publicKeys,
            checkObject: objectChecker(store, parquet.count, tempDir),
            onManifest: (manifest) => manifests.push(manifest),
            progress: progressLine(),
          },
          bucket,
          delivery,
        )
        const report = options.withKafka ? await addLog(fromBucket, manifests) : fromBucket
        process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : reportText(report, trusted))
        if (!report.ok) process.exitCode = FAILURE
      } finally {
        rmSync(tempDir, { recursive: true, force: true })
        parquet.close()
        store.close()
      }
    })
}

async function addLog(report: VerifyReport, manifests: readonly SeenManifest[]): Promise<Report> {
  const settings = parseSettings(KAFKA_SETTINGS, localEnvironment())
  const log = await openKafkaLog(settings, createLogger('verify', 'error', process.stderr))
  try {
    const found = await verifyWithLog(log, kafkaNames(settings.kafkaPrefix), report.delivery, manifests)
    return { ...report, ok: report.ok && found.faults.length === 0, log: found }
  } finally {
    await log.close()
  }
}

/** One line that is written over; only where somebody watches. */
function progressLine() {
  let shownMs = 0
  return (done: { readonly manifests: number; readonly objects: number; readonly bytes: number }) => {
    if (!process.stderr.isTTY || Date.now() - shownMs < 200) return
    shownMs = Date.now()
    const mb = (done.bytes / 1024 / 1024).toFixed(1)
    process.stderr.write(`\r${done.manifests} manifests, ${done.objects} objects, ${mb} MB checked\x1b[K\r`)
  }
}

/** @param trusted the keys were handed over apart from the bucket */
export function reportText(report: Report, trusted: boolean): string {
  const lines = report.partitions.map(
    ({ topic, partition, start, end, manifests, objects, rows }) =>
      `${topic}-${partition}  offsets ${start}–${end}  ${manifests} manifests  ${objects} objects  ${rows} rows`,
  )
  if (report.closedHours > 0) lines.push(`${report.closedHours} closed hours`)
  for (const { partition, from, to, enriched, rejected, duplicate, control, counted } of report.log
    ?.partitions ?? [])
    lines.push(
      from === null
        ? `raw partition ${partition}  no receipts`
        : `raw partition ${partition}  offsets ${from}–${to} = ${enriched} enriched + ${rejected} rejected + ${duplicate} duplicate + ${control} control; ${counted} records counted again`,
    )
  const faults = [...report.faults, ...(report.log?.faults ?? [])]
  lines.push(...[...report.notes, ...(report.log?.notes ?? [])].map((note) => `note: ${note}`))
  lines.push(...faults.map(({ key, message }) => `FAULT ${key}: ${message}`))
  const keys = report.keyIds.join(', ') || 'no key'
  const origin = trusted ? 'as handed over' : 'as the bucket has it: pass --public-key to prove who signed'
  const rows = report.partitions.reduce((sum, partition) => sum + partition.rows, 0)
  lines.push(
    report.ok
      ? `${report.delivery}: ${rows} rows, everything is as the manifests say. Signed with ${keys} (${origin}).`
      : `${report.delivery}: ${faults.length} ${faults.length === 1 ? 'fault' : 'faults'}.`,
  )
  return `${lines.join('\n')}\n`
}
