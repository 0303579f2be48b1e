import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { freePort } from '../../infra/engines/ports.ts'
import type { Manifest } from '../../schemas/manifest/v1.ts'
import { manifestsOf } from '../../services/cli/demo/delivery-reader.ts'
import { isDrained } from '../../services/cli/demo/lag.ts'
import { generateAccessKey, parseAccessKey } from '../../services/core/control/access-key.ts'
import { openControlPublisher } from '../../services/core/control/control-publisher.ts'
import { openKafkaLog } from '../../services/core/kafka/kafka-log.ts'
import { KAFKA_SETTINGS } from '../../services/core/kafka/kafka-settings.ts'
import type { Log } from '../../services/core/kafka/log.ts'
import { identityTopicSpecs, topicSpecs } from '../../services/core/kafka/topic-specs.ts'
import { kafkaNames } from '../../services/core/kafka/topics.ts'
import { S3_SETTINGS } from '../../services/core/object-store/s3-settings.ts'
import { openS3Store } from '../../services/core/object-store/s3-store.ts'
import { systemClock } from '../../services/core/runtime/clock.ts'
import { createLogger } from '../../services/core/runtime/logger.ts'
import { parseSettings } from '../../services/core/runtime/settings.ts'
import { putChange } from '../helpers/put-change.ts'
import { type StageProcess, startStageProcess } from '../helpers/stage-process.ts'
import { visits } from '../helpers/visits.ts'
import { enriched } from '../services/identity/repartition/enriched.ts'

/**
 * One stream, two readers that share nothing: the API over ClickHouse, where persons come from the identity stage, and
 * DuckDB over the Parquet files of a delivery, with SQL that was written apart and finds persons in the events themselves.
 */
const PEOPLE = 8_200
const EVENTS_LEAST = 200_000
/** Four weeks from a Sunday, with the night in which Berlin's clocks go back. */
const ZONE = 'Europe/Berlin'
const FROM = '2026-10-04'
const TO = '2026-10-31'
const DAYS = 28
const FROM_MS = Date.parse('2026-10-03T22:00:00Z')
const RANGE = { date_from: FROM, date_to: TO }

const id = randomBytes(4).toString('hex')
const names = kafkaNames(`t-${id}.`)
const bucket = `insights-${id}`
const directory = mkdtempSync(join(tmpdir(), 'millrace-insights-'))
const logger = createLogger('test', 'error')
const s3 = inject('s3')
const environment = {
  MILLRACE_KAFKA_BROKERS: inject('kafkaBrokers'),
  MILLRACE_KAFKA_PREFIX: `t-${id}.`,
  MILLRACE_CLICKHOUSE_URL: inject('clickhouseUrl'),
  MILLRACE_CLICKHOUSE_DATABASE: `insights_${id}`,
  MILLRACE_S3_ENDPOINT: s3.endpoint,
  MILLRACE_S3_BUCKET: bucket,
  AWS_ACCESS_KEY_ID: s3.accessKeyId,
  AWS_SECRET_ACCESS_KEY: s3.secretAccessKey,
  MILLRACE_STATE_DIR: join(directory, 'state'),
  MILLRACE_S3_SINK_SPOOL_DIR: join(directory, 'spool'),
  MILLRACE_IDENTITY_DATABASE_URL: `sqlite:${join(directory, 'identity.sqlite')}`,
  MILLRACE_QUERY_PORT: '',
}
const key = generateAccessKey('read', randomBytes)
const stages: StageProcess[] = []
let log: Log
let duck: DuckDBConnection

/** To the broker as the enricher would write them, oldest first in one partition. @returns how many */
async function produce(): Promise<number> {
  const producer = await log.openProducer({ clientId: 'test', lingerMs: 5, deliveryTimeoutMs: 60_000 })
  const done = visits({ people: PEOPLE, seed: 1, fromMs: FROM_MS, days: DAYS })
  for (let from = 0; from < done.length; from += 5_000)
    await producer.produce(
      done.slice(from, from + 5_000).map((visited, index) => {
        const event = enriched({
          ...visited,
          content_authors: [],
          content_tags: [],
          event_id: `e${from + index}`,
          collector_time: visited.event_time,
          src_partition: 0,
          src_offset: from + index,
        })
        const headers = {
          event_id: event.event_id,
          dataset_id: 'shop',
          event: event.event,
          recipe: 'r',
          schema: '1',
        }
        return {
          topic: names.enriched,
          partition: 0,
          key: null,
          value: Buffer.from(JSON.stringify(event)),
          headers: { ...headers, src: `0:${from + index}` },
        }
      }),
    )
  await producer.close()
  return done.length
}

