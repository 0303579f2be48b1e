import type { ClickHouse } from '../../core/clickhouse/clickhouse.ts'
import type { ControlView } from '../../core/control/control-view.ts'
import type { Metadata } from '../../core/metadata/metadata.ts'
import type { ActionRow, CohortRow } from '../../core/metadata/metadata-tables.ts'
import type { Clock } from '../../core/runtime/clock.ts'
import type { Logger } from '../../core/runtime/logger.ts'
import type { Metrics } from '../../core/runtime/metrics.ts'
import type { DatasetRoute } from '../http/route.ts'
import type { InsightNeeds } from '../insights/frame.ts'
import type { ObjectStore } from '../objects/object-store.ts'
import { type CostLimits, createTell } from '../query/ask.ts'
import { type CalculationJob, createCalculationJob } from './calculation-job.ts'
import { createCalculationStore } from './calculation-store.ts'
import { checkedCohorts } from './checked-cohorts.ts'
import { createInsertListed } from './cohort-members.ts'
import { cohortRoutes } from './cohorts-routes.ts'
import { deleteSets } from './old-sets.ts'

/** What cohorts are made of. */
export interface CohortsNeeds {
  readonly insights: InsightNeeds
  readonly writer: Pick<ClickHouse, 'command' | 'insert'>
  readonly metadata: Metadata
  readonly control: Pick<ControlView, 'snapshot'>
  readonly clock: Clock
  /** Of one statement of a calculation. */
  readonly cost: CostLimits
  /** As definitions read them. */
  readonly cohorts: ObjectStore<CohortRow>
  readonly actions: Pick<ObjectStore<ActionRow>, 'get'>
  readonly logger: Logger
  readonly metrics: Metrics
}

/** The routes of cohorts, and the job that keeps their members fresh. */
export function createCohorts(needs: CohortsNeeds): {
  readonly routes: DatasetRoute[]
  readonly job: CalculationJob
} {
  const { insights, writer, cohorts, actions } = needs
  const calculations = createCalculationStore(needs.metadata)
  const tell = createTell(writer, needs.cost)
  const statics = { ...insights, tell, insertListed: createInsertListed(writer), calculations, cohorts }
  const { clock, control, logger, metrics } = needs
  const job = createCalculationJob({ ...statics, clock, control, logger, metrics })
  const checked = checkedCohorts({
    cohorts,
    hasAction: async (dataset, id) => (await actions.get(dataset, id))?.deleted === 0,
    async forget(row) {
      await deleteSets(tell, row)
      await calculations.forget(row.dataset_id, row.id)
    },
  })
  return { routes: cohortRoutes({ insights, cohorts: checked, statics, job }), job }
}
