import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { startKafka } from '../../infra/engines/kafka.ts'
import { freePort } from '../../infra/engines/ports.ts'
import { ENTRY_BYTES, encodeDedupeRecord } from '../../schemas/dedupe/v1.ts'
import { openControlPublisher } from '../../services/core/control/control-publisher.ts'
import { openKafkaLog } from '../../services/core/kafka/kafka-log.ts'
import { KAFKA_SETTINGS } from '../../services/core/kafka/kafka-settings.ts'
import type { GroupConsumer, Log } from '../../services/core/kafka/log.ts'
import { ensureTopics } from '../../services/core/kafka/topic-specs.ts'
import { type KafkaNames, kafkaNames } from '../../services/core/kafka/topics.ts'
import { systemClock } from '../../services/core/runtime/clock.ts'
import { createLogger } from '../../services/core/runtime/logger.ts'
import { parseSettings } from '../../services/core/runtime/settings.ts'
import { writePositionMetadata } from '../../services/enricher/position-metadata.ts'
import { putChange } from '../helpers/put-change.ts'
import { type StageProcess, startStageProcess } from '../helpers/stage-process.ts'
import { type DedupeLoad, fillEntries, type Line, TRANSACTION_IDS } from './dedupe-load.ts'

const WINDOW_MS = 24 * 3_600_000
/** Dedupe records of one transaction while the changelog is filled. */
const RECORDS_PER_TRANSACTION = 50

/** Name in the group that an enricher comes back under. */
const MEMBER = 'enricher-0'

/**
 * Fills the changelog with ids of the last 23 hours and lets one enricher take everything over. Kills it and starts
 * another one at once, which waits for the first one's session, and kills that one, which comes back under the name that it
 * has in the group and waits for nobody. Each time until every partition has a receipt of the next owner.
 */
export async function runTakeover({ ids, partitions }: DedupeLoad): Promise<readonly Line[]> {
  const stateDir = mkdtempSync(join(tmpdir(), 'millrace-dedupe-'))
  const kafka = await startKafka({ stateDir: join(stateDir, 'kafka'), port: await freePort() })
  const environment = {
    MILLRACE_KAFKA_BROKERS: kafka.brokers,
    MILLRACE_KAFKA_PARTITIONS: String(partitions),
    MILLRACE_ENRICHER_DEDUPE_IDS_MAX: String(ids),
    MILLRACE_STATE_DIR: stateDir,
  }
  const logger = createLogger('bench', 'error')
  const log = await openKafkaLog(parseSettings(KAFKA_SETTINGS, environment), logger)
  const names = kafkaNames('')
  const logFile = join(stateDir, 'enricher.log')
  try {
    await ensureTopics(log.admin, names, { partitions, replicationFactor: 1, dedupeWindowMs: WINDOW_MS })
    const publisher = await openControlPublisher({ log, names, clock: systemClock, logger })
    await publisher.publish([putChange('dataset', { id: 'shop', account: 'bench' }, 'config')])
    await publisher.close()
    say(`Writing ${ids} ids into ${partitions} partitions.`)
    await fillChangelog(log, names, { ids, partitions })

    const sender = await log.openProducer({ clientId: 'bench', lingerMs: 0, deliveryTimeoutMs: 30_000 })
    /** One record, which needs no configuration to be decided about, for every partition. */
    const send = (value: string) =>
      sender.produce(
        Array.from({ length: partitions }, (_, partition) => ({
          topic: names.raw,
          partition,
          key: null,
          value: Buffer.from(value),
        })),
      )
    const start = (settings: Readonly<Record<string, string>> = {}) =>
      startStageProcess('enricher', { ...environment, ...settings }, logFile)

    say('Starting the first enricher.')
    const startedMs = performance.now()
    let enricher = await start()
    await send('first')
    const first = await receipts(log, names, partitions, 1, startedMs)
    const firstUse = await enricher.usage()

    async function takenOver(count: number): Promise<number[]> {
      const killedMs = performance.now()
      await enricher.kill()
      const [next] = await Promise.all([
        start({ MILLRACE_KAFKA_GROUP_INSTANCE_ID: MEMBER }),
        send(`record ${count}`),
      ])
      enricher = next
      return receipts(log, names, partitions, count, killedMs)
    }
    say('Killing it.')
    const second = await takenOver(2)
    say('Killing the next one, which comes back.')
    const third = await takenOver(3)
    const use = await enricher.usage()
    const held = await idsHeld(enricher)
    await enricher.stop()
    await sender.close()
    return [
      ['ids in the changelog, partitions', `${ids.toLocaleString('en-US')}, ${partitions}`],
      ['ids that the next owner holds', held.toLocaleString('en-US')],
      ['first start to first, last first receipt', spread(first)],
      ['first start: CPU, peak resident', used(firstUse)],
      ['kill -9 to first, last receipt of another one', spread(second)],
      ['kill -9 to first, last receipt of the same one again', spread(third)],
      ['next owner: CPU, peak resident', used(use)],
    ]
  } catch (error) {
    process.stderr.write(readFileSync(logFile, 'utf8'))
    throw error
  } finally {
    await log.close()
    await kafka.stop()
    rmSync(stateDir, { recursive: true, force: true })
  }
}

