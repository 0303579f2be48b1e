import type { CollectAnswer } from '../../services/collector/pipeline.ts'
import type { RequestRefusal } from '../../services/collector/request-refusal.ts'
import type { Logger } from '../../services/core/runtime/logger.ts'
import type { Metrics } from '../../services/core/runtime/metrics.ts'
import type { MemoryControlView } from '../helpers/memory-control.ts'
import type { MemoryLog } from '../helpers/memory-log.ts'
import type { MemoryObjectStore } from '../helpers/memory-object-store.ts'
import type { memoryWarehouse } from '../services/clickhouse-sink/memory-warehouse.ts'
import type { MemoryIdentityStore } from '../services/identity/memory-identity-store.ts'
import type { createMemoryTables } from '../services/identity/memory-tables.ts'
import type { Kernel } from './kernel.ts'
import type { Faults, SimulatedProcess } from './process.ts'
import type { Tally } from './tally.ts'
import type { GROUPS } from './world-config.ts'

/** A request that was answered, or to which no answer came. */
export type Answer = CollectAnswer | RequestRefusal | 'no answer'
/** @param key the Idempotency-Key of events that bring no id of their own */
export type Send = (dataset: string, body: string, key: string | undefined) => Promise<Answer>

/** What outlives every process. */
export interface Lasting {
  readonly log: MemoryLog
  readonly store: MemoryObjectStore
  readonly warehouse: ReturnType<typeof memoryWarehouse>
  /** What the identity stage keeps, and what it tells. */
  readonly identity: {
    readonly store: MemoryIdentityStore
    readonly tables: ReturnType<typeof createMemoryTables>
  }
  readonly control: MemoryControlView
}

/** What a simulated process finds around it. */
export interface Surroundings extends Lasting {
  readonly kernel: Kernel
  readonly faults: Readonly<Faults>
  readonly tally: Tally
  /** Ways into the collectors that are up. */
  readonly doors: Map<SimulatedProcess, Send>
  /** The last number that {@link next} gave. */
  readonly made: number
  /** A number that nobody was given before. */
  next(): number
  logger(process: SimulatedProcess): Logger
  /** All of a stage die at once, and stay away for so long that the positions of their groups are gone. */
  expire(role: keyof typeof GROUPS): void
}

/** Nobody reads them here. */
export const NO_METRICS: Metrics = {
  counter: () => ({ add: () => {} }),
  gauge: () => ({ set: () => {}, remove: () => {} }),
  histogram: () => ({ observe: () => {} }),
  expose: () => Promise.resolve(''),
}
