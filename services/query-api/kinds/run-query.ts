import { suggestion } from '../../core/control/nearest-name.ts'
import type { EventNeeds } from '../events/event-frame.ts'
import { invalidInput } from '../http/api-error.ts'
import type { DatasetCall } from '../http/route.ts'
import type { InsightNeeds } from '../insights/frame.ts'
import { ACTOR_SOURCES, actorsQuery, sourceQuery } from './actors-query.ts'
import { correlationQuery } from './correlation-query.ts'
import { groupsQuery } from './groups-query.ts'
import { insightAnswer } from './insight-answer.ts'
import { INSIGHT_KINDS } from './insight-kinds.ts'
import { type Node, optionalNode } from './query-nodes.ts'
import { RECORDINGS_KIND } from './recordings-query.ts'
import { ROW_KINDS } from './row-kinds.ts'
import { schemaQuery } from './schema-query.ts'
import { metadataQuery } from './sql-query.ts'

export type QueryNeeds = EventNeeds & InsightNeeds

/** What a query answers, without what every answer has. `results` is among it. */
export type QueryResult = Readonly<Record<string, unknown>>

/** Who asks about what, and where: links of an answer lead to the same place. */
export type QueryCall = Pick<DatasetCall, 'question' | 'url'>

/** @throws ApiError 400 */
export type RunKind = (needs: QueryNeeds, call: QueryCall, node: Node) => Promise<QueryResult>

/** What can be asked and kept, by its `kind`. Names of other products' clients stand beside our own. */
const KINDS: Readonly<Record<string, RunKind>> = {
  ...Object.fromEntries(Object.entries(ROW_KINDS).map(([kind, { run }]) => [kind, run])),
  SQLMetadata: metadataQuery,
  HogQLMetadata: metadataQuery,
  DatabaseSchemaQuery: schemaQuery,
  ActorsQuery: actorsQuery,
  ...Object.fromEntries(ACTOR_SOURCES.map((kind) => [kind, sourceQuery])),
  GroupsQuery: groupsQuery,
  FunnelCorrelationQuery: correlationQuery,
  ...Object.fromEntries(Object.keys(INSIGHT_KINDS).map((kind) => [kind, insightAnswer])),
}

export const QUERY_KINDS: readonly string[] = [...Object.keys(KINDS), RECORDINGS_KIND]

const DRAWINGS = ['InsightVizNode', 'DataTableNode', 'DataVisualizationNode']

/** What only draws an answer is taken away: its source is what is asked. @throws ApiError 400 */
export function withoutDrawing(node: Node): Node {
  let asked = node
  while (DRAWINGS.includes(String(asked.kind))) asked = optionalNode(asked.source, 'query__source')
  return asked
}

/** @throws ApiError 400 for a kind that there is not, and for what is wrong in the query */
export function runQuery(needs: QueryNeeds, call: QueryCall, node: Node): Promise<QueryResult> {
  const kind = String(node.kind).slice(0, 64)
  const run = Object.hasOwn(KINDS, kind) ? KINDS[kind] : undefined
  if (run === undefined)
    throw invalidInput(
      'query__kind',
      `There is no kind "${kind}"${suggestion(kind, QUERY_KINDS)}. There are: ${QUERY_KINDS.join(', ')}.`,
    )
  return run(needs, call, node)
}
