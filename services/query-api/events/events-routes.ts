import { invalidInput } from '../http/api-error.ts'
import { csvCell, csvText } from '../http/csv.ts'
import { csvAnswer } from '../http/csv-answer.ts'
import { addressWith, nextAddress } from '../http/next-address.ts'
import { flagDeclared, jsonDeclared, textDeclared } from '../http/parameter-declarations.ts'
import { type Format, refuseUnknown, requiredText, textParameter } from '../http/request-parameters.ts'
import {
  type Answer,
  DATASET_PATH,
  type DatasetCall,
  type DatasetRoute,
  pathParameter,
} from '../http/route.ts'
import { streamAnswer, type Table } from '../http/stream-answer.ts'
import { flagParameter } from '../insights/insight-request.ts'
import type { StreamRows } from '../query/stream-rows.ts'
import { answeringFaults } from '../sql/sql-failure.ts'
import type { EventNeeds } from './event-frame.ts'
import type { EventRow } from './event-row.ts'
import { eventValues } from './event-values.ts'
import { EVENTS_PARAMETERS, type EventsRequest, MASK_PARAMETER, readEventsRequest } from './events-request.ts'
import { getEvent, listEvents, streamEvents } from './list-events.ts'
import { type SelectedEvents, selectEvents } from './selected-events.ts'
import { textsParameter } from './texts-parameter.ts'

const EVENT_PARAMETERS = {
  include_person: {
    ...flagDeclared('Whether its person is answered with it.'),
    schema: { ...flagDeclared('').schema, default: true },
  },
  maskPii: MASK_PARAMETER,
}
const VALUES_PARAMETERS = {
  key: textDeclared('The property; `custom_event` for names of events.'),
  value: textDeclared('Only values that hold this text.'),
  event_name: jsonDeclared('Only of events of this name, or of these.'),
}

export function eventRoutes(needs: EventNeeds & { readonly streamRows: StreamRows }): DatasetRoute[] {
  const { ask, streamRows, clock } = needs

  async function list(call: DatasetCall, format?: Format): Promise<Answer> {
    const { question } = call
    const asking = { dataset: question.dataset.id, zone: question.zone, nowMs: clock.now() }
    const asked = readEventsRequest(call.query, asking, format)
    const isSelected = asked.expressions.items.length > 0
    // What stands in an expression was checked where it was read: this is what only the engine can tell.
    return answeringFaults('', isSelected ? 'select' : 'where', () =>
      isSelected ? selected(call, asked) : whole(call, asked),
    )
  }

  async function whole({ question, url }: DatasetCall, asked: EventsRequest): Promise<Answer> {
    const { limit } = asked.page
    if (limit === null) {
      const rows = streamEvents(needs, streamRows, question, asked)
      return streamAnswer(
        `${question.dataset.id}-events`,
        { ...EVENTS_TABLE, rows },
        asked.format,
        asked.csvMode,
      )
    }
    const { rows, next } = await listEvents(needs, question, asked, limit)
    const nextUrl = next === null ? null : nextAddress(withoutOffset(url), next)
    if (asked.format === 'json') return { body: { next: nextUrl, results: rows } }
    return csvAnswer(
      `${question.dataset.id}-events.csv`,
      csvText(EVENTS_TABLE.header, rows.map(EVENTS_TABLE.cells), asked.csvMode),
      nextUrl === null ? {} : { link: `<${nextUrl}>; rel="next"` },
    )
  }

  async function selected({ question, url }: DatasetCall, asked: EventsRequest): Promise<Answer> {
    const { expressions, isMasked } = asked
    const { limit } = asked.page
    if (limit === null) throw invalidInput('limit', 'Rows of select come in pages: limit must be a number.')
    const page = { ...asked.page, limit }
    const found = await selectEvents(needs, question, asked.selection, expressions, page, isMasked)
    const nextUrl = nextOf(url, found, page)
    if (asked.format === 'json') {
      const { columns, types, results, hasMore } = found
      return { body: { next: nextUrl, columns, types, hasMore, results } }
    }
    return csvAnswer(
      `${question.dataset.id}-events.csv`,
      csvText(
        found.columns,
        found.results.map((row) => row.map(csvCell)),
        asked.csvMode,
      ),
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
      path: `${DATASET_PATH}/events/values`,
      summary: 'What values a property has, the most frequent ones of the last 30 days first.',
      parameters: VALUES_PARAMETERS,
      success: { status: 200, description: 'At most 50 values; `value` finds those that are left out.' },
      example: {
        params: { dataset: 'shop' },
        query: { key: '$browser', value: 'fire' },
        answer: [{ name: 'Firefox' }],
      },
      answer: async ({ query, question }) => {
        refuseUnknown(query, Object.keys(VALUES_PARAMETERS))
        const key = requiredText(query, 'key')
        const value = textParameter(query, 'value')
        const eventNames = textsParameter(query, 'event_name')
        return { body: await eventValues(ask, question, clock.now(), { key, value, eventNames }) }
      },
    },
    {
      ...common,
      path: `${DATASET_PATH}/events/:event`,
      summary: 'One event.',
      parameters: EVENT_PARAMETERS,
      success: { status: 200, description: 'The event.' },
      example: { params: { dataset: 'shop', event: EXAMPLE_EVENT.id }, answer: EXAMPLE_EVENT },
      answer: async (call) => {
        refuseUnknown(call.query, Object.keys(EVENT_PARAMETERS))
        const withPerson = flagParameter({ include_person: 'true', ...call.query }, 'include_person')
        const isMasked = flagParameter(call.query, 'maskPii')
        const id = pathParameter(call, 'event')
        return { body: await getEvent(needs, call.question, { id, withPerson, isMasked }) }
      },
    },
  ]
}

/** A cursor where rows have one, else the rows after those that were told. */
function nextOf(
  url: URL,
  found: SelectedEvents,
  page: { readonly offset: number; readonly limit: number },
): string | null {
  if (found.next !== null) return nextAddress(withoutOffset(url), found.next)
  if (!found.hasMore) return null
  return addressWith(url, { offset: page.offset + page.limit })
}

/** Rows before the first page are not passed over again on the next one. */
function withoutOffset(url: URL): URL {
  const address = new URL(url)
  address.searchParams.delete('offset')
  return address
}

const EXAMPLE_EVENT = {
  id: 'e-12',
  distinct_id: 'user-2',
  properties: { $browser: 'Firefox', amount: 22 },
  event: 'purchase',
  timestamp: '2026-11-21T14:00:00.000Z',
  person: {
    id: '6f0d3c1e-2b7a-5c4d-9e8f-a1b2c3d4e5f6',
    is_identified: false,
    properties: {},
    properties_as_of: 'now',
    created_at: '2026-11-01T09:00:00.000Z',
    distinct_ids: ['user-2'],
  },
  elements: [],
  elements_chain: '',
}

/** Events as a file has them. */
export const EVENTS_TABLE: Pick<Table<EventRow>, 'header' | 'cells'> = {
  header: ['id', 'timestamp', 'event', 'distinct_id', 'properties'],
  cells: (row) => [row.id, row.timestamp, row.event, row.distinct_id, JSON.stringify(row.properties)],
}
