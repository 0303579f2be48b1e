import type { ClickHouse } from '../core/clickhouse/clickhouse.ts'
import type { GroupConsumerOptions, Log } from '../core/kafka/log.ts'
import type { KafkaNames } from '../core/kafka/topics.ts'
import type { ObjectStore } from '../core/object-store/object-store.ts'
import type { Clock } from '../core/runtime/clock.ts'
import type { Health } from '../core/runtime/health.ts'
import type { Logger } from '../core/runtime/logger.ts'
import type { Metrics } from '../core/runtime/metrics.ts'
import type { BatchLimits } from '../core/stream/planned-sink.ts'
import type { Decompress } from './open-chunk.ts'

/** What the stage needs of the world. One per process. */
export interface Environment {
  readonly log: Log
  readonly names: KafkaNames
  /** Its database has the tables. */
  readonly clickhouse: ClickHouse
  readonly store: ObjectStore
  readonly bucket: string
  readonly limits: BatchLimits
  readonly bounds: { readonly openBytesMax: number; readonly queueBytesMax: number }
  /** How long recordings are kept, and how often is looked for older ones, ms. */
  readonly cleanUp: { readonly retentionMs: number; readonly intervalMs: number }
  readonly group: Pick<GroupConsumerOptions, 'sessionTimeoutMs' | 'pollRecordsMax' | 'prefetchBytesMax'>
  /** Reads the line of a chunk, as `core/recordings/chunk-line.ts` does on threads. Rejects with what is wrong with it. */
  readonly decompress: Decompress
  readonly clock: Clock
  /** In [0, 1). */
  readonly random: () => number
  /** A text that never comes twice, at most 32 characters. */
  readonly nonce: () => string
  /** Called with the names of `PLANNED_FAIL_POINTS` and `RECORDING_FAIL_POINTS`; a test kills the process there. */
  readonly failPoint: (name: string) => Promise<void> | void
  readonly logger: Logger
  readonly metrics: Metrics
  readonly health: Health
}
