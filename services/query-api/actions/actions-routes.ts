import { Type } from '@sinclair/typebox'
import type { ActionRow } from '../../core/metadata/metadata-tables.ts'
import { notFound } from '../http/api-error.ts'
import { DATASET_PATH, type DatasetRoute } from '../http/route.ts'
import type { InsightNeeds } from '../insights/frame.ts'
import { idOf, objectRoutes } from '../objects/object-routes.ts'
import type { ObjectStore } from '../objects/object-store.ts'
import { actionCount } from './action-count.ts'
import { actionFamily } from './action-family.ts'

export function actionRoutes(store: ObjectStore<ActionRow>, needs: InsightNeeds): DatasetRoute[] {
  return [
    ...objectRoutes(actionFamily, store, needs.clock),
    {
      about: 'dataset',
      tag: 'actions',
      method: 'GET',
      path: `${DATASET_PATH}/actions/:id/count`,
      summary: 'Events of it in the last 3 months.',
      access: { object: 'action', action: 'read' },
      limit: 'clickhouse',
      success: { status: 200, description: 'How many.', schema: Type.Object({ count: Type.Integer() }) },
      example: { params: { dataset: 'shop', id: '1' }, answer: { count: 4_711 } },
      async answer(call) {
        const id = idOf(call)
        const row = await store.get(call.question.dataset.id, id)
        if (row === null || row.deleted === 1) throw notFound()
        return { body: { count: await actionCount(needs, call.question, id) } }
      },
    },
  ]
}
