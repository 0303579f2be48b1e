import { setTimeout as sleep } from 'node:timers/promises'
import type { DemoConnections } from '../../services/cli/demo/demo-connections.ts'
import { isDrained, lagOf } from '../../services/cli/demo/lag.ts'
import type { ChaosStage, ChaosSystem } from './chaos-system.ts'
import { consumersOf } from './consumers.ts'

/** What did not become less for so long hangs, ms; how long it all takes depends on the machine and on what faults held up. */
const STALLED_MS = 300_000

/** What processes of a stage still have to do by themselves, as a gauge of theirs tells. */
interface Remainder {
  readonly stage: ChaosStage
  readonly gauge: string
  readonly unit: string
  /** Series that tell it all; with fewer of them, as of a process that has just started, nothing is known yet. */
  readonly series: number
}

/** What collectors answered 202 is in Kafka before anybody asks where Kafka ends. */
export function untilStoresAreEmpty(system: ChaosSystem, progress: (text: string) => void): Promise<void> {
  // One without a store has no series.
  const stored = {
    stage: 'collector',
    gauge: 'millrace_collector_store_bytes',
    unit: 'bytes',
    series: 0,
  } as const
  return untilNoneIsLeft(system, stored, progress)
}

/** What became of persons is told when nobody has any more to say. @param partitions of `events.identity` */
export function untilPersonsAreTold(
  system: ChaosSystem,
  partitions: number,
  progress: (text: string) => void,
): Promise<void> {
  const rows = {
    stage: 'identity',
    gauge: 'millrace_identity_outbox_rows',
    unit: 'rows',
    series: partitions,
  } as const
  return untilNoneIsLeft(system, rows, progress)
}

async function untilNoneIsLeft(
  system: ChaosSystem,
  remainder: Remainder,
  progress: (text: string) => void,
): Promise<void> {
  for (const { stage, name } of system.stages) {
    if (stage !== remainder.stage) continue
    const moves = watchProgress(`${name} does not finish`, remainder.unit)
    for (;;) {
      const left = await leftOf(system.opsPorts.get(name) as number, remainder)
      if (left === 0) break
      progress(`${name} has ${left ?? 'who knows how many'} ${remainder.unit} to go`)
      moves(left)
      await sleep(200)
    }
  }
}

/** All series together; null while the process does not say. */
async function leftOf(opsPort: number, { gauge, series }: Remainder): Promise<number | null> {
  try {
    const answer = await fetch(`http://127.0.0.1:${opsPort}/metrics`, { signal: AbortSignal.timeout(2_000) })
    const found = [...(await answer.text()).matchAll(new RegExp(`^${gauge}(?:{.*})? (\\S+)$`, 'gm'))]
    if (found.length < series) return null
    return found.reduce((sum, [, value]) => sum + Number(value), 0)
  } catch {
    return null
  }
}

/** Waits until every consumer has committed past the last record. @returns seconds */
export async function drain(connections: DemoConnections, progress: (text: string) => void): Promise<number> {
  const startedMs = performance.now()
  for (const consumer of consumersOf(connections.names)) {
    const moves = watchProgress(`${consumer.name} does not finish`, 'offsets')
    while (!(await isDrained(connections.log, consumer, 300))) {
      const { offsets } = await lagOf(connections.log, consumer)
      progress(`${consumer.name} has ${offsets} offsets to go`)
      moves(offsets)
      await sleep(200)
    }
  }
  return (performance.now() - startedMs) / 1000
}

/** @returns takes what is left, null when nobody says; throws when it has not become less for too long */
function watchProgress(hangs: string, unit: string): (left: number | null) => void {
  let least = Number.POSITIVE_INFINITY
  let sinceMs = performance.now()
  return (left) => {
    if (left !== null && left < least) {
      least = left
      sinceMs = performance.now()
    }
    if (performance.now() - sinceMs > STALLED_MS)
      throw new Error(
        `${hangs}: ${left ?? 'nobody knows how many'} ${unit} to go for ${STALLED_MS / 1000} s.`,
      )
  }
}
