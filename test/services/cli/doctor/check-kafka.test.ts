import { expect, test } from 'vitest'
import type { Finding } from '../../../../services/cli/doctor/check.ts'
import { checkKafka, checkSubscriberTopics } from '../../../../services/cli/doctor/check-kafka.ts'
import { checkKafkaClock } from '../../../../services/cli/doctor/check-kafka-clock.ts'
import type { LogAdmin, TopicSettings, TopicSpec } from '../../../../services/core/kafka/log.ts'
import {
  recordingsTopicSpec,
  routerTopicSpec,
  topicSpecs,
} from '../../../../services/core/kafka/topic-specs.ts'
import { kafkaNames } from '../../../../services/core/kafka/topics.ts'
import { DependencyError } from '../../../../services/core/runtime/errors.ts'
import { createManualClock } from '../../../helpers/manual-clock.ts'
import { createMemoryLog } from '../../../helpers/memory-log.ts'

const HOUR_MS = 3_600_000
const names = kafkaNames('')
const options = { partitions: 3, replicationFactor: 3, dedupeWindowMs: 24 * HOUR_MS }
const specs = [...topicSpecs(names, options), recordingsTopicSpec(names, options)]
const router = routerTopicSpec(names, 3, 3)
const safe = { 'min.insync.replicas': '2' }
const wanted = {
  names,
  topics: specs,
  madeLater: [router],
  dedupeWindowMs: 24 * HOUR_MS,
  recordBytesMax: 1_000_000,
}

/** Topics as they should be, some of them changed. */
async function kafkaWith(
  changes: Readonly<Record<string, Partial<TopicSpec>>> = {},
  topics: readonly TopicSpec[] = [...specs, router],
) {
  const { admin } = createMemoryLog({ clock: createManualClock() })
  await admin.createTopics(
    topics.map((spec) => {
      const change = changes[spec.topic]
      return { ...spec, ...change, config: { ...spec.config, ...safe, ...change?.config } }
    }),
  )
  return admin
}
const amiss = async (admin: LogAdmin): Promise<Finding[]> =>
  (await checkKafka(admin, 'b:9092', wanted)).filter(({ status }) => status !== 'ok')

test('brokers that do not answer are one fault that names them', async () => {
  const { admin } = createMemoryLog({ clock: createManualClock() })
  const away = {
    ...admin,
    listTopics: async () => {
      throw new DependencyError('kafka', 'unavailable', 'no broker')
    },
  }
  expect(await checkKafka(away, 'b:9092', wanted)).toMatchObject([
    { status: 'fault', detail: 'no broker', fix: expect.stringContaining('b:9092') },
  ])
})

test('a missing topic is a fault, except where a stage makes it when it starts', async () => {
  const admin = await kafkaWith(
    {},
    specs.filter(({ topic }) => topic !== names.receipts),
  )
  expect(await amiss(admin)).toMatchObject([{ status: 'fault', name: `topic ${names.receipts}` }])
})

test('recordings have a topic that the collector makes, with as many partitions as it likes', async () => {
  const others = specs.filter(({ topic }) => topic !== names.recordings)
  expect(await amiss(await kafkaWith({}, [...others, router]))).toMatchObject([
    { status: 'fault', name: `topic ${names.recordings}`, fix: expect.stringContaining('the collector') },
  ])
  expect(await amiss(await kafkaWith({ [names.recordings]: { partitions: 7 } }))).toEqual([])
  const compacted = { [names.recordings]: { config: { 'cleanup.policy': 'compact' } } }
  expect(await amiss(await kafkaWith(compacted))).toMatchObject([{ name: `topic ${names.recordings}` }])
})

test('a missing subscriber topic is a fault', async () => {
  const admin = await kafkaWith()
  await admin.createTopics([{ topic: 'sub.a', partitions: 1, replicationFactor: 1, config: {} }])
  expect(await checkSubscriberTopics(admin, ['sub.a', 'sub.b'])).toMatchObject([{ name: 'topic sub.b' }])
})