async function untilDrained(): Promise<void> {
  const consumers = [
    { name: 's3', group: names.group('s3-sink', 'all'), topic: names.enriched },
    { name: 'clickhouse', group: names.group('clickhouse-sink', 'events'), topic: names.enriched },
    { name: 'repartition', group: names.group('identity', 'repartition'), topic: names.enriched },
    { name: 'resolve', group: names.group('identity', 'resolve'), topic: names.identity },
  ]
  for (const consumer of consumers) while (!(await isDrained(log, consumer, 300))) await pause(300)
}

/** The files that manifests name, as DuckDB's table `ev`: with the person and the local time of each event. */
async function openFiles(): Promise<void> {
  const store = openS3Store(parseSettings(S3_SETTINGS, environment))
  const files: string[] = []
  for await (const { key: manifestKey } of store.list(bucket, manifestsOf('all'))) {
    const manifest = JSON.parse(String(await store.get(bucket, manifestKey))) as Manifest
    for (const object of manifest.objects) {
      files.push(join(directory, `${files.length}.parquet`))
      await store.download(bucket, object.key, files.at(-1) as string)
    }
  }
  store.close()
  duck = await (await DuckDBInstance.create(':memory:')).connect()
  await duck.run(
    `CREATE TABLE found AS SELECT * FROM read_parquet([${files.map((file) => `'${file}'`).join()}])`,
  )
  await duck.run(`CREATE TABLE signed_in AS SELECT properties->>'$."$anon_distinct_id"' AS anon, distinct_id AS known
    FROM found WHERE event = '$identify'`)
  await duck.run(`CREATE TABLE ev AS
    SELECT found.*, coalesce(known, distinct_id) AS person, event_time AS t,
      -- Two hours before Greenwich until the clocks go back, one after.
      event_time::TIMESTAMP + CASE WHEN event_time::TIMESTAMP < '2026-10-25 01:00:00' THEN INTERVAL 2 HOUR ELSE INTERVAL 1 HOUR END AS local
    FROM found LEFT JOIN signed_in ON distinct_id = anon`)
  await duck.run('ALTER TABLE ev ADD COLUMN day DATE; UPDATE ev SET day = local::DATE')
}

async function rows<Row>(sql: string): Promise<Row[]> {
  return (await duck.runAndReadAll(sql)).getRowObjectsJson() as Row[]
}

async function ask<Result>(path: string, asked: object): Promise<Result> {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries({ ...RANGE, ...asked }))
    query.set(name, typeof value === 'object' ? JSON.stringify(value) : String(value))
  const url = `http://127.0.0.1:${environment.MILLRACE_QUERY_PORT}/api/datasets/shop/insights/${path}?${query}`
  const answer = await fetch(url, { headers: { authorization: `Bearer ${key}` } })
  expect(answer.status, url).toBe(200)
  return ((await answer.json()) as { result: Result }).result
}

beforeAll(async () => {
  log = await openKafkaLog(parseSettings(KAFKA_SETTINGS, environment), logger)
  const store = openS3Store(parseSettings(S3_SETTINGS, environment))
  await store.createBucket(bucket)
  store.close()
  const options = { partitions: 1, replicationFactor: 1, dedupeWindowMs: 3_600_000 }
  await log.admin.createTopics([...topicSpecs(names, options), ...identityTopicSpecs(names, options)])
  const publisher = await openControlPublisher({ log, names, clock: systemClock, logger })
  await publisher.publish([
    putChange('dataset', { id: 'shop', account: 'acme', timezone: ZONE }, 'config'),
    putChange(
      'key',
      { id: 'k', dataset: 'shop', scope: 'read', sha256: parseAccessKey(key)!.hash },
      'config',
    ),
    putChange(
      'delivery',
      {
        id: 'all',
        account: 'acme',
        datasets: ['shop'],
        format: 'parquet',
        rotate: { rows: 100_000, age: '2s' },
      },
      'config',
    ),
  ])
  await publisher.close()
  expect(await produce()).toBeGreaterThan(EVENTS_LEAST)
  environment.MILLRACE_QUERY_PORT = String(await freePort())
  for (const stage of ['s3-sink', 'clickhouse-sink', 'identity', 'query-api'])
    stages.push(await startStageProcess(stage, environment, join(directory, `${stage}.log`)))
  await untilDrained()
  await openFiles()
})

afterAll(async () => {
  await Promise.all(stages.map((stage) => stage.stop()))
  await log?.close()
  rmSync(directory, { recursive: true, force: true })
})

interface Series {
  readonly breakdown_value?: string
  readonly data: readonly number[]
  readonly days: readonly string[]
}

/** Every day of the range with its number, 0 where SQL has no row. */
async function perDay(sql: string): Promise<number[]> {
  const found = new Map((await rows<{ day: string; n: string }>(sql)).map(({ day, n }) => [day, Number(n)]))
  return Array.from({ length: DAYS }, (_, day) => {
    const date = new Date(Date.parse(FROM) + day * 86_400_000).toISOString().slice(0, 10)
    return found.get(date) ?? 0
  })
}

