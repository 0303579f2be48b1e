import type { Dataset, Subscription } from '../../../schemas/control/v1.ts'
import type { Log, ProduceRecord } from '../../../services/core/kafka/log.ts'
import { recordKey } from '../../../services/core/kafka/partition.ts'
import { HEADERS, kafkaNames } from '../../../services/core/kafka/topics.ts'
import { DependencyError } from '../../../services/core/runtime/errors.ts'
import { Health } from '../../../services/core/runtime/health.ts'
import { createLogger } from '../../../services/core/runtime/logger.ts'
import { createMetrics, type Metrics } from '../../../services/core/runtime/metrics.ts'
import { parseSettings } from '../../../services/core/runtime/settings.ts'
import { ROUTER_SETTINGS } from '../../../services/subscriber-router/config.ts'
import { runRouter } from '../../../services/subscriber-router/pipeline.ts'
import { createProcesses, type RunningProcess } from '../../helpers/killable-processes.ts'
import { createManualClock } from '../../helpers/manual-clock.ts'
import { controlView } from '../../helpers/memory-control.ts'
import { createMemoryLog } from '../../helpers/memory-log.ts'

export const names = kafkaNames('')
export const PARTITIONS = 2

export const DATASETS: readonly Dataset[] = [
  { id: 'shop', account: 'acme' },
  { id: 'blog', account: 'acme' },
  { id: 'other', account: 'rival' },
]

export interface RunningRouter extends RunningProcess {
  readonly metrics: Metrics
}

/** A log, a configuration and any number of router processes over them. Time stands still until it is moved. */
export async function createRouterWorld(subscriptions: readonly Subscription[]) {
  const clock = createManualClock()
  const processes = createProcesses(clock)
  const log = createMemoryLog({ clock, onCall: processes.onCall })
  const control = controlView({ datasets: DATASETS, subscriptions })
  await log.admin.createTopics([
    { topic: names.enriched, partitions: PARTITIONS, replicationFactor: 1, config: {} },
  ])
  const input = await log.openProducer({ clientId: 'test', lingerMs: 0, deliveryTimeoutMs: 1000 })
  let owners = 0
  let written = 0

  function startRouter(
    options: { readonly killAt?: number; readonly failPoint?: (name: string) => void } = {},
  ): RunningRouter {
    const metrics = createMetrics()
    const run = (own: Log, stopping: AbortSignal) =>
      runRouter({
        log: own,
        names,
        control,
        settings: parseSettings(ROUTER_SETTINGS, { MILLRACE_ROUTER_BATCH_RECORDS: '5' }),
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

  return {
    clock,
    log,
    control,
    startRouter,
    /** Puts events into one partition of events.enriched; their ids count up over the whole world. */
    async write(
      partition: number,
      events: readonly {
        readonly dataset?: string
        readonly event?: string
        readonly distinct?: string
        readonly properties?: object
        readonly headers?: Readonly<Record<string, string>>
        readonly src?: number
        readonly value?: string
      }[],
    ): Promise<void> {
      await input.produce(
        events.map((given): ProduceRecord => {
          const { dataset = 'shop', event = 'view', distinct = 'ann', properties = {} } = given
          const id = `e${++written}`
          const src = `${partition}:${given.src ?? written}`
          return {
            topic: names.enriched,
            partition,
            key: recordKey(dataset, distinct, id),
            value: Buffer.from(
              given.value ??
                JSON.stringify({
                  event_id: id,
                  dataset_id: dataset,
                  event,
                  distinct_id: distinct,
                  ip: '1.2.3.4',
                  properties,
                }),
            ),
            headers: {
              [HEADERS.eventId]: id,
              [HEADERS.datasetId]: dataset,
              [HEADERS.event]: event,
              [HEADERS.schema]: '1',
              [HEADERS.source]: src,
              [HEADERS.recipe]: 'r',
              ...given.headers,
            },
          }
        }),
      )
    },
    /** `event_id` of what a read_committed consumer of the subscription's topic sees, per partition. */
    delivered(subscription: string): string[][] {
      const topic = names.subscriber(subscription)
      const ids: string[][] = []
      for (let partition = 0; ; partition++) {
        let batch: ReturnType<typeof log.controls.records>
        try {
          batch = log.controls.records(topic, partition)
        } catch (error) {
          if (error instanceof DependencyError) return ids
          throw error
        }
        ids.push(
          Array.from({ length: batch?.length ?? 0 }, (_, i) => batch?.header(i, HEADERS.eventId) ?? ''),
        )
      }
    },
  }
}

export type RouterWorld = Awaited<ReturnType<typeof createRouterWorld>>

/** Ids `e<from>` to `e<to>`. */
export function ids(from: number, to: number): string[] {
  return Array.from({ length: to - from + 1 }, (_, i) => `e${from + i}`)
}
