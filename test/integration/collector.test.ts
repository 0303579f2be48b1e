import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { Agent, request } from 'node:http'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Analytics } from '@segment/analytics-node'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import type { RawEvent } from '../../schemas/raw-event/v1.ts'
import { generateAccessKey } from '../../services/core/control/access-key.ts'
import { decodeRawEvent } from '../../services/core/event/raw-event.ts'
import { openKafkaLog } from '../../services/core/kafka/kafka-log.ts'
import { KAFKA_SETTINGS } from '../../services/core/kafka/kafka-settings.ts'
import type { Log } from '../../services/core/kafka/log.ts'
import { partitionOf, recordKey } from '../../services/core/kafka/partition.ts'
import { kafkaNames } from '../../services/core/kafka/topics.ts'
import { createLogger } from '../../services/core/runtime/logger.ts'
import { parseSettings } from '../../services/core/runtime/settings.ts'
import { publishShop } from '../helpers/publish-shop.ts'

const ROOT = join(import.meta.dirname, '../..')
const PREFIX = `t-${randomBytes(4).toString('hex')}.`
const PARTITIONS = 3
const names = kafkaNames(PREFIX)
const logger = createLogger('test', 'error')
const writeKey = generateAccessKey('write', randomBytes)
const started: ChildProcess[] = []

let environment: Record<string, string>
let log: Log

beforeAll(async () => {
  environment = {
    MILLRACE_KAFKA_BROKERS: inject('kafkaBrokers'),
    MILLRACE_KAFKA_PREFIX: PREFIX,
    MILLRACE_KAFKA_PARTITIONS: String(PARTITIONS),
  }
  log = await openKafkaLog(parseSettings(KAFKA_SETTINGS, environment), logger)
  await publishShop(log, names, writeKey, logger)
})

afterAll(async () => {
  for (const child of started) child.kill('SIGKILL')
  await log.admin.deleteTopics([names.raw, names.control])
  await log.close()
})

interface Running {
  readonly child: ChildProcess
  readonly port: number
  readonly opsPort: number
  readonly exited: Promise<number | null>
}

/** A collector as a process of its own, as it runs in production. */
async function startCollector(): Promise<Running> {
  const child = spawn(process.execPath, [join(ROOT, 'services/cli/main.ts'), 'run', 'collector'], {
    env: {
      PATH: process.env.PATH,
      ...environment,
      MILLRACE_COLLECTOR_PORT: '0',
      MILLRACE_COLLECTOR_DRAIN_GRACE: '1s',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  started.push(child)
  const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)))
  let errors = ''
  child.stderr!.on('data', (chunk) => {
    errors += chunk
  })
  let opsPort = 0
  for await (const line of createInterface({ input: child.stdout! })) {
    errors += `${line}\n`
    const { msg, port } = JSON.parse(line) as { msg: string; port: number }
    if (msg === 'Health and metrics are served.') opsPort = port
    if (msg !== 'Events are taken.') continue
    child.stdout!.resume()
    return { child, port, opsPort, exited }
  }
  throw new Error(`The collector ended before it took events:\n${errors}`)
}

interface Stored {
  readonly partition: number
  readonly key: string
  readonly traceparent: string | null
  readonly raw: RawEvent
}

/** Everything in `events.raw`, by event id. */
async function storedById(): Promise<Map<string, Stored[]>> {
  const ranges = await log.admin.offsetRanges(names.raw, 'read_committed')
  const left = new Map(ranges.map(({ partition, end }) => [partition, end]))
  const reader = await log.openReader(
    ranges.map(({ topic, partition, start }) => ({ topic, partition, offset: start })),
  )
  const stored = new Map<string, Stored[]>()
  let count = ranges.reduce((sum, { start, end }) => sum + end - start, 0)
  while (count > 0) {
    for (const batch of await reader.read(1000)) {
      for (let index = 0; index < batch.length; index++) {
        if (batch.offset(index) >= left.get(batch.partition)!) continue
        count--
        const decoded = decodeRawEvent(batch.value(index))
        if (!decoded.ok) throw new Error(decoded.detail)
        const { event_id: id } = decoded.raw
        stored.set(id, [
          ...(stored.get(id) ?? []),
          {
            partition: batch.partition,
            key: batch.key(index)!.toString(),
            traceparent: batch.header(index, 'traceparent'),
            raw: decoded.raw,
          },
        ])
      }
    }
  }
  await reader.close()
  return stored
}

/** Sends events one by one over kept connections until nobody answers; tells what became of each id. */
async function sendUntilGone(port: number, clients: number, onAnswer: (answers: number) => void) {
  const acknowledged: string[] = []
  const unanswered: string[] = []
  const refused: number[] = []
  const client = async (name: string) => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    for (let n = 0; ; n++) {
      const id = `${name}-${n}`
      const outcome = await postOnce(
        port,
        agent,
        JSON.stringify({ event: 'load', event_id: id, distinct_id: name }),
      )
      if (outcome === 'ECONNREFUSED') break
      if (outcome === 200) acknowledged.push(id)
      else if (typeof outcome === 'number') refused.push(outcome)
      else unanswered.push(id)
      onAnswer(acknowledged.length)
    }
    agent.destroy()
  }
  const run = randomBytes(4).toString('hex')
  await Promise.all(Array.from({ length: clients }, (_, index) => client(`${run}-${index}`)))
  return { acknowledged, unanswered, refused }
}

