import type { ControlView } from '../core/control/control-view.ts'
import type { Log } from '../core/kafka/log.ts'
import type { KafkaNames } from '../core/kafka/topics.ts'
import type { Clock } from '../core/runtime/clock.ts'
import type { FailPoint } from '../core/runtime/fail-points.ts'
import type { Health } from '../core/runtime/health.ts'
import type { Logger } from '../core/runtime/logger.ts'
import type { Metrics } from '../core/runtime/metrics.ts'
import type { RouterSettings } from './config.ts'
import type { RouterFailPoint } from './fail-points.ts'

/** What the router needs of the world. */
export interface RouterEnvironment {
  readonly log: Log
  readonly names: KafkaNames
  readonly control: ControlView
  readonly settings: RouterSettings
  readonly clock: Clock
  /** In [0, 1). */
  readonly random: () => number
  /** A name that no takeover of a partition had before. */
  readonly newOwner: () => string
  readonly failPoint: FailPoint<RouterFailPoint>
  readonly logger: Logger
  readonly metrics: Metrics
  readonly health: Health
  /** Aborts when the router is to finish and end. */
  readonly stopping: AbortSignal
}
