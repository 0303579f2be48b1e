import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type KafkaEngine, startKafka } from '../../infra/engines/kafka.ts'
import { freePort } from '../../infra/engines/ports.ts'
import { generateAccessKey } from '../../services/core/control/access-key.ts'
import { openKafkaLog } from '../../services/core/kafka/kafka-log.ts'
import { KAFKA_SETTINGS } from '../../services/core/kafka/kafka-settings.ts'
import { kafkaNames } from '../../services/core/kafka/topics.ts'
import { systemClock } from '../../services/core/runtime/clock.ts'
import { createLogger } from '../../services/core/runtime/logger.ts'
import { parseSettings } from '../../services/core/runtime/settings.ts'
import { publishShop } from '../helpers/publish-shop.ts'
import { startStageProcess } from '../helpers/stage-process.ts'

/** A broker of this file's own: it is stopped in mid-work, its connections open. */
const stateDir = mkdtempSync(join(tmpdir(), 'millrace-hanging-'))
const logFile = join(stateDir, 'collector.log')
const writeKey = generateAccessKey('write', randomBytes)
let broker: KafkaEngine

beforeAll(async () => {
  const kafkaDir = join(stateDir, 'kafka')
  mkdirSync(kafkaDir)
  broker = await startKafka({ stateDir: kafkaDir, port: await freePort() })
  const logger = createLogger('test', 'error', { write: () => {} })
  const settings = parseSettings(KAFKA_SETTINGS, { MILLRACE_KAFKA_BROKERS: broker.brokers })
  const log = await openKafkaLog(settings, logger)
  await publishShop(log, kafkaNames(''), writeKey, logger)
  await log.close()
})
afterAll(async () => {
  process.kill(broker.pid, 'SIGCONT')
  await broker.stop()
  rmSync(stateDir, { recursive: true, force: true })
})

test('told to stop while Kafka hangs and nothing is stored locally, a collector answers what came and ends in time', async () => {
  const port = await freePort()
  const collector = await startStageProcess(
    'collector',
    { MILLRACE_KAFKA_BROKERS: broker.brokers, MILLRACE_COLLECTOR_PORT: String(port) },
    logFile,
  )
  const post = async (id: string) => {
    const answer = await fetch(`http://127.0.0.1:${port}/v1/events`, {
      method: 'POST',
      headers: { 'x-write-key': writeKey, 'content-type': 'application/json' },
      body: JSON.stringify({ event: 'load', event_id: id }),
    })
    return { status: answer.status, body: (await answer.json()) as { code?: string } }
  }
  expect((await post('before')).status).toBe(200)

  process.kill(broker.pid, 'SIGSTOP')
  const waiting = Promise.all(['a', 'b', 'c'].map(post))
  const startedMs = systemClock.monotonic()
  const status = await collector.stop()
  const tookMs = systemClock.monotonic() - startedMs
  expect(status, readFileSync(logFile, 'utf8')).toBe(0)
  expect(tookMs).toBeLessThan(25_000)
  for (const { status, body } of await waiting) expect([status, body.code]).toEqual([503, 'unknown'])
})
