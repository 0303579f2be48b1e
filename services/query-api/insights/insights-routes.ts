import type { Clock } from '../../core/runtime/clock.ts'
import { csvAnswer } from '../http/csv-answer.ts'
import type { RawQuery } from '../http/request-parameters.ts'
import type { Answer, Call, Route } from '../http/route.ts'
import type { Ask } from '../query/ask.ts'
import type { Question } from '../query/question.ts'
import { type Definitions, NO_DEFINITIONS } from './definitions.ts'
import type { InsightNeeds } from './frame.ts'
import { funnelSteps, funnelTimes, funnelTrends } from './funnel.ts'
import { funnelCorrelation, readCorrelationRequest } from './funnel-correlation.ts'
import { readFunnelRequest } from './funnel-request.ts'
import { lifecycle, readLifecycleRequest } from './lifecycle.ts'
import {
  linkedFunnelTrend,
  linkedLifecycle,
  linkedRetention,
  linkedSteps,
  linkedStickiness,
  linkedTrend,
} from './linked-people.ts'
import { readPathRequest } from './path-request.ts'
import { paths } from './paths.ts'
import { type PeopleLink, peopleLink } from './people-link.ts'
import { peopleRoutes } from './people-routes.ts'
import { postedParameters } from './posted-parameters.ts'
import { retention } from './retention.ts'
import { readRetentionRequest } from './retention-request.ts'
import { readStickinessRequest, stickiness } from './stickiness.ts'
import { timing } from './timing.ts'
import { readTimingRequest } from './timing-request.ts'
import { trend } from './trend.ts'
import { trendCsv } from './trend-csv.ts'
import { readTrendRequest } from './trend-request.ts'

/** What an insight answers as its `result`. */
type Result = (needs: InsightNeeds, question: Question, query: RawQuery, link: PeopleLink) => Promise<unknown>

/** Insights by the last part of their path, and that of the path of the people behind them. */
const INSIGHTS: readonly { readonly path: string; readonly people: string; readonly result: Result }[] = [
  {
    path: 'funnel',
    people: 'funnel',
    async result(needs, question, query, link) {
      const request = readFunnelRequest(query)
      const isOne = request.breakdown === null
      if (request.view === 'steps') {
        const found = await funnelSteps(needs, question, request)
        const lines = found.map(({ slot, steps }) => linkedSteps(slot, steps, link))
        return isOne ? lines[0] : lines
      }
      if (request.view === 'time_to_convert') {
        const rows = await funnelTimes(needs, question, request)
        return isOne ? rows[0] : rows
      }
      return (await funnelTrends(needs, question, request)).map((line) => linkedFunnelTrend(line, link))
    },
  },
  {
    path: 'funnel/correlation',
    people: 'funnel',
    result: (needs, question, query) => funnelCorrelation(needs, question, readCorrelationRequest(query)),
  },
  {
    path: 'retention',
    people: 'retention',
    result: async (needs, question, query, link) =>
      linkedRetention(await retention(needs, question, readRetentionRequest(query)), link),
  },
  {
    path: 'stickiness',
    people: 'stickiness',
    result: async (needs, question, query, link) =>
      linkedStickiness(await stickiness(needs, question, readStickinessRequest(query)), link),
  },
  {
    path: 'lifecycle',
    people: 'lifecycle',
    async result(needs, question, query, link) {
      const { rows, startsMs } = await lifecycle(needs, question, readLifecycleRequest(query))
      return linkedLifecycle(rows, startsMs, link)
    },
  },
  {
    path: 'path',
    people: 'path',
    result: (needs, question, query) => paths(needs, question, readPathRequest(query)),
  },
  {
    path: 'timing',
    people: 'timing',
    async result(needs, question, query) {
      const request = readTimingRequest(query)
      const rows = (await timing(needs, question, request)).map(({ row }) => row)
      return request.breakdown === null ? rows[0] : rows
    },
  },
]

export function insightRoutes(given: {
  readonly ask: Ask
  readonly clock: Pick<Clock, 'now'>
  readonly definitions?: Definitions
}): Route[] {
  const needs: InsightNeeds = { definitions: NO_DEFINITIONS, ...given }

  const answerOf = (question: Question, result: unknown): Answer => ({
    body: {
      result,
      is_cached: false,
      last_refresh: new Date(needs.clock.now()).toISOString(),
      timezone: question.zone,
      next: null,
    },
  })

  async function trends(call: Call, format?: 'csv'): Promise<Answer> {
    const { question } = call
    const query = postedParameters(call.query, call.body)
    const asked = readTrendRequest(query, format)
    const rows = await trend(needs, question, asked)
    if (asked.format === 'csv')
      return csvAnswer(
        `${question.dataset.id}-trend.csv`,
        trendCsv(
          rows.map(({ row }) => row),
          asked.csvMode,
        ),
      )
    return answerOf(
      question,
      linkedTrend(rows, asked.breakdown !== null, peopleLink(call.url, 'trends', query)),
    )
  }

  /** A question may be longer than an address: POST takes the same parameters as JSON, and changes nothing either. */
  const both = (path: string, answer: Route['answer']): Route[] => [
    { method: 'GET', path, answer },
    { method: 'POST', path, answer },
  ]
  return [
    ...both('/insights/trend', (call) => trends(call)),
    { method: 'GET', path: '/insights/trend.csv', answer: (call) => trends(call, 'csv') },
    ...INSIGHTS.flatMap(({ path, people, result }) =>
      both(`/insights/${path}`, async (call) => {
        const query = postedParameters(call.query, call.body)
        const link = peopleLink(call.url, people, query)
        return answerOf(call.question, await result(needs, call.question, query, link))
      }),
    ),
    ...peopleRoutes(needs).flatMap(({ path, answer }) => both(path, answer)),
  ]
}
