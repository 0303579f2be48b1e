import type { EnrichedEvent } from '../../schemas/enriched-event/v1.ts'
import { kafkaNames } from '../../services/core/kafka/topics.ts'
import { systemClock } from '../../services/core/runtime/clock.ts'
import { Health } from '../../services/core/runtime/health.ts'
import { createLogger } from '../../services/core/runtime/logger.ts'
import { createMetrics } from '../../services/core/runtime/metrics.ts'
import { parseSettings } from '../../services/core/runtime/settings.ts'
import { IDENTITY_SETTINGS } from '../../services/identity/config.ts'
import { runIdentity } from '../../services/identity/pipeline.ts'
import { createCommandLog } from '../../services/query-api/persons/command-log.ts'
import { createMemoryIdentityStore } from '../services/identity/memory-identity-store.ts'
import { enriched } from '../services/identity/repartition/enriched.ts'
import { openApiEngine } from './api-engine.ts'
import { createMemoryLog } from './memory-log.ts'

const names = kafkaNames('')

/** The query API and the identity stage over the real ClickHouse engine, with a log in memory between them. */
export async function openIdentityApi() {
  const log = createMemoryLog({ clock: systemClock })
  await log.admin.createTopics([{ topic: names.enriched, partitions: 1, replicationFactor: 1, config: {} }])
  const api = await openApiEngine({
    clock: systemClock,
    commandLog: createCommandLog(log, names),
    // Tests ask until something has come.
    rateLimits: { enabled: false, allowed: new Set() },
  })
  const input = await log.openProducer({ clientId: 'test', lingerMs: 0, deliveryTimeoutMs: 1_000 })
  const ending = new AbortController()
  let written = 0
  const running = runIdentity({
    log,
    names,
    store: createMemoryIdentityStore(),
    clickhouse: api.clickhouse,
    settings: parseSettings(IDENTITY_SETTINGS, { MILLRACE_IDENTITY_PUBLISH_INTERVAL: '10ms' }),
    clock: systemClock,
    random: Math.random,
    newOwner: () => 'owner',
    failPoint: () => {},
    logger: createLogger('test', 'error'),
    metrics: createMetrics(),
    health: new Health(),
    stopping: ending.signal,
  })

  /** An event as the enricher puts it, told to identity, and stored as the ClickHouse sink does. */
  async function happen(given: Partial<EnrichedEvent> & { readonly late?: boolean }): Promise<void> {
    const { late = false, ...fields } = given
    const now = new Date().toISOString()
    const event = {
      ...enriched({ event_time: now, collector_time: now, event_id: `e${written}`, ...fields }),
      src_partition: 0,
      src_offset: written++,
    }
    if (!late) {
      const value = Buffer.from(JSON.stringify(event))
      await input.produce([{ topic: names.enriched, partition: 0, key: null, value }])
    }
    await api.insert('events', [
      { ...event, properties: JSON.stringify(event.properties), set: null, set_once: null, groups: null },
    ])
  }

  /** Until what is asked for is so. @throws after two minutes: a bound against hanging, not a claim about speed */
  async function eventually<T>(ask: () => Promise<T>, isSo: (found: T) => boolean): Promise<T> {
    const until = Date.now() + 120_000
    for (;;) {
      const found = await ask()
      if (isSo(found)) return found
      if (Date.now() > until) throw new Error(`It never became so: ${JSON.stringify(found)}`)
      await systemClock.sleep(100)
    }
  }

  return {
    ...api,
    happen,
    eventually,
    async close() {
      ending.abort()
      await running
      await log.close()
      await api.close()
    },
  }
}
export type IdentityApi = Awaited<ReturnType<typeof openIdentityApi>>
