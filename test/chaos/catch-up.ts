import { setTimeout as sleep } from 'node:timers/promises'
import type { Consumption } from '../../services/cli/demo/lag.ts'
import type { Log } from '../../services/core/kafka/log.ts'
import type { ChaosSystem } from './chaos-system.ts'
import { arrivalRate, lagSecondsOf, type Standing, standingOf, watchStandings } from './standing.ts'

/** How a consumer that was away came back to its usual lag while the load went on. */
export interface CatchUp {
  /** From when it could work again, its start included. */
  readonly seconds: number
  /** Offsets it consumed per second in that time, as a multiple of those that arrived per second before. */
  readonly timesLive: number
}

/**
 * How long consumers are away, ms. Their start counts, all of them at once on the cores of this machine: after a shorter absence
 * a start of ten seconds would be most of what is measured.
 */
export const AWAY_MS = 90_000
/** How long the usual lag and rate are looked at before, ms. */
const LIVE_MS = 20_000
const LOOK_MS = 250
const PATIENCE_MS = 240_000
/** A consumer with less than this to do, seconds of arrivals, has nothing left of an earlier fault. */
const SETTLED_SECONDS = 8
/** Batches of these runs are due after 2 s, so a lag of so many seconds of arrivals is none, however lucky the look before was. */
const FRESH_SECONDS = 3

/**
 * Stops every consuming process for a while under load, then lets all start at once.
 *
 * @param source the consumer that the others live on: what it has not done yet they cannot have
 * @returns by the consumers' names
 */
export async function measureCatchUp(
  system: ChaosSystem,
  log: Log,
  consumers: readonly Consumption[],
  source: Consumption,
  count: (figure: string) => void,
): Promise<ReadonlyMap<string, CatchUp>> {
  const live = await untilSettled(log, consumers)
  const stopped = system.stages.filter(({ stage }) => stage !== 'collector')
  const starts = stopped.map((each) => each.starts)
  await Promise.all(stopped.map((each) => each.kill(AWAY_MS)))
  for (const { stage } of stopped) count(`kills ${stage}`)
  while (stopped.every((each, index) => each.starts === starts[index])) await sleep(LOOK_MS / 5)
  return untilCaughtUp(log, consumers, live, source)
}

/** Looks until no consumer has anything left of an earlier fault. @returns the last look at each */
export async function untilSettled(log: Log, consumers: readonly Consumption[]) {
  for (const deadline = performance.now() + PATIENCE_MS; ; ) {
    const live = await watchStandings(log, consumers, LIVE_MS)
    const late = [...live].find(([, standings]) => !isSettled(standings))
    if (!late) return live
    if (performance.now() > deadline)
      throw new Error(
        `${late[0]} is behind, or gets nothing, without a fault: this machine is too slow for the load; lower RATE.`,
      )
  }
}

/** Records arrive, and what is not done with arrived of late. */
export function isSettled(standings: readonly Standing[]): boolean {
  const isFed = (standings.at(-1)?.end ?? 0) > (standings[0]?.end ?? 0)
  return isFed && lagSecondsOf(standings) <= SETTLED_SECONDS
}

/** To be called when they can work again. @param live how they stood before they were away */
export async function untilCaughtUp(
  log: Log,
  consumers: readonly Consumption[],
  live: ReadonlyMap<string, readonly Standing[]>,
  source: Consumption | null,
): Promise<ReadonlyMap<string, CatchUp>> {
  const begunMs = performance.now()
  const since = new Map(consumers.map(({ name }) => [name, [] as Standing[]]))
  const found = new Map<string, CatchUp>()
  let sourceMs = source === null ? begunMs : Number.POSITIVE_INFINITY
  while (found.size < consumers.length) {
    for (const consumer of consumers) {
      const { name } = consumer
      if (found.has(name)) continue
      const seen = since.get(name) as Standing[]
      const standing = await standingOf(log, consumer)
      if (standing) seen.push(standing)
      const isSource = name === source?.name
      const done = catchUpOf(live.get(name) ?? [], seen, begunMs, isSource ? begunMs : sourceMs)
      if (done === null) continue
      found.set(name, done)
      if (isSource) sourceMs = begunMs + done.seconds * 1000
    }
    const late = consumers.find(({ name }) => !found.has(name))
    if (late && performance.now() > begunMs + PATIENCE_MS)
      throw new Error(`${late.name} did not catch up within ${PATIENCE_MS / 1000} s.`)
    await sleep(LOOK_MS)
  }
  return found
}

/**
 * @param live  before it was away: what arrives, and the most it lags behind as a rule
 * @param since from when it could work again
 * @param notBeforeMs monotonic; until then it only waits for somebody else
 * @returns null while its lag is still more than the usual
 */
export function catchUpOf(
  live: readonly Standing[],
  since: readonly Standing[],
  begunMs: number,
  notBeforeMs: number,
): CatchUp | null {
  const arrivals = arrivalRate(live)
  const usual = Math.max(FRESH_SECONDS * arrivals, ...live.map(({ committed, end }) => end - committed))
  const done = since.find(
    ({ atMs, committed, end }) => atMs >= notBeforeMs && atMs > begunMs && end - committed <= usual,
  )
  const first = since[0]
  if (!done || !first) return null
  const seconds = (done.atMs - begunMs) / 1000
  return { seconds, timesLive: (done.committed - first.committed) / seconds / arrivals }
}
