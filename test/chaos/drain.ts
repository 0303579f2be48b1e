import { setTimeout as sleep } from 'node:timers/promises'
import type { DemoConnections } from '../../services/cli/demo/demo-connections.ts'
import { isDrained, lagOf } from '../../services/cli/demo/lag.ts'
import type { ChaosSystem } from './chaos-system.ts'
import { consumersOf } from './consumers.ts'

/** Past it something hangs. A slow machine needs minutes for what faults held up, ms. */
const DRAIN_MAX_MS = 900_000

/** What collectors answered 202 is in Kafka before anybody asks where Kafka ends. */
export async function untilStoresAreEmpty(
  system: ChaosSystem,
  progress: (text: string) => void,
): Promise<void> {
  const deadline = performance.now() + DRAIN_MAX_MS
  for (const { stage, name } of system.stages) {
    if (stage !== 'collector') continue
    for (;;) {
      const bytes = await storedBytes(system.opsPorts.get(name) as number)
      if (bytes === 0) break
      progress(`${name} stores ${bytes ?? 'who knows how many'} bytes`)
      if (performance.now() > deadline)
        throw new Error(`${name} did not send what it stores; ${bytes} bytes to go.`)
      await sleep(200)
    }
  }
}

/** Null while the process does not say; 0 where there is no store. */
async function storedBytes(opsPort: number): Promise<number | null> {
  try {
    const answer = await fetch(`http://127.0.0.1:${opsPort}/metrics`, { signal: AbortSignal.timeout(2_000) })
    const line = /^millrace_collector_store_bytes (\S+)$/m.exec(await answer.text())
    return line === null ? 0 : Number(line[1])
  } catch {
    return null
  }
}

/** Waits until every consumer has committed past the last record. @returns seconds */
export async function drain(connections: DemoConnections, progress: (text: string) => void): Promise<number> {
  const startedMs = performance.now()
  for (const consumer of consumersOf(connections.names)) {
    while (!(await isDrained(connections.log, consumer, 300))) {
      const { offsets } = await lagOf(connections.log, consumer)
      progress(`${consumer.name} has ${offsets} offsets to go`)
      if (performance.now() - startedMs > DRAIN_MAX_MS)
        throw new Error(
          `${consumer.name} did not finish within ${DRAIN_MAX_MS / 1000} s; ${offsets} offsets to go.`,
        )
      await sleep(200)
    }
  }
  return (performance.now() - startedMs) / 1000
}
