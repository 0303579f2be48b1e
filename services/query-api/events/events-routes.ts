import type { Clock } from '../../core/runtime/clock.ts'
import { csvText } from '../http/csv.ts'
import { csvAnswer } from '../http/csv-answer.ts'
import { nextAddress } from '../http/next-address.ts'
import type { Format } from '../http/request-parameters.ts'
import {
  type Answer,
  DATASET_PATH,
  type DatasetCall,
  type DatasetRoute,
  pathParameter,
} from '../http/route.ts'
import { streamAnswer, type Table } from '../http/stream-answer.ts'
import type { Ask } from '../query/ask.ts'
import type { StreamRows } from '../query/stream-rows.ts'
import type { EventRow } from './event-row.ts'
import { EVENTS_PARAMETERS, readEventsRequest } from './events-request.ts'
import { getEvent, listEvents, streamEvents } from './list-events.ts'

export function eventRoutes(needs: {
  readonly ask: Ask
  readonly streamRows: StreamRows
  readonly clock: Pick<Clock, 'now'>
}): DatasetRoute[] {
  const { ask, streamRows, clock } = needs

  async function list(call: DatasetCall, format?: Format): Promise<Answer> {
    const { question } = call
    const asked = readEventsRequest(call.query, question.dataset.id, question.zone, format)
    const { limit } = asked.page
    if (limit === null) {
      const rows = streamEvents(ask, streamRows, question, asked)
      return streamAnswer(
        `${question.dataset.id}-events`,
        { ...EVENTS_TABLE, rows },
        asked.format,
        asked.csvMode,
      )
    }
    const { rows, next } = await listEvents(ask, clock, question, asked, limit)
    const nextUrl = next === null ? null : nextAddress(call.url, next)
    if (asked.format === 'json') return { body: { next: nextUrl, results: rows } }
    return csvAnswer(
      `${question.dataset.id}-events.csv`,
      csvText(EVENTS_TABLE.header, rows.map(EVENTS_TABLE.cells), asked.csvMode),
      nextUrl === null ? {} : { link: `<${nextUrl}>; rel="next"` },
    )
  }

  const common = {
    about: 'dataset',
    method: 'GET',
    tag: 'events',
    access: { object: 'query', action: 'read' },
    limit: 'clickhouse',
  } as const
  return [
    {
      ...common,
      path: `${DATASET_PATH}/events`,
      summary: 'Events, newest first, page by page or all at once.',
      parameters: EVENTS_PARAMETERS,
      success: { status: 200, description: 'A page. Follow `next` as it is.' },
      example: {
        params: { dataset: 'shop' },
        query: { event: 'purchase', limit: '1' },
        answer: { next: null, results: [EXAMPLE_EVENT] },
      },
      answer: (call) => list(call),
    },
    {
      ...common,
      path: `${DATASET_PATH}/events.csv`,
      summary: 'Events as a CSV file.',
      parameters: EVENTS_PARAMETERS,
      success: {
        status: 200,
        description: 'A page; the address of the next one is in the header `Link`.',
        mediaType: 'text/csv',
      },
      example: {
        params: { dataset: 'shop' },
        query: { event: 'purchase' },
        answer: 'id,timestamp,event,distinct_id,properties\r\n',
      },
      answer: (call) => list(call, 'csv'),
    },
    {
      ...common,
      path: `${DATASET_PATH}/events/:event`,
      summary: 'One event.',
      parameters: {},
      success: { status: 200, description: 'The event.' },
      example: { params: { dataset: 'shop', event: EXAMPLE_EVENT.id }, answer: EXAMPLE_EVENT },
      answer: async (call) => ({ body: await getEvent(ask, call.question, pathParameter(call, 'event')) }),
    },
  ]
}

const EXAMPLE_EVENT = {
  id: 'e-12',
  distinct_id: 'user-2',
  properties: { $browser: 'Firefox', amount: 22 },
  event: 'purchase',
  timestamp: '2026-11-21T14:00:00.000Z',
  person: { is_identified: false, distinct_ids: ['user-2'], properties: {} },
  elements: [],
  elements_chain: '',
}

/** Events as a file has them. */
export const EVENTS_TABLE: Pick<Table<EventRow>, 'header' | 'cells'> = {
  header: ['id', 'timestamp', 'event', 'distinct_id', 'properties'],
  cells: (row) => [row.id, row.timestamp, row.event, row.distinct_id, JSON.stringify(row.properties)],
}
