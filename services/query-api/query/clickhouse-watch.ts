import type { ClickHouse } from '../../core/clickhouse/clickhouse.ts'
import type { Clock } from '../../core/runtime/clock.ts'

const EVERY_MS = 5_000

/** Asks ClickHouse now and then whether it is there, so that readiness tells the truth without a question. */
export function createClickHouseWatch(clickhouse: Pick<ClickHouse, 'ping'>, clock: Clock) {
  let problem: string | null = 'ClickHouse has not answered yet.'
  return {
    problem: () => problem,
    /** Until the signal aborts; never rejects. */
    async run(stopping: AbortSignal): Promise<void> {
      while (!stopping.aborted) {
        try {
          await clickhouse.ping()
          problem = null
        } catch (error) {
          problem = `ClickHouse does not answer: ${(error as Error).message}`
        }
        await clock.sleep(EVERY_MS, stopping)
      }
    },
  }
}
