import { setTimeout as sleep } from 'node:timers/promises'
import { type Consumption, progressOf } from '../../services/cli/demo/lag.ts'
import type { Log } from '../../services/core/kafka/log.ts'

/** How far a consumer is at one moment, all partitions together; offsets, markers of transactions among them. */
export interface Standing {
  /** Monotonic. */
  readonly atMs: number
  readonly committed: number
  readonly end: number
}

const LOOK_MS = 250

/** Null while the broker does not tell. */
export async function standingOf(log: Log, consumption: Consumption): Promise<Standing | null> {
  const { partitions, isStable } = await progressOf(log, consumption)
  if (!isStable) return null
  const [committed, end] = partitions.reduce(
    ([reached, ends], partition) => [reached + partition.offset, ends + partition.end],
    [0, 0],
  )
  return { atMs: performance.now(), committed, end }
}

/** Looks at every consumer again and again. @returns by name, oldest first */
export async function watchStandings(
  log: Log,
  consumers: readonly Consumption[],
  ms: number,
): Promise<ReadonlyMap<string, readonly Standing[]>> {
  const seen = new Map(consumers.map(({ name }) => [name, [] as Standing[]]))
  for (const untilMs = performance.now() + ms; performance.now() < untilMs; await sleep(LOOK_MS))
    await Promise.all(
      consumers.map(async (consumer) => {
        const standing = await standingOf(log, consumer)
        if (standing) seen.get(consumer.name)?.push(standing)
      }),
    )
  return seen
}

/** Offsets that arrive per second. @throws Error when none did: nothing can be said about a consumer without a load */
export function arrivalRate(standings: readonly Standing[]): number {
  const [first, last] = [standings[0], standings.at(-1)]
  const rate = first && last ? ((last.end - first.end) / (last.atMs - first.atMs)) * 1000 : 0
  if (!(rate > 0)) throw new Error('Nothing arrived while a consumer was watched: is the load running?')
  return rate
}

/** Mean lag as the time in which so much arrives, seconds: how old what a consumer has done is. */
export function lagSecondsOf(standings: readonly Standing[]): number {
  const lags = standings.map(({ committed, end }) => end - committed)
  return lags.reduce((sum, lag) => sum + lag, 0) / lags.length / arrivalRate(standings)
}
