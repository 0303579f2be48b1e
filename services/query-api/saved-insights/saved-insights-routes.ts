import type { Metadata } from '../../core/metadata/metadata.ts'
import type { Clock } from '../../core/runtime/clock.ts'
import { activityRoutes } from '../activity/activity-routes.ts'
import { dashboardFilters } from '../dashboards/dashboard-store.ts'
import { invalidInput, notFound } from '../http/api-error.ts'
import { FILE_PARAMETERS, readFileChoice } from '../http/file-parameters.ts'
import { wholeDeclared } from '../http/parameter-declarations.ts'
import { type Format, refuseUnknown } from '../http/request-parameters.ts'
import type { Answer, DatasetCall, DatasetRoute } from '../http/route.ts'
import { insightFile } from '../insights/insight-file.ts'
import { wholeParameter } from '../insights/insight-request.ts'
import { idOf, objectRoutes } from '../objects/object-routes.ts'
import { newShortId } from '../objects/short-id.ts'
import { REFRESH_PARAMETERS, readRefresh } from '../results/refresh.ts'
import { isBegun } from '../results/result-view.ts'
import type { Results } from '../results/results.ts'
import { resultsOfFileMs } from '../results/results-of-file.ts'
import { INSIGHT_SHARES } from '../sharing/share-store.ts'
import { sharingRoutes } from '../sharing/sharing-routes.ts'
import { housekeepingRoutes } from './housekeeping-routes.ts'
import { OVERRIDE_PARAMETER, overrideParameter } from './override-parameter.ts'
import { savedInsightFamily } from './saved-insight-family.ts'
import { createSavedInsightStore, type InsightWriter, type SavedInsight } from './saved-insight-store.ts'
import {
  checkRowsRight,
  questionOf,
  questionTable,
  type SavedQuestion,
  underFilters,
} from './saved-question.ts'
import { savedResult, savedView } from './saved-result.ts'

/** Highest number that a parameter may name. */
const NUMBER_MAX = 999_999_999
const PARAMETERS = {
  ...REFRESH_PARAMETERS,
  ...FILE_PARAMETERS,
  ...OVERRIDE_PARAMETER,
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

  async function askedOf(call: DatasetCall, own: SavedQuestion): Promise<SavedQuestion> {
    const dashboard = wholeParameter(call.query, 'from_dashboard', 1, NUMBER_MAX)
    const override = overrideParameter(call.query)
    if (override !== null && own.of === 'rows')
      throw invalidInput('filters_override', 'This stands over filters of insights. Change the query itself.')
    if (dashboard === null) return override === null ? own : underFilters(own, override)
    const over = await dashboardFilters(metadata, call.question.dataset.id, dashboard)
    if (over !== null) return underFilters(own, override ?? over)
    throw invalidInput('from_dashboard', `There is no dashboard ${dashboard}.`, 'does_not_exist')
  }

  async function answer(call: DatasetCall, given?: Format): Promise<Answer> {
    refuseUnknown(call.query, Object.keys(PARAMETERS))
    const refresh = readRefresh(call.query)
    const { format, csvMode } = readFileChoice(call.query, given)
    const row = await existing(call)
    const asked = await askedOf(call, questionOf(row))
    const answered = await savedResult(results, call.question, asked, refresh, call.url.origin)
    if (format === 'csv') {
      const refreshedMs = resultsOfFileMs([answered])
      const table = questionTable(asked, answered.result)
      return insightFile(`insight-${row.id}`, table, csvMode, refreshedMs)
    }
    return {
      status: isBegun(answered) ? 202 : 200,
      body: { ...(savedInsightFamily.present(row) as object), ...savedView(asked, answered) },
    }
  }

  const asked = { limit: 'clickhouse', parameters: PARAMETERS } as const
  return [
    ...objectRoutes(savedInsightFamily, storeOf, clock).flatMap((route): DatasetRoute[] => {
      if (route.method !== 'GET') return [checkingRights(route)]
      if (!route.path.endsWith('/:id')) return [route]
      const summary = 'A saved insight with its result, kept or computed.'
      return [
        { ...route, ...asked, summary, answer: (call) => answer(call) },
        {
          ...route,
          ...asked,
          path: `${route.path}.csv`,
          summary: 'The numbers of a saved insight, as a CSV file.',
          success: { status: 200, description: 'As its kind has them.', mediaType: 'text/csv' },
          example: { ...route.example, answer: 'series,21-Nov-2026,22-Nov-2026\r\npurchase,112,118\r\n' },
          answer: (call) => answer(call, 'csv'),
        },
      ]
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

function checkingRights(route: DatasetRoute): DatasetRoute {
  return {
    ...route,
    async answer(call) {
      checkRowsRight(call.principal, call.body)
      return route.answer(call)
    },
  }
}
