import { setTimeout as sleep } from 'node:timers/promises'
import type { DemoConnections } from '../../services/cli/demo/demo-connections.ts'
import { isDrained, lagOf } from '../../services/cli/demo/lag.ts'
import type { ChaosSystem } from './chaos-system.ts'
import { consumersOf } from './consumers.ts'

/** What did not become less for so long hangs, ms; how long it all takes depends on the machine and on what faults held up. */
const STALLED_MS = 300_000

/** What collectors answered 202 is in Kafka before anybody asks where Kafka ends. */
export async function untilStoresAreEmpty(
  system: ChaosSystem,
  progress: (text: string) => void,
): Promise<void> {
  for (const { stage, name } of system.stages) {
    if (stage !== 'collector') continue
    const moves = watchProgress(`${name} does not send what it stores`, 'bytes')
    await untilNone(system, name, 'millrace_collector_store_bytes', (bytes) => {
      progress(`${name} stores ${bytes ?? 'who knows how many'} bytes`)
      moves(bytes)
    })
  }
}

/** What became of persons is told when nobody has any more to say. */
export async function untilPersonsAreTold(
  system: ChaosSystem,
  progress: (text: string) => void,
): Promise<void> {
  for (const { stage, name } of system.stages) {
    if (stage !== 'identity') continue
    const moves = watchProgress(`${name} does not tell what became of persons`, 'rows')
    await untilNone(system, name, 'millrace_identity_outbox_rows', (rows) => {
      progress(`${name} has ${rows ?? 'who knows how many'} rows to tell`)
      moves(rows)
    })
  }
}

/** @param onSome told of what a gauge of the process says, all its series together, while it is not 0 */
async function untilNone(
  system: ChaosSystem,
  name: string,
  gauge: string,
  onSome: (left: number | null) => void,
): Promise<void> {
  for (;;) {
    const left = await gaugeOf(system.opsPorts.get(name) as number, gauge)
    if (left === 0) return
    onSome(left)
    await sleep(200)
  }
}

/** Null while the process does not say; 0 where it has none. */
async function gaugeOf(opsPort: number, gauge: string): Promise<number | null> {
  try {
    const answer = await fetch(`http://127.0.0.1:${opsPort}/metrics`, { signal: AbortSignal.timeout(2_000) })
    const lines = (await answer.text()).matchAll(new RegExp(`^${gauge}(?:{.*})? (\\S+)$`, 'gm'))
    return [...lines].reduce((sum, [, value]) => sum + Number(value), 0)
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