function postOnce(port: number, agent: Agent, body: string): Promise<number | string> {
  return new Promise((resolve) => {
    const sent = request(
      {
        host: '127.0.0.1',
        port,
        path: '/v1/events',
        method: 'POST',
        agent,
        headers: { 'x-write-key': writeKey },
      },
      (answer) => {
        answer.resume()
        answer.on('end', () => resolve(answer.statusCode!))
        answer.on('error', () => resolve('cut'))
      },
    )
    sent.on('error', (error: Error & { code?: string }) => resolve(error.code ?? 'cut'))
    sent.end(body)
  })
}

/** Readiness is asked for until it is gone, or nobody answers. */
async function firstOtherThan200(ready: () => Promise<number>): Promise<number> {
  for (;;) {
    const status = await ready()
    if (status !== 200) return status
  }
}

test('a killed collector loses nothing that it acknowledged and doubles nothing', async () => {
  const { child, port, exited } = await startCollector()
  const { acknowledged, unanswered, refused } = await sendUntilGone(port, 20, (answers) => {
    if (answers === 500) child.kill('SIGKILL')
  })
  await exited
  const stored = await storedById()
  expect(refused).toEqual([])
  expect(acknowledged.length).toBeGreaterThanOrEqual(500)
  expect(acknowledged.filter((id) => stored.get(id)?.length !== 1)).toEqual([])
  expect(unanswered.filter((id) => (stored.get(id)?.length ?? 0) > 1)).toEqual([])
})

test('SIGTERM under load: readiness goes, no request that is answered fails, everything acknowledged is stored', async () => {
  const { child, port, opsPort, exited } = await startCollector()
  const ready = () => fetch(`http://127.0.0.1:${opsPort}/readyz`).then((answer) => answer.status)
  expect(await ready()).toBe(200)
  let afterwards: Promise<number> | null = null
  const { acknowledged, refused } = await sendUntilGone(port, 20, (answers) => {
    if (answers !== 500) return
    child.kill('SIGTERM')
    afterwards = firstOtherThan200(ready)
  })
  expect(await afterwards).toBe(503)
  expect(await exited).toBe(0)
  const stored = await storedById()
  expect(refused).toEqual([])
  expect(acknowledged.length).toBeGreaterThan(500)
  expect(acknowledged.filter((id) => stored.get(id)?.length !== 1)).toEqual([])
})

test('what is accepted lies in its partition under its key, the refused marked, and Segment’s own client works unmodified', async () => {
  const { child, port, exited } = await startCollector()
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
  const answer = await fetch(`http://127.0.0.1:${port}/v1/events`, {
    method: 'POST',
    headers: { authorization: `Bearer ${writeKey}`, 'content-type': 'application/json', traceparent },
    body: JSON.stringify([
      { event: 'view', event_id: 'native-1', distinct_id: 'ann' },
      { event: 5, event_id: 'native-2', distinct_id: 'bob' },
    ]),
  })
  expect([answer.status, ((await answer.json()) as { rejected: number }).rejected]).toEqual([200, 1])

  const analytics = new Analytics({ writeKey, host: `http://127.0.0.1:${port}`, flushAt: 3, maxRetries: 0 })
  const failures: unknown[] = []
  analytics.on('error', (error) => failures.push(error))
  const userId = 'seg-user'
  analytics.track({ userId, event: 'Order Paid', properties: { total: 9.5 }, messageId: 'seg-1' })
  analytics.page({ anonymousId: 'seg-anon', name: 'Home', messageId: 'seg-2' })
  analytics.screen({ userId, name: 'Start', messageId: 'seg-3' })
  analytics.identify({ userId, traits: { plan: 'pro' }, messageId: 'seg-4' })
  analytics.group({ userId, groupId: 'acme', traits: { size: 3 }, messageId: 'seg-5' })
  analytics.alias({ userId, previousId: 'seg-anon', messageId: 'seg-6' })
  await analytics.closeAndFlush()
  expect(failures).toEqual([])

  child.kill('SIGTERM')
  expect(await exited).toBe(0)
  const stored = await storedById()
  for (const [id, who] of [
    ['native-1', 'ann'],
    ['native-2', 'bob'],
    ['seg-1', userId],
    ['seg-2', 'seg-anon'],
  ] as const) {
    const key = recordKey('shop', who, id)
    expect(stored.get(id)).toMatchObject([{ key: key.toString(), partition: partitionOf(key, PARTITIONS) }])
  }
  expect(stored.get('native-1')).toMatchObject([{ traceparent, raw: { event: { event: 'view' } } }])
  expect(stored.get('native-2')).toMatchObject([
    { raw: { refused: { code: 'invalid_type', distinct_id: 'bob' } } },
  ])
  const segment = [1, 2, 3, 4, 5, 6].map((n) => stored.get(`seg-${n}`)?.[0]?.raw)
  expect(segment.map((raw) => [raw?.protocol, raw?.event?.event, raw?.event?.distinct_id])).toEqual([
    ['segment', 'Order Paid', userId],
    ['segment', 'page', 'seg-anon'],
    ['segment', 'screen', userId],
    ['segment', 'identify', userId],
    ['segment', 'group', userId],
    ['segment', 'alias', userId],
  ])
  expect(segment[0]?.event).toMatchObject({
    properties: { total: 9.5 },
    context: { library: { name: '@segment/analytics-node' }, segment: { type: 'track' } },
  })
  expect(segment[0]?.sent_at).toMatch(/^\d{4}-/)
})
