import { setTimeout as sleep } from 'node:timers/promises'
import type { DemoConnections } from '../../services/cli/demo/demo-connections.ts'
import { type Consumption, stablePositions } from '../../services/cli/demo/lag.ts'
import { type CatchUp, measureCatchUp } from './catch-up.ts'
import type { ChaosSystem } from './chaos-system.ts'
import { consumersOf, heldPartitions, type WatchedConsumer, watchedConsumers } from './consumers.ts'
import { measureOutages, type Outage } from './outage.ts'
import { eachLine } from './read-places.ts'

/** How fast work goes on after kills and outages; load flows, no other fault is there. Milliseconds each. */
export interface Recovery {
  /** Per stage, one for every partition that a killed process had: until somebody else committed a later position. */
  readonly firstCommit: Readonly<Record<string, readonly number[]>>
  /** After every stage was killed at once: until an event was accepted, and until one was in ClickHouse. */
  readonly accepting: readonly number[]
  readonly fresh: readonly number[]
  /** Per consumer, one for every time that all consuming processes were away. */
  readonly catchUp: Readonly<Record<string, readonly CatchUp[]>>
  /** S3 and ClickHouse away in turn; once per run. */
  readonly outages: readonly Outage[]
}

/** Of a run that measured nothing. */
const NO_RECOVERY: Recovery = { firstCommit: {}, accepting: [], fresh: [], catchUp: {}, outages: [] }

/** A killed process stays away for so long, so that another one has to take over. */
const AWAY_MS = 15_000
/** After a kill what the process sent before may still arrive. */
const LAST_WORDS_MS = 200
const LOOK_MS = 100
const PATIENCE_MS = 60_000

/** Stops all consumers, kills one process of each consuming stage, then everything, `rounds` times over; outages once. */
export async function measureRecovery(
  system: ChaosSystem,
  connections: DemoConnections,
  rounds: number,
  count: (figure: string, by?: number) => void,
  onProgress: (what: string) => void,
): Promise<Recovery> {
  const { log, names } = connections
  const watched = watchedConsumers(names)
  const firstCommit: Record<string, number[]> = {}
  const accepting: number[] = []
  const fresh: number[] = []
  const catchUp: Record<string, CatchUp[]> = {}
  for (let round = 0; round < rounds; round++) {
    onProgress(`recovery ${round + 1} of ${rounds}: every consumer is away`)
    // Persons live on what identity sends on, recordings on collectors, the others on the enricher.
    const others: readonly string[] = [names.identity, names.recordings]
    const fed = consumersOf(names).filter(({ topic }) => !others.includes(topic))
    const caughtUp = await measureCatchUp(system, log, fed, watched[0]!, count)
    for (const [name, each] of caughtUp) catchUp[name] = [...(catchUp[name] ?? []), each]
    for (const consumer of watched) {
      const { stage } = consumer
      onProgress(`recovery ${round + 1} of ${rounds}: ${stage}`)
      const took = await killOne(system, connections, consumer, round)
      count(`kills ${stage}`)
      firstCommit[stage] = [...(firstCommit[stage] ?? []), ...took]
    }
    onProgress(`recovery ${round + 1} of ${rounds}: everything`)
    const killedAt = Date.now()
    await Promise.all(system.stages.map((stage) => stage.kill(0)))
    for (const { stage } of system.stages) count(`kills ${stage}`)
    count('everything killed')
    const after = Date.now()
    const first = await firstEventAfter(connections, after)
    if (first !== null) {
      accepting.push(first.acceptedAt - killedAt)
      fresh.push(first.seenAt - killedAt)
    }
  }
  if (rounds === 0) return NO_RECOVERY
  const [, , s3, clickhouse] = watched
  const outages = await measureOutages(system, log, { s3: s3!, clickhouse: clickhouse! }, onProgress)
  return { firstCommit, accepting, fresh, catchUp, outages }
}

