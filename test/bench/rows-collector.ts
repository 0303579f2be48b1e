import autocannon from 'autocannon'
import { freePort } from '../../infra/engines/ports.ts'
import { type TrafficOptions, trafficRequests } from '../../services/cli/generate/traffic.ts'
import type { BenchContext } from './bench-context.ts'
import type { BenchRow } from './report.ts'

/** Events sent in batches; what every later row works on. */
const BATCHED_EVENTS = 300_000
const SINGLE_EVENTS = 60_000
const BATCH = 100
const CONNECTIONS = 64
/**
 * Distinct bodies that the load repeats, every connection with a copy of its own. Events carry no id: the collector
 * gives each its own.
 */
const SINGLE_BODIES = 500
const BATCH_BODIES = 20

const TRAFFIC: TrafficOptions = {
  seed: 1,
  run: 1,
  untilMs: Date.parse('2026-01-31T12:00:00Z'),
  spanMs: 7 * 86_400_000,
  users: 2_000,
  events: BATCH_BODIES * BATCH,
  batchEvents: BATCH,
  datasets: [{ id: 'shop', profile: 'shop' }],
  brokenShare: 0,
  botShare: 0.05,
  skewedShare: 0,
  repeatedShare: 0,
}

/** Seeded events of about 800 bytes, without ids. */
export function benchEvents(): readonly string[] {
  const events: string[] = []
  for (const { body } of trafficRequests(TRAFFIC)) {
    const { batch } = JSON.parse(body) as { batch: readonly Record<string, unknown>[] }
    for (const { event_id: _, ...event } of batch) events.push(JSON.stringify(event))
  }
  return events
}

/** Sends that many events more, unmeasured. */
export async function sendEvents(context: BenchContext, total: number): Promise<void> {
  const port = await freePort()
  const stage = await context.start('collector', { MILLRACE_COLLECTOR_PORT: String(port) })
  const result = await autocannon({
    url: `http://127.0.0.1:${port}/v1/events`,
    method: 'POST',
    connections: 8,
    amount: total / BATCH,
    headers: { authorization: `Bearer ${context.writeKey}`, 'content-type': 'application/json' },
    requests: batchBodies(benchEvents()).map((body) => ({ body })),
  })
  if (result.non2xx > 0 || result.errors > 0) throw new Error('The events for the next row were not taken.')
  await stage.stop()
}

function batchBodies(events: readonly string[]): readonly string[] {
  return Array.from(
    { length: BATCH_BODIES },
    (_, i) => `{"batch":[${events.slice(i * BATCH, (i + 1) * BATCH).join(',')}]}`,
  )
}

/** HTTP to the broker's acknowledgement: one event a request, then a hundred. */
export async function benchCollector(context: BenchContext): Promise<readonly BenchRow[]> {
  const port = await freePort()
  const stage = await context.start('collector', { MILLRACE_COLLECTOR_PORT: String(port) })
  const events = benchEvents()
  const bytes = events.reduce((sum, event) => sum + event.length, 0) / events.length
  context.say(`Events of ${Math.round(bytes)} bytes.`)
  const singles = events.slice(0, SINGLE_BODIES)
  const batches = batchBodies(events)
  const measure = async (
    name: string,
    bodies: readonly string[],
    perRequest: number,
    total: number,
  ): Promise<BenchRow> => {
    context.say(`${name}: ${total} events.`)
    const load = (requests: number) =>
      autocannon({
        url: `http://127.0.0.1:${port}/v1/events`,
        method: 'POST',
        connections: CONNECTIONS,
        amount: requests,
        headers: { authorization: `Bearer ${context.writeKey}`, 'content-type': 'application/json' },
        requests: bodies.map((body) => ({ body })),
      })
    await load(Math.ceil(total / perRequest / 10))
    const before = (await stage.usage()).cpuSeconds
    const result = await load(total / perRequest)
    const { cpuSeconds, peakRssMiB } = await stage.usage()
    if (result.non2xx > 0 || result.errors > 0)
      throw new Error(`${name}: ${result.non2xx} refusals, ${result.errors} errors.`)
    return {
      name,
      events: total,
      eventsPerSecond: total / result.duration,
      cpuMicrosPerEvent: ((cpuSeconds - before) * 1e6) / total,
      peakRssMiB,
      latencyOf: 'request',
      p50Ms: result.latency.p50,
      p99Ms: result.latency.p99,
    }
  }
  const rows = [
    await measure('collector, single events', singles, 1, SINGLE_EVENTS),
    await measure(`collector, ${BATCH} a request`, batches, BATCH, BATCHED_EVENTS),
  ]
  await stage.stop()
  return rows
}
