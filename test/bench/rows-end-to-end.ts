import autocannon from 'autocannon'
import { freePort } from '../../infra/engines/ports.ts'
import { systemClock } from '../../services/core/runtime/clock.ts'
import type { BenchContext } from './bench-context.ts'
import { type BenchRow, quantile } from './report.ts'
import { benchEvents } from './rows-collector.ts'

/** Background load: well under what the whole pipeline takes on two cores. */
const LOAD_PER_SECOND = 2_000
const LOAD_BATCH = 20
const SECONDS = 20
/** One watched event every so often; what becomes visible when is measured on these. */
const WATCHED_EVERY_MS = 100
const SUBSCRIPTION = 'bench-watched'
const WATCHED = 'watched'
const LOOK_EVERY_MS = 50
/** A question takes processor time from what it waits for; what is told is late by half of this. */
const ASK_EVERY_MS = 250
const SETTLE_MS = 5_000

/** Newest ones that the API is asked for: as many as are sent in ten seconds. */
const API_PAGE = 100

/** From the collector's acknowledgement to where a consumer, a query and the API see the event, at a steady load. */
export async function benchEndToEnd(context: BenchContext): Promise<readonly BenchRow[]> {
  context.say(`end to end: ${LOAD_PER_SECOND} events/s for ${SECONDS} s.`)
  const port = await freePort()
  await context.subscribe({ id: SUBSCRIPTION, account: 'bench', datasets: ['shop'], events: [WATCHED] })
  const stages = [
    await context.start('collector', { MILLRACE_COLLECTOR_PORT: String(port) }),
    ...(await Promise.all(
      ['enricher', 'subscriber-router', 'clickhouse-sink'].map((stage) => context.start(stage)),
    )),
  ]
  // What the rows before left is not what a steady load has before it.
  const { names } = context
  await context.drained(names.group('clickhouse-sink', 'events'), names.enriched)
  const apiPort = await freePort()
  const api = await context.start('query-api', {
    MILLRACE_QUERY_PORT: String(apiPort),
    MILLRACE_QUERY_RATE_LIMITS: 'false',
  })
  const url = `http://127.0.0.1:${port}/v1/events`
  const headers = { authorization: `Bearer ${context.writeKey}`, 'content-type': 'application/json' }
  const sentMs = new Map<string, number>()
  const stop = new AbortController()
  const inTopic = watchTopic(context, sentMs, stop.signal)
  const inClickHouse = watchList(() => idsInClickHouse(context), sentMs, stop.signal)
  const inApi = watchList(() => idsInApi(context, apiPort), sentMs, stop.signal)
  const before = await Promise.all(stages.map((stage) => stage.usage()))
  const events = benchEvents()
  const load = autocannon({
    url,
    method: 'POST',
    connections: 8,
    amount: (LOAD_PER_SECOND * SECONDS) / LOAD_BATCH,
    overallRate: LOAD_PER_SECOND / LOAD_BATCH,
    headers,
    requests: Array.from({ length: 50 }, (_, i) => ({
      body: `[${events.slice(i * LOAD_BATCH, (i + 1) * LOAD_BATCH).join(',')}]`,
    })),
  })
  for (let n = 0; n < (SECONDS * 1000) / WATCHED_EVERY_MS; n++) {
    const id = `watched-${n}`
    const body = JSON.stringify({ event_id: id, event: WATCHED, distinct_id: id })
    const answer = await fetch(url, { method: 'POST', headers, body })
    if (!answer.ok) throw new Error(`A watched event was answered ${answer.status}.`)
    sentMs.set(id, performance.now())
    await systemClock.sleep(WATCHED_EVERY_MS)
  }
  await load
  await systemClock.sleep(SETTLE_MS)
  stop.abort()
  const usage = await Promise.all(stages.map((stage) => stage.usage()))
  const cpuSeconds = usage.reduce((sum, { cpuSeconds }, i) => sum + cpuSeconds - before[i]!.cpuSeconds, 0)
  const peakRssMiB = usage.reduce((sum, { peakRssMiB }) => sum + peakRssMiB, 0)
  const total = LOAD_PER_SECOND * SECONDS
  const row = (name: string, latencies: readonly number[]): BenchRow => {
    if (latencies.length < sentMs.size)
      throw new Error(`${name}: ${sentMs.size - latencies.length} watched events never arrived.`)
    const sorted = latencies.toSorted((a, b) => a - b)
    context.say(`${name}: 95 of 100 within ${Math.round(quantile(sorted, 0.95))} ms.`)
    return {
      name,
      events: total,
      eventsPerSecond: LOAD_PER_SECOND,
      cpuMicrosPerEvent: (cpuSeconds * 1e6) / total,
      peakRssMiB,
      latencyOf: 'event, HTTP to there',
      p50Ms: quantile(sorted, 0.5),
      p99Ms: quantile(sorted, 0.99),
    }
  }
  const rows = [
    row('end to end, in a subscriber’s consumer', await inTopic),
    row('end to end, in ClickHouse', await inClickHouse),
    row('end to end, in the API', await inApi),
  ]
  await Promise.all([...stages, api].map((stage) => stage.stop()))
  return rows
}

