import type { ClickHouse } from '../core/clickhouse/clickhouse.ts'
import type { ControlView } from '../core/control/control-view.ts'
import type { KafkaNames } from '../core/kafka/topics.ts'
import type { Metadata } from '../core/metadata/metadata.ts'
import type { ObjectStore } from '../core/object-store/object-store.ts'
import type { Clock } from '../core/runtime/clock.ts'
import type { BatchExportOptions } from './batch-exports/batch-export-keeper.ts'
import type { ExportOptions } from './exports/export-runner.ts'
import type { QueryGate } from './http/query-gate.ts'
import type { CountersByIdentity, RateLimiterOptions } from './http/rate-limiter.ts'
import type { CommandLog } from './persons/command-log.ts'
import type { CostLimits } from './query/ask.ts'
import type { StreamLimits } from './query/stream-rows.ts'
import type { ResultLimits } from './results/results.ts'
import type { FindInDelivery } from './trace/delivery-search.ts'
import type { FindInLog } from './trace/log-search.ts'

/** What the query API needs of the world. */
export interface Environment {
  readonly clickhouse: ClickHouse
  /** Whoever may write members of cohorts and remove recordings: `clickhouse` may be somebody who only reads. */
  readonly writer: Pick<ClickHouse, 'query' | 'insert' | 'command'>
  readonly control: ControlView
  readonly metadata: Metadata
  readonly clock: Clock
  /** A cryptographic source. */
  readonly randomBytes: (size: number) => Uint8Array
  /** SHA-256 of the administrator's key, lower-case hex; null when there is none. */
  readonly adminSha256: string | null
  readonly rateCounters: CountersByIdentity
  readonly rateLimits: RateLimiterOptions
  readonly cost: CostLimits & StreamLimits
  /** Longest statement of a calculation of a cohort, s. */
  readonly cohortSecondsMax: number
  readonly gate: QueryGate
  readonly results: ResultLimits
  readonly findInLog: FindInLog
  readonly findInDelivery: FindInDelivery
  readonly commandLog: CommandLog
  readonly names: KafkaNames
  /** Where recordings lie. */
  readonly recordings: {
    readonly store: Pick<ObjectStore, 'get' | 'list' | 'delete'>
    readonly bucket: string
  }
  readonly exports: ExportOptions
  readonly batchExports: BatchExportOptions
}
