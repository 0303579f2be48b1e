import { textDeclared } from '../http/parameter-declarations.ts'
import { refuseUnknown, textParameter } from '../http/request-parameters.ts'
import { DATASET_PATH, type DatasetRoute, pathParameter } from '../http/route.ts'
import { type TracePlaces, traceEvent } from './trace-event.ts'

const PARAMETERS = {
  distinct_id: textDeclared(
    'Of the event, for one that ClickHouse does not have yet: the search is shorter.',
  ),
}

export function traceRoutes(places: TracePlaces): DatasetRoute[] {
  return [
    {
      about: 'dataset',
      method: 'GET',
      path: `${DATASET_PATH}/trace/:event`,
      tag: 'events',
      summary: 'Where one event is in every place it went, or why it is not there.',
      access: { object: 'query', action: 'read' },
      limit: 'clickhouse',
      parameters: PARAMETERS,
      success: { status: 200, description: 'An entry per arrival at the collector.' },
      example: {
        params: { dataset: 'shop', event: 'e-77' },
        answer: {
          event_id: 'e-77',
          dataset_id: 'shop',
          explanation: 'No event of this id was ever accepted, as far as Kafka and ClickHouse reach back.',
          arrivals: [],
          kafka_searched_completely: true,
        },
      },
      async answer(call) {
        refuseUnknown(call.query, Object.keys(PARAMETERS))
        const distinctId = textParameter(call.query, 'distinct_id')
        return { body: await traceEvent(places, call.question, pathParameter(call, 'event'), distinctId) }
      },
    },
  ]
}