const say = (text: string) => process.stderr.write(`${text}\n`)
const spread = (ms: readonly number[]) =>
  `${(Math.min(...ms) / 1000).toFixed(1)}, ${(Math.max(...ms) / 1000).toFixed(1)} s`
const used = ({ cpuSeconds, peakRssMiB }: Awaited<ReturnType<StageProcess['usage']>>) =>
  `${cpuSeconds.toFixed(1)} s, ${Math.round(peakRssMiB)} MiB`

/** What enrichers would have written; their positions say, as theirs do, where to read from and how much there is. */
async function fillChangelog(log: Log, names: KafkaNames, { ids, partitions }: DedupeLoad): Promise<void> {
  const assigned = Promise.withResolvers<void>()
  const consumer: GroupConsumer = await log.openGroupConsumer({
    groupId: names.group('enricher'),
    clientId: 'bench',
    topics: [names.raw],
    sessionTimeoutMs: 30_000,
    maxPollIntervalMs: 3_600_000,
    pollRecordsMax: 100,
    pollWaitMs: 10,
    prefetchBytesMax: 1_000_000,
    async onAssigned(positions) {
      if (positions.length === partitions) assigned.resolve()
      return positions.map((position) => ({ ...position, offset: 0 }))
    },
    async onRevoked() {},
  })
  await consumer.poll()
  await assigned.promise
  const records = Math.ceil(ids / partitions / TRANSACTION_IDS)
  const newest = Date.now()
  for (let partition = 0; partition < partitions; partition++) {
    const producer = await log.openTransactionalProducer(names.transactionalId('enricher', partition), {
      clientId: 'bench',
      transactionTimeoutMs: 60_000,
    })
    for (let record = 0; record < records; ) {
      await producer.begin()
      for (let n = 0; n < RECORDS_PER_TRANSACTION && record < records; n++, record++) {
        const time = newest - Math.floor((1 - record / records) * 23 * 3_600_000)
        const entries = Buffer.alloc(TRANSACTION_IDS * ENTRY_BYTES)
        fillEntries(entries, time)
        const value = encodeDedupeRecord({ kind: 'entries', nextOffset: 0, appendTimeMax: time, entries })
        await producer.send([{ topic: names.dedupe, partition, key: String(partition), value }])
      }
      const metadata = writePositionMetadata({ dedupeFrom: 0, ids: records * TRANSACTION_IDS })
      await producer.sendOffset(consumer, { topic: names.raw, partition, offset: 0 }, metadata)
      await producer.commit()
    }
    await producer.close()
  }
  await consumer.close()
}

/** When each partition has so many receipts, ms after `sinceMs`. */
async function receipts(
  log: Log,
  names: KafkaNames,
  partitions: number,
  count: number,
  sinceMs: number,
): Promise<number[]> {
  const reader = await log.openReader(
    Array.from({ length: partitions }, (_, partition) => ({ topic: names.receipts, partition, offset: 0 })),
  )
  const found = new Map<number, number>()
  const times: number[] = []
  while (times.length < partitions) {
    for (const batch of await reader.read(100)) {
      const before = found.get(batch.partition) ?? 0
      found.set(batch.partition, before + batch.length)
      if (before < count && before + batch.length >= count) times.push(performance.now() - sinceMs)
    }
  }
  await reader.close()
  return times
}

/** Told with the transaction that the receipts were part of, or a moment later. */
async function idsHeld(enricher: StageProcess): Promise<number> {
  await pause(1_000)
  const lines = (await enricher.metrics()).matchAll(/^millrace_enricher_dedupe_ids_count\{.*\} (\S+)$/gm)
  return [...lines].reduce((sum, [, ids]) => sum + Number(ids), 0)
}
