import { Type } from '@sinclair/typebox'
import type { Metadata } from '../../core/metadata/metadata.ts'
import type { ActivityRow } from '../../core/metadata/metadata-tables.ts'
import { listAnswer, listOf, type PageSizes, pageParameters, readPage } from '../http/list-page.ts'
import { refuseUnknown } from '../http/request-parameters.ts'
import { DATASET_PATH, type DatasetCall, type DatasetRoute } from '../http/route.ts'
import type { ScopeObject } from '../http/scopes.ts'
import { idOf } from '../objects/object-routes.ts'
import { listActivities } from './activity-store.ts'

/** Clients show a few lines and ask for more. */
const PAGES: PageSizes = { default: 10, max: 1_000 }

const ActivityView = Type.Object({
  id: Type.Integer(),
  user: Type.String({ description: 'Whose key did it.' }),
  activity: Type.String({ description: 'created, updated, deleted, restored, removed, shared or unshared.' }),
  scope: Type.String(),
  item_id: Type.Union([Type.Integer(), Type.Null()], {
    description: 'Null for what has no number: a recording, whose name is its id.',
  }),
  detail: Type.Object({
    name: Type.String({ description: 'What the object was called afterwards.' }),
    changes: Type.Array(Type.Object({ field: Type.String() }), {
      description: 'Fields that were sent; what stood in them is not kept.',
    }),
  }),
  created_at: Type.String(),
})

const EXAMPLE = {
  id: 12,
  user: 'personal_api_key:5f0c1a9be2d34c7788aa0b1c',
  activity: 'updated',
  scope: 'insight',
  item_id: 1,
  detail: { name: 'Purchases', changes: [{ field: 'name' }] },
  created_at: '2026-11-28T09:00:00.000Z',
}

function activityView(row: ActivityRow) {
  const fields: readonly string[] = JSON.parse(row.fields)
  return {
    id: row.id,
    user: row.done_by,
    activity: row.activity,
    scope: row.object,
    item_id: row.object_id === 0 ? null : row.object_id,
    detail: { name: row.name, changes: fields.map((field) => ({ field })) },
    created_at: new Date(row.done_at).toISOString(),
  }
}

/**
 * What was done to objects of a kind, and to one of them; of one that was removed for good as well.
 *
 * @param numberOf the object that a path names; null where objects have no numbers, and are told of all together
 */
export function activityRoutes(
  metadata: Pick<Metadata, 'db'>,
  object: ScopeObject,
  tag: string,
  numberOf: ((call: DatasetCall) => number | Promise<number>) | null = idOf,
): DatasetRoute[] {
  const parameters = pageParameters(PAGES)
  const answer = async (call: DatasetCall, objectId: number | null) => {
    refuseUnknown(call.query, Object.keys(parameters))
    const page = readPage(call.query, PAGES)
    const { rows, count } = await listActivities(metadata, call.question.dataset.id, object, objectId, page)
    return listAnswer(rows.map(activityView), count, page, call.url)
  }
  const common = {
    about: 'dataset',
    tag,
    method: 'GET',
    access: { object, action: 'read' },
    limit: 'default',
    parameters,
    success: { status: 200, description: 'Newest first.', schema: listOf(ActivityView) },
  } as const
  const list = { count: 1, next: null, previous: null, results: [{ ...EXAMPLE, scope: object }] }
  const ofAll: DatasetRoute = {
    ...common,
    path: `${DATASET_PATH}/${tag}/activity`,
    summary: `What was done to ${tag}.`,
    example: { params: { dataset: 'shop' }, answer: list },
    answer: (call) => answer(call, null),
  }
  if (numberOf === null) return [ofAll]
  return [
    ofAll,
    {
      ...common,
      path: `${DATASET_PATH}/${tag}/:id/activity`,
      summary: `What was done to one of the ${tag}.`,
      example: { params: { dataset: 'shop', id: '1' }, answer: list },
      answer: async (call) => answer(call, await numberOf(call)),
    },
  ]
}
