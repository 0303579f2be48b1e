import { setTimeout as sleep } from 'node:timers/promises'
import type { DemoConnections } from '../../services/cli/demo/demo-connections.ts'
import type { Consumption } from '../../services/cli/demo/lag.ts'
import type { ChaosStage, ChaosSystem } from './chaos-system.ts'
import { eachLine } from './read-places.ts'

/** How fast work goes on after kills; load flows, no other fault is there. Milliseconds each. */
export interface Recovery {
  /** Per stage and kill of one of its two processes: until every partition was committed by somebody again. */
  readonly afterKill: Readonly<Record<string, readonly number[]>>
  /** After every stage was killed at once: until an event was accepted, and until one was in ClickHouse. */
  readonly accepting: readonly number[]
  readonly fresh: readonly number[]
}

/** A killed process stays away for so long, so that another one has to take over. */
const AWAY_MS = 20_000
const LOOK_MS = 100
const PATIENCE_MS = 60_000

/**
 * Kills one process of each consuming stage, then everything, `rounds` times over.
 *
 * @param watched which consumer stands for each stage
 */
export async function measureRecovery(
  system: ChaosSystem,
  connections: DemoConnections,
  watched: ReadonlyMap<ChaosStage, Consumption>,
  rounds: number,
  count: (figure: string, by?: number) => void,
  onProgress: (what: string) => void,
): Promise<Recovery> {
  const afterKill: Record<string, number[]> = {}
  const accepting: number[] = []
  const fresh: number[] = []
  for (let round = 0; round < rounds; round++) {
    for (const [stage, consumption] of watched) {
      onProgress(`recovery ${round + 1} of ${rounds}: ${stage}`)
      await untilAllAdvance(connections, consumption)
      const target = system.stages.filter((each) => each.stage === stage)[round % 2]!
      const killedMs = performance.now()
      await target.kill(AWAY_MS)
      count(`kills ${stage}`)
      const tookMs = (await untilAllAdvance(connections, consumption)) - killedMs
      afterKill[stage] = [...(afterKill[stage] ?? []), Math.round(tookMs)]
      const back = killedMs + AWAY_MS + 3_000 - performance.now()
      if (back > 0) await sleep(back)
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
  return { afterKill, accepting, fresh }
}

/** Waits until each partition stands further than now. @returns monotonic ms when the last one does */
async function untilAllAdvance(connections: DemoConnections, consumption: Consumption): Promise<number> {
  const begun = await positions(connections, consumption)
  const deadline = performance.now() + PATIENCE_MS
  for (;;) {
    await sleep(LOOK_MS)
    const now = await positions(connections, consumption)
    if ([...now].every(([partition, offset]) => offset > (begun.get(partition) ?? -1)) && now.size > 0)
      return performance.now()
    if (performance.now() > deadline)
      throw new Error(`${consumption.name} did not go on within ${PATIENCE_MS / 1000} s.`)
  }
}

async function positions({ log }: DemoConnections, { group, topic }: Consumption) {
  const found = await log.admin.groupPositions(group, topic)
  return new Map(found.map(({ partition, offset }) => [partition, offset ?? -1]))
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
