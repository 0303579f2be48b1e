import type { Metrics } from '../core/runtime/metrics.ts'
import type { Environment } from './environment.ts'
import { eventRoutes } from './events/events-routes.ts'
import { authorize } from './http/authorize.ts'
import { type RawQuery, textParameter } from './http/request-parameters.ts'
import { type Answer, pathParameter, type Route } from './http/route.ts'
import { insightRoutes } from './insights/insights-routes.ts'
import { createAsk } from './query/ask.ts'
import { zoneOf } from './query/question.ts'
import { traceRoutes } from './trace/trace-routes.ts'

/** A request before it is known who sent it. */
export interface Request {
  readonly authorization: string | undefined
  readonly query: RawQuery
  readonly body: unknown
  readonly params: Readonly<Record<string, string>>
  readonly url: URL
  /** Aborts when nobody waits for the answer any more. */
  readonly gone: AbortSignal
}

export interface Pipeline {
  readonly routes: readonly Route[]
  /** @throws ApiError for every answer that is not the route's own */
  answer(route: Route, request: Request): Promise<Answer>
}

/** From a request to its answer: who asks, how much at once, and what the route has to say. */
export function createPipeline(env: Environment, metrics: Metrics): Pipeline {
  const running = metrics.gauge('millrace_query_api_questions_running', 'Questions that are being answered.')
  const ask = createAsk(env.clickhouse, env.cost)
  return {
    routes: [
      ...eventRoutes({ ask, clock: env.clock }),
      ...insightRoutes({ ask, clock: env.clock }),
      ...traceRoutes({
        ask,
        control: env.control,
        names: env.names,
        findInLog: env.findInLog,
        findInDelivery: env.findInDelivery,
      }),
    ],
    async answer(route, request) {
      const { query, body, params, url, gone } = request
      const credentials = {
        authorization: request.authorization,
        queryKey: textParameter(query, 'personal_api_key'),
      }
      const dataset = authorize(env.control, credentials, pathParameter(request, 'dataset'), env.clock.now())
      const place = env.gate.enter(dataset.id)
      running.set(env.gate.running)
      try {
        const question = { dataset, zone: zoneOf(dataset), signal: gone }
        return await route.answer({ question, query, body, params, url })
      } finally {
        place.leave()
        running.set(env.gate.running)
      }
    },
  }
}
