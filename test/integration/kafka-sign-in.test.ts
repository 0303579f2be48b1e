import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { fetchJars } from '../../infra/engines/jars.ts'
import { type KafkaEngine, startKafka } from '../../infra/engines/kafka.ts'
import { freePort } from '../../infra/engines/ports.ts'
import { readTopic } from '../../services/cli/demo/console-consumer.ts'
import { writeConsoleSettings } from '../../services/cli/demo/console-settings.ts'
import { commitReadingStarts } from '../../services/cli/demo/reading-positions.ts'
import { openKafkaLog } from '../../services/core/kafka/kafka-log.ts'
import { KAFKA_SETTINGS } from '../../services/core/kafka/kafka-settings.ts'
import type { Log } from '../../services/core/kafka/log.ts'
import { createLogger } from '../../services/core/runtime/logger.ts'
import { parseSettings } from '../../services/core/runtime/settings.ts'
import { needs } from '../helpers/needs.ts'

/** A broker of this file's own: it wants TLS and a sign-in. */
const stateDir = mkdtempSync(join(tmpdir(), 'millrace-sign-in-'))
const authorities = join(stateDir, 'ca.pem')
const others = join(stateDir, 'other.pem')
let broker: KafkaEngine | undefined
let port: number
const open: Log[] = []
const PASSWORD = 'r+ac/e'

/** @returns key and certificate of a new authority of its own, for this machine */
function newCertificate(name: string): { key: string; certificate: string } {
  const [key, certificate] = [join(stateDir, `${name}.key`), join(stateDir, `${name}.crt`)]
  execFileSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '1', '-subj', `/CN=${name}`],
      ...['-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1', '-keyout', key, '-out', certificate],
    ],
    { stdio: 'ignore' },
  )
  return { key: readFileSync(key, 'utf8'), certificate: readFileSync(certificate, 'utf8') }
}

function settingsOf(overrides: Record<string, string> = {}) {
  return parseSettings(KAFKA_SETTINGS, {
    MILLRACE_KAFKA_BROKERS: `localhost:${port}`,
    MILLRACE_KAFKA_SECURITY_PROTOCOL: 'sasl_ssl',
    MILLRACE_KAFKA_USER: 'mill',
    MILLRACE_KAFKA_PASSWORD: PASSWORD,
    MILLRACE_KAFKA_CA_FILE: authorities,
    MILLRACE_KAFKA_REQUEST_TIMEOUT: '5s',
    ...overrides,
  })
}

async function logOf(overrides: Record<string, string> = {}): Promise<Log> {
  const settings = settingsOf(overrides)
  const log = await openKafkaLog(settings, createLogger('test', 'error', { write: () => {} }))
  open.push(log)
  return log
}

