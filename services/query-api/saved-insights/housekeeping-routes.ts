import { Type } from '@sinclair/typebox'
import type { Metadata } from '../../core/metadata/metadata.ts'
import type { Clock } from '../../core/runtime/clock.ts'
import { notFound } from '../http/api-error.ts'
import { countDeclared } from '../http/parameter-declarations.ts'
import { readBody } from '../http/read-body.ts'
import { countParameter, refuseUnknown } from '../http/request-parameters.ts'
import { DATASET_PATH, type DatasetCall, type DatasetRoute } from '../http/route.ts'
import { idOf } from '../objects/object-routes.ts'
import type { ObjectStore } from '../objects/object-store.ts'
import type { Results } from '../results/results.ts'
import { SavedInsightView, savedInsightFamily } from './saved-insight-family.ts'
import type { SavedInsight } from './saved-insight-store.ts'
import { createViewStore } from './view-store.ts'

/** Insights in `my_last_viewed`: as many as clients show, and at most. */
const LAST_VIEWED = { default: 5, max: 100 } as const
const PARAMETERS = { limit: countDeclared('Insights.', LAST_VIEWED.default, LAST_VIEWED.max) }

const Cancel = Type.Object(
  { client_query_id: Type.String({ minLength: 1, maxLength: 200 }) },
  { additionalProperties: false },
)
const Cancelled = Type.Object({
  cancelled: Type.Boolean({ description: 'Whether it was running.' }),
})
const Viewed = Type.Object({ insight: Type.Integer(), viewed_at: Type.String() })

/** Who looked at what, and what is not to be computed any more. */
export function housekeepingRoutes(needs: {
  readonly metadata: Metadata
  readonly results: Results
  readonly clock: Pick<Clock, 'now'>
  readonly storeOf: (call: DatasetCall) => ObjectStore<SavedInsight>
}): DatasetRoute[] {
  const { metadata, results, clock, storeOf } = needs
  const views = createViewStore(metadata)
  const path = `${DATASET_PATH}/insights`
  const common = {
    about: 'dataset',
    tag: 'insights',
    // Neither changes an insight: who may look at one may say that he did, and stop what he asked.
    access: { object: 'insight', action: 'read' },
    limit: 'default',
  } as const
  return [
    {
      ...common,
      method: 'POST',
      path: `${path}/:id/viewed`,
      summary: 'Notes that whoever asks has looked at it.',
      success: { status: 201, description: 'Noted.', schema: Viewed },
      example: {
        params: { dataset: 'shop', id: '1' },
        answer: { insight: 1, viewed_at: '2026-11-28T09:00:00.000Z' },
      },
      async answer(call) {
        const [dataset, id, atMs] = [call.question.dataset.id, idOf(call), clock.now()]
        if (!(await views.note(dataset, call.principal.name, id, atMs))) throw notFound()
        return { status: 201, body: { insight: id, viewed_at: new Date(atMs).toISOString() } }
      },
    },
    {
      ...common,
      method: 'GET',
      path: `${path}/my_last_viewed`,
      summary: 'Insights that whoever asks has looked at, the last one first.',
      parameters: PARAMETERS,
      success: { status: 200, description: 'Without their results.', schema: Type.Array(SavedInsightView) },
      example: { params: { dataset: 'shop' }, answer: [savedInsightFamily.example.view] },
      async answer(call) {
        refuseUnknown(call.query, Object.keys(PARAMETERS))
        const { id: dataset } = call.question.dataset
        const limit = countParameter(call.query, 'limit', LAST_VIEWED.default, LAST_VIEWED.max)
        const ids = await views.last(dataset, call.principal.name, limit)
        const rows = await Promise.all(ids.map((id) => storeOf(call).get(dataset, id)))
        return { body: rows.flatMap((row) => (row === null ? [] : [savedInsightFamily.present(row)])) }
      },
    },
    {
      ...common,
      method: 'POST',
      path: `${path}/cancel`,
      summary: 'Cancels a question by the name that its client gave it.',
      body: Cancel,
      success: { status: 201, description: 'It is not computed any more.', schema: Cancelled },
      example: {
        params: { dataset: 'shop' },
        body: { client_query_id: 'weekly-report' },
        answer: { cancelled: true },
      },
      async answer(call) {
        const { client_query_id: id } = readBody(Cancel, call.body)
        return { status: 201, body: { cancelled: results.cancel(call.question.dataset.id, id) } }
      },
    },
  ]
}
