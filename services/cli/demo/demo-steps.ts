import { fetchJars } from '../../../infra/engines/jars.ts'
import { systemClock } from '../../core/runtime/clock.ts'
import { countPlaces } from './count-places.ts'
import { listKeys, manifestsOf } from './delivery-reader.ts'
import type { DemoConnections } from './demo-connections.ts'
import { demoConsumers } from './demo-consumers.ts'
import { DEMO_DATASETS, expectedRejected, type SentTraffic } from './demo-traffic.ts'
import { SAMPLE_DELIVERIES, SAMPLE_REJECTED_DELIVERIES } from './entitlements.ts'
import { isDrained, type Lag, lagOf } from './lag.ts'
import { type Reconciliation, reconcile } from './reconcile.ts'

/** How long a reader waits for a record that may be there, ms. */
const IDLE_MS = 300
const LOOK_EVERY_MS = 100
/** A topic counts as read when its console consumer was given nothing for this long, ms. */
const CONSOLE_IDLE_MS = 3_000
/** Longest wait until everything sent has arrived everywhere, ms. */
const DRAIN_MAX_MS = 300_000

/** Every manifest of the sample's deliveries that lies in the bucket now. */
export async function sampleManifests({ bucket }: DemoConnections): Promise<ReadonlySet<string>> {
  const ids = [...Object.keys(SAMPLE_DELIVERIES), ...SAMPLE_REJECTED_DELIVERIES]
  return new Set((await Promise.all(ids.map((id) => listKeys(bucket, manifestsOf(id))))).flat())
}

/**
 * Resolves when every consumer has committed past the last record, or soon after the signal aborts.
 *
 * @param onLag told who is behind, and by how much
 * @throws Error naming the consumer that does not finish
 */
export async function drain(
  { log, names }: DemoConnections,
  signal: AbortSignal,
  onLag: (lag: Lag) => void,
): Promise<void> {
  const deadline = systemClock.monotonic() + DRAIN_MAX_MS
  for (const consumer of demoConsumers(names)) {
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

/** Counts every place that the events of one run had to reach. */
export async function countRun(
  connections: DemoConnections,
  sent: SentTraffic,
  manifestsBefore: ReadonlySet<string>,
  onProgress: (what: string) => void,
): Promise<Reconciliation> {
  const { brokers, topicPrefix, bucket, clickhouse } = connections
  const places = await countPlaces({
    acknowledged: sent.acknowledged,
    expectedRejected: expectedRejected(sent.ledger),
    reading: {
      jars: fetchJars('kafka-tools'),
      brokers,
      configFile: null,
      idleMs: CONSOLE_IDLE_MS,
      lastOffsets: (topic) => lastRecordOffsets(connections, topic),
    },
    topicPrefix,
    bucket,
    manifestsBefore,
    clickhouse,
    onProgress,
  })
  return reconcile(DEMO_DATASETS, places)
}

/** Every transaction ends with one marker, so the last record of a partition stands one before its end. */
async function lastRecordOffsets(
  { log }: DemoConnections,
  topic: string,
): Promise<ReadonlyMap<number, number>> {
  const ranges = await log.admin.offsetRanges(topic, 'read_committed')
  return new Map(
    ranges.flatMap(({ partition, start, end }) => (start <= end - 2 ? [[partition, end - 2]] : [])),
  )
}
