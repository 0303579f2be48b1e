import type { Metadata } from '../../core/metadata/metadata.ts'
import type { Clock } from '../../core/runtime/clock.ts'
import { activityRoutes } from '../activity/activity-routes.ts'
import { dashboardFilters } from '../dashboards/dashboard-store.ts'
import { invalidInput, notFound } from '../http/api-error.ts'
import { wholeDeclared } from '../http/parameter-declarations.ts'
import { refuseUnknown } from '../http/request-parameters.ts'
import type { DatasetCall, DatasetRoute } from '../http/route.ts'
import { wholeParameter } from '../insights/insight-request.ts'
import { idOf, objectRoutes } from '../objects/object-routes.ts'
import { newShortId } from '../objects/short-id.ts'
import { REFRESH_PARAMETERS, readRefresh } from '../results/refresh.ts'
import type { Results } from '../results/results.ts'
import { INSIGHT_SHARES } from '../sharing/share-store.ts'
import { sharingRoutes } from '../sharing/sharing-routes.ts'
import { housekeepingRoutes } from './housekeeping-routes.ts'
import { type Filters, underDashboard } from './insight-filters.ts'
import { savedInsightFamily } from './saved-insight-family.ts'
import { createSavedInsightStore, type InsightWriter, type SavedInsight } from './saved-insight-store.ts'
import { resultView, savedResult } from './saved-result.ts'

/** Highest number that a parameter may name. */
const NUMBER_MAX = 999_999_999
const PARAMETERS = {
  ...REFRESH_PARAMETERS,
  from_dashboard: wholeDeclared(
    'Number of a dashboard: its filters stand over those of the insight.',
    1,
    NUMBER_MAX,
  ),
}

/** @param randomBytes a cryptographic source */
export function writerOf(
  { principal, question }: Pick<DatasetCall, 'principal' | 'question'>,
  clock: Pick<Clock, 'now'>,
  randomBytes: (size: number) => Uint8Array,
): InsightWriter {
  return {
    by: principal.name,
    atMs: clock.now(),
    zone: question.zone,
    newShortId: () => newShortId(randomBytes),
  }
}

export function savedInsightRoutes(needs: {
  readonly metadata: Metadata
  readonly results: Results
  readonly clock: Pick<Clock, 'now'>
  readonly randomBytes: (size: number) => Uint8Array
}): DatasetRoute[] {
  const { metadata, results, clock, randomBytes } = needs
  const storeOf = (call: DatasetCall) => createSavedInsightStore(metadata, writerOf(call, clock, randomBytes))

  async function existing(call: DatasetCall): Promise<SavedInsight> {
    const row = await storeOf(call).get(call.question.dataset.id, idOf(call))
    if (row === null || row.deleted === 1) throw notFound()
    return row
  }

  async function filtersOf(call: DatasetCall, own: Filters): Promise<Filters> {
    const dashboard = wholeParameter(call.query, 'from_dashboard', 1, NUMBER_MAX)
    if (dashboard === null) return own
    const over = await dashboardFilters(metadata, call.question.dataset.id, dashboard)
    if (over !== null) return underDashboard(own, over)
    throw invalidInput('from_dashboard', `There is no dashboard ${dashboard}.`, 'does_not_exist')
  }

  const shared = objectRoutes(savedInsightFamily, storeOf, clock)
  return [
    ...shared.map((route): DatasetRoute => {
      if (route.method !== 'GET' || !route.path.endsWith('/:id')) return route
      return {
        ...route,
        summary: 'A saved insight with its result, kept or computed.',
        limit: 'clickhouse',
        parameters: PARAMETERS,
        async answer(call) {
          refuseUnknown(call.query, Object.keys(PARAMETERS))
          const refresh = readRefresh(call.query)
          const row = await existing(call)
          const view = savedInsightFamily.present(row) as { readonly filters: Filters }
          const filters = await filtersOf(call, view.filters)
          const answered = await savedResult(results, call.question, filters, refresh, call.url.origin)
          const isBegun = answered.status !== null && answered.lastRefreshMs === null
          return { status: isBegun ? 202 : 200, body: { ...view, ...resultView(answered) } }
        },
      }
    }),
    ...sharingRoutes(needs, {
      kind: INSIGHT_SHARES,
      tag: savedInsightFamily.tag,
      limit: 'default',
      example: '1',
      existing,
    }),
    ...housekeepingRoutes({ metadata, results, clock, storeOf }),
    ...activityRoutes(metadata, 'insight', savedInsightFamily.tag),
  ]
}
