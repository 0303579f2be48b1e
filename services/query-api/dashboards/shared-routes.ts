import { Type } from '@sinclair/typebox'
import type { ControlView } from '../../core/control/control-view.ts'
import type { Metadata } from '../../core/metadata/metadata.ts'
import type { Clock } from '../../core/runtime/clock.ts'
import { notFound } from '../http/api-error.ts'
import type { QueryGate } from '../http/query-gate.ts'
import { refuseUnknown } from '../http/request-parameters.ts'
import { type PublicRoute, pathParameter } from '../http/route.ts'
import { type Question, zoneOf } from '../query/question.ts'
import { resultView } from '../results/result-view.ts'
import type { Results } from '../results/results.ts'
import { kindOf } from '../saved-insights/insight-filters.ts'
import { createDashboardStore, type Dashboard } from './dashboard-store.ts'
import { LayoutsSchema } from './dashboard-template.ts'
import { createShareStore, TOKEN_PATTERN } from './share-store.ts'
import { type TileResult, tileResults } from './tile-results.ts'

const TextOrNull = Type.Union([Type.String(), Type.Null()])
const SharedInsight = Type.Object({
  name: Type.String(),
  description: Type.String(),
  insight: Type.String({ description: 'Its kind.' }),
  display: TextOrNull,
  result: Type.Unknown({ description: 'Without links to people; null where there is none.' }),
  last_refresh: TextOrNull,
})
const SharedDashboard = Type.Object({
  name: Type.String(),
  description: Type.String(),
  timezone: Type.String(),
  tiles: Type.Array(
    Type.Object({
      layouts: LayoutsSchema,
      color: TextOrNull,
      text: Type.Union([Type.Object({ body: Type.String() }), Type.Null()]),
      insight: Type.Union([SharedInsight, Type.Null()]),
    }),
  ),
})

/**
 * One dashboard to whoever has its link: its names, texts and results, and nothing else of its dataset. What its
 * insights filter by is not told, for it may name people.
 */
export function sharedRoutes(needs: {
  readonly metadata: Metadata
  readonly results: Results
  readonly control: Pick<ControlView, 'snapshot'>
  readonly gate: QueryGate
  readonly clock: Pick<Clock, 'now'>
  readonly randomBytes: (size: number) => Uint8Array
}): PublicRoute[] {
  const { metadata, results, control, gate, clock, randomBytes } = needs
  const shares = createShareStore(metadata, randomBytes)

  async function sharedBy(
    token: string,
    signal: AbortSignal,
  ): Promise<{ question: Question; dashboard: Dashboard }> {
    const share = TOKEN_PATTERN.test(token) ? await shares.byToken(token) : null
    const dataset = share === null ? undefined : control.snapshot.datasets.get(share.dataset_id)?.object
    if (share === null || dataset === undefined) throw notFound()
    const question = { dataset, zone: zoneOf(dataset), signal }
    // It only reads: nothing is ever written in this name.
    const reader = { by: 'shared', atMs: clock.now(), zone: question.zone, newShortId: () => '' }
    const dashboard = await createDashboardStore(metadata, reader).get(dataset.id, share.dashboard_id)
    if (dashboard === null || dashboard.deleted === 1) throw notFound()
    return { question, dashboard }
  }

  return [
    {
      about: 'everybody',
      method: 'GET',
      path: '/shared/:token.json',
      tag: 'shared',
      summary: 'A dashboard that is shared by a link.',
      limit: 'clickhouse',
      success: { status: 200, description: 'With its results.', schema: SharedDashboard },
      example: {
        params: { token: '2V1cAb3dEf5gHi7jKl9mNo1pQr3skQ3x' },
        answer: { name: 'Sales', description: '', timezone: 'Europe/Berlin', tiles: [] },
      },
      async answer(call) {
        refuseUnknown(call.query, [])
        const { question, dashboard } = await sharedBy(pathParameter(call, 'token'), call.gone)
        const place = gate.enter(question.dataset.id)
        try {
          const filters = JSON.parse(dashboard.filters)
          const refresh = { refresh: 'blocking', clientQueryId: null } as const
          const tiles = await tileResults(results, question, dashboard.tiles ?? [], filters, refresh, null)
          return {
            // A link stands for the right to read: neither caches nor other sites are to learn of it.
            headers: { 'referrer-policy': 'no-referrer' },
            body: {
              name: dashboard.name,
              description: dashboard.description,
              timezone: question.zone,
              tiles: tiles.map(sharedTile),
            },
          }
        } finally {
          place.leave()
        }
      },
    },
  ]
}

function sharedTile({ tile, answer }: TileResult) {
  const { insight, body, layouts, color } = tile
  return {
    layouts: JSON.parse(layouts),
    color,
    text: body === null ? null : { body },
    insight: insight === null ? null : sharedInsight(insight, answer),
  }
}

function sharedInsight(
  { name, description, filters }: NonNullable<TileResult['tile']['insight']>,
  answer: TileResult['answer'],
) {
  const given = JSON.parse(filters)
  return {
    name,
    description,
    insight: kindOf(given),
    display: typeof given.display === 'string' ? given.display : null,
    result: answer?.result ?? null,
    last_refresh: answer === null ? null : resultView(answer).last_refresh,
  }
}
