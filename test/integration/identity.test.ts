import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createWriteStream, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { freePort } from '../../infra/engines/ports.ts'
import { type PostgresEngine, startPostgres } from '../../infra/engines/postgres.ts'
import type { EnrichedEvent } from '../../schemas/enriched-event/v1.ts'
import type { IdentityRecord, PersonCommand } from '../../schemas/identity-record/v1.ts'
import type { ClickHouse } from '../../services/core/clickhouse/clickhouse.ts'
import { CLICKHOUSE_SETTINGS } from '../../services/core/clickhouse/clickhouse-settings.ts'
import { openClickHouse } from '../../services/core/clickhouse/http-clickhouse.ts'
import { identityProduceRecord } from '../../services/core/event/identity-record.ts'
import { openKafkaLog } from '../../services/core/kafka/kafka-log.ts'
import { KAFKA_SETTINGS } from '../../services/core/kafka/kafka-settings.ts'
import type { Log } from '../../services/core/kafka/log.ts'
import { partitionOf, recordKey } from '../../services/core/kafka/partition.ts'
import { identityTopicSpecs, topicSpecs } from '../../services/core/kafka/topic-specs.ts'
import { kafkaNames } from '../../services/core/kafka/topics.ts'
import { createLogger } from '../../services/core/runtime/logger.ts'
import { parseSettings } from '../../services/core/runtime/settings.ts'
import { IDENTITY_FAIL_POINTS } from '../../services/identity/fail-points.ts'
import { openIdentityStore } from '../../services/identity/store/open-identity-store.ts'
import { needs } from '../helpers/needs.ts'
import { newPostgresDatabase } from '../helpers/postgres-database.ts'
import { startStageProcess } from '../helpers/stage-process.ts'
import { plain, ReferenceModel } from '../services/identity/persons/reference-model.ts'
import { enriched } from '../services/identity/repartition/enriched.ts'

const MILLRACE = join(import.meta.dirname, '../../bin/millrace')
const PARTITIONS = 3
const DATASETS = ['shop', 'blog', 'app']
const PEOPLE = 120
const directory = mkdtempSync(join(tmpdir(), 'millrace-identity-'))
let log: Log

beforeAll(async () => {
  const settings = parseSettings(KAFKA_SETTINGS, { MILLRACE_KAFKA_BROKERS: inject('kafkaBrokers') })
  log = await openKafkaLog(settings, createLogger('test', 'error'))
})
afterAll(async () => {
  await log.close()
  rmSync(directory, { recursive: true, force: true })
})

/** One installation: topics, tables and database of its own. */
async function setUp(databaseUrl: string) {
  const id = randomBytes(4).toString('hex')
  const names = kafkaNames(`t-${id}.`)
  const options = { partitions: PARTITIONS, replicationFactor: 1, dedupeWindowMs: 3_600_000 }
  await log.admin.createTopics([...topicSpecs(names, options), ...identityTopicSpecs(names, options)])
  const environment = {
    MILLRACE_KAFKA_BROKERS: inject('kafkaBrokers'),
    MILLRACE_KAFKA_PREFIX: `t-${id}.`,
    MILLRACE_CLICKHOUSE_URL: inject('clickhouseUrl'),
    MILLRACE_CLICKHOUSE_DATABASE: `identity_${id}`,
    MILLRACE_IDENTITY_DATABASE_URL: databaseUrl,
    // Many small steps: a kill rarely falls between two.
    MILLRACE_IDENTITY_SELECT_RECORDS: '100',
    MILLRACE_IDENTITY_BATCH_RECORDS: '50',
    MILLRACE_IDENTITY_PUBLISH_ROWS: '200',
    MILLRACE_IDENTITY_PUBLISH_INTERVAL: '50ms',
    // Few, so that people are forgotten and told again.
    MILLRACE_IDENTITY_SIGHTINGS_MAX: '100',
    MILLRACE_DRAIN_TIMEOUT: '20s',
  }
  return { id, names, environment, databaseUrl }
}
type Installation = Awaited<ReturnType<typeof setUp>>

