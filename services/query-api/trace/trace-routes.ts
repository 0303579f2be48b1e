import { textParameter } from '../http/request-parameters.ts'
import { pathParameter, type Route } from '../http/route.ts'
import { type TracePlaces, traceEvent } from './trace-event.ts'

export function traceRoutes(places: TracePlaces): Route[] {
  return [
    {
      method: 'GET',
      path: '/trace/:event',
      answer: async (call) => ({
        body: await traceEvent(
          places,
          call.question,
          pathParameter(call, 'event'),
          textParameter(call.query, 'distinct_id'),
        ),
      }),
    },
  ]
}
