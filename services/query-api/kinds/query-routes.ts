import { Type } from '@sinclair/typebox'
import { invalidInput } from '../http/api-error.ts'
import { jsonDeclared } from '../http/parameter-declarations.ts'
import { readObject, refuseDeep } from '../http/read-body.ts'
import { type RawQuery, refuseUnknown } from '../http/request-parameters.ts'
import { type Answer, DATASET_PATH, type DatasetCall, type DatasetRoute } from '../http/route.ts'
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
import { type Node, nodeOf, refuseMembers } from './query-nodes.ts'
import { RECORDINGS_KIND, recordingsQuery } from './recordings-query.ts'
import { type QueryNeeds, runQuery, withoutDrawing } from './run-query.ts'

/** Longest query in an address, characters. */
const ADDRESS_LENGTH_MAX = 65_536

const PARAMETERS = {
  query: jsonDeclared('The query: an object with a `kind`.'),
  ...REFRESH_PARAMETERS,
}

const Body = Type.Object({
  query: Type.Object({ kind: Type.String() }, { description: 'See the guide for what each kind has.' }),
  refresh: Type.Optional(
    Type.Union([Type.String(), Type.Boolean()], { description: PARAMETERS.refresh.description }),
  ),
  async: Type.Optional(Type.Boolean({ description: 'The same as `refresh: "async"`.' })),
  client_query_id: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  name: Type.Optional(
    Type.Union([Type.String(), Type.Null()], { description: 'For whoever reads logs; changes nothing.' }),
  ),
})
const BODY_MEMBERS = Object.keys(Body.properties)

export function queryRoutes(
  needs: QueryNeeds & { readonly views: RecordingViews },
  results: Results,
): DatasetRoute[] {
  async function answer(call: DatasetCall, given: Node): Promise<Answer> {
    refuseMembers(given, [...BODY_MEMBERS, 'filters_override', 'variables_override'], 'body')
    for (const member of ['filters_override', 'variables_override'])
      if (Object.keys((given[member] ?? {}) as object).length > 0)
        throw invalidInput(member, 'Put what is to be overridden into the query itself.')
    if (given.query === undefined)
      throw invalidInput('query', 'Send the query: {"kind":"SQLQuery","query":"…"}.', 'required')
    const node = withoutDrawing(nodeOf(given.query, 'query'))
    const { question, url } = call
    const refresh = readRefresh(given)
    if (node.kind === RECORDINGS_KIND) return { body: await recordingsQuery(needs, call, node, refresh) }
    const asked = { question, node, refresh, origin: url.origin }
    return {
      body: await answerQuery(results, asked, (own, question) =>
        runQuery({ ...needs, ...own }, { ...call, question }, node),
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
  last_refresh: '2026-11-22T14:05:00.000Z',
  next_allowed_client_refresh: '2026-11-22T14:06:00.000Z',
  is_cached: false,
  cache_key: '0f3ce6b1c1d1f9a7d6b8f4a2f7a9be4f0a3c2d1e5b6f7a8c9d0e1f2a3b4c5d6e',
  timezone: 'Europe/Berlin',
}

function fromAddress(query: RawQuery): Node {
  refuseUnknown(query, Object.keys(PARAMETERS))
  const { query: text, refresh, client_query_id } = query
  if (text === undefined || text === '') return { refresh, client_query_id }
  if (typeof text !== 'string' || text.length > ADDRESS_LENGTH_MAX)
    throw invalidInput('query', `query is given once, with at most ${ADDRESS_LENGTH_MAX} characters.`)
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    throw invalidInput('query', 'This is not JSON. Send query={"kind":"SQLQuery","query":"…"}.')
  }
  refuseDeep(parsed, 'query')
  return { query: parsed, refresh, client_query_id }
}

/** Older clients say `true` for computing anew, and `async` beside it. @throws ApiError 400 */
function readRefresh(given: Node): RefreshRequest {
  const { refresh, async: isAsync, client_query_id: id } = given
  if (id !== undefined && id !== null && (typeof id !== 'string' || id.length > CLIENT_ID_LENGTH_MAX))
    throw invalidInput(
      'client_query_id',
      `client_query_id is text of at most ${CLIENT_ID_LENGTH_MAX} characters.`,
    )
  const clientQueryId = typeof id === 'string' && id !== '' ? id : null
  const isFlag = refresh === undefined || refresh === null || typeof refresh === 'boolean'
  const mode = isFlag
    ? `${refresh === true ? 'force_' : ''}${isAsync === true ? 'async' : 'blocking'}`
    : refresh
  if (REFRESH_MODES.includes(mode as RefreshMode)) return { refresh: mode as RefreshMode, clientQueryId }
  throw invalidInput('refresh', `refresh is one of ${REFRESH_MODES.join(', ')}.`)
}
