import { invalidInput } from '../http/api-error.ts'
import { leavingOut } from '../http/request-parameters.ts'
import { retentionPeople } from '../insights/activity-people.ts'
import type { InsightNeeds } from '../insights/frame.ts'
import { type GroupRow, type PersonRow, peopleOf } from '../insights/people.ts'
import { PEOPLE } from '../insights/people-kinds.ts'
import { PEOPLE_LIMITS, type PeoplePage } from '../insights/people-request.ts'
import type { Question } from '../query/question.ts'
import { insightNode, rawQuery } from './insight-kinds.ts'
import { type Node, nodeOf, refuseMembers, UNUSED_MEMBERS, wholeOf } from './query-nodes.ts'
import type { RunKind } from './run-query.ts'
import { type Column, readSelect } from './selected-columns.ts'

interface Actor {
  readonly actor: PersonRow | GroupRow
  /** Of a retention: 1 for every number of periods after which the actor came back. */
  readonly appearances: readonly number[]
}

const WHOLE: Column<Actor> = { type: 'Actor', of: ({ actor }) => actor }
const VALUE: Column<Actor> = { type: 'Float64', of: ({ actor }) => actor.value_at_data_point }

const COLUMNS = {
  actor: WHOLE,
  person: WHOLE,
  group: WHOLE,
  id: { type: 'String', of: ({ actor }) => actor.id },
  name: {
    type: 'Nullable(String)',
    of: ({ actor }) => (actor.type === 'person' ? actor.name : actor.group_key),
  },
  created_at: { type: 'Nullable(String)', of: ({ actor }) => actor.created_at },
  properties: { type: 'JSON', of: ({ actor }) => actor.properties },
  distinct_ids: {
    type: 'Array(String)',
    of: ({ actor }) => (actor.type === 'person' ? actor.distinct_ids : []),
  },
  event_count: VALUE,
  value: VALUE,
} satisfies Readonly<Record<string, Column<Actor>>>
const OF_RETENTION = {
  ...COLUMNS,
  appearances: { type: 'Array(UInt8)', of: ({ appearances }) => appearances },
} satisfies Readonly<Record<string, Column<Actor>>>

/** Members of a source that tell a number of its insight apart, as parameters of its people. */
const SELECTORS: Readonly<Record<string, string>> = {
  series: 'entity_order',
  day: 'point',
  interval: 'selected_interval',
  compare: 'compare_label',
  breakdown: 'breakdown_value',
  status: 'lifecycle_type',
  funnelStep: 'funnel_step',
  funnelStepBreakdown: 'breakdown_value',
  funnelTrendsDropOff: 'drop_off',
  funnelTrendsEntrancePeriodStart: 'entrance_period_start',
  stickinessDays: 'stickiness_days',
  pathStartKey: 'path_start_key',
  pathEndKey: 'path_end_key',
  pathDropoffKey: 'path_dropoff_key',
}
const SOURCES = ['InsightActorsQuery', 'FunnelsActorsQuery', 'StickinessActorsQuery']

/** The people behind a number of an insight, those who add most to it first; of a retention the most faithful. */
export const actorsQuery: RunKind = async (needs, { question }, node) => {
  refuseMembers(node, [...UNUSED_MEMBERS, 'source', 'select', 'limit', 'offset'], 'query')
  const page = {
    limit: wholeOf(node.limit, 'query__limit', 1, PEOPLE_LIMITS.pageMax, PEOPLE_LIMITS.page),
    offset: wholeOf(node.offset, 'query__offset', 0, PEOPLE_LIMITS.offsetMax, 0),
  }
  const source = readSource(nodeOf(node.source, 'query__source'))
  const { columns, types, results } =
    source.kind === 'retention'
      ? readSelect(node, 'the actors of a retention', OF_RETENTION, ['actor', 'appearances'])
      : readSelect(node, 'actors', COLUMNS, ['actor', 'created_at', 'event_count'])
  const { actors, ...found } = await actorsOf(needs, question, source, page)
  return { results: results(actors), columns, types, ...page, ...found }
}

/** A page of them, with what is known of all of them. */
async function actorsOf(
  needs: InsightNeeds,
  question: Question,
  { kind, parameters }: ReturnType<typeof readSource>,
  page: PeoplePage,
) {
  const query = rawQuery(parameters)
  if (kind === 'retention') {
    const { people, isLast } = await retentionPeople(needs, question, query, page)
    const actors = people.map(({ person, appearances }): Actor => ({ actor: person, appearances }))
    return { actors, hasMore: !isLast }
  }
  const declared = Object.hasOwn(PEOPLE, kind) ? PEOPLE[kind as keyof typeof PEOPLE] : undefined
  if (declared === undefined) throw new Error(`Nobody is behind ${kind}.`)
  const { sql, groupTypeIndex } = await declared.behind(needs, question, query)
  const found = await peopleOf(needs.ask, question, sql, page, groupTypeIndex)
  return {
    actors: found.people.map((actor): Actor => ({ actor, appearances: [] })),
    hasMore: !found.isLast,
    count: found.count,
    missing_actors_count: found.missing,
  }
}

function readSource(source: Node): { readonly kind: string; readonly parameters: Node } {
  if (!SOURCES.includes(String(source.kind)))
    throw invalidInput('query__source__kind', `A source is one of ${SOURCES.join(', ')}.`)
  const selectors = leavingOut(source, [...UNUSED_MEMBERS, 'source'])
  refuseMembers(selectors, Object.keys(SELECTORS), 'query__source')
  const { kind, parameters } = insightNode(nodeOf(source.source, 'query__source__source'))
  const own = Object.entries(selectors).flatMap(([member, value]) => {
    if (value === null || value === undefined) return []
    if (member === 'day' && kind.people === 'lifecycle') return [['target_date', value] as const]
    if (member === 'day' && kind.people === 'stickiness') return [['stickiness_days', value] as const]
    return [[SELECTORS[member] as string, value] as const]
  })
  return { kind: kind.people, parameters: { ...parameters, ...Object.fromEntries(own) } }
}
