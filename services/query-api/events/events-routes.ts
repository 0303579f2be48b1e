import type { Clock } from '../../core/runtime/clock.ts'
import { csvText } from '../http/csv.ts'
import { csvAnswer } from '../http/csv-answer.ts'
import { nextAddress } from '../http/next-address.ts'
import type { Format } from '../http/request-parameters.ts'
import { type Answer, type Call, pathParameter, type Route } from '../http/route.ts'
import type { Ask } from '../query/ask.ts'
import type { EventRow } from './event-row.ts'
import { readEventsRequest } from './events-request.ts'
import { getEvent, listEvents } from './list-events.ts'

export function eventRoutes(needs: { readonly ask: Ask; readonly clock: Pick<Clock, 'now'> }): Route[] {
  const { ask, clock } = needs

  async function list(call: Call, format?: Format): Promise<Answer> {
    const { question } = call
    const asked = readEventsRequest(call.query, question.dataset.id, question.zone, format)
    const { rows, next } = await listEvents(ask, clock, question, asked)
    const nextUrl = next === null ? null : nextAddress(call.url, next)
    if (asked.format === 'json') return { body: { next: nextUrl, results: rows } }
    return csvAnswer(
      `${question.dataset.id}-events.csv`,
      csvText(CSV_HEADER, rows.map(csvRow), asked.csvMode),
      nextUrl === null ? {} : { link: `<${nextUrl}>; rel="next"` },
    )
  }

  return [
    { method: 'GET', path: '/events', answer: (call) => list(call) },
    { method: 'GET', path: '/events.csv', answer: (call) => list(call, 'csv') },
    {
      method: 'GET',
      path: '/events/:event',
      answer: async (call) => ({ body: await getEvent(ask, call.question, pathParameter(call, 'event')) }),
    },
  ]
}

const CSV_HEADER = ['id', 'timestamp', 'event', 'distinct_id', 'properties']

function csvRow(row: EventRow): (string | null)[] {
  return [row.id, row.timestamp, row.event, row.distinct_id, JSON.stringify(row.properties)]
}