/** @returns per partition that the killed process had: ms from the kill to the first commit of a later position */
async function killOne(
  system: ChaosSystem,
  connections: DemoConnections,
  consumer: WatchedConsumer,
  round: number,
): Promise<readonly number[]> {
  const processes = system.stages.filter(({ stage }) => stage === consumer.stage)
  const target = processes[round % processes.length]!
  for (const { name } of processes) await untilHolding(system, name, consumer)
  const held = await untilHolding(system, target.name, consumer)
  await untilAllAdvance(connections, consumer)
  const killedMs = performance.now()
  await target.kill(AWAY_MS)
  await sleep(LAST_WORDS_MS)
  const begun = await positions(connections, consumer)
  const took = new Map<number, number>()
  while (took.size < held.length) {
    await sleep(LOOK_MS)
    const now = await positions(connections, consumer)
    const passedMs = Math.round(performance.now() - killedMs)
    for (const partition of held)
      if (!took.has(partition) && (now.get(partition) ?? -1) > (begun.get(partition) ?? -1))
        took.set(partition, passedMs)
    if (passedMs > PATIENCE_MS)
      throw new Error(`${consumer.name} did not go on within ${PATIENCE_MS / 1000} s.`)
  }
  // Its return must not disturb what is measured next.
  await untilHolding(system, target.name, consumer)
  return [...took.values()]
}

/** Waits until a process has partitions of the consumer. @returns which */
async function untilHolding(
  system: ChaosSystem,
  name: string,
  consumer: WatchedConsumer,
): Promise<readonly number[]> {
  const url = `http://127.0.0.1:${system.opsPorts.get(name)}/metrics`
  for (const deadline = performance.now() + PATIENCE_MS; performance.now() < deadline; await sleep(LOOK_MS)) {
    const answer = await fetch(url, { signal: AbortSignal.timeout(5_000) }).catch(() => null)
    const held = answer === null ? [] : heldPartitions(await answer.text(), consumer)
    if (held.length > 0) return held
  }
  throw new Error(
    `${name} has no partition of ${consumer.topic} ${PATIENCE_MS / 1000} s after it was started.`,
  )
}

/** Waits until each partition stands further than now: all is well. */
async function untilAllAdvance(connections: DemoConnections, consumption: Consumption): Promise<void> {
  const begun = await positions(connections, consumption)
  const deadline = performance.now() + PATIENCE_MS
  for (;;) {
    await sleep(LOOK_MS)
    const now = await positions(connections, consumption)
    if ([...now].every(([partition, offset]) => offset > (begun.get(partition) ?? -1)) && now.size > 0) return
    if (performance.now() > deadline)
      throw new Error(`${consumption.name} did not go on within ${PATIENCE_MS / 1000} s.`)
  }
}

/** Waits while the broker does not tell, as in the middle of a transaction that moves them. */
async function positions({ log }: DemoConnections, { group, topic }: Consumption) {
  for (const deadline = performance.now() + PATIENCE_MS; performance.now() < deadline; await sleep(LOOK_MS)) {
    const found = await stablePositions(log, group, topic)
    if (found) return new Map(found.map(({ partition, offset }) => [partition, offset ?? -1]))
  }
  throw new Error(`The broker does not tell where ${group} stands in ${topic}.`)
}

async function firstEventAfter(
  connections: DemoConnections,
  afterMs: number,
): Promise<{ acceptedAt: number; seenAt: number } | null> {
  const deadline = performance.now() + PATIENCE_MS
  const question = `SELECT toUnixTimestamp64Milli(min(collector_time)), count() FROM events WHERE collector_time > fromUnixTimestamp64Milli(toInt64(${afterMs})) FORMAT TSV`
  while (performance.now() < deadline) {
    let line = ''
    await eachLine(connections, question, (each) => {
      line = each
    })
    const [acceptedAt, events] = line.split('\t').map(Number)
    if (events !== undefined && events > 0) return { acceptedAt: acceptedAt as number, seenAt: Date.now() }
    await sleep(LOOK_MS)
  }
  return null
}

/** @param share in (0, 1] @returns null of nothing */
export function percentile(values: readonly number[], share: number): number | null {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? null
}