test.each<[string, string, Partial<TopicSpec>, 'fault' | 'warning', RegExp]>([
  ['another count than the settings', names.raw, { partitions: 4 }, 'fault', /MILLRACE_KAFKA_PARTITIONS=4/],
  ['another count than events.raw', names.dedupe, { partitions: 4 }, 'fault', /MILLRACE_KAFKA_PARTITIONS=3/],
  ['another count of the router', names.router, { partitions: 1 }, 'fault', /MILLRACE_KAFKA_PARTITIONS=3/],
  ['compacted', names.raw, { config: { 'cleanup.policy': 'compact' } }, 'fault', /cleanup\.policy=delete/],
  ['control that forgets', names.control, { config: { 'cleanup.policy': 'delete' } }, 'fault', /=compact/],
  ['a router that forgets', names.router, { config: { 'cleanup.policy': 'delete' } }, 'fault', /=compact/],
  [
    'times of whoever sends',
    names.enriched,
    { config: { 'message.timestamp.type': 'CreateTime' } },
    'fault',
    /message\.timestamp\.type=LogAppendTime/,
  ],
  [
    'bounded by bytes',
    names.raw,
    { config: { 'retention.bytes': '1000' } },
    'warning',
    /retention\.bytes=-1/,
  ],
  [
    'records too small',
    names.rejected,
    { config: { 'max.message.bytes': '999999' } },
    'fault',
    /max\.message\.bytes=1000000/,
  ],
  [
    'ids kept shorter than the window and raw records',
    names.dedupe,
    { config: { 'retention.ms': String(8 * 24 * HOUR_MS - 1) } },
    'fault',
    /retention\.ms=691200000/,
  ],
  [
    'one replica',
    names.raw,
    { replicationFactor: 1, config: { 'min.insync.replicas': '1' } },
    'warning',
    /Three/,
  ],
  [
    'one in sync',
    names.raw,
    { config: { 'min.insync.replicas': '1' } },
    'warning',
    /min\.insync\.replicas=2/,
  ],
  ['all in sync', names.raw, { config: { 'min.insync.replicas': '3' } }, 'warning', /Three replicas/],
  [
    'more in sync than there are',
    names.raw,
    { config: { 'min.insync.replicas': '4' } },
    'fault',
    /min\.insync/,
  ],
  [
    'an unclean leader',
    names.raw,
    { config: { 'unclean.leader.election.enable': 'true' } },
    'warning',
    /unclean\.leader\.election\.enable=false/,
  ],
])('topics with %s are found', async (_, topic, change, status, fix) => {
  // Counts of others follow events.raw, so a change of it alone shows on all of them.
  const changes =
    change.partitions !== undefined && topic === names.raw
      ? Object.fromEntries(
          [...specs, router]
            .filter((spec) => spec.topic !== names.control)
            .map((spec) => [spec.topic, change]),
        )
      : { [topic]: change }
  const found = await amiss(await kafkaWith(changes))
  expect(found).toHaveLength(1)
  expect(found[0]).toMatchObject({ status, fix: expect.stringMatching(fix) })
  expect(`${found[0]?.name} ${found[0]?.detail}`).toContain(topic)
})

test('raw records kept longer need ids kept longer', async () => {
  const found = await amiss(await kafkaWith({ [names.raw]: { config: { 'retention.ms': '-1' } } }))
  expect(found).toMatchObject([
    { name: `topic ${names.dedupe}`, fix: expect.stringContaining('retention.ms=-1') },
  ])
})

test('topics as they should be are well', async () => {
  expect(await amiss(await kafkaWith())).toEqual([])
})

test('who may not read settings is told so, and the rest is still looked at', async () => {
  const admin = await kafkaWith()
  const closed: LogAdmin = {
    ...admin,
    topicSettings: async (): Promise<TopicSettings | null> => {
      throw new DependencyError('kafka', 'denied', 'no permission')
    },
  }
  const found = await amiss(closed)
  expect(found).toHaveLength(specs.length + 1)
  expect(found.every(({ status, fix }) => status === 'warning' && /DescribeConfigs/.test(fix ?? ''))).toBe(
    true,
  )
})

test('the brokers’ clock is that of a record they stamped, and nothing of it stays', async () => {
  const ours = createManualClock(1_000_000)
  for (const [ahead, status] of [
    [0, 'ok'],
    [-5_000, 'warning'],
    [90_000, 'fault'],
  ] as const) {
    const theirs = { ...ours, now: () => ours.now() + ahead }
    const log = createMemoryLog({ clock: theirs })
    expect((await checkKafkaClock(log, 'millrace.probe.1', ours)).status).toBe(status)
    expect(await log.admin.listTopics()).toEqual([])
  }
})

test('who may not make a topic is told that clocks were not compared', async () => {
  const clock = createManualClock()
  const log = createMemoryLog({ clock })
  const refuse = async () => {
    throw new DependencyError('kafka', 'denied', 'no permission for the cluster')
  }
  const closed = { ...log, admin: { ...log.admin, createTopics: refuse } }
  expect(await checkKafkaClock(closed, 'a.millrace.probe.1', clock)).toMatchObject({
    status: 'warning',
    fix: expect.stringContaining('a.millrace.probe.'),
  })
})
