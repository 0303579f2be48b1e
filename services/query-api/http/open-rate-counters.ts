import type { Clock } from '../../core/runtime/clock.ts'
import type { Logger } from '../../core/runtime/logger.ts'
import type { Metrics } from '../../core/runtime/metrics.ts'
import { createMemoryRateCounters } from './memory-rate-counters.ts'
import type { CountersByIdentity } from './rate-limiter.ts'

/** Counters of this process, or those that processes share in Redis. */
export async function openRateCounters(
  redisUrl: string | null,
  needs: { readonly clock: Clock; readonly metrics: Metrics; readonly logger: Logger },
): Promise<CountersByIdentity> {
  if (redisUrl !== null) {
    const { openRedisRateCounters } = await import('./redis-rate-counters.ts')
    const shared = openRedisRateCounters(redisUrl, needs.logger)
    return { known: shared, addresses: shared }
  }
  const forgotten = needs.metrics.counter(
    'millrace_query_api_rate_counters_forgotten_total',
    'Counters that were forgotten before their time, because there were too many.',
  )
  const inMemory = () => createMemoryRateCounters(needs.clock, () => forgotten.add(1))
  return { known: inMemory(), addresses: inMemory() }
}
