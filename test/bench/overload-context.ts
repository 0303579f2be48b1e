import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startKafka } from '../../infra/engines/kafka.ts'
import { freePort } from '../../infra/engines/ports.ts'
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
import { benchEvents } from './rows-collector.ts'

/** Events of a request. */
export const BATCH = 10
export const DATASETS = Array.from({ length: 11 }, (_, n) => `d${n}`)

export interface Collector {
  readonly stage: StageProcess
  readonly port: number
}

/** One broker of its own, a collector at a time, and requests for eleven datasets. */
export interface OverloadContext {
  readonly log: Log
  readonly names: KafkaNames
  readonly stateDir: string
  startCollector(settings?: Readonly<Record<string, string>>): Promise<Collector>
  killBroker(): Promise<void>
  startBroker(): Promise<void>
  /** One of a few that are made beforehand: the load must not cost more than what it loads. */
  plainRequest(dataset: number, n: number): Buffer
  /** Its events have their numbers for ids: those of request n begin at n × {@link BATCH}. */
  numberedRequest(dataset: number, n: number): Buffer
  close(): Promise<void>
}

/** Different bodies of a dataset's plain requests. */
export const PLAIN_BODIES = 20

export async function openOverloadContext(): Promise<OverloadContext> {
  const stateDir = mkdtempSync(join(tmpdir(), 'millrace-overload-'))
  const kafkaDir = join(stateDir, 'kafka')
  const kafkaPort = await freePort()
  let broker = await startKafka({ stateDir: kafkaDir, port: kafkaPort })
  const environment = {
    MILLRACE_KAFKA_BROKERS: broker.brokers,
    MILLRACE_KAFKA_PARTITIONS: '6',
    MILLRACE_LOG_LEVEL: 'warn',
  }
  const names = kafkaNames('')
  const logger = createLogger('overload', 'error', { write: () => {} })
  const log = await openKafkaLog(parseSettings(KAFKA_SETTINGS, environment), logger)
  const keys = DATASETS.map(() => generateAccessKey('write', randomBytes))
  const publisher = await openControlPublisher({ log, names, clock: systemClock, logger })
  await publisher.publish(
    DATASETS.flatMap((id, n) => [
      putChange('dataset', { id, account: 'bench' }, 'config'),
      putChange('key', { id, dataset: id, scope: 'write', sha256: accessKeyHash(keys[n]!) }, 'config'),
    ]),
  )
  await publisher.close()
  const events = benchEvents()

  function request(dataset: number, batch: readonly string[]): Buffer {
    const body = `[${batch.join(',')}]`
    return Buffer.from(
      `POST /v1/events HTTP/1.1\r\nhost: localhost\r\nx-write-key: ${keys[dataset]}\r\n` +
        `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    )
  }
  const eventsOf = (n: number) =>
    Array.from({ length: BATCH }, (_, index) => events[(n * BATCH + index) % events.length]!)
  const plain = DATASETS.map((_, dataset) =>
    Array.from({ length: PLAIN_BODIES }, (_, n) => request(dataset, eventsOf(n))),
  )
  return {
    log,
    names,
    stateDir,
    async startCollector(settings = {}) {
      const port = await freePort()
      const own = { MILLRACE_COLLECTOR_PORT: String(port), MILLRACE_COLLECTOR_DRAIN_GRACE: '100ms' }
      const stage = await startStageProcess(
        'collector',
        { ...environment, ...own, ...settings },
        join(stateDir, 'collector.log'),
      )
      return { stage, port }
    },
    killBroker: () => broker.kill(),
    async startBroker() {
      broker = await startKafka({ stateDir: kafkaDir, port: kafkaPort })
    },
    plainRequest: (dataset, n) => plain[dataset]![n % PLAIN_BODIES]!,
    numberedRequest: (dataset, n) =>
      request(
        dataset,
        eventsOf(n).map((event, index) => `{"event_id":"${n * BATCH + index}",${event.slice(1)}`),
      ),
    async close() {
      await log.close()
      await broker.stop()
      rmSync(stateDir, { recursive: true, force: true })
    },
  }
}

/** One figure of a stage's metrics; NaN where it has none. */
export async function metric({ opsPort }: StageProcess, name: string): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${opsPort}/metrics`)).text()
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1] ?? Number.NaN)
}
