import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import { openControlView } from '../core/control/control-topic.ts'
import { openKafkaLog } from '../core/kafka/kafka-log.ts'
import { kafkaNames } from '../core/kafka/topics.ts'
import { openSigningKey } from '../core/manifest/signing-key-file.ts'
import { openDestinationStores } from '../core/object-store/s3-destinations.ts'
import { openS3Store } from '../core/object-store/s3-store.ts'
import { failPoints } from '../core/runtime/fail-points.ts'
import type { Stage } from '../core/runtime/stage.ts'
import { S3_SINK_SETTINGS } from './config.ts'
import { openDuckdbEncoder } from './duckdb-encoder.ts'
import { nodeDisk } from './node-disk.ts'
import { runS3Sink } from './pipeline.ts'
import { openProcessDir } from './process-dir.ts'

/** Enriched and rejected events to S3: Parquet, JSON Lines and CSV with signed manifests. */
export const stage: Stage<typeof S3_SINK_SETTINGS> = {
  name: 's3-sink',
  settings: S3_SINK_SETTINGS,
  async run(settings, { logger, metrics, health, stopping, clock }) {
    const names = kafkaNames(settings.kafkaPrefix)
    const signing = openSigningKey(settings.signingKeyFile, settings.stateDir)
    if (signing.made)
      logger.warn(
        { file: signing.file, keyId: signing.key.keyId },
        'A signing key was made. Keep it, and share it between processes (MILLRACE_SIGNING_KEY_FILE).',
      )
    const spoolDir = openProcessDir(settings.spoolDir)
    const log = await openKafkaLog(settings, logger)
    const control = await openControlView({ log, names, clock, logger })
    const store = openS3Store(settings)
    const destinations = openDestinationStores(settings, store)
    const encoder = await openDuckdbEncoder(settings.encoderBytesMax, spoolDir)
    await runS3Sink(
      {
        log,
        names,
        control,
        store,
        destinations,
        disk: nodeDisk(),
        encoder,
        signingKey: signing.key,
        spoolDir,
        bounds: settings,
        group: {
          sessionTimeoutMs: settings.kafkaSessionTimeoutMs,
          pollRecordsMax: settings.pollRecordsMax,
          prefetchBytesMax: settings.kafkaPrefetchBytesMax,
        },
        bucketDefault: settings.s3Bucket,
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
    encoder.close()
    destinations.close()
    store.close()
    await control.close()
    await log.close()
    rmSync(spoolDir, { recursive: true, force: true })
  },
}
