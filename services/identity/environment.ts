import type { ClickHouse } from '../core/clickhouse/clickhouse.ts'
import type { Log } from '../core/kafka/log.ts'
import type { KafkaNames } from '../core/kafka/topics.ts'
import type { Clock } from '../core/runtime/clock.ts'
import type { FailPoint } from '../core/runtime/fail-points.ts'
import type { Health } from '../core/runtime/health.ts'
import type { Logger } from '../core/runtime/logger.ts'
import type { Metrics } from '../core/runtime/metrics.ts'
import type { IdentitySettings } from './config.ts'
import type { IdentityFailPoint } from './fail-points.ts'
import type { IdentityStore } from './store/identity-store.ts'

/** What the identity stage needs of the world. */
export interface IdentityEnvironment {
  readonly log: Log
  readonly names: KafkaNames
  readonly store: IdentityStore
  readonly clickhouse: ClickHouse
  readonly settings: IdentitySettings
  readonly clock: Clock
  /** In [0, 1). */
  readonly random: () => number
  /** A name that no takeover of a partition had before. */
  readonly newOwner: () => string
  readonly failPoint: FailPoint<IdentityFailPoint>
  readonly logger: Logger
  readonly metrics: Metrics
  readonly health: Health
  /** Aborts when the stage is to finish and end. */
  readonly stopping: AbortSignal
}