describe('a cluster that wants TLS and a sign-in', needs('openssl'), () => {
  beforeAll(async () => {
    const { key, certificate } = newCertificate('localhost')
    const pemFile = join(stateDir, 'broker.pem')
    writeFileSync(pemFile, key + certificate)
    writeFileSync(authorities, certificate)
    writeFileSync(others, newCertificate('somebody-else').certificate)
    port = await freePort()
    broker = await startKafka({
      stateDir,
      port: await freePort(),
      secured: { port, pemFile, user: 'mill', password: PASSWORD },
    })
  })
  afterEach(async () => {
    await Promise.all(open.splice(0).map((log) => log.close()))
  })
  afterAll(async () => {
    await broker?.stop()
    rmSync(stateDir, { recursive: true, force: true })
  })

  test.each(['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'])(
    'with %s over TLS, every client gets in',
    async (mechanism) => {
      const log = await logOf({ MILLRACE_KAFKA_SASL_MECHANISM: mechanism })
      const topic = `sign-in-${mechanism.toLowerCase()}`
      const position = { topic, partition: 0, offset: 0 }
      await log.admin.createTopics([{ topic, partitions: 1, replicationFactor: -1, config: {} }])
      const producer = await log.openProducer({ clientId: 'test', lingerMs: 1, deliveryTimeoutMs: 20_000 })
      await producer.produce([{ topic, partition: 0, key: null, value: Buffer.from('plain') }])
      const consumer = await log.openGroupConsumer({
        groupId: topic,
        clientId: 'test',
        topics: [topic],
        sessionTimeoutMs: 6_000,
        maxPollIntervalMs: 20_000,
        pollRecordsMax: 10,
        pollWaitMs: 100,
        prefetchBytesMax: 1_000_000,
        onAssigned: async () => [position],
        onRevoked: async () => {},
      })
      const transactional = await log.openTransactionalProducer(topic, {
        clientId: 'test',
        transactionTimeoutMs: 20_000,
      })
      const polled: string[] = []
      while (polled.length === 0)
        for (const batch of await consumer.poll()) polled.push(String(batch.value(0)))
      await transactional.begin()
      await transactional.send([{ topic, partition: 0, key: null, value: Buffer.from('in a transaction') }])
      await transactional.sendOffset(consumer, { ...position, offset: 1 }, 'text')
      await transactional.commit()
      while (polled.length === 1)
        for (const batch of await consumer.poll()) polled.push(String(batch.value(0)))
      expect(polled).toEqual(['plain', 'in a transaction'])
      expect(await log.admin.groupPositions(topic, topic)).toEqual([
        { ...position, offset: 1, metadata: 'text' },
      ])
      const reader = await log.openReader([position])
      const read: string[] = []
      while (read.length < 2)
        for (const batch of await reader.read(100))
          for (let index = 0; index < batch.length; index++) read.push(String(batch.value(index)))
      expect(read).toEqual(polled)
    },
  )

  test.each(['PLAIN', 'SCRAM-SHA-256'])(
    'Kafka’s own tools, which the demo counts with, get in with %s',
    async (mechanism) => {
      const settings = settingsOf({ MILLRACE_KAFKA_SASL_MECHANISM: mechanism })
      const log = await logOf({ MILLRACE_KAFKA_SASL_MECHANISM: mechanism })
      const topic = `console-${mechanism.toLowerCase()}`
      await log.admin.createTopics([{ topic, partitions: 1, replicationFactor: -1, config: {} }])
      const producer = await log.openProducer({ clientId: 'test', lingerMs: 1, deliveryTimeoutMs: 20_000 })
      await producer.produce(
        ['before', 'first', 'second'].map((text) => ({
          topic,
          partition: 0,
          key: null,
          value: Buffer.from(text),
          headers: { event_id: text },
        })),
      )
      const console = writeConsoleSettings(settings)
      try {
        const access = {
          jars: fetchJars('kafka-tools'),
          brokers: settings.kafkaBrokers,
          configFile: console.file,
        }
        const starts = new Map([[topic, new Map([[0, 1]])]])
        const groupOf = await commitReadingStarts(access, starts, topic)
        const read: (string | undefined)[] = []
        const reading = { ...access, topic, withValues: true, group: groupOf(topic), idleMs: 3_000 }
        const lastOffsets = Promise.resolve(new Map([[0, 2]]))
        await readTopic({ ...reading, lastOffsets }, ({ headers, value }) => {
          read.push(headers.get('event_id'), value?.toString())
        })
        expect(read).toEqual(['first', 'first', 'second', 'second'])
      } finally {
        console.remove()
      }
    },
  )

  test('a wrong password is told as such, and asking again is no use', async () => {
    for (const mechanism of ['PLAIN', 'SCRAM-SHA-512']) {
      const log = await logOf({ MILLRACE_KAFKA_PASSWORD: 'wrong', MILLRACE_KAFKA_SASL_MECHANISM: mechanism })
      await expect(log.admin.listTopics()).rejects.toMatchObject({
        code: 'denied',
        retriable: false,
        message: expect.stringContaining('refused to sign us in'),
      })
      const reader = await log.openReader([{ topic: 'any', partition: 0, offset: 0 }])
      await expect(reader.read(5_000)).rejects.toMatchObject({ code: 'denied' })
    }
  })

  test('a broker whose certificate nobody vouches for is not talked to', async () => {
    const log = await logOf({ MILLRACE_KAFKA_CA_FILE: others })
    await expect(log.admin.listTopics()).rejects.toMatchObject({
      code: 'denied',
      message: expect.stringMatching(/certificate|signature/),
    })
  })

  test('a broker that expects TLS and gets plain text is found out', async () => {
    const log = await logOf({ MILLRACE_KAFKA_SECURITY_PROTOCOL: 'plaintext' })
    await expect(log.admin.listTopics()).rejects.toMatchObject({ code: 'unavailable' })
  })
})