/** Milliseconds from acknowledgement to the subscriber's consumer, per watched event. */
async function watchTopic(
  { log, names }: BenchContext,
  sentMs: ReadonlyMap<string, number>,
  signal: AbortSignal,
): Promise<readonly number[]> {
  const topic = names.subscriber(SUBSCRIPTION)
  while ((await log.admin.describeTopic(topic)) === null) await systemClock.sleep(LOOK_EVERY_MS)
  const ranges = await log.admin.offsetRanges(topic, 'read_committed')
  const reader = await log.openReader(
    ranges.map(({ partition, start }) => ({ topic, partition, offset: start })),
  )
  const seenMs = new Map<string, number>()
  while (!signal.aborted) {
    for (const batch of await reader.read(LOOK_EVERY_MS)) {
      for (let i = 0; i < batch.length; i++) seenMs.set(batch.header(i, 'event_id') ?? '', performance.now())
    }
  }
  await reader.close()
  return latencies(sentMs, seenMs)
}

/** Milliseconds from acknowledgement until a list of ids has it. */
async function watchList(
  list: () => Promise<readonly string[]>,
  sentMs: ReadonlyMap<string, number>,
  signal: AbortSignal,
): Promise<readonly number[]> {
  const seenMs = new Map<string, number>()
  while (!signal.aborted) {
    const ids = await list()
    const nowMs = performance.now()
    for (const id of ids) if (!seenMs.has(id)) seenMs.set(id, nowMs)
    await systemClock.sleep(ASK_EVERY_MS)
  }
  return latencies(sentMs, seenMs)
}

async function idsInClickHouse({ clickhouseUrl }: BenchContext): Promise<readonly string[]> {
  const answer = await fetch(`${clickhouseUrl}/?database=millrace`, {
    method: 'POST',
    body: `SELECT event_id FROM events WHERE dataset_id = 'shop' AND event = '${WATCHED}' FORMAT TSV`,
  })
  return (await answer.text()).split('\n').filter((id) => id !== '')
}

async function idsInApi({ readKey }: BenchContext, port: number): Promise<readonly string[]> {
  const answer = await fetch(
    `http://127.0.0.1:${port}/api/datasets/shop/events?event=${WATCHED}&limit=${API_PAGE}`,
    { headers: { authorization: `Bearer ${readKey}` } },
  )
  if (!answer.ok) throw new Error(`The list of events was answered ${answer.status}: ${await answer.text()}`)
  const { results } = (await answer.json()) as { results: readonly { id: string }[] }
  return results.map(({ id }) => id)
}

function latencies(sentMs: ReadonlyMap<string, number>, seenMs: ReadonlyMap<string, number>): number[] {
  return [...seenMs].flatMap(([id, ms]) => (sentMs.has(id) ? [Math.max(0, ms - sentMs.get(id)!)] : []))
}
