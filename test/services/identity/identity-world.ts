import type { EnrichedEvent } from '../../../schemas/enriched-event/v1.ts'
import type { Log } from '../../../services/core/kafka/log.ts'
import { partitionOf, recordKey } from '../../../services/core/kafka/partition.ts'
import { kafkaNames } from '../../../services/core/kafka/topics.ts'
import { Health } from '../../../services/core/runtime/health.ts'
import { createLogger } from '../../../services/core/runtime/logger.ts'
import { createMetrics, type Metrics } from '../../../services/core/runtime/metrics.ts'
import { parseSettings } from '../../../services/core/runtime/settings.ts'
import { IDENTITY_SETTINGS } from '../../../services/identity/config.ts'
import { runIdentity } from '../../../services/identity/pipeline.ts'
import { createProcesses, type RunningProcess } from '../../helpers/killable-processes.ts'
import { createManualClock } from '../../helpers/manual-clock.ts'
import { createMemoryLog, valuesOf } from '../../helpers/memory-log.ts'
import { createMemoryIdentityStore } from './memory-identity-store.ts'
import { createMemoryTables } from './memory-tables.ts'
import { enriched } from './repartition/enriched.ts'

export const names = kafkaNames('')
export const PARTITIONS = 2

export interface RunningIdentity extends RunningProcess {
  readonly metrics: Metrics
}

/** A log, a store, tables and any number of processes over them. Time stands still until it is moved. */
export async function createIdentityWorld(settings: Readonly<Record<string, string>> = {}) {
  const clock = createManualClock()
  const processes = createProcesses(clock)
  const { onCall } = processes
  const log = createMemoryLog({ clock, onCall })
  const store = createMemoryIdentityStore(onCall)
  const tables = createMemoryTables(onCall)
  await log.admin.createTopics([
    { topic: names.enriched, partitions: PARTITIONS, replicationFactor: 1, config: {} },
  ])
  const input = await log.openProducer({ clientId: 'test', lingerMs: 0, deliveryTimeoutMs: 1_000 })
  let owners = 0
  const written = Array.from({ length: PARTITIONS }, () => 0)

  function start(
    options: { readonly killAt?: number; readonly failPoint?: (name: string) => void } = {},
  ): RunningIdentity {
    const metrics = createMetrics()
    const run = (own: Log, stopping: AbortSignal) =>
      runIdentity({
        log: own,
        names,
        store,
        clickhouse: tables.clickhouse,
        settings: parseSettings(IDENTITY_SETTINGS, {
          MILLRACE_IDENTITY_BATCH_RECORDS: '4',
          MILLRACE_IDENTITY_SELECT_RECORDS: '5',
          MILLRACE_IDENTITY_PUBLISH_ROWS: '6',
          ...settings,
        }),
        clock,
        random: () => 0.5,
        newOwner: () => `owner-${++owners}`,
        failPoint: options.failPoint ?? (() => {}),
        logger: createLogger('test', 'error', { write: () => undefined }),
        metrics,
        health: new Health(),
        stopping,
      })
    return { ...processes.start(log, run, options.killAt), metrics }
  }

  /** Puts events where the enricher would. */
  async function write(events: readonly Partial<EnrichedEvent>[]): Promise<void> {
    await input.produce(
      events.map((given) => {
        const event = enriched(given)
        const key = recordKey(event.dataset_id, event.distinct_id, event.event_id)
        const partition = partitionOf(key, PARTITIONS)
        const src = written[partition] as number
        written[partition] = src + 1
        const value = Buffer.from(JSON.stringify({ ...event, src_partition: partition, src_offset: src }))
        return { topic: names.enriched, partition, key, value }
      }),
    )
  }

  const partitions = [...Array(PARTITIONS).keys()]
  /** Everything that came out, in an order that says nothing of when. */
  function outcome() {
    const persons = new Map<string, string | null>()
    for (const partition of partitions) {
      const batch = log.controls.records(names.persons, partition)
      for (let i = 0; i < (batch?.length ?? 0); i++)
        persons.set(String(batch?.key(i)), batch?.value(i)?.toString() ?? null)
    }
    return {
      sent: partitions
        .flatMap((partition) => valuesOf(log.controls.records(names.identity, partition)))
        .sort(),
      state: ['shop', 'blog'].flatMap((id) => store.personsOf(id).map((one) => JSON.stringify(one))).sort(),
      topic: [...persons].sort(),
      persons: tables.newest('persons', 'dataset_id', 'person_key'),
      distinctIds: tables.newest('person_distinct_ids', 'dataset_id', 'distinct_id'),
      overrides: tables.newest('person_overrides', 'dataset_id', 'distinct_id'),
      history: tables.newest('person_changes', 'dataset_id', 'person_key', 'version'),
      belongings: tables.newest('person_override_changes', 'dataset_id', 'distinct_id', 'version'),
      groups: tables.newest('groups', 'dataset_id', 'group_type_index', 'group_key'),
    }
  }

  return { clock, log, store, tables, start, write, outcome, input }
}

export type IdentityWorld = Awaited<ReturnType<typeof createIdentityWorld>>
