import { setTimeout as sleep } from 'node:timers/promises'
import type { Consumption } from '../../services/cli/demo/lag.ts'
import type { Log } from '../../services/core/kafka/log.ts'

/** How far a consumer is at one moment, all partitions together; offsets, markers of transactions among them. */
export interface Standing {
  /** Monotonic. */
  readonly atMs: number
  readonly committed: number
  readonly end: number
}

const LOOK_MS = 250

export async function standingOf(log: Log, { group, topic }: Consumption): Promise<Standing> {
  const positions = await log.admin.groupPositions(group, topic)
  const ranges = await log.admin.offsetRanges(topic, 'read_committed')
  const committed = new Map(positions.map(({ partition, offset }) => [partition, offset ?? 0]))
  let [reached, end] = [0, 0]
  for (const range of ranges) {
    reached += Math.max(range.start, committed.get(range.partition) ?? 0)
    end += range.end
  }
  return { atMs: performance.now(), committed: reached, end }
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
      consumers.map(async (consumer) => seen.get(consumer.name)?.push(await standingOf(log, consumer))),
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