/** What people do, as a function of a seed: the same events whatever becomes of those who read them. */
function createTraffic({ names }: Installation, seed: number) {
  let state = seed
  const below = (n: number) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return Math.floor((state / 2 ** 32) * n)
  }
  const person = () => `person-${below(PEOPLE)}`
  const offsets = Array.from({ length: PARTITIONS }, () => 0)
  const statements = new Set<string>()
  const seen = new Set<string>()
  let count = 0

  function event(): EnrichedEvent {
    const event_id = `e${count++}`
    const base: Partial<EnrichedEvent> = {
      event_id,
      dataset_id: DATASETS[below(DATASETS.length)] as string,
      distinct_id: person(),
      event_time: new Date(Date.UTC(2026, 0, 1) + below(1_000_000)).toISOString(),
      collector_time: new Date(Date.UTC(2026, 0, 2) + count).toISOString(),
    }
    const kind = below(20)
    const said: Partial<EnrichedEvent> =
      kind === 0
        ? { event: '$identify', properties: { $anon_distinct_id: person(), $set: { n: count } } }
        : kind === 1
          ? { event: '$create_alias', properties: { alias: person() } }
          : kind === 2
            ? { event: '$merge_dangerously', properties: { alias: below(4) === 0 ? 'null' : person() } }
            : kind < 6
              ? { set: { [`p${below(3)}`]: below(5) }, set_once: { first: count } }
              : kind === 6
                ? { properties: { $unset: [`p${below(3)}`] } }
                : {}
    const made = enriched({ ...base, ...said })
    seen.add(`${made.dataset_id} ${made.distinct_id}`)
    if (kind <= 6) statements.add(event_id)
    return made
  }

  async function wave(size: number): Promise<void> {
    const producer = await log.openProducer({ clientId: 'test', lingerMs: 5, deliveryTimeoutMs: 30_000 })
    await producer.produce(
      Array.from({ length: size }, () => {
        const made = event()
        const key = recordKey(made.dataset_id, made.distinct_id, made.event_id)
        const partition = partitionOf(key, PARTITIONS)
        const src_offset = offsets[partition] as number
        offsets[partition] = src_offset + 1
        const value = Buffer.from(JSON.stringify({ ...made, src_partition: partition, src_offset }))
        return { topic: names.enriched, partition, key, value }
      }),
    )
    await producer.close()
  }

  /** Calls as the API would send them. */
  async function commands(): Promise<void> {
    await send([
      { name: 'set', person_key: person(), properties: { by: 'call' } },
      { name: 'split', person_key: person(), main_distinct_id: null },
      { name: 'merge', person_key: person(), other_person_key: person() },
      { name: 'unset', person_key: person(), keys: ['p0', 'p1'] },
    ])
  }

  /** @param dataset any where it is left out */
  async function send(asked: readonly PersonCommand[], dataset?: string): Promise<void> {
    const producer = await log.openProducer({ clientId: 'test', lingerMs: 5, deliveryTimeoutMs: 30_000 })
    await producer.produce(
      asked.map((command) =>
        identityProduceRecord(names.identity, PARTITIONS, {
          v: 1,
          kind: 'command',
          dataset_id: dataset ?? (DATASETS[below(DATASETS.length)] as string),
          event_id: `c${count++}`,
          collector_time: Date.UTC(2026, 0, 2) + count,
          actor: 'test',
          command,
        }),
      ),
    )
    await producer.close()
  }
  return { wave, commands, send, statements, seen }
}

