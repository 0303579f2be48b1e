import type { Clock } from '../../core/runtime/clock.ts'
import { csvAnswer } from '../http/csv-answer.ts'
import type { Format } from '../http/request-parameters.ts'
import { type Answer, DATASET_PATH, type DatasetCall, type DatasetRoute } from '../http/route.ts'
import type { Ask } from '../query/ask.ts'
import { trend } from './trend.ts'
import { trendCsv } from './trend-csv.ts'
import { readTrendRequest, TREND_PARAMETERS } from './trend-request.ts'

export function insightRoutes(needs: {
  readonly ask: Ask
  readonly clock: Pick<Clock, 'now'>
}): DatasetRoute[] {
  const { ask, clock } = needs

  async function trends(call: DatasetCall, format?: Format): Promise<Answer> {
    const { question } = call
    const asked = readTrendRequest(call.query, format)
    const result = await trend(ask, clock, question, asked)
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

  const common = {
    about: 'dataset',
    method: 'GET',
    tag: 'insights',
    access: { object: 'insight', action: 'read' },
    limit: 'clickhouse',
    parameters: TREND_PARAMETERS,
  } as const
  const example = {
    params: { dataset: 'shop' },
    query: { event: 'page_view', math: 'dau', date_from: '-2d' },
  }
  return [
    {
      ...common,
      path: `${DATASET_PATH}/insights/trend`,
      summary: 'Events or people per interval.',
      success: { status: 200, description: 'A line per series and breakdown value.' },
      example: { ...example, answer: EXAMPLE_TREND },
      answer: (call) => trends(call),
    },
    {
      ...common,
      path: `${DATASET_PATH}/insights/trend.csv`,
      summary: 'Events or people per interval, as a CSV file.',
      success: { status: 200, description: 'A column per interval.', mediaType: 'text/csv' },
      example: {
        ...example,
        answer: 'series,20-Nov-2026,21-Nov-2026,22-Nov-2026\r\npage_view,5,5,4\r\n',
      },
      answer: (call) => trends(call, 'csv'),
    },
  ]
}

const EXAMPLE_TREND = {
  result: [
    {
      action: { id: 'page_view', type: 'events', order: 0, name: 'page_view', math: 'dau' },
      label: 'page_view',
      count: 14,
      data: [5, 5, 4],
      labels: ['20-Nov-2026', '21-Nov-2026', '22-Nov-2026'],
      days: ['2026-11-20', '2026-11-21', '2026-11-22'],
    },
  ],
  is_cached: false,
  last_refresh: '2026-11-22T14:05:00.000Z',
  timezone: 'Europe/Berlin',
  next: null,
}
