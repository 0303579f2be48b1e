import { choiceDeclared } from '../http/parameter-declarations.ts'
import type { RawQuery } from '../http/request-parameters.ts'
import type { Question } from '../query/question.ts'
import type { InsightNeeds } from './frame.ts'
import { funnelSteps, funnelTimes, funnelTrends } from './funnel.ts'
import { CORRELATION_PARAMETERS, funnelCorrelation, readCorrelationRequest } from './funnel-correlation.ts'
import { FUNNEL_PARAMETERS, readFunnelRequest } from './funnel-request.ts'
import {
  correlationTable,
  funnelTable,
  type InsightTable,
  linesTable,
  pathTable,
  retentionTable,
  timingTable,
} from './insight-csv.ts'
import type { INSIGHT_EXAMPLES } from './insight-examples.ts'
import { LIFECYCLE_PARAMETERS, lifecycle, readLifecycleRequest } from './lifecycle.ts'
import {
  linkedCorrelation,
  linkedFunnelTimes,
  linkedFunnelTrend,
  linkedLifecycle,
  linkedRetention,
  linkedSteps,
  linkedStickiness,
  linkedTrend,
} from './linked-people.ts'
import { PATH_PARAMETERS, readPathRequest } from './path-request.ts'
import { paths } from './paths.ts'
import type { PeopleLink } from './people-link.ts'
import type { QuestionDeclaration } from './question-routes.ts'
import { retention } from './retention.ts'
import { RETENTION_PARAMETERS, readRetentionRequest } from './retention-request.ts'
import { readStickinessRequest, STICKINESS_PARAMETERS, stickiness } from './stickiness.ts'
import { timing } from './timing.ts'
import { readTimingRequest, TIMING_PARAMETERS } from './timing-request.ts'
import { trend } from './trend.ts'
import { readTrendRequest, TREND_PARAMETERS } from './trend-request.ts'

/** What an insight answers as its `result`. */
export type Result = (
  needs: InsightNeeds,
  question: Question,
  query: RawQuery,
  link: PeopleLink,
) => Promise<unknown>

export interface InsightDeclaration
  extends Pick<QuestionDeclaration, 'summary' | 'parameters' | 'description'> {
  /** The last part of the path. */
  readonly path: keyof typeof INSIGHT_EXAMPLES
  /** The last part of the path of the people behind it. */
  readonly people: string
  readonly result: Result
  /** What `result` gave, as a file has it. */
  // biome-ignore lint/suspicious/noExplicitAny: each takes what the `result` beside it gives.
  readonly table: (result: any) => InsightTable
}

export const INSIGHTS: readonly InsightDeclaration[] = [
  {
    path: 'trend',
    table: linesTable,
    summary: 'Events or people per interval.',
    parameters: {
      ...TREND_PARAMETERS,
      shown_as: choiceDeclared(
        'Stickiness and lifecycles may be asked for here as well, with their parameters.',
        ['Volume', 'Stickiness', 'Lifecycle'],
        'Volume',
      ),
    },
    description: 'A line per series and breakdown value.',
    people: 'trends',
    async result(needs, question, query, link) {
      const request = readTrendRequest(query)
      return linkedTrend(await trend(needs, question, request), request.breakdown !== null, link)
    },
  },
  {
    path: 'funnel',
    table: funnelTable,
    summary: 'How far people get through steps.',
    parameters: FUNNEL_PARAMETERS,
    description: 'Steps, lines or times, as `funnel_viz_type` says; with a breakdown per value.',
    people: 'funnel',
    async result(needs, question, query, link) {
      const request = readFunnelRequest(query)
      const isOne = request.breakdown === null
      // Behind texts there is nobody to list.
      const isLinked = request.actorExpression === null
      if (request.view === 'steps') {
        const found = await funnelSteps(needs, question, request)
        const lines = found.map(({ slot, steps }) => (isLinked ? linkedSteps(slot, steps, link) : steps))
        return isOne ? lines[0] : lines
      }
      if (request.view === 'time_to_convert') {
        const rows = await funnelTimes(needs, question, request)
        const linked = isLinked ? linkedFunnelTimes(rows, link) : rows.map(({ row }) => row)
        return isOne ? linked[0] : linked
      }
      const lines = await funnelTrends(needs, question, request)
      return lines.map((line) => (isLinked ? linkedFunnelTrend(line, link) : line.row))
    },
  },
  {
    path: 'funnel/correlation',
    table: correlationTable,
    summary: 'What goes with getting through a funnel.',
    parameters: { ...FUNNEL_PARAMETERS, ...CORRELATION_PARAMETERS },
    description: 'What speaks for success and against it, the most telling first.',
    people: 'funnel/correlation',
    async result(needs, question, query, link) {
      const { events, skewed } = await funnelCorrelation(needs, question, readCorrelationRequest(query))
      return { events: linkedCorrelation(events, link), skewed }
    },
  },
  {
    path: 'retention',
    table: retentionTable,
    summary: 'Who comes back, period by period.',
    parameters: RETENTION_PARAMETERS,
    description: 'A row per period in which people began.',
    people: 'retention',
    result: async (needs, question, query, link) =>
      linkedRetention(await retention(needs, question, readRetentionRequest(query)), link),
  },
  {
    path: 'stickiness',
    table: linesTable,
    summary: 'In how many intervals people are active.',
    parameters: STICKINESS_PARAMETERS,
    description: 'A line per series.',
    people: 'stickiness',
    result: async (needs, question, query, link) =>
      linkedStickiness(await stickiness(needs, question, readStickinessRequest(query)), link),
  },
  {
    path: 'lifecycle',
    table: linesTable,
    summary: 'Who is new, back, still there or gone.',
    parameters: LIFECYCLE_PARAMETERS,
    description: 'A line per status.',
    people: 'lifecycle',
    async result(needs, question, query, link) {
      const { rows, startsMs } = await lifecycle(needs, question, readLifecycleRequest(query))
      return linkedLifecycle(rows, startsMs, link)
    },
  },
  {
    path: 'path',
    table: pathTable,
    summary: 'The ways that people go.',
    parameters: PATH_PARAMETERS,
    description: 'Edges between stops, the heaviest first.',
    people: 'path',
    result: (needs, question, query) => paths(needs, question, readPathRequest(query)),
  },
  {
    path: 'timing',
    table: timingTable,
    summary: 'How long it takes from one event to another.',
    parameters: TIMING_PARAMETERS,
    description: 'Times in seconds; with a breakdown a row per value.',
    people: 'timing',
    async result(needs, question, query) {
      const request = readTimingRequest(query)
      const rows = (await timing(needs, question, request)).map(({ row }) => row)
      return request.breakdown === null ? rows[0] : rows
    },
  },
]
