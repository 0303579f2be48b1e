import { Type } from '@sinclair/typebox'
import { csvText } from '../http/csv.ts'
import { csvAnswer } from '../http/csv-answer.ts'
import { addressWith, nextAddress } from '../http/next-address.ts'
import type { Format } from '../http/request-parameters.ts'
import {
  type Answer,
  DATASET_PATH,
  type DatasetCall,
  type DatasetRoute,
  pathParameter,
} from '../http/route.ts'
import { streamAnswer } from '../http/stream-answer.ts'
import { EXAMPLE_PERSON } from './person-examples.ts'
import { getPerson, listPersons, type PersonNeeds, type PersonView, streamPersons } from './person-list.ts'
import { newestPersonProperties } from './person-query.ts'
import { readValuesRequest, VALUES_PARAMETERS, valuesSql } from './person-values.ts'
import { PERSONS_PARAMETERS, type PersonsRequest, readPersonsRequest } from './persons-request.ts'

const PATH = `${DATASET_PATH}/persons`

export const PERSON_SCHEMA = Type.Object({
  type: Type.Literal('person'),
  id: Type.String(),
  uuid: Type.String(),
  name: Type.String(),
  distinct_ids: Type.Array(Type.String()),
  distinct_id_count: Type.Integer(),
  properties: Type.Record(Type.String(), Type.Unknown(), { description: 'As of now.' }),
  properties_as_of: Type.Literal('now'),
  created_at: Type.String(),
  is_identified: Type.Boolean(),
})

/** Who there is, as of now. */
export function personRoutes(needs: PersonNeeds): DatasetRoute[] {
  const { ask } = needs

  async function list(call: DatasetCall, format?: Format): Promise<Answer> {
    const { question, url } = call
    const asked = readPersonsRequest(call.query, format)
    const { limit } = asked
    if (limit === null)
      return streamAnswer(
        `${question.dataset.id}-persons`,
        { header: CSV_HEADER, rows: streamPersons(needs, question, asked), cells: csvRow },
        asked.format,
        asked.csvMode,
      )
    const page = { ...asked, limit }
    const { rows, nextCursor, count } = await listPersons(needs, question, page)
    const next = nextCursor === null ? null : nextOf(url, page, nextCursor)
    if (asked.format === 'csv')
      return csvAnswer(
        `${question.dataset.id}-persons.csv`,
        csvText(CSV_HEADER, rows.map(csvRow), asked.csvMode),
        next === null ? {} : { link: `<${next}>; rel="next"` },
      )
    const total = count === null ? {} : { count }
    return { body: { ...total, next, previous: previousOf(url, page), results: rows } }
  }

  const common = {
    about: 'dataset',
    method: 'GET',
    tag: 'persons',
    access: { object: 'person', action: 'read' },
    limit: 'persons',
  } as const
  const address = Type.Union([Type.String(), Type.Null()])
  return [
    {
      ...common,
      path: PATH,
      summary: 'Persons, those who began last first, page by page.',
      parameters: PERSONS_PARAMETERS,
      success: {
        status: 200,
        description: 'A page, as long as `limit` says whenever `next` is set.',
        schema: Type.Object({
          count: Type.Optional(Type.Integer()),
          next: address,
          previous: address,
          results: Type.Array(PERSON_SCHEMA),
        }),
      },
      example: {
        params: { dataset: 'shop' },
        query: { search: 'ada', include_total: 'true' },
        answer: { count: 1, next: null, previous: null, results: [EXAMPLE_PERSON] },
      },
      answer: (call) => list(call),
    },
    {
      ...common,
      path: `${PATH}.csv`,
      summary: 'Persons as a CSV file.',
      parameters: PERSONS_PARAMETERS,
      success: {
        status: 200,
        description: 'A page; the address of the next one is in the header `Link`.',
        mediaType: 'text/csv',
      },
      example: { params: { dataset: 'shop' }, answer: `${CSV_HEADER.join(',')}\r\n` },
      answer: (call) => list(call, 'csv'),
    },
    {
      ...common,
      path: `${PATH}/values`,
      summary: 'Values of a property of persons, as of now.',
      parameters: VALUES_PARAMETERS,
      success: {
        status: 200,
        description:
          'The values that most persons have, `limit` of them; `value` finds those that are left out.',
        schema: Type.Array(Type.Object({ name: Type.String(), count: Type.Integer() })),
      },
      example: {
        params: { dataset: 'shop' },
        query: { key: 'plan' },
        answer: [{ name: 'pro', count: 120 }],
      },
      async answer({ question, query }) {
        const asked = readValuesRequest(query)
        const rows = await ask<{ name: string; count: number | string }>(question, (bindings) =>
          valuesSql(newestPersonProperties(question.dataset.id, bindings), asked, bindings),
        )
        return { body: rows.map(({ name, count }) => ({ name, count: Number(count) })) }
      },
    },
    {
      ...common,
      path: `${PATH}/:id`,
      summary: 'One person, by its id or by one of its distinct ids.',
      success: { status: 200, description: 'As of now.', schema: PERSON_SCHEMA },
      example: { params: { dataset: 'shop', id: EXAMPLE_PERSON.id }, answer: EXAMPLE_PERSON },
      answer: async (call) => ({ body: await getPerson(ask, call.question, pathParameter(call, 'id')) }),
    },
  ]
}

type CountedRequest = PersonsRequest & { readonly limit: number }

/** Pages that were begun by an offset go on by it; all others by a cursor, which loses nobody. */
function nextOf(own: URL, { offset, limit }: CountedRequest, cursor: string): string {
  return offset === null ? nextAddress(own, cursor) : addressWith(own, { offset: offset + limit })
}

function previousOf(own: URL, { offset, limit }: CountedRequest): string | null {
  return offset === null || offset === 0 ? null : addressWith(own, { offset: Math.max(0, offset - limit) })
}

const CSV_HEADER = ['id', 'name', 'created_at', 'is_identified', 'distinct_ids', 'properties']

function csvRow(row: PersonView): string[] {
  return [
    row.id,
    row.name,
    row.created_at,
    String(row.is_identified),
    row.distinct_ids.join(' '),
    JSON.stringify(row.properties),
  ]
}
