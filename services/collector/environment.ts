import type { ControlView } from '../core/control/control-view.ts'
import type { CompressLine } from '../core/recordings/chunk-line.ts'
import type { Clock } from '../core/runtime/clock.ts'
import type { FailPoint } from '../core/runtime/fail-points.ts'
import type { Logger } from '../core/runtime/logger.ts'
import type { Admission } from './admission.ts'
import type { ByteBudget } from './byte-budget.ts'
import type { CollectorMetrics } from './collector-metrics.ts'
import type { CollectorFailPoint } from './fail-points.ts'
import type { IdempotencyCache } from './idempotency.ts'
import type { RecordKeeper } from './record-keeper.ts'
import type { SessionBudget } from './session-budget.ts'

/** Everything outside the collector that it needs. */
export interface Environment {
  readonly control: Pick<ControlView, 'snapshot' | 'problem'>
  readonly keeper: RecordKeeper
  /** Topic of the raw events and its partition count. */
  readonly rawTopic: string
  readonly rawPartitions: number
  /** Where chunks of recordings go: a topic and a producer of their own, so that events never wait for them. */
  readonly recordings: {
    readonly topic: string
    readonly partitions: number
    /** In Kafka alone: the store is for events. */
    readonly keeper: RecordKeeper
    readonly sessions: SessionBudget
    readonly compress: CompressLine
    /** Of a record in Kafka. */
    readonly recordBytesMax: number
  }
  readonly admission: Admission
  readonly budget: ByteBudget
  readonly idempotency: IdempotencyCache
  /** Makes the id of an event that brings none. */
  readonly nextEventId: () => string
  /** The trace of a request, given its `traceparent` header or undefined. */
  readonly traceparentOf: (header: unknown) => string
  readonly clock: Clock
  readonly metrics: CollectorMetrics
  readonly failPoint: FailPoint<CollectorFailPoint>
  readonly logger: Logger
}
