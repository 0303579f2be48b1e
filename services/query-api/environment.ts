import type { ClickHouse } from '../core/clickhouse/clickhouse.ts'
import type { ControlView } from '../core/control/control-view.ts'
import type { KafkaNames } from '../core/kafka/topics.ts'
import type { Clock } from '../core/runtime/clock.ts'
import type { QueryGate } from './http/query-gate.ts'
import type { CostLimits } from './query/ask.ts'
import type { FindInDelivery } from './trace/delivery-search.ts'
import type { FindInLog } from './trace/log-search.ts'

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