/** A process that is to kill itself at a fail point. @returns whether it did, or had to be killed */
async function runUntilDeath(
  { environment }: Installation,
  failPoint: string,
  instance: string,
): Promise<boolean> {
  const child: ChildProcess = spawn(MILLRACE, ['run', 'identity'], {
    env: {
      ...process.env,
      ...environment,
      MILLRACE_FAIL_POINT: failPoint,
      MILLRACE_KAFKA_GROUP_INSTANCE_ID: instance,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const file = createWriteStream(join(directory, 'identity.log'), { flags: 'a' })
  child.stdout?.pipe(file)
  child.stderr?.pipe(file)
  const died = once(child, 'exit').then(() => true)
  const waited = new AbortController()
  const byItself = await Promise.race([died, pause(30_000, false, { signal: waited.signal })])
  waited.abort()
  if (!byItself) child.kill('SIGKILL')
  await died
  return byItself
}

/** Every committed record of a topic, in order per partition. */
async function readAll(topic: string): Promise<{ partition: number; key: string; value: string | null }[]> {
  const ranges = await log.admin.offsetRanges(topic, 'read_committed')
  const reader = await log.openReader(
    ranges.map(({ partition, start }) => ({ topic, partition, offset: start })),
  )
  const found: { partition: number; key: string; value: string | null }[] = []
  while (ranges.some(({ partition, end }) => reader.position({ topic, partition }) < end)) {
    for (const batch of await reader.read(200))
      for (let i = 0; i < batch.length; i++)
        found.push({
          partition: batch.partition,
          key: batch.key(i)?.toString() ?? '',
          value: batch.value(i)?.toString() ?? null,
        })
  }
  await reader.close()
  return found
}

/** Waits until both groups stand behind the last record and nothing waits to be told. */
async function untilDone(
  { names }: Installation,
  metrics: readonly (() => Promise<string>)[],
): Promise<void> {
  const deadline = performance.now() + 300_000
  const behind = async (part: string, topic: string) => {
    const ends = await log.admin.offsetRanges(topic, 'read_committed')
    const positions = await log.admin.groupPositions(names.group('identity', part), topic).catch(() => [])
    const stand = ends.map(({ partition, end }) => ({
      topic,
      partition,
      offset: positions[partition]?.offset ?? 0,
      end,
    }))
    const reader = await log.openReader(stand.filter(({ offset, end }) => offset < end))
    try {
      const left = stand.filter(({ offset, end }) => offset < end)
      while (left.some((each) => reader.position(each) < each.end))
        if ((await reader.read(200)).length > 0) return true
      return false
    } finally {
      await reader.close()
    }
  }
  const waiting = async () => {
    if ((await behind('repartition', names.enriched)) || (await behind('resolve', names.identity)))
      return true
    const texts = await Promise.all(metrics.map((each) => each()))
    return texts.some((text) => /^millrace_identity_outbox_rows\{[^}]*\} [1-9]/m.test(text))
  }
  while (await waiting()) {
    if (performance.now() > deadline) throw new Error(`Not done; see ${directory}/identity.log.`)
    await pause(200)
  }
  // Levels are told once a second: what they say is of then.
  await pause(1_500)
  while (await waiting()) await pause(200)
}

/** The persons that the obvious model makes of what lies in `events.identity`. */
async function modelOf({ names }: Installation) {
  const records = (await readAll(names.identity)).map(
    ({ value }) => JSON.parse(value ?? '') as IdentityRecord,
  )
  const models = new Map(DATASETS.map((dataset) => [dataset, new ReferenceModel()]))
  for (const record of records) models.get(record.dataset_id)?.apply(record)
  return { records, models }
}

const byKey = <T extends { key: string }>(all: readonly T[]) =>
  all.toSorted((a, b) => (`${a.key} ${JSON.stringify(a)}` < `${b.key} ${JSON.stringify(b)}` ? -1 : 1))

/** All places against the model, and each statement once in `events.identity`. */
async function expectEverywhere(
  installation: Installation,
  traffic: ReturnType<typeof createTraffic>,
): Promise<void> {
  const { names, environment, databaseUrl } = installation
  const { records, models } = await modelOf(installation)
  // Nothing proves much where little happened.
  for (const { history } of models.values())
    expect(history.filter((line) => line.startsWith('merged')).length).toBeGreaterThan(20)
  const ids = records.map(({ event_id }) => event_id)
  expect(new Set(ids).size).toBe(ids.length)
  const sent = new Set(ids)
  expect([...traffic.statements].filter((id) => !sent.has(id))).toEqual([])
  const told = new Set(
    records.flatMap((one) => (one.kind === 'event' ? `${one.dataset_id} ${one.distinct_id}` : [])),
  )
  expect([...traffic.seen].filter((one) => !told.has(one))).toEqual([])

  const store = await openIdentityStore({
    databaseUrl,
    stateDir: directory,
    connectionsMax: 1,
    timeoutMs: 10_000,
  })
  const clickhouse = openClickHouse(
    parseSettings(CLICKHOUSE_SETTINGS, environment),
    environment.MILLRACE_CLICKHOUSE_DATABASE,
  )
  const topic = new Map((await readAll(names.persons)).map(({ key, value }) => [key, value]))
  try {
    for (const [dataset, model] of models) {
      const expected = byKey(
        model.persons.map(({ key, ids, properties, createdAt, identified }) => ({
          key: plain(key),
          ids: ids.toSorted(),
          properties: Object.fromEntries(properties),
          createdAt,
          identified,
        })),
      )
      const everyId = [...model.persons.flatMap(({ ids }) => ids)]
      const distinctIds = await store.distinctIds(dataset, everyId)
      const idsOf = Map.groupBy(distinctIds, ({ personKey }) => personKey)
      const stored = await store.persons(
        dataset,
        [...idsOf.keys()].filter((key) => key !== null),
      )
      expect(
        byKey(
          stored.map(({ key, properties, createdAt, isIdentified }) => ({
            key: plain(key),
            ids: (idsOf.get(key) ?? []).map(({ id }) => id).toSorted(),
            properties,
            createdAt,
            identified: isIdentified,
          })),
        ),
      ).toEqual(expected)
      expect(byKey(await personsInClickHouse(clickhouse, dataset))).toEqual(expected)
      expect(
        byKey(
          [...topic.values()].flatMap((value) => {
            const person = value === null ? null : JSON.parse(value)
            return person?.dataset_id === dataset
              ? [{ key: plain(person.person_key), properties: person.properties }]
              : []
          }),
        ),
      ).toEqual(byKey(expected.map(({ key, properties }) => ({ key, properties }))))
      expect(await historyInClickHouse(clickhouse, dataset)).toEqual(model.history)
    }
  } finally {
    await store.close()
    await clickhouse.close()
  }
}

async function personsInClickHouse(clickhouse: ClickHouse, dataset: string) {
  const persons = await clickhouse.query<Record<string, string>>(
    `SELECT person_key, toUnixTimestamp64Milli(created_at) AS created, is_identified, properties FROM persons FINAL
     WHERE dataset_id = {dataset:String} AND NOT is_deleted`,
    { dataset },
  )
  const ids = await clickhouse.query<{ distinct_id: string; person_key: string }>(
    `SELECT distinct_id, person_key FROM person_distinct_ids FINAL
     WHERE dataset_id = {dataset:String} AND NOT is_deleted`,
    { dataset },
  )
  const overrides = await clickhouse.query<{ distinct_id: string; person_key: string }>(
    'SELECT distinct_id, person_key FROM person_overrides FINAL WHERE dataset_id = {dataset:String}',
    { dataset },
  )
  // What questions join with must say the same: nothing means the id's own name.
  const overridden = new Map(overrides.map(({ distinct_id, person_key }) => [distinct_id, person_key]))
  for (const { distinct_id, person_key } of ids)
    expect(overridden.get(distinct_id) ?? distinct_id).toBe(person_key)
  const idsOf = Map.groupBy(ids, ({ person_key }) => person_key)
  return persons.map(({ person_key, created, is_identified, properties }) => ({
    key: plain(person_key as string),
    ids: (idsOf.get(person_key as string) ?? []).map(({ distinct_id }) => distinct_id).toSorted(),
    properties: JSON.parse(properties as string),
    createdAt: Number(created),
    identified: Boolean(is_identified),
  }))
}

/** Lines of history as the model writes them; a line that was inserted twice is one line. */
async function historyInClickHouse(clickhouse: ClickHouse, dataset: string): Promise<string[]> {
  const rows = await clickhouse.query<Record<string, string>>(
    `SELECT change, reason, person_key, other_person_key FROM person_changes FINAL
     WHERE dataset_id = {dataset:String} ORDER BY version`,
    { dataset },
  )
  return rows.map(
    ({ change, reason, person_key, other_person_key }) =>
      `${change} ${reason} ${plain(person_key as string)} ${plain(other_person_key as string)}`,
  )
}

test('killed at every fail point, alone and beside another process, it leaves what the rules say, each merge once', async () => {
  const installation = await setUp(`sqlite:${join(directory, `${randomUUID()}.sqlite`)}`)
  const traffic = createTraffic(installation, 7)
  let died = 0
  for (const [n, point] of IDENTITY_FAIL_POINTS.entries()) {
    await traffic.wave(500)
    if (n % 3 === 2) await traffic.commands()
    // The same instance: it has its partitions at once, with the dead one's transaction still open.
    if (await runUntilDeath(installation, `${point}:2`, 'one')) died++
  }
  expect(died).toBe(IDENTITY_FAIL_POINTS.length)

  const logFile = join(directory, 'identity.log')
  const other = await startStageProcess(
    'identity',
    { ...installation.environment, MILLRACE_KAFKA_GROUP_INSTANCE_ID: 'two' },
    logFile,
  )
  for (const point of ['after_state', 'after_topic', 'before_end'] as const) {
    await traffic.wave(500)
    await runUntilDeath(installation, `${point}:2`, 'one')
  }
  await traffic.commands()
  await traffic.wave(500)
  const last = await startStageProcess(
    'identity',
    { ...installation.environment, MILLRACE_KAFKA_GROUP_INSTANCE_ID: 'one' },
    logFile,
  )
  await traffic.wave(500)
  expect(await other.stop()).toBe(0)
  await traffic.wave(500)
  await untilDone(installation, [last.metrics])
  expect(await last.stop()).toBe(0)
  await expectEverywhere(installation, traffic)
}, 600_000)

test('a person that is deleted is gone from every place, with what its history told of it', async () => {
  const installation = await setUp(`sqlite:${join(directory, `${randomUUID()}.sqlite`)}`)
  const { names, environment } = installation
  const traffic = createTraffic(installation, 3)
  const stage = await startStageProcess('identity', environment, join(directory, 'identity.log'))
  await traffic.wave(400)
  await untilDone(installation, [stage.metrics])
  const { models } = await modelOf(installation)
  const gone = models
    .get('shop')
    ?.persons.find(({ ids, properties }) => ids.length > 1 && properties.size > 0)
  const person_key = gone?.key ?? ''
  await traffic.send([{ name: 'delete', person_key }], 'shop')
  await untilDone(installation, [stage.metrics])
  expect(await stage.stop()).toBe(0)

  const clickhouse = openClickHouse(
    parseSettings(CLICKHOUSE_SETTINGS, environment),
    environment.MILLRACE_CLICKHOUSE_DATABASE,
  )
  const asked = { keys: [person_key, ...(gone?.ids ?? [])] }
  const where = `dataset_id = 'shop' AND person_key IN {keys:Array(String)}`
  const told = () =>
    clickhouse.query<{ change: string; properties: string }>(
      `SELECT change, properties FROM person_changes FINAL WHERE ${where}`,
      asked,
    )
  // ClickHouse takes rows out when it comes to it.
  await expect.poll(told, { timeout: 30_000 }).toEqual([{ change: 'deleted', properties: '{}' }])
  const rows = await clickhouse.query(
    `SELECT DISTINCT is_deleted, properties FROM persons WHERE ${where}`,
    asked,
  )
  expect(rows).toEqual([{ is_deleted: true, properties: '{}' }])
  const others = await clickhouse.query<{ n: number }>(
    `SELECT toInt32(uniqExact(person_key)) AS n FROM persons FINAL WHERE dataset_id = 'shop' AND NOT is_deleted`,
  )
  expect(others).toEqual([{ n: (models.get('shop')?.persons.length ?? 0) - 1 }])
  await clickhouse.close()
  const last = (await readAll(names.persons)).findLast(({ key }) => key === `shop:${person_key}`)
  expect(last?.value).toBeNull()
})

describe('with PostgreSQL', needs('postgres'), () => {
  let engine: PostgresEngine
  beforeAll(async () => {
    engine = await startPostgres({ stateDir: join(directory, 'postgres'), port: await freePort() })
  })
  afterAll(() => engine?.stop())

  test('two processes share the partitions, and one of them dies in its transactions again and again', async () => {
    const installation = await setUp(await newPostgresDatabase(engine.url))
    const traffic = createTraffic(installation, 11)
    const other = await startStageProcess(
      'identity',
      { ...installation.environment, MILLRACE_KAFKA_GROUP_INSTANCE_ID: 'two' },
      join(directory, 'identity.log'),
    )
    for (const point of ['in_state', 'after_state', 'during_insert', 'in_state'] as const) {
      await traffic.wave(700)
      await runUntilDeath(installation, `${point}:1`, 'one')
      await traffic.commands()
    }
    await traffic.wave(700)
    await untilDone(installation, [other.metrics])
    expect(await other.stop()).toBe(0)
    await expectEverywhere(installation, traffic)
  }, 600_000)
})
