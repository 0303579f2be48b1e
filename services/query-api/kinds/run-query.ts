import { suggestion } from '../../core/control/nearest-name.ts'
import type { EventNeeds } from '../events/event-frame.ts'
import { invalidInput } from '../http/api-error.ts'
import type { DatasetCall } from '../http/route.ts'
import type { InsightNeeds } from '../insights/frame.ts'
import { actorsQuery } from './actors-query.ts'
import { eventsQuery } from './events-query.ts'
import { insightAnswer } from './insight-answer.ts'
import { INSIGHT_KINDS } from './insight-kinds.ts'
import type { Node } from './query-nodes.ts'
import { schemaQuery } from './schema-query.ts'
import { metadataQuery, sqlQuery } from './sql-query.ts'

export type QueryNeeds = EventNeeds & InsightNeeds

/** What a query answers, without what every answer has. `results` is among it. */
export type QueryResult = Readonly<Record<string, unknown>>

/** @throws ApiError 400 */
export type RunKind = (needs: QueryNeeds, call: DatasetCall, node: Node) => Promise<QueryResult>

/** What can be asked, by its `kind`. Names of other products' clients stand beside our own. */
const KINDS: Readonly<Record<string, RunKind>> = {
  EventsQuery: eventsQuery,
  SQLQuery: sqlQuery,
  HogQLQuery: sqlQuery,
  SQLMetadata: metadataQuery,
  HogQLMetadata: metadataQuery,
  DatabaseSchemaQuery: schemaQuery,
  ActorsQuery: actorsQuery,
  ...Object.fromEntries(Object.keys(INSIGHT_KINDS).map((kind) => [kind, insightAnswer])),
}

export const QUERY_KINDS: readonly string[] = Object.keys(KINDS)

/** @throws ApiError 400 for a kind that there is not, and for what is wrong in the query */
export function runQuery(needs: QueryNeeds, call: DatasetCall, node: Node): Promise<QueryResult> {
  const kind = String(node.kind).slice(0, 64)
  const run = Object.hasOwn(KINDS, kind) ? KINDS[kind] : undefined
  // What only draws an answer is unwrapped: its source is what is asked.
  if (kind === 'InsightVizNode' || kind === 'DataTableNode' || kind === 'DataVisualizationNode')
    return runQuery(needs, call, (node.source ?? {}) as Node)
  if (run === undefined)
    throw invalidInput(
      'query__kind',
      `There is no kind "${kind}"${suggestion(kind, QUERY_KINDS)}. There are: ${QUERY_KINDS.join(', ')}.`,
    )
  return run(needs, call, node)
}
