import type { Clock } from '../../core/runtime/clock.ts'
import { csvAnswer } from '../http/csv-answer.ts'
import type { Format } from '../http/request-parameters.ts'
import type { Answer, Call, Route } from '../http/route.ts'
import type { Ask } from '../query/ask.ts'
import { type Definitions, NO_DEFINITIONS } from './definitions.ts'
import { trend } from './trend.ts'
import { trendCsv } from './trend-csv.ts'
import { readTrendRequest } from './trend-request.ts'

export function insightRoutes(needs: {
  readonly ask: Ask
  readonly clock: Pick<Clock, 'now'>
  readonly definitions?: Definitions
}): Route[] {
  const { ask, clock, definitions = NO_DEFINITIONS } = needs

  async function trends(call: Call, format?: Format): Promise<Answer> {
    const { question } = call
    const asked = readTrendRequest(call.query, format)
    const rows = await trend({ ask, clock, definitions }, question, asked)
    const result = rows.map(({ row }) => row)
    if (asked.format === 'csv')
      return csvAnswer(`${question.dataset.id}-trend.csv`, trendCsv(result, asked.csvMode))
    return {
      body: {
        result,
        is_cached: false,
        last_refresh: new Date(clock.now()).toISOString(),
        timezone: question.zone,
        next: null,
      },
    }
  }

  return [
    { method: 'GET', path: '/insights/trend', answer: (call) => trends(call) },
    { method: 'GET', path: '/insights/trend.csv', answer: (call) => trends(call, 'csv') },
  ]
}
