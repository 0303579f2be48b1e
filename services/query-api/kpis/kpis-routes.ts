import type { Metadata } from '../../core/metadata/metadata.ts'
import type { Clock } from '../../core/runtime/clock.ts'
import { activityRoutes } from '../activity/activity-routes.ts'
import type { DatasetRoute } from '../http/route.ts'
import { objectRoutes } from '../objects/object-routes.ts'
import { kpiFamily } from './kpi-family.ts'
import { createKpiStore } from './kpi-store.ts'

export function kpiRoutes(metadata: Metadata, clock: Pick<Clock, 'now'>): DatasetRoute[] {
  return [
    ...objectRoutes(
      kpiFamily,
      ({ principal }) => createKpiStore(metadata, { by: principal.name, atMs: clock.now() }),
      clock,
    ),
    ...activityRoutes(metadata, 'kpi', kpiFamily.tag),
  ]
}
