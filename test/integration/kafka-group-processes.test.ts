import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, expect, inject, test } from 'vitest'
import { openKafkaLog } from '../../services/core/kafka/kafka-log.ts'
import { KAFKA_SETTINGS } from '../../services/core/kafka/kafka-settings.ts'
import type { Log } from '../../services/core/kafka/log.ts'
import { createLogger } from '../../services/core/runtime/logger.ts'
import { parseSettings } from '../../services/core/runtime/settings.ts'
import type { MemberArguments } from '../helpers/group-member-process.ts'

const brokers = inject('kafkaBrokers')
const settings = parseSettings(KAFKA_SETTINGS, { MILLRACE_KAFKA_BROKERS: brokers })
/** Shorter than any broker allows by default: the one of the tests takes it. */
const SESSION_MS = 2_000

const started: ChildProcess[] = []
afterEach(async () => {
  for (const child of started.splice(0)) child.kill('SIGKILL')
})

function startMember(topic: string, options: Partial<MemberArguments> = {}) {
  const given: MemberArguments = {
    brokers,
    topic,
    sessionTimeoutMs: SESSION_MS,
    instanceId: null,
    ...options,
  }
  const script = join(import.meta.dirname, '../helpers/group-member-process.ts')
  const child = spawn(process.execPath, [script, JSON.stringify(given)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  started.push(child)
  const told: string[] = []
  const waiting = new Set<() => void>()
  createInterface({ input: child.stdout }).on('line', (line) => {
    told.push(line)
    for (const look of waiting) look()
  })
  return {
    child,
    told,
    /** Resolves with the first line that begins so, from `from` on. */
    hears: (beginning: string, from = 0) =>
      new Promise<string>((resolve) => {
        const look = () => {
          const found = told.slice(from).find((line) => line.startsWith(beginning))
          if (found === undefined) return
          waiting.delete(look)
          resolve(found)
        }
        waiting.add(look)
        look()
      }),
  }
}

async function topicWithRecords(partitions: number): Promise<{ topic: string; log: Log }> {
  const log = await openKafkaLog(settings, createLogger('test', 'error'))
  const topic = `group-${randomUUID()}`
  await log.admin.createTopics([{ topic, partitions, replicationFactor: -1, config: {} }])
  await produceOne(log, topic, partitions)
  return { topic, log }
}

/** One record to each partition. */
async function produceOne(log: Log, topic: string, partitions: number): Promise<void> {
  const producer = await log.openProducer({ clientId: 'test', lingerMs: 0, deliveryTimeoutMs: 20_000 })
  await producer.produce(
    Array.from({ length: partitions }, (_, partition) => ({
      topic,
      partition,
      key: null,
      value: Buffer.from('v'),
    })),
  )
  await producer.close()
}

test('a member stopped for longer than its session loses all: another takes over, and its commit is refused', async () => {
  const { topic, log } = await topicWithRecords(1)
  const stopped = startMember(topic)
  await stopped.hears('read 0')
  stopped.child.kill('SIGSTOP')
  const owner = startMember(topic)
  await owner.hears('read 0')
  owner.child.stdin.write('0\n')
  await owner.hears('committed')
  // What it must not read when it wakes.
  const heard = owner.told.length
  await produceOne(log, topic, 1)
  await owner.hears('read 0', heard)
  const before = stopped.told.length
  // It finds the question as soon as it wakes, before it has heard of anything.
  stopped.child.stdin.write('0\n')
  stopped.child.kill('SIGCONT')
  expect(await stopped.hears('refused', before)).toBe('refused not_assigned')
  expect(await stopped.hears('lost')).toBe('lost 0')
  expect((await log.admin.groupPositions(topic, topic))[0]?.metadata).toBe(`${owner.child.pid}`)
  expect(stopped.told.slice(before).filter((line) => line.startsWith('read'))).toEqual([])
  await log.close()
})

test('killed and started under the same instance id, a member has its partitions back, and nobody else is disturbed', async () => {
  const { topic, log } = await topicWithRecords(2)
  const options = { sessionTimeoutMs: 30_000 }
  const killed = startMember(topic, { ...options, instanceId: 'one' })
  await killed.hears('read 1')
  const other = startMember(topic, { ...options, instanceId: 'two' })
  const [, kept] = (await killed.hears('revoked')).split(' ')
  await other.hears('assigned')
  await other.hears('read')
  killed.child.kill('SIGKILL')
  const before = other.told.length
  const again = startMember(topic, { ...options, instanceId: 'one' })
  await again.hears('read')
  expect(await again.hears('assigned')).toBe(`assigned ${1 - Number(kept)}`)
  expect(other.told.slice(before)).toEqual([])
  await log.close()
})

test('of two processes with one instance id the older ends, told that all is lost', async () => {
  const { topic, log } = await topicWithRecords(1)
  const older = startMember(topic, { instanceId: 'same' })
  await older.hears('read')
  const newer = startMember(topic, { instanceId: 'same' })
  await newer.hears('read')
  expect(await older.hears('ended')).toBe('ended fenced')
  expect(older.told).toContain('lost 0')
  newer.child.stdin.write('0\n')
  await newer.hears('committed')
  await log.close()
})
