import { Type } from '@sinclair/typebox'
import type { Clock } from '../../core/runtime/clock.ts'
import { invalidInput } from '../http/api-error.ts'
import { jsonParameter } from '../http/json-parameter.ts'
import { flagDeclared, jsonDeclared, textDeclared } from '../http/parameter-declarations.ts'
import { readObject } from '../http/read-body.ts'
import { type RawQuery, refuseUnknown, TEXT_LENGTH_MAX, textParameter } from '../http/request-parameters.ts'
import { type Answer, DATASET_PATH, type DatasetCall, type DatasetRoute } from '../http/route.ts'
import { optionalText } from '../insights/entity-request.ts'
import { flagParameter } from '../insights/insight-request.ts'
import type { RecordingViews } from '../recordings/recording-views-store.ts'
import {
  CLIENT_ID_LENGTH_MAX,
  REFRESH_MODES,
  REFRESH_PARAMETERS,
  type RefreshMode,
  type RefreshRequest,
} from '../results/refresh.ts'
import type { Results } from '../results/results.ts'
import { answerQuery } from './answer-query.ts'
import { underOverride } from './filters-override.ts'
import { measuredQuery } from './measured-query.ts'
import { type Node, nodeOf, optionalNode, refuseMembers } from './query-nodes.ts'
import { RECORDINGS_KIND, recordingsQuery } from './recordings-query.ts'
import { type QueryNeeds, runQuery, withoutDrawing } from './run-query.ts'

const DESCRIPTIONS = {
  async: 'The same as `refresh: "async"`.',
  name: 'For whoever reads logs; changes nothing.',
  filters_override:
    'Over the query of an insight: `date_from` and `date_to` go before its own, `properties` of both have to hold.',
  variables_override: 'Empty: there are no variables, but `values` of an SQLQuery.',
} as const

const PARAMETERS = {
  query: jsonDeclared('The query: an object with a `kind`.'),
  ...REFRESH_PARAMETERS,
  async: flagDeclared(DESCRIPTIONS.async),
  name: textDeclared(DESCRIPTIONS.name),
  filters_override: jsonDeclared(DESCRIPTIONS.filters_override),
  variables_override: jsonDeclared(DESCRIPTIONS.variables_override),
}

const Body = Type.Object({
  query: Type.Object({ kind: Type.String() }, { description: 'See the guide for what each kind has.' }),
  refresh: Type.Optional(
    Type.Union([Type.String(), Type.Boolean()], { description: PARAMETERS.refresh.description }),
  ),
  async: Type.Optional(Type.Boolean({ description: DESCRIPTIONS.async })),
  client_query_id: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  name: Type.Optional(
    Type.Union([Type.String({ maxLength: TEXT_LENGTH_MAX }), Type.Null()], {
      description: DESCRIPTIONS.name,
    }),
  ),
  filters_override: Type.Optional(
    Type.Union(
      [
        Type.Object({
          date_from: Type.Optional(Type.Union([Type.String(), Type.Null()])),
          date_to: Type.Optional(Type.Union([Type.String(), Type.Null()])),
          properties: Type.Optional(Type.Unknown()),
        }),
        Type.Null(),
      ],
      { description: DESCRIPTIONS.filters_override },
    ),
  ),
  variables_override: Type.Optional(
    Type.Union([Type.Object({}), Type.Null()], { description: DESCRIPTIONS.variables_override }),
  ),
})
const BODY_MEMBERS = Object.keys(Body.properties)