const near = (numbers: readonly number[]) => numbers.map((number) => expect.closeTo(number, 6))

test('trends: events, people and sums by plan, per local day', async () => {
  const trend = (asked: object) => ask<Series[]>('trend', asked)
  const [events] = await trend({ events: [{ id: '$pageview' }] })
  expect(events?.data).toEqual(
    await perDay(`SELECT day::TEXT AS day, count(*) AS n FROM ev WHERE event = '$pageview' GROUP BY ALL`),
  )
  const [people] = await trend({ events: [{ id: '$pageview', math: 'dau' }] })
  expect(people?.data).toEqual(
    await perDay(
      `SELECT day::TEXT AS day, count(DISTINCT person) AS n FROM ev WHERE event = '$pageview' GROUP BY ALL`,
    ),
  )
  const sums = await trend({
    events: [{ id: 'purchase', math: 'sum', math_property: 'amount' }],
    breakdown: 'plan',
    breakdown_type: 'event',
  })
  expect(sums.map((each) => each.breakdown_value).sort()).toEqual(['free', 'pro', 'team'])
  for (const { breakdown_value, data } of sums)
    expect(data, breakdown_value).toEqual(
      await perDay(`SELECT day::TEXT AS day, sum((properties->>'amount')::INT) AS n FROM ev
        WHERE event = 'purchase' AND (properties->>'plan') = '${breakdown_value}' GROUP BY ALL`),
    )
})

test('a funnel of three steps: people and mean times', async () => {
  const steps = await ask<{ count: number; average_conversion_time: number | null }[]>('funnel', {
    events: [{ id: '$pageview' }, { id: 'add_to_cart' }, { id: 'purchase' }],
    funnel_window_interval: 36,
    funnel_window_interval_unit: 'hour',
  })
  const step = (event: string) => `(SELECT person, t FROM ev WHERE event = '${event}')`
  // Every page view opens a run; a step is the first of its kind after the one before, in time. An ASOF join finds something
  // for a missing time too.
  const [expected] = await rows<Record<'first' | 'second' | 'third' | 'to_second' | 'to_third', string>>(`
    WITH two AS (
      SELECT a.person, a.t AS t1, CASE WHEN b.t <= a.t + INTERVAL 36 HOUR THEN b.t END AS t2
      FROM ${step('$pageview')} a ASOF LEFT JOIN ${step('add_to_cart')} b ON a.person = b.person AND b.t >= a.t
    ), three AS (
      SELECT two.*, CASE WHEN t2 IS NOT NULL AND c.t <= t1 + INTERVAL 36 HOUR THEN c.t END AS t3
      FROM two ASOF LEFT JOIN ${step('purchase')} c ON two.person = c.person AND c.t >= two.t2
    ), runs AS (
      SELECT person, 1 + (t2 IS NOT NULL)::INT + (t3 IS NOT NULL)::INT AS reached,
        epoch_ms(t2) - epoch_ms(t1) AS ms2, epoch_ms(t3) - epoch_ms(t2) AS ms3 FROM three
    ), best AS (SELECT person, max(reached) AS reached FROM runs GROUP BY person),
    people AS (
      SELECT person, reached, avg(ms2) / 1000 AS s2, avg(ms3) / 1000 AS s3
      FROM runs JOIN best USING (person, reached) GROUP BY ALL
    )
    SELECT count(*) AS first, count_if(reached >= 2) AS second, count_if(reached = 3) AS third,
      avg(s2) FILTER (reached >= 2) AS to_second, avg(s3) FILTER (reached = 3) AS to_third FROM people`)
  expect(steps.map(({ count }) => count)).toEqual(
    [expected?.first, expected?.second, expected?.third].map(Number),
  )
  expect(steps.map(({ average_conversion_time }) => average_conversion_time)).toEqual([
    null,
    ...near([Number(expected?.to_second), Number(expected?.to_third)]),
  ])
})

