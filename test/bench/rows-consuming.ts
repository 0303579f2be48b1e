import type { Delivery, Subscription } from '../../schemas/control/v1.ts'
import type { BenchContext } from './bench-context.ts'
import { type Histogram, histogramQuantile } from './histogram-quantile.ts'
import type { BenchRow } from './report.ts'
import { sendEvents } from './rows-collector.ts'

/** The unit of work of a stage, and where its own metrics say how long each took. */
interface Work extends Histogram {
  readonly of: string
}

const ENRICHER_TRANSACTION: Work = { of: 'transaction', name: 'millrace_enricher_transaction_seconds' }
const ROUTER_TRANSACTION: Work = { of: 'transaction', name: 'millrace_router_transaction_seconds' }
const INSERT: Work = {
  of: 'batch, plan to ledger',
  name: 'millrace_clickhouse_sink_deliver_seconds',
  labels: { table: 'events' },
}
const deliveredBatch = (delivery: string): Work => ({
  of: 'batch, plan to manifest',
  name: 'millrace_s3_sink_deliver_seconds',
  labels: { delivery },
})

/**
 * Runs a stage over what lies in its topic until its group has committed past the end.
 *
 * @param known how many events wait; null when everything in the topic does
 */
async function drain(
  context: BenchContext,
  name: string,
  stage: string,
  group: string,
  topic: string,
  work: Work,
  known: number | null = null,
): Promise<BenchRow> {
  const ranges = await context.log.admin.offsetRanges(topic, 'read_committed')
  const events = known ?? ranges.reduce((sum, { start, end }) => sum + end - start, 0)
  context.say(`${name}: ${events} offsets.`)
  const startedMs = performance.now()
  const running = await context.start(stage)
  const readyMs = performance.now()
  const atReady = (await running.usage()).cpuSeconds
  await context.drained(group, topic)
  const seconds = (performance.now() - readyMs) / 1000
  const { cpuSeconds, peakRssMiB } = await running.usage()
  const metrics = await running.metrics()
  const latencyMs = (share: number) => {
    const seconds = histogramQuantile(metrics, work, share)
    return seconds === null ? null : seconds * 1000
  }
  context.say(`${name}: up in ${Math.round(readyMs - startedMs)} ms, ${seconds.toFixed(1)} s.`)
  await running.stop()
  return {
    name,
    events,
    eventsPerSecond: events / seconds,
    cpuMicrosPerEvent: ((cpuSeconds - atReady) * 1e6) / events,
    peakRssMiB,
    latencyOf: work.of,
    p50Ms: latencyMs(0.5),
    p99Ms: latencyMs(0.99),
  }
}

export async function benchEnricher(context: BenchContext): Promise<readonly BenchRow[]> {
  const { names } = context
  return [
    await drain(context, 'enricher', 'enricher', names.group('enricher'), names.raw, ENRICHER_TRANSACTION),
  ]
}

/** A subscription starts where the router stands: the first at all that lies there, the second at what is sent later. */
const SUBSCRIPTIONS: readonly { readonly name: string; readonly subscription: Subscription }[] = [
  { name: 'router, pass-through', subscription: { id: 'bench-all', account: 'bench', datasets: ['shop'] } },
  {
    name: 'router, filter and mask',
    subscription: {
      id: 'bench-some',
      account: 'bench',
      datasets: ['shop'],
      where: "device_type = 'mobile' or device_type = 'desktop'",
      fields: { exclude: ['ip', 'user_agent'] },
    },
  },
]

/** How many events are sent for a row whose consumer starts where an earlier one stands. */
const MORE_EVENTS = 100_000

export async function benchRouter(context: BenchContext): Promise<readonly BenchRow[]> {
  const { names } = context
  const rows: BenchRow[] = []
  for (const { name, subscription } of SUBSCRIPTIONS) {
    if (rows.length > 0) {
      await sendEvents(context, MORE_EVENTS)
      const before = await drain(
        context,
        'enricher again',
        'enricher',
        names.group('enricher'),
        names.raw,
        ENRICHER_TRANSACTION,
        MORE_EVENTS,
      )
      context.say(`${before.name}: ${Math.round(before.eventsPerSecond)} events/s.`)
      await context.replaceSubscription(SUBSCRIPTIONS[0]!.subscription.id, subscription)
    } else {
      await context.subscribe(subscription)
    }
    const events = rows.length > 0 ? MORE_EVENTS : null
    rows.push(
      await drain(
        context,
        name,
        'subscriber-router',
        names.group('subscriber-router'),
        names.enriched,
        ROUTER_TRANSACTION,
        events,
      ),
    )
  }
  return rows
}

const DELIVERIES: readonly { readonly name: string; readonly delivery: Delivery }[] = (
  [
    ['s3-sink, Parquet zstd', 'parquet'],
    ['s3-sink, JSONL gzip', 'jsonl'],
    ['s3-sink, CSV gzip', 'csv'],
  ] as const
).map(([name, format]) => ({
  name,
  delivery: {
    id: `bench-${format}`,
    account: 'bench',
    datasets: ['shop'],
    format,
    rotate: { rows: 50_000, age: '1s' },
  },
}))

export async function benchS3Sink(context: BenchContext): Promise<readonly BenchRow[]> {
  const { names } = context
  const rows: BenchRow[] = []
  for (const { name, delivery } of DELIVERIES) {
    await context.deliver(delivery)
    rows.push(
      await drain(
        context,
        name,
        's3-sink',
        names.group('s3-sink', delivery.id),
        names.enriched,
        deliveredBatch(delivery.id),
      ),
    )
  }
  return rows
}

export async function benchClickHouseSink(context: BenchContext): Promise<readonly BenchRow[]> {
  const { names } = context
  return [
    await drain(
      context,
      'clickhouse-sink',
      'clickhouse-sink',
      names.group('clickhouse-sink', 'events'),
      names.enriched,
      INSERT,
    ),
  ]
}
