import { systemClock } from '../../core/runtime/clock.ts'
import { createLedger, type DatasetLedger } from '../generate/ledger.ts'
import { sendTraffic } from '../generate/send-traffic.ts'
import { type TrafficOptions, trafficRequests } from '../generate/traffic.ts'
import { eventsUrl } from '../ingest/dataset-keys.ts'
import { createPost } from '../ingest/http-post.ts'
import { SEND_POLICY } from '../ingest/send-batch.ts'
import { type SentEvent, watchAcknowledged } from './acknowledged.ts'
import { perDataset } from './reconcile.ts'

/** The keys whose hashes stand in examples/millrace.yaml: known to everybody, for the demo only. */
export const DEMO_KEYS = {
  shop: {
    write: 'mr_w_SgYRVaKZ8hsNdYIom8lOqnJjBgUvf12lZVAf',
    read: 'mr_r_3OySw9bWCa3ZR4JZ7ozYTFAWrJz8cm0DYuaw',
  },
  blog: {
    write: 'mr_w_7IqeIDpBj2oi7OAubPt5XHIgaBB59g2IDy0y',
    read: 'mr_r_eSh4ut6tN1hheXTBfmbwNpvoX2uKA836U6oN',
  },
} as const

export const DEMO_DATASETS = ['shop', 'blog'] as const

export interface DemoTraffic {
  readonly events: number
  readonly seed: number
  /** Another run is other events: part of every id. */
  readonly run: number
  readonly untilMs: number
  /** Null for as fast as they are taken. */
  readonly eventsPerSecond: number | null
}

export interface SentTraffic {
  /** How often each `<dataset>/<event id>` was acknowledged. */
  readonly acknowledged: ReadonlyMap<string, number>
  readonly events: ReadonlyMap<string, SentEvent>
  readonly ledger: Readonly<Record<string, DatasetLedger>>
}

const CONCURRENCY = 8
const BATCH_EVENTS = 200
const REQUEST_TIMEOUT_MS = 30_000

/**
 * Sends the demo's traffic through the collector's door: people with sessions, bots, broken events, clients whose
 * clocks are wrong and clients that send a request again.
 *
 * @param onProgress called often with the events acknowledged so far
 */
export async function sendDemoTraffic(
  collectorUrl: string,
  traffic: DemoTraffic,
  signal: AbortSignal,
  onProgress: (acknowledged: number) => void,
): Promise<SentTraffic> {
  const keys = new Map(
    DEMO_DATASETS.map((dataset) => [dataset as string, DEMO_KEYS[dataset].write as string]),
  )
  const { post, close } = createPost(eventsUrl(collectorUrl), CONCURRENCY, REQUEST_TIMEOUT_MS)
  const watched = watchAcknowledged(post, new Map([...keys].map(([dataset, key]) => [key, dataset])))
  const ledger = createLedger(DEMO_DATASETS)
  const options: TrafficOptions = {
    ...traffic,
    spanMs: 7 * 86_400_000,
    users: Math.max(100, Math.round(traffic.events / 40)),
    batchEvents: BATCH_EVENTS,
    datasets: [
      { id: 'shop', profile: 'shop' },
      { id: 'blog', profile: 'blog' },
    ],
    brokenShare: 0.01,
    botShare: 0.05,
    skewedShare: 0.05,
    repeatedShare: 0.03,
  }
  const timer = setInterval(() => onProgress(watched.events.size), 100)
  try {
    await sendTraffic(
      { post: watched.post, clock: systemClock, random: Math.random, signal },
      trafficRequests(options),
      ledger,
      { keys, concurrency: CONCURRENCY, eventsPerSecond: traffic.eventsPerSecond, policy: SEND_POLICY },
    )
  } finally {
    clearInterval(timer)
    close()
  }
  return { acknowledged: watched.events, events: watched.sent, ledger: ledger.datasets }
}

/** Of the acknowledged events of each dataset, how many must be in `events.rejected` and `events.enriched`. */
export function expectedCounts({ acknowledged, ledger }: SentTraffic): {
  readonly enriched: ReadonlyMap<string, number>
  readonly rejected: ReadonlyMap<string, number>
} {
  const rejected = new Map<string, number>()
  const enriched = perDataset([...acknowledged.keys()].map((event) => [event, 1]))
  for (const [dataset, { expected_rejected }] of Object.entries(ledger)) {
    const all = Object.values(expected_rejected).reduce((sum, count) => sum + count, 0)
    rejected.set(dataset, all)
    // Another payload under a taken id is refused beside the event that has the id.
    const without = all - (expected_rejected.id_conflict ?? 0)
    enriched.set(dataset, (enriched.get(dataset) ?? 0) - without)
  }
  return { enriched, rejected }
}
