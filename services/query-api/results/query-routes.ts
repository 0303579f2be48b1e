import { notFound } from '../http/api-error.ts'
import { DATASET_PATH, type DatasetRoute, pathParameter } from '../http/route.ts'
import { type QueryStatus, QueryStatusView } from './query-status.ts'
import type { Results } from './results.ts'

const EXAMPLE: QueryStatus = {
  id: 'weekly-report',
  query_async: true,
  complete: false,
  error: false,
  error_message: null,
  results: null,
  start_time: '2026-11-22T14:05:00.000Z',
  end_time: null,
  query_progress: {
    rows_read: 1_310_720,
    bytes_read: 94_371_840,
    estimated_rows_total: 4_000_000,
    time_elapsed: 1.8,
  },
}

/** Computations that were begun without waiting for them, whatever asked for them. */
export function queryStatusRoutes(results: Results): DatasetRoute[] {
  const common = { about: 'dataset', tag: 'query', path: `${DATASET_PATH}/query/:id` } as const
  const params = { dataset: 'shop', id: EXAMPLE.id }
  return [
    {
      ...common,
      method: 'GET',
      summary: 'How far an asynchronous question is, and its result when it is complete.',
      access: { object: 'query', action: 'read' },
      limit: 'clickhouse',
      success: { status: 200, description: 'As it is now.', schema: QueryStatusView },
      example: { params, answer: EXAMPLE },
      async answer(call) {
        const status = await results.status(call.question, pathParameter(call, 'id'))
        if (status === null) throw notFound()
        return { body: status }
      },
    },
    {
      ...common,
      method: 'DELETE',
      summary: 'Cancels a question that is running, in ClickHouse too.',
      access: { object: 'query', action: 'read' },
      limit: 'default',
      success: { status: 204, description: 'It is not computed any more.' },
      example: { params },
      async answer(call) {
        if (!results.cancel(call.question.dataset.id, pathParameter(call, 'id'))) throw notFound()
        return { status: 204 }
      },
    },
  ]
}
