import type { Consumption } from '../../services/cli/demo/lag.ts'
import type { Log } from '../../services/core/kafka/log.ts'
import { type CatchUp, untilCaughtUp, untilSettled } from './catch-up.ts'
import type { ChaosSystem } from './chaos-system.ts'
import { lagSecondsOf, watchStandings } from './standing.ts'

/** What a sink notices of the other one's dependency being away. */
export interface Outage {
  readonly away: 'S3' | 'ClickHouse'
  readonly seconds: number
  /** Mean lag of the other sink, seconds of arrivals. */
  readonly otherBefore: number
  readonly otherDuring: number
  /** How the sink whose dependency was away came back. */
  readonly catchUp: CatchUp
}

/** How long it is away, and how long both are looked at before, ms. */
const AWAY_MS = 60_000
const BEFORE_MS = 30_000

/** Nothing goes to S3 for a minute, then nothing to ClickHouse; both run on all the time. */
export async function measureOutages(
  { s3Double, clickhouseProxy }: ChaosSystem,
  log: Log,
  sinks: { readonly s3: Consumption; readonly clickhouse: Consumption },
  onProgress: (what: string) => void,
): Promise<readonly Outage[]> {
  const refuseAll = {
    fault: { kind: 'refuse', status: 503, code: 'SlowDown' },
    probability: 1,
    methods: ['GET', 'HEAD', 'PUT', 'POST', 'DELETE'],
  } as const
  const both = [sinks.s3, sinks.clickhouse]

  async function measure(
    away: Outage['away'],
    own: Consumption,
    other: Consumption,
    isAway: (now: boolean) => void,
  ): Promise<Outage> {
    await untilSettled(log, both)
    onProgress(`${away} goes away`)
    const before = await watchStandings(log, both, BEFORE_MS)
    isAway(true)
    const during = await watchStandings(log, [other], AWAY_MS)
    isAway(false)
    onProgress(`${away} is back`)
    const caughtUp = await untilCaughtUp(log, [own], before, null)
    return {
      away,
      seconds: AWAY_MS / 1000,
      otherBefore: lagSecondsOf(before.get(other.name) ?? []),
      otherDuring: lagSecondsOf(during.get(other.name) ?? []),
      catchUp: caughtUp.get(own.name) as CatchUp,
    }
  }

  return [
    await measure('S3', sinks.s3, sinks.clickhouse, (now) => s3Double.setFaults(now ? [refuseAll] : [])),
    await measure('ClickHouse', sinks.clickhouse, sinks.s3, (now) =>
      clickhouseProxy.setToxics(now ? [{ kind: 'down' }] : []),
    ),
  ]
}
