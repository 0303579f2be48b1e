import { invalidInput } from '../http/api-error.ts'
import { type GroupRow, type PersonRow, peopleOf } from '../insights/people.ts'
import { PEOPLE } from '../insights/people-kinds.ts'
import { PEOPLE_LIMITS } from '../insights/people-request.ts'
import { insightNode, rawQuery } from './insight-kinds.ts'
import { type Node, nodeOf, refuseMembers, textsOf, wholeOf } from './query-nodes.ts'
import type { RunKind } from './run-query.ts'

type Actor = PersonRow | GroupRow

/** Columns that may be selected, with ClickHouse's type where one fits. */
const COLUMNS: Readonly<Record<string, { readonly type: string; readonly of: (actor: Actor) => unknown }>> = {
  actor: { type: 'Actor', of: (actor) => actor },
  person: { type: 'Actor', of: (actor) => actor },
  group: { type: 'Actor', of: (actor) => actor },
  id: { type: 'String', of: ({ id }) => id },
  name: { type: 'Nullable(String)', of: (actor) => (actor.type === 'person' ? actor.name : actor.group_key) },
  created_at: { type: 'Nullable(String)', of: (actor) => actor.created_at },
  properties: { type: 'JSON', of: ({ properties }) => properties },
  distinct_ids: { type: 'Array(String)', of: (actor) => (actor.type === 'person' ? actor.distinct_ids : []) },
  event_count: { type: 'Float64', of: (actor) => actor.value_at_data_point },
  value: { type: 'Float64', of: (actor) => actor.value_at_data_point },
}
const DEFAULT_SELECT = ['actor', 'created_at', 'event_count']
const SELECT_MAX = 20

/** Members of a source that tell a number of its insight apart, as parameters of its people. */
const SELECTORS: Readonly<Record<string, string>> = {
  series: 'entity_order',
  day: 'point',
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

/** The people behind a number of an insight, those who add most to it first. */
export const actorsQuery: RunKind = async (needs, { question }, node) => {
  refuseMembers(node, ['kind', 'response', 'tags', 'version', 'source', 'select', 'limit', 'offset'], 'query')
  const selected = readSelect(node)
  const page = {
    limit: wholeOf(node.limit, 'query__limit', 1, PEOPLE_LIMITS.pageMax, PEOPLE_LIMITS.page),
    offset: wholeOf(node.offset, 'query__offset', 0, PEOPLE_LIMITS.offsetMax, 0),
  }
  const { kind, parameters } = readSource(nodeOf(node.source, 'query__source'))
  const declared = Object.hasOwn(PEOPLE, kind) ? PEOPLE[kind as keyof typeof PEOPLE] : undefined
  if (declared === undefined)
    throw invalidInput('query__source__source', 'The people of a retention are listed at persons/retention.')
  const { sql, groupTypeIndex } = await declared.behind(needs, question, rawQuery(parameters))
  const found = await peopleOf(needs.ask, question, sql, page, groupTypeIndex)
  return {
    results: found.people.map((actor) => selected.map((name) => COLUMNS[name]?.of(actor))),
    columns: selected,
    types: selected.map((name) => COLUMNS[name]?.type),
    hasMore: !found.isLast,
    ...page,
    count: found.count,
    missing_actors_count: found.missing,
  }
}

function readSelect(node: Node): string[] {
  const given = textsOf(node.select, 'query__select', SELECT_MAX)
  const selected = given.length === 0 ? DEFAULT_SELECT : given
  const unknown = selected.find((name) => !Object.hasOwn(COLUMNS, name))
  if (unknown === undefined) return selected
  throw invalidInput('query__select', `Of actors can be selected: ${Object.keys(COLUMNS).join(', ')}.`)
}

function readSource(source: Node): { readonly kind: string; readonly parameters: Node } {
  if (!SOURCES.includes(String(source.kind)))
    throw invalidInput('query__source__kind', `A source is one of ${SOURCES.join(', ')}.`)
  const { kind: _, source: inner, response: __, tags: ___, version: ____, ...selectors } = source
  refuseMembers(selectors, Object.keys(SELECTORS), 'query__source')
  const { kind, parameters } = insightNode(nodeOf(inner, 'query__source__source'))
  const own = Object.entries(selectors).flatMap(([member, value]) => {
    if (value === null || value === undefined) return []
    if (member === 'day' && kind.people === 'lifecycle') return [['target_date', value] as const]
    if (member === 'day' && kind.people === 'stickiness') return [['stickiness_days', value] as const]
    return [[SELECTORS[member] as string, value] as const]
  })
  return { kind: kind.people, parameters: { ...parameters, ...Object.fromEntries(own) } }
}
