import type { ClickHouse } from '../core/clickhouse/clickhouse.ts'
import type { ControlView } from '../core/control/control-view.ts'
import type { KafkaNames } from '../core/kafka/topics.ts'
import type { Clock } from '../core/runtime/clock.ts'
import type { CostLimits } from './config.ts'
import type { FindInDelivery } from './delivery-search.ts'
import type { FindInLog } from './log-search.ts'
import type { QueryGate } from './query-gate.ts'

/** What the query API needs of the world. */
export interface Environment {
  readonly clickhouse: ClickHouse
  readonly control: ControlView
  readonly clock: Clock
  readonly cost: CostLimits
  readonly gate: QueryGate
  readonly findInLog: FindInLog
  readonly findInDelivery: FindInDelivery
  readonly names: KafkaNames
}
