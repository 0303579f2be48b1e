import { eventRowsSql } from '../insights/event-rows.ts'
import { frameOf, type InsightNeeds } from '../insights/frame.ts'
import { readInsightRequest } from '../insights/insight-request.ts'
import { NO_FILTERS } from '../query/property-filters.ts'
import type { Question } from '../query/question.ts'

/** Events of the action in the last 3 months, from the beginning of that day on. @throws ApiError 400, 404 */
export async function actionCount(needs: InsightNeeds, question: Question, id: number): Promise<number> {
  const action = {
    type: 'actions',
    id,
    name: String(id),
    customName: null,
    order: 0,
    filters: NO_FILTERS,
  } as const
  const { frame, entities } = await frameOf(needs, question, readInsightRequest({ date_from: '-3m' }), {
    entities: [action],
  })
  const [row] = await needs.ask<{ count: number | string }>(question, (bindings) => {
    const { fromMs, toMs } = frame
    const rows = eventRowsSql(frame, { fromMs, toMs, columns: ['1 AS one'], entities }, bindings)
    return `SELECT count() AS count FROM (${rows})`
  })
  return Number(row?.count ?? 0)
}
