import { randomUUID } from 'node:crypto'
import { fetchJars } from '../../../infra/engines/jars.ts'
import { systemClock } from '../../core/runtime/clock.ts'
import { type Arrivals, COUNTED_TOPICS, countPlaces } from './count-places.ts'
import { listKeys, manifestsOf } from './delivery-reader.ts'
import type { DemoConnections } from './demo-connections.ts'
import { demoConsumers } from './demo-consumers.ts'
import { DEMO_DATASETS, expectedCounts, type SentTraffic } from './demo-traffic.ts'
import { SAMPLE_DELIVERIES, SAMPLE_REJECTED_DELIVERIES } from './entitlements.ts'
import { type Consumption, isDrained, type Lag, lagOf } from './lag.ts'
import type { ReadingStarts } from './reading-positions.ts'
import { type Reconciliation, reconcile } from './reconcile.ts'

/** How long a reader waits for a record that may be there, ms. */
const IDLE_MS = 300
const LOOK_EVERY_MS = 100
/** A topic counts as read when its console consumer was given nothing for this long, ms. */
const CONSOLE_IDLE_MS = 3_000
/** Longest wait until everything sent has arrived everywhere, ms. */
const DRAIN_MAX_MS = 300_000

/** What lay in topics and bucket before a run, and is not counted again. */
export interface Before {
  readonly manifests: ReadonlySet<string>
  readonly starts: ReadingStarts
}

export async function lookBefore(connections: DemoConnections): Promise<Before> {
  const starts = new Map<string, ReadonlyMap<number, number>>()
  for (const name of COUNTED_TOPICS) {
    const topic = connections.topicPrefix + name
    // A subscriber's topic that the router has not made yet is read from its beginning.
    if ((await connections.log.admin.describeTopic(topic)) === null) continue
    const ranges = await connections.log.admin.offsetRanges(topic, 'read_committed')
    starts.set(topic, new Map(ranges.map(({ partition, end }) => [partition, end])))
  }
  return { manifests: await sampleManifests(connections), starts }
}

/** Every manifest of the sample's deliveries that lies in the bucket now. */
async function sampleManifests({ bucket }: DemoConnections): Promise<ReadonlySet<string>> {
  const ids = [...Object.keys(SAMPLE_DELIVERIES), ...SAMPLE_REJECTED_DELIVERIES]
  return new Set((await Promise.all(ids.map((id) => listKeys(bucket, manifestsOf(id))))).flat())
}

/**
 * Watches the consumers until each has committed past the last record, or until soon after the signal aborts. What the
 * enricher writes is input of the others, so those count as finished only after it; files and rows then finish beside
 * each other.
 *
 * @param onLag told who is behind, and by how much
 * @returns one promise per kind of place; they reject with an Error that names the consumer that does not finish
 */
export function arrivals(
  { log, names }: DemoConnections,
  signal: AbortSignal,
  onLag: (lag: Lag) => void,
): Arrivals {
  const deadline = systemClock.monotonic() + DRAIN_MAX_MS
  async function drain(consumers: readonly Consumption[]): Promise<void> {
    for (const consumer of consumers) {
      while (!signal.aborted && !(await isDrained(log, consumer, IDLE_MS))) {
        onLag(await lagOf(log, consumer))
        if (systemClock.monotonic() > deadline)
          throw new Error(
            `${consumer.name} did not finish within ${DRAIN_MAX_MS / 1000} s. Its log says why: .millrace/logs.`,
          )
        await systemClock.sleep(LOOK_EVERY_MS, signal)
      }
    }
  }
  const consumers = demoConsumers(names)
  const topics = drain(consumers.topics)
  const files = topics.then(() => drain(consumers.files))
  const rows = topics.then(() => drain(consumers.rows))
  // Whoever waits for one of them may not have come to it when it fails.
  for (const arrival of [topics, files, rows]) arrival.catch(() => undefined)
  return { topics, files, rows }
}

/** Counts every place that the events of one run had to reach, each kind as soon as everything has arrived there. */
export async function countRun(
  connections: DemoConnections,
  sent: SentTraffic,
  before: Before,
  arrived: Arrivals,
  onProgress: (what: string) => void,
): Promise<Reconciliation> {
  const { brokers, consoleFile, topicPrefix, bucket, clickhouse } = connections
  const places = await countPlaces({
    acknowledged: sent.acknowledged,
    events: sent.events,
    expected: expectedCounts(sent),
    reading: {
      jars: fetchJars('kafka-tools'),
      brokers,
      configFile: consoleFile,
      idleMs: CONSOLE_IDLE_MS,
      lastOffsets: (topic) => lastRecordOffsets(connections, topic, before.starts.get(topic)),
    },
    topicPrefix,
    bucket,
    manifestsBefore: before.manifests,
    positionsOf: (delivery) => positionsOf(connections, delivery),
    starts: before.starts,
    name: randomUUID(),
    clickhouse,
    arrived,
    onProgress,
  })
  return reconcile(DEMO_DATASETS, places)
}

async function positionsOf(
  { log, names }: DemoConnections,
  delivery: string,
): Promise<ReadonlyMap<string, number>> {
  const { group, topic } = demoConsumers(names).files.find((each) => each.name === `s3 ${delivery}`)!
  const positions = await log.admin.groupPositions(group, topic)
  return new Map(positions.map(({ partition, offset }) => [`${topic}-${partition}`, offset ?? 0]))
}

/**
 * Every transaction ends with one marker, so the last record of a partition stands one before its end.
 *
 * @param starts partitions that hold nothing new are left out
 */
async function lastRecordOffsets(
  { log }: DemoConnections,
  topic: string,
  starts: ReadonlyMap<number, number> | undefined,
): Promise<ReadonlyMap<number, number>> {
  const ranges = await log.admin.offsetRanges(topic, 'read_committed')
  return new Map(
    ranges.flatMap(({ partition, start, end }) =>
      (starts?.get(partition) ?? start) <= end - 2 ? [[partition, end - 2]] : [],
    ),
  )
}
