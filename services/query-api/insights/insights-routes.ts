import { csvAnswer } from '../http/csv-answer.ts'
import type { Format, RawQuery } from '../http/request-parameters.ts'
import { type Answer, DATASET_PATH, type DatasetCall, type DatasetRoute } from '../http/route.ts'
import type { Question } from '../query/question.ts'
import type { InsightNeeds } from './frame.ts'
import { INSIGHT_EXAMPLES, TREND_EXAMPLE, TREND_FILE_EXAMPLE } from './insight-examples.ts'
import { INSIGHTS } from './insight-questions.ts'
import { linkedTrend } from './linked-people.ts'
import { peopleLink } from './people-link.ts'
import { peopleRoutes } from './people-routes.ts'
import { questionRoutes } from './question-routes.ts'
import { trend } from './trend.ts'
import { trendCsv } from './trend-csv.ts'
import { readTrendRequest, TREND_PARAMETERS } from './trend-request.ts'

const COMMON = {
  tag: 'insights',
  access: { object: 'insight', action: 'read' },
  limit: 'clickhouse',
} as const

export function insightRoutes(needs: InsightNeeds): DatasetRoute[] {
  const answerOf = (question: Question, result: unknown): Answer => ({
    body: {
      result,
      is_cached: false,
      last_refresh: new Date(needs.clock.now()).toISOString(),
      timezone: question.zone,
      next: null,
    },
  })

  async function trends({ question, url }: DatasetCall, query: RawQuery, format?: Format): Promise<Answer> {
    const asked = readTrendRequest(query, format)
    const lines = await trend(needs, question, asked)
    if (asked.format === 'csv') {
      const rows = lines.map(({ row }) => row)
      return csvAnswer(`${question.dataset.id}-trend.csv`, trendCsv(rows, asked.csvMode))
    }
    const link = peopleLink(url, 'trends', query)
    return answerOf(question, linkedTrend(lines, asked.breakdown !== null, link))
  }

  return [
    ...questionRoutes({
      ...COMMON,
      path: '/insights/trend',
      summary: 'Events or people per interval.',
      parameters: TREND_PARAMETERS,
      description: 'A line per series and breakdown value.',
      example: TREND_EXAMPLE,
      answer: trends,
    }),
    {
      ...COMMON,
      about: 'dataset',
      method: 'GET',
      path: `${DATASET_PATH}/insights/trend.csv`,
      summary: 'Events or people per interval, as a CSV file.',
      parameters: TREND_PARAMETERS,
      success: { status: 200, description: 'A column per interval.', mediaType: 'text/csv' },
      example: TREND_FILE_EXAMPLE,
      answer: (call) => trends(call, call.query, 'csv'),
    },
    ...INSIGHTS.flatMap(({ path, people, result, ...declared }) =>
      questionRoutes({
        ...COMMON,
        ...declared,
        path: `/insights/${path}`,
        example: INSIGHT_EXAMPLES[path],
        async answer({ question, url }, query) {
          const link = peopleLink(url, people, query)
          return answerOf(question, await result(needs, question, query, link))
        },
      }),
    ),
    ...peopleRoutes(needs),
  ]
}