test.each(['retention_recurring', 'retention_first_time'])('weekly retention, %s', async (retention_type) => {
  const weeks = await ask<{ values: { count: number }[] }[]>('retention', {
    retention_type,
    period: 'Week',
    total_intervals: 4,
    target_entity: { id: 'add_to_cart', type: 'events' },
    returning_entity: { id: 'purchase', type: 'events' },
  })
  // Weeks from Sunday, counted from the first one.
  const week = `date_diff('day', DATE '${FROM}', day) // 7`
  const began =
    retention_type === 'retention_first_time'
      ? `SELECT person, min(${week}) AS week FROM ev WHERE event = 'add_to_cart' GROUP BY person`
      : `SELECT DISTINCT person, ${week} AS week FROM ev WHERE event = 'add_to_cart'`
  const found = await rows<{ week: string; after: string; n: string }>(`
    WITH began AS (${began}), came AS (SELECT DISTINCT person, ${week} AS week FROM ev WHERE event = 'purchase')
    SELECT week::INT AS week, 0 AS after, count(*) AS n FROM began GROUP BY ALL
    UNION ALL
    SELECT began.week::INT, (came.week - began.week)::INT AS after, count(*) FROM began JOIN came USING (person)
    WHERE came.week > began.week GROUP BY ALL`)
  const expected = Array.from({ length: 4 }, (_, at) =>
    Array.from({ length: 4 - at }, (_, after) =>
      Number(found.find((each) => Number(each.week) === at && Number(each.after) === after)?.n ?? 0),
    ),
  )
  expect(weeks.map(({ values }) => values.map(({ count }) => count))).toEqual(expected)
})

test('stickiness: on how many days people come', async () => {
  const [line] = await ask<Series[]>('stickiness', { events: [{ id: '$pageview' }] })
  const found = await rows<{ days: string; n: string }>(`
    SELECT days, count(*) AS n FROM (SELECT count(DISTINCT day) AS days FROM ev WHERE event = '$pageview' GROUP BY person)
    GROUP BY days`)
  expect(line?.data).toEqual(
    Array.from({ length: DAYS }, (_, index) =>
      Number(found.find(({ days }) => Number(days) === index + 1)?.n ?? 0),
    ),
  )
})

test('lifecycle: who is new, comes back, is back again, stays away', async () => {
  const lines = await ask<(Series & { status: string })[]>('lifecycle', { events: [{ id: '$pageview' }] })
  const cases = {
    new: 'here AND created = days.day',
    returning: 'here AND created < days.day AND was_here',
    resurrecting: 'here AND created < days.day AND NOT was_here',
    dormant: 'NOT here AND was_here',
  }
  expect(lines.map(({ status }) => status).sort()).toEqual(Object.keys(cases).sort())
  for (const { status, data } of lines) {
    const found = await perDay(`
      WITH active AS (SELECT DISTINCT person, day FROM ev WHERE event = '$pageview'),
      people AS (SELECT person, min(day) AS created FROM ev GROUP BY person),
      days AS (SELECT unnest(range(DATE '${FROM}', DATE '${TO}' + 1, INTERVAL 1 DAY))::DATE AS day),
      each AS (
        SELECT days.day, people.created, a.person IS NOT NULL AS here, b.person IS NOT NULL AS was_here
        FROM days CROSS JOIN people
        LEFT JOIN active a ON a.person = people.person AND a.day = days.day
        LEFT JOIN active b ON b.person = people.person AND b.day = days.day - 1
      )
      SELECT days.day::TEXT AS day, count(*) AS n FROM each AS days WHERE ${cases[status as keyof typeof cases]} GROUP BY ALL`)
    expect(data, status).toEqual(found.map((n) => (status === 'dormant' && n > 0 ? -n : n)))
  }
})

test('paths of page views: edges with their times', async () => {
  const edges = await ask<
    { source: string; target: string; value: number; average_conversion_time: number }[]
  >('path', { include_event_types: ['$pageview'], step_limit: 5 })
  const found = await rows<{ source: string; target: string; value: string; ms: string }>(`
    WITH stops AS (
      SELECT person, t, CASE WHEN length(url) > 1 THEN rtrim(url, '/') ELSE url END AS item FROM ev WHERE event = '$pageview'
    ), cut AS (
      SELECT *, coalesce(t - lag(t) OVER by_time > INTERVAL 30 MINUTE, true) AS begins FROM stops
      WINDOW by_time AS (PARTITION BY person ORDER BY t)
    ), visited AS (
      SELECT *, sum(begins::INT) OVER (PARTITION BY person ORDER BY t) AS visit FROM cut
    ), last_of_run AS (
      SELECT * FROM visited QUALIFY item IS DISTINCT FROM lead(item) OVER (PARTITION BY person, visit ORDER BY t)
    ), walked AS (
      SELECT item, lead(item) OVER w AS next, row_number() OVER w AS step, epoch_ms(lead(t) OVER w) - epoch_ms(t) AS ms
      FROM last_of_run WINDOW w AS (PARTITION BY person, visit ORDER BY t)
    )
    SELECT step || '_' || item AS source, (step + 1) || '_' || next AS target, count(*) AS value, avg(ms) AS ms
    FROM walked WHERE next IS NOT NULL AND step < 5 GROUP BY ALL ORDER BY value DESC, source, target`)
  expect(found.length).toBeGreaterThan(40)
  expect(edges).toEqual(
    found.map(({ source, target, value, ms }) => ({
      source,
      target,
      value: Number(value),
      average_conversion_time: expect.closeTo(Number(ms), 3),
    })),
  )
})
