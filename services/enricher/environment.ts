import type { ControlView } from '../core/control/control-view.ts'
import type { GroupConsumerOptions, Log } from '../core/kafka/log.ts'
import type { KafkaNames } from '../core/kafka/topics.ts'
import type { Clock } from '../core/runtime/clock.ts'
import type { FailPoint } from '../core/runtime/fail-points.ts'
import type { Health } from '../core/runtime/health.ts'
import type { Logger } from '../core/runtime/logger.ts'
import type { Metrics } from '../core/runtime/metrics.ts'
import type { IdBudget } from './dedupe/dedupe-window.ts'
import type { Reference } from './enrich.ts'
import type { EnricherMetrics } from './enricher-metrics.ts'
import type { EnricherFailPoint } from './fail-points.ts'
import type { RecordLimits } from './judge-record.ts'
import type { Rules } from './rules.ts'

/** What the enricher needs of the world. One per process, shared by its partitions. */
export interface Environment {
  readonly log: Log
  readonly names: KafkaNames
  readonly control: Pick<ControlView, 'problem'>
  /** Configuration and reference data as they are now, belonging together; a transaction takes them once. */
  readonly current: () => { readonly rules: Rules; readonly reference: Reference }
  readonly idBudget: IdBudget
  readonly limits: EnricherLimits
  readonly group: Pick<GroupConsumerOptions, 'sessionTimeoutMs' | 'prefetchBytesMax'>
  readonly clock: Clock
  /** In [0, 1). */
  readonly random: () => number
  readonly randomBytes: (size: number) => Buffer
  readonly failPoint: FailPoint<EnricherFailPoint>
  readonly logger: Logger
  readonly metrics: EnricherMetrics
  /** Where the runner of partitions puts its own. */
  readonly registry: Metrics
  readonly health: Health
  /** Partitions whose last worker in this process ended by an error of Kafka's rather than by a crash. */
  readonly absolved: Set<number>
}

export interface EnricherLimits extends RecordLimits {
  readonly batchRowsMax: number
  readonly batchBytesMax: number
  readonly lingerMs: number
  readonly transactionTimeoutMs: number
  readonly dedupeWindowMs: number
  readonly tickMs: number
  /** Longest silence of the changelog while it is read back, ms. */
  readonly takeoverSilenceMs: number
}
