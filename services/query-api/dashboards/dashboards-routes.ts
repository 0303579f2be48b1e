import { Type } from '@sinclair/typebox'
import type { Metadata } from '../../core/metadata/metadata.ts'
import type { Clock } from '../../core/runtime/clock.ts'
import { activityRoutes } from '../activity/activity-routes.ts'
import { notFound } from '../http/api-error.ts'
import { checkScope } from '../http/authorize.ts'
import { FILE_PARAMETERS, readFileChoice } from '../http/file-parameters.ts'
import { readBody } from '../http/read-body.ts'
import { refuseUnknown } from '../http/request-parameters.ts'
import { DATASET_PATH, type DatasetCall, type DatasetRoute } from '../http/route.ts'
import { idOf, objectRoutes } from '../objects/object-routes.ts'
import { within } from '../objects/object-store.ts'
import { REFRESH_PARAMETERS, readRefresh } from '../results/refresh.ts'
import type { Results } from '../results/results.ts'
import { OVERRIDE_PARAMETER, overrideParameter } from '../saved-insights/override-parameter.ts'
import { writerOf } from '../saved-insights/saved-insights-routes.ts'
import { savedView } from '../saved-insights/saved-result.ts'
import { DASHBOARD_SHARES } from '../sharing/share-store.ts'
import { sharingRoutes } from '../sharing/sharing-routes.ts'
import { moveTile } from './change-tiles-store.ts'
import { DashboardView, dashboardFamily, ObjectNumber, presentTile } from './dashboard-family.ts'
import { dashboardFile } from './dashboard-file.ts'
import { createDashboardStore, type Dashboard } from './dashboard-store.ts'
import { exportRoutes } from './export-routes.ts'
import { storedTemplateRoutes } from './stored-template-routes.ts'
import { templateRoutes } from './template-routes.ts'
import { type TileResult, tileResults } from './tile-results.ts'

const PARAMETERS = { refresh: REFRESH_PARAMETERS.refresh, ...FILE_PARAMETERS, ...OVERRIDE_PARAMETER }

const Move = Type.Object(
  {
    tile: Type.Object({ id: ObjectNumber }, { additionalProperties: true }),
    toDashboard: ObjectNumber,
  },
  { additionalProperties: false },
)

export interface DashboardNeeds {
  readonly metadata: Metadata
  readonly results: Results
  readonly clock: Pick<Clock, 'now'>
  /** A cryptographic source. */
  readonly randomBytes: (size: number) => Uint8Array
}

export function dashboardRoutes(needs: DashboardNeeds): DatasetRoute[] {
  const { metadata, results, clock, randomBytes } = needs
  const writer = (call: DatasetCall) => writerOf(call, clock, randomBytes)
  const storeOf = (call: DatasetCall) => createDashboardStore(metadata, writer(call))

  async function existing(call: DatasetCall): Promise<Dashboard> {
    const row = await storeOf(call).get(call.question.dataset.id, idOf(call))
    if (row === null || row.deleted === 1) throw notFound()
    return row
  }

  const shared = objectRoutes(dashboardFamily, storeOf, clock).map((route): DatasetRoute => {
    if (route.method === 'GET' && route.path.endsWith('/:id'))
      return {
        ...route,
        summary: 'A dashboard with the results of all of its tiles, kept or computed; as CSV their numbers.',
        limit: 'clickhouse',
        parameters: PARAMETERS,
        async answer(call) {
          refuseUnknown(call.query, Object.keys(PARAMETERS))
          const refresh = readRefresh(call.query)
          const { format, csvMode } = readFileChoice(call.query)
          const override = overrideParameter(call.query)
          const row = await existing(call)
          const filters = override ?? JSON.parse(row.filters)
          if (format === 'csv') return dashboardFile(results, call.question, row, filters, refresh, csvMode)
          const { origin } = call.url
          const tiles = await tileResults(results, call.question, row.tiles ?? [], filters, refresh, origin)
          return { body: { ...(dashboardFamily.present(row) as object), tiles: tiles.map(tileView) } }
        },
      }
    if (route.method !== 'POST' && route.method !== 'PATCH') return route
    return {
      ...route,
      async answer(call) {
        checkInsightRights(call)
        return route.answer(call)
      },
    }
  })

  const common = { about: 'dataset', tag: dashboardFamily.tag, limit: 'default' } as const
  const path = `${DATASET_PATH}/${dashboardFamily.tag}`
  return [
    ...shared,
    {
      ...common,
      method: 'PATCH',
      path: `${path}/:id/move_tile`,
      summary: 'Takes a tile to another dashboard.',
      access: { object: 'dashboard', action: 'write' },
      body: Move,
      success: { status: 200, description: 'The dashboard without it.', schema: DashboardView },
      example: {
        params: { dataset: 'shop', id: '2' },
        body: { tile: { id: 1 }, toDashboard: 1 },
        answer: dashboardFamily.example.view,
      },
      async answer(call) {
        const { tile, toDashboard } = readBody(Move, call.body)
        const row = await existing(call)
        const { id: dataset } = call.question.dataset
        await metadata.transaction(async (db) => {
          if (!(await moveTile(db, dataset, tile.id, row.id, toDashboard))) throw notFound()
          const store = createDashboardStore(within(db), writer(call))
          // Both have changed, whoever has read one of them before.
          for (const id of [row.id, toDashboard]) await store.update(dataset, id, {}, clock.now(), null)
        })
        return { body: dashboardFamily.present(await existing(call)) }
      },
    },
    ...templateRoutes({ storeOf, clock }),
    ...storedTemplateRoutes(metadata, clock),
    ...exportRoutes({ existing, results }),
    ...sharingRoutes(needs, {
      kind: DASHBOARD_SHARES,
      tag: dashboardFamily.tag,
      limit: 'default',
      example: '1',
      existing,
    }),
    ...activityRoutes(metadata, 'dashboard', dashboardFamily.tag),
  ]
}

/** Who makes or deletes insights by way of a dashboard needs the right to do so. @throws ApiError 403 */
export function checkInsightRights({ principal, body }: Pick<DatasetCall, 'principal' | 'body'>): void {
  const fields = Object.keys((body ?? {}) as object)
  if (MAKES_INSIGHTS.some((field) => fields.includes(field)))
    checkScope(principal, { object: 'insight', action: 'write' })
}

const MAKES_INSIGHTS = ['use_template', 'duplicate_tiles', 'delete_insights', 'template'] as const

function tileView({ tile, asked, answer, fault }: TileResult) {
  const view = presentTile(tile)
  if (fault !== null) return { ...view, error: fault.body }
  if (asked === null || answer === null) return view
  const result = savedView(asked, answer)
  return {
    ...view,
    insight: { ...(view.insight as object), ...result },
    last_refresh: result.last_refresh,
    is_cached: result.is_cached,
  }
}
