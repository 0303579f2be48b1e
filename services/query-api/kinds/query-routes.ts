import { Type } from '@sinclair/typebox'
import { invalidInput } from '../http/api-error.ts'
import { choiceDeclared, jsonDeclared, textDeclared } from '../http/parameter-declarations.ts'
import { readObject, refuseDeep } from '../http/read-body.ts'
import { type RawQuery, refuseUnknown } from '../http/request-parameters.ts'
import { type Answer, DATASET_PATH, type DatasetCall, type DatasetRoute } from '../http/route.ts'
import { type AnswerQuery, cacheKeyOf, REFRESHES, type Refresh } from './answer-query.ts'
import { type Node, nodeOf, refuseMembers } from './query-nodes.ts'
import { type QueryNeeds, runQuery } from './run-query.ts'

/** Longest query in an address, characters. */
const ADDRESS_LENGTH_MAX = 65_536

const PARAMETERS = {
  query: jsonDeclared('The query: an object with a `kind`.'),
  refresh: choiceDeclared(
    'How fresh the answer has to be, and whether it is waited for.',
    REFRESHES,
    'blocking',
  ),
  client_query_id: textDeclared('A name that the client gives to the query.'),
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

export function queryRoutes(needs: QueryNeeds, answerQuery: AnswerQuery): DatasetRoute[] {
  async function answer(call: DatasetCall, given: Node): Promise<Answer> {
    refuseMembers(given, [...BODY_MEMBERS, 'filters_override', 'variables_override'], 'body')
    for (const member of ['filters_override', 'variables_override'])
      if (Object.keys((given[member] ?? {}) as object).length > 0)
        throw invalidInput(member, 'Put what is to be overridden into the query itself.')
    if (given.query === undefined)
      throw invalidInput('query', 'Send the query: {"kind":"SQLQuery","query":"…"}.', 'required')
    const node = nodeOf(given.query, 'query')
    const { question } = call
    const asked = { question, node, refresh: readRefresh(given), cacheKey: cacheKeyOf(question, node) }
    return { body: await answerQuery(asked, () => runQuery(needs, call, node)) }
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

/** Older clients say `true` for computing anew, and `async` beside it. */
function readRefresh(given: Node): Refresh {
  const { refresh, async: isAsync } = given
  if (refresh === true) return isAsync === true ? 'force_async' : 'force_blocking'
  if (refresh === undefined || refresh === null || refresh === false)
    return isAsync === true ? 'async' : 'blocking'
  if (REFRESHES.includes(refresh as Refresh)) return refresh as Refresh
  throw invalidInput('refresh', `refresh is one of ${REFRESHES.join(', ')}.`)
}