export function queryRoutes(
  needs: QueryNeeds & { readonly views: RecordingViews; readonly clock: Pick<Clock, 'now' | 'monotonic'> },
  results: Results,
): DatasetRoute[] {
  async function answer(call: DatasetCall, given: Node): Promise<Answer> {
    refuseMembers(given, BODY_MEMBERS, 'body')
    if (Object.keys(optionalNode(given.variables_override, 'variables_override')).length > 0)
      throw invalidInput(
        'variables_override',
        'There are no variables here. Name what changes as {name} in the text of an SQLQuery, and send values.',
      )
    optionalText(given.name, 'name')
    if (given.query === undefined)
      throw invalidInput('query', 'Send the query: {"kind":"SQLQuery","query":"…"}.', 'required')
    const node = underOverride(withoutDrawing(nodeOf(given.query, 'query')), given.filters_override)
    const { question, url } = call
    const refresh = readRefresh(given)
    if (node.kind === RECORDINGS_KIND)
      return {
        body: await measuredQuery(needs.clock, needs, question, (own, question) =>
          recordingsQuery({ ...needs, ...own }, { ...call, question }, node, refresh),
        ),
      }
    const asked = { question, node, refresh, origin: url.origin }
    return {
      body: await answerQuery(results, asked, (own, question) =>
        measuredQuery(needs.clock, own, question, (own, question) =>
          runQuery({ ...needs, ...own }, { ...call, question }, node),
        ),
      ),
    }
  }

  const common = {
    about: 'dataset',
    tag: 'query',
    access: { object: 'query', action: 'read' },
    limit: 'query',
    path: `${DATASET_PATH}/query`,
    success: { status: 200, description: 'What was found.' },
  } as const
  const params = { dataset: 'shop' }
  return [
    {
      ...common,
      method: 'GET',
      summary: 'Asks a query.',
      parameters: PARAMETERS,
      example: { params, query: { query: JSON.stringify(EXAMPLE_QUERY) }, answer: EXAMPLE_ANSWER },
      answer: (call) => answer(call, fromAddress(call.query)),
    },
    {
      ...common,
      method: 'POST',
      summary: 'Asks a query that is too long for an address.',
      body: Body,
      example: { params, body: { query: EXAMPLE_QUERY }, answer: EXAMPLE_ANSWER },
      answer: (call) => answer(call, readObject(call.body)),
    },
  ]
}

const EXAMPLE_QUERY = {
  kind: 'SQLQuery',
  query: 'SELECT event, count() AS events FROM events GROUP BY event ORDER BY events DESC LIMIT 2',
}
const EXAMPLE_ANSWER = {
  results: [
    ['page_view', 310],
    ['purchase', 12],
  ],
  columns: ['event', 'events'],
  types: ['String', 'UInt64'],
  hasMore: true,
  limit: 2,
  offset: 0,
  query: EXAMPLE_QUERY.query,
  hogql: EXAMPLE_QUERY.query,
  resolved_date_range: null,
  timings: [
    { k: '.', t: 0.041 },
    { k: './clickhouse', t: 0.038 },
  ],
  last_refresh: '2026-11-22T14:05:00.000Z',
  next_allowed_client_refresh: '2026-11-22T14:06:00.000Z',
  is_cached: false,
  cache_key: '0f3ce6b1c1d1f9a7d6b8f4a2f7a9be4f0a3c2d1e5b6f7a8c9d0e1f2a3b4c5d6e',
  timezone: 'Europe/Berlin',
}

function fromAddress(query: RawQuery): Node {
  refuseUnknown(query, Object.keys(PARAMETERS))
  const { refresh, client_query_id } = query
  const asked = jsonParameter(query, 'query')
  return {
    ...(asked === undefined ? {} : { query: asked }),
    refresh,
    client_query_id,
    async: flagParameter(query, 'async'),
    name: textParameter(query, 'name'),
    filters_override: jsonParameter(query, 'filters_override'),
    variables_override: jsonParameter(query, 'variables_override'),
  }
}

/** Older clients say `true` for computing anew, and `async` beside it. @throws ApiError 400 */
function readRefresh(given: Node): RefreshRequest {
  const { refresh, async: isAsync, client_query_id: id } = given
  if (id !== undefined && id !== null && (typeof id !== 'string' || id.length > CLIENT_ID_LENGTH_MAX))
    throw invalidInput(
      'client_query_id',
      `client_query_id is text of at most ${CLIENT_ID_LENGTH_MAX} characters.`,
    )
  if (isAsync !== undefined && isAsync !== null && typeof isAsync !== 'boolean')
    throw invalidInput('async', 'async is true or false.')
  const clientQueryId = typeof id === 'string' && id !== '' ? id : null
  const isFlag = refresh === undefined || refresh === null || typeof refresh === 'boolean'
  const mode = isFlag
    ? `${refresh === true ? 'force_' : ''}${isAsync === true ? 'async' : 'blocking'}`
    : refresh
  if (REFRESH_MODES.includes(mode as RefreshMode)) return { refresh: mode as RefreshMode, clientQueryId }
  throw invalidInput('refresh', `refresh is one of ${REFRESH_MODES.join(', ')}.`)
}
